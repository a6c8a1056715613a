"""What wrote a checkpoint, and whether it may be taken up by what runs now."""

import functools
import hashlib
import inspect
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import simedge
from simedge.run.checkpoint.errors import CheckpointError

__all__ = ["check_maker", "code_digest", "maker"]

_PACKAGES = ("numpy", "numba", "llvmlite", "torch")
"""On whose versions floats may depend."""


def maker(learner: object = None) -> dict[str, str]:
    """Return what writes a checkpoint here and now.

    Parameters
    ----------
    learner
        What makes learners, if it was given in Python.
    """
    said = {
        "simedge": simedge.__version__,
        "code": code_digest(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    for package in _PACKAGES:
        try:
            said[package] = version(package)
        except PackageNotFoundError:
            continue
    if learner is not None:
        said["learner"] = _source_digest(learner)
    return said


def check_maker(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return a word on each thing that is another now, and on which floats may depend.

    Raises
    ------
    CheckpointError
        If the package or the learner is another: then states do not mean the same.
    """
    for name, what in (("simedge", "version of simedge"), ("code", "state of simedge's code")):
        if then.get(name) != now[name]:
            raise CheckpointError(f"it was written by another {what}: {_both(then, now, name)}")
    if then.get("learner") != now.get("learner"):
        raise CheckpointError("it was written by a learner of other code")
    return [
        f"{name} is {now.get(name, 'absent')}, the checkpoint was written with "
        f"{then.get(name, 'none')}: what learners work out in floats may differ"
        for name in ("python", "machine", *_PACKAGES)
        if then.get(name) != now.get(name)
    ]


@functools.cache
def code_digest() -> str:
    """Return the SHA-256 of the source of this package."""
    sha, root = hashlib.sha256(), Path(simedge.__file__).parent
    for file in sorted(root.rglob("*.py")):
        raw = file.read_bytes()
        sha.update(f"{file.relative_to(root).as_posix()} {len(raw)}\n".encode())
        sha.update(raw)
    return sha.hexdigest()


def _source_digest(learner: object) -> str:
    code = learner if inspect.isroutine(learner) or inspect.isclass(learner) else type(learner)
    try:
        source = inspect.getsource(code)
    except (OSError, TypeError):
        # Typed at a prompt: its module is all that is known of it.
        source = f"{code.__module__}:{code.__qualname__}:{sys.version}"
    return hashlib.sha256(source.encode()).hexdigest()


def _both(then: Mapping[str, str], now: Mapping[str, str], name: str) -> str:
    return f"{then.get(name, 'none')[:12]}, now {now[name][:12]}"
