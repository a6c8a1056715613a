"""Once faults are over devices hear again, and who does not is named."""

import dataclasses

import pytest

from simedge import simulate
from simedge.run.scenario import Scenario
from simedge.testing import BrokenInvariant, invariants
from simedge.testing.liveness import asked, astray, bound_ns, calm_ns

WORLD = Scenario.parse("""
simedge: 1
name: liveness
seed: 1
duration: 9 s
sensors: {kind: poisson, size: 8, rate: 8 Hz, proxy: {blocks: 2, rows: 2}}
devices: [{id: cam, count: 2, compute: cpu-large, memory: 2 GiB}]
links: {default: {profile: ethernet, loss: {kind: none}}}
learner: {kind: surrogate}
protocol:
  {kind: elal, interval: 2, prior_period: 300 ms, have_period: 700 ms, policy: {kind: fixed}}
faults:
  - {kind: crash, server: true, at: 500 ms, for: 500 ms, state: wiped}
  - {kind: isolate, device: cam-2, at: 1200 ms, for: 300 ms}
evaluate: {every: 1 min, items: 10}
record: {events: true}
""")
CALM = 1_500_000_000


def test_devices_hear_again_and_whoever_does_not_is_named():
    result = simulate(WORLD)
    invariants.check(result, WORLD)
    wait = bound_ns(WORLD, CALM)
    assert (calm_ns(WORLD), CALM + wait <= WORLD.duration) == (CALM, True), "the law is asked"
    deaf = [s for s in result.samples if (s.entity, s.at_ns > CALM) != ("cam-2", True)]
    with pytest.raises(BrokenInvariant, match=r"devices_hear_again .* cam-2: no prior came within"):
        invariants.check(dataclasses.replace(result, samples=deaf), WORLD)


@pytest.mark.parametrize(
    "changes",
    [
        {"links.default.loss": {"kind": "bernoulli", "mean": "1%"}},
        {"protocol": {"kind": "gossip"}, "topology": {"kind": "complete"}},
        {"topology": {"kind": "ring"}},
    ],
)
def test_where_nothing_bounds_the_wait_there_is_no_law(changes):
    assert bound_ns(WORLD.vary(changes), CALM) is None
    endless = [{"kind": "isolate", "device": "cam-1", "at": "1 s"}]
    assert calm_ns(WORLD.vary({"faults": endless})) > WORLD.duration


def struck(result):
    return [(r.target, str(r.subject)) for r in result.records if r.kind == "fault-started"]


LONG = {"duration": "14 s", "protocol.report_period": "500 ms"}
WRONG = [
    {"kind": "clock-jump", "devices": ["cam-1"], "at": "1 s", "by": "-900 ms"},
    {"kind": "clock-jump", "devices": ["cam-1"], "at": "1 s", "by": "900 ms"},
    {"kind": "clock-drift", "devices": ["cam-1"], "at": "1 s", "ppm": -100_000},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_clock_that_stays_wrong_excuses_its_own_device_alone(wrong):
    world = WORLD.vary({**LONG, "faults": [wrong]})
    result = simulate(world)
    assert asked(world, world.duration) is not None, "the law is asked"
    assert astray(world, struck(result)) == {"cam-1"}
    late = 2_500_000_000
    heard = [s for s in result.samples if s.metric == "prior_age_s" and s.at_ns > late]
    assert "cam-2" in {s.entity for s in heard}
    if wrong.get("by") == "-900 ms":
        assert "cam-1" not in {s.entity for s in heard}, "none is resent that is old enough"
        future = [r for r in result.records if r.kind == "refused" and r.target == "cam-1"]
        assert {r.detail for r in future} == {"future"}, "a server ahead of one's own clock"
    deaf = [s for s in result.samples if s.entity != "cam-2"]
    with pytest.raises(BrokenInvariant, match=r"devices_hear_again .* cam-2: no prior came"):
        invariants.check(dataclasses.replace(result, samples=deaf), world)


@pytest.mark.parametrize("wrong", WRONG)
def test_who_goes_by_arrival_hears_whatever_its_clock_says(wrong):
    spell = {} if wrong["kind"] == "clock-jump" else {"for": "1 s"}
    world = WORLD.vary({**LONG, "protocol.age_clock": "arrival", "faults": [{**wrong, **spell}]})
    result = simulate(world)
    assert astray(world, struck(result)) == frozenset()
    assert asked(world, world.duration) is not None, "the law is asked"
    invariants.check(result, world)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "clock-offset", "devices": ["cam-1"], "for": "1 s", "by": "-900 ms"},
        {"kind": "clock-offset", "devices": ["cam-1"], "for": "1 s", "by": "900 ms"},
        {"kind": "reboot-loop", "devices": ["cam-1"], "up": "90 ms", "down": "50 ms", "count": 5},
    ],
)
def test_who_is_set_right_or_stays_up_at_last_hears_again(fault):
    world = WORLD.vary({**LONG, "faults": [{**fault, "at": "1 s"}]})
    result = simulate(world)
    span = asked(world, world.duration)
    assert 1_700_000_000 <= span[0] <= 2_000_000_000, "the end of the fault"
    assert astray(world, struck(result)) == frozenset()
    invariants.check(result, world)
    deaf = [s for s in result.samples if (s.entity, s.at_ns >= span[0]) != ("cam-1", True)]
    with pytest.raises(BrokenInvariant, match=r"devices_hear_again .* cam-1: no prior came"):
        invariants.check(dataclasses.replace(result, samples=deaf), world)


def test_devices_whose_twins_have_gone_hear_again_though_nobody_else_speaks():
    """Their tokens were of a stale boot for good, so nothing changed that could be published."""
    twins = [
        {"kind": "twin", "name": "one", "at": "400 ms", "for": "100 ms", "devices": ["cam-2"]},
        {"kind": "twin", "name": "two", "at": "520 ms", "for": "282 ms", "devices": ["cam-1"]},
    ]
    changes = {"faults": twins, "sensors.rate": "2 Hz", "protocol.interval": 1, "duration": "9 s"}
    world = WORLD.vary(changes)
    assert asked(world, world.duration) is not None, "the law is asked"
    invariants.check(simulate(world), world)
