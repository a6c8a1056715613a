"""The same script through every driver: what each promises of it."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script import LOSSY, PROTOCOLS, scenario_of

from simedge.drivers.loop import drive, drive_at_once
from simedge.run.simulate import Run

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
_UNTOLD = ("wall_s",)


def history(scenario, turn):
    """Return the log and the summary of a run that somebody turned."""
    lines = []
    with Run(scenario, tap=lines.append) as run:
        turn(run)
        summary = run.finish().summary
    return [tuple(line) for line in lines], {k: v for k, v in summary.items() if k not in _UNTOLD}


def by_slices(run):
    for _ in run.slices():
        pass


def on_a_virtual_loop(run):
    drive_at_once(run.driver)


def on_a_wall_clock(run):
    asyncio.run(drive(run.driver, speed=40))


@every_protocol
@settings(max_examples=3)
@given(seed=st.integers(1, 1_000))
def test_an_event_loop_on_virtual_time_has_the_history_of_the_kernel(protocol, seed):
    scenario = scenario_of(protocol, seed=seed, **LOSSY)
    log, summary = history(scenario, by_slices)
    assert history(scenario, on_a_virtual_loop) == (log, summary)
    assert "lost" in {kind for _, _, _, kind, _, _ in log} or protocol == "gossip"


@every_protocol
def test_a_wall_clock_has_the_history_of_the_kernel_too(protocol):
    scenario = scenario_of(protocol, **LOSSY)
    assert history(scenario, on_a_wall_clock) == history(scenario, by_slices)
