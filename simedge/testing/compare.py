"""Effects and states as plain data that can be compared: arrays count by their bytes."""

import dataclasses
from typing import Any

import msgpack
import numpy as np

__all__ = ["packed", "plain"]


def plain(value: Any) -> Any:  # noqa: ANN401 -- whatever effects hold
    """Return a value with every array, dataclass and tuple taken apart."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, float):
        return ("float", value.hex())  # nan equals itself, and 0.0 is not -0.0
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = [
            (each.name, plain(getattr(value, each.name))) for each in dataclasses.fields(value)
        ]
        return (type(value).__name__, *pairs)
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    if isinstance(value, dict):
        return tuple((key, plain(each)) for key, each in value.items())
    return value


def packed(state: object) -> bytes:
    """Return a dump as msgpack, in which plain data survives and nothing else passes."""
    return bytes(msgpack.packb(state))
