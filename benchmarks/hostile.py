"""Bad input in bulk: messages, scenarios, studies, traces and event logs, on all processes.

Run: ``python benchmarks/hostile.py [--what frames] [--count 1000000] [--jobs 2] [--seed 1]``.
Without ``--what`` everything is tried, each as often as it says by default. Printed are how many
were tried, what broke, the slowest message and how far memory grew; what broke is named by its
index, and the program ends with 1. A process that hangs for five minutes says where, and ends.
"""

import argparse
import faulthandler
import multiprocessing
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from simedge.run.eventlog import LogRecord, pack
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate
from simedge.study.study_file import read_study
from simedge.testing.hostile_files import Findings, try_logs, try_scenarios, try_texts, try_traces
from simedge.testing.hostile_machines import try_frames

__all__ = ["COUNTS", "main", "slice_of"]

COUNTS = {
    "frames": 1_000_000,
    "scenarios": 80_000,
    "studies": 20_000,
    "traces": 100_000,
    "logs": 100_000,
}
"""How many of each are tried."""
_ROOT = Path(__file__).parent.parent
_SLICES = 64
_HANG_S = 300
_LOGGED = """
simedge: 1
name: logged
seed: 1
duration: 300 ms
sensors: {kind: poisson, size: 8, rate: 10 Hz, proxy: {blocks: 2, rows: 2}}
devices: [{id: box, count: 1, compute: cpu-large, memory: 2 GiB}]
learner: {kind: surrogate}
protocol: {kind: elal, interval: 1, prior_period: 100 ms, policy: {kind: fixed}}
evaluate: {every: 1 min, items: 10}
record: {events: true}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a slice came to."""

    count: int
    broken: tuple[tuple[int, str], ...]
    refused: int = 0
    slowest_s: float = 0.0
    grown_bytes: int = 0
    """How far the memory of the process grew, its first thousand aside."""


def slice_of(what: str, seed: int, indices: range) -> Outcome:
    """Try a slice of one kind."""
    if what == "frames":
        figures = try_frames(seed, indices)
        return Outcome(
            figures.frames, tuple(figures.broken), figures.refused, slowest_s=figures.slowest_s
        )
    return Outcome(len(indices), tuple(_files(what, seed, indices)))


def _files(what: str, seed: int, indices: range) -> Findings:
    if what == "traces":
        return try_traces(seed, indices)
    if what == "logs":
        log = _log()
        return try_logs(seed, indices, raw=log[0], records=log[1])
    if what == "scenarios":
        return try_scenarios(seed, indices, sound=_texts(studies=False))
    with tempfile.TemporaryDirectory(dir=_ROOT / "topologies") as folder:
        path = Path(folder) / "study.yaml"

        def read(text: str) -> object:
            path.write_text(text.replace("base: ", "base: ../"), encoding="utf-8", newline="")
            return read_study(path)

        return try_texts(seed, indices, sound=_texts(studies=True), read=read)


@cache
def _texts(*, studies: bool) -> tuple[str, ...]:
    files = sorted((_ROOT / "topologies").glob("*.yaml"))
    return tuple(f.read_text("utf-8") for f in files if f.stem.startswith("study") is studies)


@cache
def _log() -> tuple[bytes, Sequence[LogRecord]]:
    records = list(simulate(Scenario.parse(_LOGGED)).records)
    bodies = [pack(record) for record in records]
    framed = [struct.pack("<II", len(body), zlib.crc32(body)) + body for body in bodies]
    return b"".join(framed), records


def _timed(task: tuple[str, int, range]) -> Outcome:
    """Try a slice; take down how far memory grew beyond that of the first thousand."""
    what, seed, indices = task
    faulthandler.dump_traceback_later(_HANG_S, exit=True)
    warm = slice_of(what, seed, indices[:1_000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = [warm]
    for first in range(1_000, len(indices), 20_000):
        faulthandler.dump_traceback_later(_HANG_S, exit=True)
        found.append(slice_of(what, seed, indices[first : first + 20_000]))
    faulthandler.cancel_dump_traceback_later()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Outcome(
        sum(one.count for one in found),
        tuple(each for one in found for each in one.broken),
        refused=sum(one.refused for one in found),
        slowest_s=max(one.slowest_s for one in found),
        grown_bytes=1_024 * grown,
    )


def main() -> int:
    """Try all that is asked; print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=COUNTS, action="append")
    parser.add_argument("--count", type=int)
    for name, default in (("jobs", 2), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    broken = 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.jobs, mp_context=context) as pool:
        for what in given.what or COUNTS:
            count = given.count or COUNTS[what]
            step = -(-count // _SLICES)
            tasks = [
                (what, given.seed, range(a, min(count, a + step))) for a in range(0, count, step)
            ]
            began_s = time.monotonic()
            outcomes = list(pool.map(_timed, tasks))
            broken += _tell(what, outcomes, time.monotonic() - began_s)
    return 1 if broken else 0


def _tell(what: str, outcomes: Sequence[Outcome], wall_s: float) -> int:
    found = [each for one in outcomes for each in one.broken]
    print(f"{what}: {sum(one.count for one in outcomes)} in {wall_s:.0f} s, {len(found)} broke")
    if what == "frames":
        slowest_ms = 1e3 * max(one.slowest_s for one in outcomes)
        refused = sum(one.refused for one in outcomes)
        print(f"  {refused} refused unread, the slowest took {slowest_ms:.0f} ms")
    grown = max(one.grown_bytes for one in outcomes) / 2**20
    print(f"  memory of a process grew by {grown:.1f} MiB at most")
    for index, text in found[:10]:
        print(f"  {index}: {text}")
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
