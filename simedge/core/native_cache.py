"""One decorator for native kernels: compiled by numba, without the interpreter lock, kept on disk.

Numba notices an edit in the file of a kernel, but not one in another file whose kernel it has
compiled in. So compiled code is kept in a directory of the user whose name is a hash of every
native file of this package and of the versions that took part. It is never inside the package,
which may be installed where nobody can write. Where ``NUMBA_CACHE_DIR`` is set, that directory is
made below it.
"""

import functools
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.runtime import nrt
from typing_extensions import override

from simedge.core.native_parts import part

__all__ = [
    "is_cold",
    "jit_is_off",
    "native",
    "native_cache_dir",
    "native_inside",
    "native_leaf",
    "native_part",
    "native_sums",
    "unlocked_leaf",
]

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])

_MARKS = (b"simedge.core.native_cache import", b"numba")
_PACKAGE = Path(__file__).resolve().parents[1]
_CONFIG: Any = numba.config  # its attributes are set at run time


def native(function: _Kernel) -> _Kernel:
    """Compile a kernel at its first call for the types it meets; later processes load it.

    It divides as numpy does (no exception for zero). Floating-point arithmetic is left in the
    order written (no fast mode). It keeps the interpreter lock: to let go of it and to wait for it
    again costs more than a short kernel takes.
    """
    return _compiled(function, {})


def native_leaf(function: _Kernel) -> _Kernel:
    """Compile a kernel that makes no array and calls none that does.

    Its arrays belong to the caller, so no references are counted: in small kernels that are called
    by the thousand, counting costs as much as the work. An array made inside would be a compile
    error.
    """
    return _compiled(function, {"_nrt": False})


def native_part(function: _Kernel) -> _Kernel:
    """Let kernels like `native_leaf` call a function: it is compiled into them, see `part`."""
    return _part(function, {})


def native_inside(function: _Kernel) -> _Kernel:
    """Declare a part that is always compiled into the loops of its callers.

    Compilers leave a long part a function of its own, and arrays by the dozen are then handed over
    at every call: more work than a short volley has.
    """
    return _part(function, {"forceinline": True})


def native_sums(function: _Kernel) -> _Kernel:
    """Declare a part whose sums may be taken in any order.

    So they fill vector registers. The order is that of the compiled code: the same on one machine,
    perhaps another on another processor. A loop that sums must store nothing: otherwise compiled
    code tests whether arrays overlap, and the order would depend on where they lie in memory.
    """
    return _part(function, {"fastmath": {"reassoc", "contract", "nsz"}})


def unlocked_leaf(function: _Kernel) -> _Kernel:
    """Compile a kernel like `native_leaf`, to run long and without the interpreter lock."""
    return _compiled(function, {"_nrt": False, "nogil": True})


def jit_is_off() -> bool:
    """Tell whether kernels run as plain Python, for those who debug or measure coverage."""
    return bool(_CONFIG.DISABLE_JIT)


def _part(function: _Kernel, options: dict[str, Any]) -> _Kernel:
    if jit_is_off():
        return function
    declare = part(error_model="numpy", _nrt=False, **options)
    return cast("_Kernel", declare(function))


def _compiled(function: _Kernel, options: dict[str, Any]) -> _Kernel:
    compiler: Any = numba.njit
    compiled: Any = compiler(error_model="numpy", **options)(function)
    with _cache_directory() as found:
        # With the interpreter in numba's place there is nothing to keep.
        if found and compiled is not function and Path(function.__code__.co_filename).is_file():
            kept: Any = _Cache
            compiled._cache = kept(function)  # noqa: SLF001 -- what cache=True does
    return cast("_Kernel", compiled)


class _Cache(FunctionCache):
    """Loads compiled code without what only a compiler needs.

    Numba first imports all that it knows of Python and numpy, which takes longer than to load
    every kernel of a run. It does so anyway when it finds nothing here and compiles.
    """

    @override
    def load_overload(self, sig: Any, target_context: Any) -> Any:
        runtime: Any = nrt.rtsys
        runtime.initialize(target_context)
        itself: Any = self
        with itself._guard_against_spurious_io_errors():  # noqa: SLF001
            return itself._load_overload(sig, target_context)  # noqa: SLF001


@functools.cache
def native_cache_dir() -> Path | None:
    """Give the directory of compiled kernels, made for the user alone, or None."""
    names = _below()
    roots = (user_cache(os.environ), Path(tempfile.gettempdir()) / f"simedge-{_user()}")
    return next((root / names for root in roots if make_private(root / names)), None)


@functools.cache
def _below() -> Path:
    # Numba keys kernels by the place of their file too: a second copy of the package is cold.
    place = hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:8]
    return Path("simedge") / f"native-{cache_key(native_files(_PACKAGE))}-{place}"


def _directory() -> str:
    given = _CONFIG.CACHE_DIR
    return str(Path(given) / _below()) if given else str(native_cache_dir() or "")


def is_cold(kernel: str = "*") -> bool:
    """Tell whether compiled code can be kept, and none is yet of a kernel, as "file.function"."""
    directory = _directory()
    return bool(directory) and next(Path(directory).rglob(f"{kernel}-*.nbi"), None) is None


@contextmanager
def _cache_directory() -> Iterator[bool]:
    """Point numba at our directory while a kernel is declared; other packages keep their own."""
    before = _CONFIG.CACHE_DIR
    directory = _directory()
    _CONFIG.CACHE_DIR = directory
    try:
        yield bool(directory)
    finally:
        _CONFIG.CACHE_DIR = before


def native_files(package: Path) -> list[Path]:
    """List the files that make compiled code: those that import this module, or numba."""
    texts = ((path, path.read_bytes()) for path in sorted(package.rglob("*.py")))
    return [path for path, text in texts if any(mark in text for mark in _MARKS)]


def cache_key(files: Iterable[Path]) -> str:
    """Hash what compiled code depends on; numba itself keys it by processor."""
    sha = hashlib.sha256()
    versions = (numba.__version__, np.__version__, sys.version)
    sha.update("|".join((*versions, platform.machine())).encode())
    for path in files:
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()[:16]


def user_cache(environ: Mapping[str, str], system: str = sys.platform) -> Path:
    """Give the directory where programs of this user keep what they can make again."""
    if system == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if system == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def make_private(directory: Path) -> bool:
    """Make the directory; True if it is ours and writable (compiled code is run as it is read)."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
        return not hasattr(os, "getuid") or directory.stat().st_uid == os.getuid()
    except OSError:
        return False
