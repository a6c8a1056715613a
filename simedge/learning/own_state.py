"""What an object of the user's own has learned: its attributes, hashed, copied, measured."""

import copy
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simedge.core.own_code import OwnCodeError
from simedge.learning.errors import LearnerError

if TYPE_CHECKING:
    import hashlib

__all__ = [
    "arrays_in",
    "check_whole",
    "feed",
    "file_of",
    "first_not_finite",
    "own_state",
    "put_back",
]

_SCALARS = (int, float, str, bytes, np.generic, type(None))


def own_state(owner: object, given: frozenset[str]) -> dict[str, Any]:
    """Return the attributes of an object that it was not given; not copied."""
    return {name: value for name, value in vars(owner).items() if name not in given}


def put_back(owner: object, given: frozenset[str], state: Mapping[str, Any]) -> None:
    """Replace the attributes of an object that it was not given by copies of others."""
    for name in own_state(owner, given):
        delattr(owner, name)
    vars(owner).update(copy.deepcopy(dict(state)))


def first_not_finite(state: Mapping[str, Any]) -> str | None:
    """Return the name of the first attribute with a NaN or an overflow; None: there is none."""
    for name, value in state.items():
        for array in arrays_in(value):
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                return name
    return None


def check_whole(owner: type, parent: type, *, kind: str) -> None:
    """See that a class is what simedge calls by its parent's name, with all that it must have.

    Raises
    ------
    OwnCodeError
        If it is none, or lacks a method.
    """
    if not issubclass(owner, parent):
        raise OwnCodeError(f"{kind} must be a subclass of simedge.{parent.__name__}")
    missing: frozenset[str] = getattr(owner, "__abstractmethods__", frozenset())
    for name in sorted(missing):
        wanted = f"def {name}{inspect.signature(getattr(parent, name))}"
        raise OwnCodeError(f"{kind} lacks a method: {wanted.partition(' ->')[0]}")


def file_of(owner: type) -> str:
    """Return the file that a class is written in; nothing if it was typed in."""
    try:
        return inspect.getfile(owner)
    except (OSError, TypeError):
        return ""


def arrays_in(value: object) -> list[NDArray[Any]]:
    """Return the arrays within a value, each number by itself as an array of one."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, float | complex | np.inexact):
        return [np.asarray(value)]
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return [np.zeros(())]  # whole numbers may be too long for an array, and are finite
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [array for part in value for array in arrays_in(part)]
    return []


def feed(sha: "hashlib._Hash", value: object, name: str) -> None:
    """Hash a value, whatever it is made of."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        sha.update(f"{value.dtype.str}{value.shape}".encode())
        sha.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, _SCALARS):
        sha.update(repr(value).encode())
    elif isinstance(value, tuple | list):
        sha.update(f"[{len(value)}".encode())
        for part in value:
            feed(sha, part, name)
    elif isinstance(value, dict):
        feed(sha, tuple(value.items()), name)
    else:
        raise LearnerError(
            f"what is learned is made of arrays, numbers and text, got {type(value).__name__} "
            f"({name})"
        )
