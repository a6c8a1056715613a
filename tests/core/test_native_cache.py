"""Laws of the native cache: keyed by every native file, private to the user."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from simedge.core import native_cache
from simedge.core.compile_clock import CompileClock
from simedge.core.native_cache import jit_is_off, native, native_cache_dir

PACKAGE = Path(native_cache.__file__).parents[1]


@native
def _half(value: int) -> float:
    return value / 2


@native
def _inverse(value: float) -> float:
    return 1.0 / value


@pytest.fixture
def native_file(tmp_path: Path) -> Path:
    path = tmp_path / "kernel.py"
    path.write_text("from simedge.core.native_cache import native\n")
    (tmp_path / "plain.py").write_text("import numpy\n")
    return path


def test_a_kernel_computes_and_divides_by_zero_as_numpy_does() -> None:
    assert _half(7) == 3.5
    assert _inverse(0.0) == float("inf")


def test_the_directory_is_the_users_alone_and_outside_the_package() -> None:
    directory = native_cache_dir()
    assert directory is not None
    assert not directory.is_relative_to(PACKAGE)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_declaring_a_kernel_leaves_the_caches_of_other_packages_alone() -> None:
    before = numba.config.CACHE_DIR
    native(lambda value: value)
    assert before == numba.config.CACHE_DIR


def test_only_files_that_declare_kernels_are_in_the_key(native_file: Path) -> None:
    assert native_cache.native_files(native_file.parent) == [native_file]


def test_an_edit_in_any_native_file_changes_the_key(native_file: Path) -> None:
    before = native_cache.cache_key([native_file])
    assert native_cache.cache_key([native_file]) == before
    native_file.write_text(native_file.read_text() + "# edited\n")
    assert native_cache.cache_key([native_file]) != before


@pytest.mark.parametrize(
    ("environ", "system", "tail"),
    [
        ({"XDG_CACHE_HOME": "/elsewhere"}, "linux", "/elsewhere"),
        ({}, "linux", ".cache"),
        ({}, "darwin", "Library/Caches"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local"),
        ({}, "win32", "AppData/Local"),
    ],
)
def test_each_system_has_its_place_for_caches(
    environ: dict[str, str], system: str, tail: str
) -> None:
    assert native_cache.user_cache(environ, system).as_posix().endswith(tail)


def test_a_place_where_nobody_can_write_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not native_cache.make_private(tmp_path / "file" / "below")
    assert native_cache.make_private(tmp_path / "new")


def _directory_of_a_kernel(tmp_path: Path, **environ: str) -> str:
    """Run one kernel in a fresh process and name the directory that now holds it."""
    return _told_by_a_kernel(tmp_path, "stats.cache_path if stats else ''", **environ)


def _told_by_a_kernel(tmp_path: Path, what: str, **environ: str) -> str:
    (tmp_path / "mine.py").write_text(
        "import sys\n"
        "import numpy as np\n"
        "from simedge.core.native_cache import native\n"
        "@native\n"
        "def twice(values):\n    made = np.zeros(2)\n    made += 2 * values\n    return made\n"
        "assert list(twice(np.array([1.0, 21.0]))) == [2.0, 42.0]\n"
        "stats = getattr(twice, 'stats', None)\n"
        f"print({what})\n"
    )
    env = dict(os.environ, PYTHONPATH=str(PACKAGE.parent), NUMBA_DISABLE_JIT="0", **environ)
    command = [sys.executable, str(tmp_path / "mine.py")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)  # noqa: S603  # our own file
    return done.stdout.strip()


LOADED = "sum(stats.cache_hits.values()), 'numba.np.arraymath' in sys.modules, stats.cache_path"


@pytest.fixture(scope="module", name="kept")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return where a kernel was told to be kept, and what it then said."""
    folder = tmp_path_factory.mktemp("kept")
    return folder, _told_by_a_kernel(folder, LOADED, NUMBA_CACHE_DIR=str(folder / "b"))


def test_compiled_code_goes_to_the_users_cache(tmp_path: Path) -> None:
    ours = _directory_of_a_kernel(tmp_path, XDG_CACHE_HOME=str(tmp_path / "a"), NUMBA_CACHE_DIR="")
    assert Path(ours).is_relative_to(tmp_path / "a" / "simedge")
    assert list(Path(ours).glob("*.nbi"))


def test_a_place_told_to_numba_is_keyed_by_every_native_file_as_well(
    kept: tuple[Path, str],
) -> None:
    directory = native_cache_dir()
    assert directory is not None
    folder, said = kept
    assert Path(said.split()[2]).is_relative_to(folder / "b" / "simedge" / directory.name)


def test_what_is_kept_is_loaded_without_what_only_a_compiler_needs(kept: tuple[Path, str]) -> None:
    folder, first = kept
    then = _told_by_a_kernel(folder, LOADED, NUMBA_CACHE_DIR=str(folder / "b"))
    assert [first.split()[:2], then.split()[:2]] == [["0", "True"], ["1", "False"]]


def test_without_any_place_to_write_kernels_still_compile(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "file" / "below")
    found = _directory_of_a_kernel(
        tmp_path, XDG_CACHE_HOME=nowhere, TMPDIR=nowhere, NUMBA_CACHE_DIR=""
    )
    assert found == "" or not Path(found).is_relative_to(tmp_path / "file")


def test_the_clock_counts_compiling_and_nothing_else() -> None:
    def twice(number: float) -> float:
        return 2 * number

    clock, kernel = CompileClock(), numba.njit(twice)
    assert clock.seconds == 0
    with clock:
        kernel(1.0)
    first = clock.seconds
    assert (first > 0) is not jit_is_off()
    with clock:
        kernel(2.0)
    kernel(1)
    assert clock.seconds == first
