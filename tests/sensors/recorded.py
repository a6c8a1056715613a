"""Small data sets in the layouts of the real ones, written by the tests themselves."""

import os
from pathlib import Path

import numpy as np
import pytest

DATA = os.environ.get("SIMEDGE_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="SIMEDGE_DATA names no recordings")
NMNIST = Path(DATA or "") / "nmnist"
MOTIONS = Path(DATA or "") / "biosignals" / "BasicMotions"

TS_HEAD = """\
#made up
@problemName Waves
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength true
@seriesLength 20
@classLabel true flat slow fast
@data
"""


def packed(x, y, t_us, p):
    """Return events as the five bytes that a recording has for each."""
    x, y, t_us, p = (np.asarray(column, np.int64) for column in (x, y, t_us, p))
    rows = np.stack((x, y, p << 7 | t_us >> 16, t_us >> 8 & 0xFF, t_us & 0xFF), axis=1)
    return rows.astype(np.uint8).tobytes()


def clip(digit, number):
    """Return a recording in which a digit has columns of its own, and no two are the same."""
    n = np.arange(30)
    x = 3 * digit + n % 3
    y = (7 * n + number % 2) % 34
    return packed(x, y, 10_000 * n + 100 * number, n % 2)


def write_nmnist(root, train=4, test=2):
    for part, count in (("Train", train), ("Test", test)):
        for digit in range(10):
            folder = root / part / str(digit)
            folder.mkdir(parents=True)
            for number in range(1, count + 1):
                (folder / f"{number:05}.bin").write_bytes(clip(digit, number + 50 * (part > "Tr")))
    return root


def wave(label, number, length=20):
    """Return the two channels of one made-up recording."""
    t = np.arange(length)
    turns = {"flat": 0.0, "slow": 0.05, "fast": 0.25}[label]
    size = (1 + number / 10) * (turns > 0)
    return np.stack((size * np.sin(2 * np.pi * turns * t), size * np.cos(2 * np.pi * turns * t)))


def ts_line(values, label):
    return ":".join(",".join(f"{v:.4f}" for v in row) for row in values) + f":{label}\n"


def ts_text(count, first=0):
    return TS_HEAD + "".join(
        ts_line(wave(label, number), label)
        for number in range(first, first + count)
        for label in ("flat", "slow", "fast")
    )


def write_ts(root, train=4, test=2):
    root.mkdir(parents=True, exist_ok=True)
    (root / "Waves_TRAIN.ts").write_text(ts_text(train))
    (root / "Waves_TEST.ts").write_text(ts_text(test, first=50))
    return root


def csv_rows(values, hz=10.0, *, lead="", tail=""):
    return "".join(f"{lead}{n / hz:g},{a:.4f},{b:.4f}{tail}\n" for n, (a, b) in enumerate(values.T))


def csv_text(count, first=0):
    return "recording,t_s,left,right,label\n" + "".join(
        csv_rows(wave(label, number), lead=f"{label}-{number},", tail=f",{label}")
        for number in range(first, first + count)
        for label in ("flat", "slow", "fast")
    )


def write_class_folders(root, count, first=0):
    for label in ("flat", "slow", "fast"):
        (root / label).mkdir(parents=True)
        for number in range(first, first + count):
            text = "t_s,left,right\n" + csv_rows(wave(label, number))
            (root / label / f"{number}.csv").write_text(text)
    return root


def columns(frame):
    """Return a frame's events as bytes, to compare."""
    return tuple(getattr(frame, name).tobytes() for name in ("x", "y", "t_us", "p"))
