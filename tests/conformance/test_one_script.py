"""The same script through every driver: what each promises of it."""

import asyncio
import gc
import warnings
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ladder import live_world
from script import LOSSY, PROTOCOLS, SERVED, scenario_of, story_of

from simedge.drivers.loop import drive, drive_at_once
from simedge.protocol.wire import Kind, Message, encode
from simedge.run.invariants import Audit, check_bill
from simedge.run.simulate import Run

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
_UNTOLD = ("wall_s",)
_NAMES = ("server", "cam-1", "cam-2", "box-1", "box-2")


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


async def on_sockets(scenario, *, serverless):
    """Return the story of a run on loopback, and what was wrong with what came in."""
    devices = {name for name in _NAMES if name != "server"}
    async with live_world(scenario, speed=10, peers=serverless) as world:
        if not serverless:
            await world.until(lambda story: {who for who, _, _ in story.joined} == devices)
        world.clock.go()
        await world.finish()
        await world.until(lambda story: len(story.merged) == len(story.sent))
        audit = Audit()
        for at, _, target, kind, subject, detail in world.lines:
            audit.take(at, target, kind, subject=subject, detail=detail)
        assert check_bill(world.tally, audit) is None
        assert audit.bits > 0
        causes = world.tally.bits_by_cause
        assert sum(causes.values()) == world.tally.bits_up + world.tally.bits_down
        books = world.tally.transfers
        assert books.started == books.ended + books.failed + books.under_way
        return world.story, world.counts


@every_protocol
def test_on_loopback_everything_is_accepted_that_is_accepted_without_loss(protocol):
    scenario = scenario_of(protocol)
    log, _ = history(scenario, by_slices)
    plain = story_of(log)
    assert len(plain.merged) == len(plain.sent) > 10
    story, counts = asyncio.run(on_sockets(scenario, serverless=protocol == "gossip"))
    assert story.joined == plain.joined
    assert story.sent == plain.sent
    assert sorted(story.merged) == sorted(plain.merged)
    assert counts == {}


def heard_of_server(lines):
    """Return who received a model or a table of the server."""
    classes = {"model", "table"}
    return {
        who
        for _, _, who, kind, name, _ in lines
        if kind == "received" and name.startswith("server/") and name.split("/")[2] in classes
    }


@pytest.mark.parametrize("protocol", SERVED)
def test_a_server_sends_models_to_devices_that_joined_or_that_it_was_told_of(protocol):
    scenario = scenario_of(protocol, duration="10 min")  # it is left as soon as all have heard

    async def main():
        async with live_world(scenario, speed=10, peers=protocol == "fd") as world:
            world.clock.go()
            await world.until(lambda _: heard_of_server(world.lines) >= set(_NAMES[1:]))
            return world.counts

    assert asyncio.run(main()) == {}


def test_nothing_of_sockets_is_left_behind():
    """Tasks, transports and timers: what is left would warn, and warnings are errors."""

    async def main():
        await on_sockets(scenario_of("gossip", duration="1500 ms"), serverless=True)
        return asyncio.all_tasks() - {asyncio.current_task()}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.run(main(), debug=True) == set()
        gc.collect()


def token(**fields):
    values = {"kind": Kind.TOKEN, "dev": 1, "boot": 1, "seq": 9, "t_us": 0, "payload": b""}
    return encode(Message(**{**values, **fields}))


def with_crc(body):
    return body + zlib.crc32(body).to_bytes(4, "big")


MALFORMED = {
    "corrupt": token()[:-1] + b"\x00",
    "malformed": token(payload=b"\xff" * 7),
    "bad_version": with_crc(b"\x9b\x02" + token()[2:-4]),
    "stranger": token(dev=5, kind=Kind.REPORT, payload=bytes(4)),
    "future": token(t_us=2_000_001, kind=Kind.REPORT, payload=bytes(4)),
}


def test_malformed_datagrams_change_counters_of_the_server_alone():
    async def main():
        async with live_world(scenario_of("elal"), speed=10) as world:
            server, end = world.hosts[0].machine, world.nodes[1].end
            await world.until(lambda story: len(story.joined) >= 4)
            before = server.dump()
            for data in MALFORMED.values():
                assert end.send_datagram(0, data) is None
            await world.until(lambda _: server.counters.keys() >= MALFORMED.keys())
            return before, server.dump()

    before, after = asyncio.run(main())
    assert after.pop("counters") == {**before.pop("counters"), **dict.fromkeys(MALFORMED, 1)}
    for kept in ("register", "shelf", "timers"):
        assert after[kept] == before[kept]
