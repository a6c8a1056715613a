"""Once faults are over devices hear again, and who does not is named."""

import dataclasses

import pytest

from simedge import simulate
from simedge.run.scenario import Scenario
from simedge.testing import BrokenInvariant, invariants
from simedge.testing.liveness import bound_ns, calm_ns

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
    jump = [{"kind": "clock-jump", "devices": ["cam-1"], "at": "1 s", "by": "900 ms"}]
    assert calm_ns(WORLD.vary({"faults": jump})) is None
