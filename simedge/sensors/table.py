"""The bundled table of real handwritten digits, and which of them may serve for what.

1,797 digits of 8 x 8 pixels and 17 levels in 10 classes: the test part of "Optical Recognition of
Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0).
"""

import functools
import gzip
import hashlib
import importlib.resources
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Streams
from simedge.sensors.frames import SensorError

__all__ = ["CLASSES", "INK", "SIDE", "Digits", "Roles", "cast_roles", "digits", "read_digits"]

CLASSES: Final = 10
SIDE: Final = 8
INK: Final = 16
"""The darkest of the levels 0 .. 16."""
_SHA256: Final = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"


class Digits(NamedTuple):
    """Pictures uint8 [1797, 8, 8] of levels 0..16, and their labels int64 [1797]."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]


class Roles(NamedTuple):
    """Numbers of source images by class for one use each; no image has two."""

    train: tuple[NDArray[np.int64], ...]
    test: tuple[NDArray[np.int64], ...]
    proxy: tuple[NDArray[np.int64], ...]


@functools.cache
def digits() -> Digits:
    """Return the bundled table."""
    file = importlib.resources.files("simedge.sensors").joinpath("data", "digits.csv.gz")
    return read_digits(file.read_bytes())


def read_digits(data: bytes) -> Digits:
    """Read a table: 64 levels and the label a line.

    Raises
    ------
    SensorError
        If the data are not those that were shipped.
    """
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise SensorError("the table of digits is damaged: install simedge again")
    lines = gzip.decompress(data).split()
    rows = np.array([line.split(b",") for line in lines], np.float64).astype(np.uint8)
    pictures = rows[:, :-1].reshape(-1, SIDE, SIDE)
    labels = rows[:, -1].astype(np.int64)
    for array in (pictures, labels):
        array.setflags(write=False)
    return Digits(pictures, labels)


def cast_roles(streams: Streams, labels: NDArray[np.int64]) -> Roles:
    """Deal the images of each class: a fifth for tests, a fifth for proxies, the rest to learn.

    Which image gets which role is drawn, by the seed alone.
    """
    words = streams.stream("sensors", "digits", "roles").block(-(-len(labels) // 4))
    order = np.argsort(words[: len(labels)], kind="stable")
    train, test, proxy = [], [], []
    for label in range(CLASSES):
        images = order[labels[order] == label]
        fifth = len(images) // 5
        test.append(images[:fifth])
        proxy.append(images[fifth : 2 * fifth])
        train.append(images[2 * fifth :])
    return Roles(tuple(train), tuple(test), tuple(proxy))
