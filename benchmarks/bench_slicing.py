"""What slicing costs: the time between the slices of a run, beside the time within them.

Run: ``python benchmarks/bench_slicing.py``; prints medians of several runs. Whole runs differ by
more than slicing costs, so both times are taken within one and the same run. Target: less than 2 %.
"""

import asyncio
import statistics
import time

import simedge
from simedge.drivers.virtual import VirtualDriver

__all__ = ["main"]

TURNS = 5


def on_a_loop(scenario):
    """Run as a task."""
    asyncio.run(simedge.run_async(scenario))


def watched(scenario):
    """Run while every record is taken."""

    async def take():
        async for _ in simedge.stream(scenario):
            pass

    asyncio.run(take())


ARMS = {"simulate": simedge.simulate, "run_async": on_a_loop, "stream": watched}


def times(arm, scenario):
    """Return the number of slices, and the seconds within and between them."""
    whole, spans = VirtualDriver.run_slice, []

    def timed(self, count, until=None):
        began = time.perf_counter()
        done = whole(self, count, until)
        spans.append((began, time.perf_counter()))
        return done

    VirtualDriver.run_slice = timed
    try:
        arm(scenario)
    finally:
        VirtualDriver.run_slice = whole
    within = sum(ended - began for began, ended in spans)
    return len(spans), within, spans[-1][1] - spans[0][0] - within


def main():
    """Print for each way to run how many slices there are and what is spent between them."""
    scenario = simedge.load("two_devices").vary({"duration": "60 s"})
    simedge.simulate(scenario.vary({"duration": "1 s"}))  # compiles
    print(f"{'':<12}{'slices':>8}{'within s':>11}{'between s':>11}{'cost':>9}")
    for name, arm in ARMS.items():
        turns = [times(arm, scenario) for _ in range(TURNS)]
        slices, within, between = (statistics.median(column) for column in zip(*turns, strict=True))
        print(f"{name:<12}{slices:>8}{within:>11.3f}{between:>11.5f}{between / within:>9.2%}")


if __name__ == "__main__":
    main()
