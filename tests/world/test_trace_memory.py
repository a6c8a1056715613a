"""How much memory a large trace takes: what its columns need, measured from outside the process."""

import os
import subprocess
import sys

import pytest

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
MIB = 2**20
SLACK = 8 * MIB  # blocks on their way, and what an allocator keeps
READ = """
import resource, sys
import numpy
from simedge.world.traces.figures import measure
from simedge.world.traces.source import open_trace
from simedge.world.traces.tracks import load_track

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

use = {"figures": measure, "track": load_track}[sys.argv[2]]
before = peak()
rows = use(open_trace(sys.argv[1]), "up").rows
print(rows, peak() - before)
"""
SIZES = [
    4 * 10**6,
    pytest.param(10**8, marks=pytest.mark.skipif(not NIGHTLY, reason="takes minutes: nightly")),
]


def read(path, use):
    words = [sys.executable, "-c", READ, str(path), use]
    said = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 -- our own
    return map(int, said.stdout.split())


def write(path, lines, size):
    written = count = 0
    with path.open("w") as file:
        for line in lines:
            written += file.write(line)
            count += 1
            if written + 40 > size:
                return count
    return count


def opportunities():
    at = 100_000_000
    for i in range(10**7):
        at += i * 7919 % 3
        yield f"{at}\n"


def table():
    yield "t_s,rate_bps,delay_s,loss\n"
    for i in range(10**7):
        rate, delay, loss = i * 7919 % 9_000_000, i * 31 % 9000 + 1000, i * 17 % 899 + 100
        yield f"{i // 10}.{i % 10},{10**6 + rate},0.0{delay},0.0{loss}\n"


@pytest.mark.parametrize("size", SIZES)
def test_opportunities_take_eight_bytes_each_and_their_figures_nothing(tmp_path, size):
    path = tmp_path / "large.up"
    count = write(path, opportunities(), size)
    rows, taken = read(path, "track")
    assert rows == count
    assert taken < 1.25 * 8 * rows + SLACK
    rows, taken = read(path, "figures")
    assert rows == count
    assert taken < SLACK


@pytest.mark.parametrize("size", SIZES)
def test_each_column_of_a_table_takes_sixteen_bytes_a_row_and_twice_that_on_its_way(tmp_path, size):
    path = tmp_path / "large.csv"
    count = write(path, table(), size) - 1
    rows, taken = read(path, "track")
    assert rows == count
    assert taken < 2 * 16 * 3 * rows + SLACK  # rate, delay, loss
    rows, taken = read(path, "figures")
    assert rows == count
    assert taken < 4 * 16 * rows + SLACK  # delays are sorted
