"""The suites, on parts that are sound and on ones that are not; strategies that make sense."""

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge import simulate
from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.reference_settings import SurrogateSettings
from simedge.run.sense import sense
from simedge.testing import conformance, fault_schedules, invariants, scenarios, traces
from simedge.testing.hunt import plan
from simedge.world.links import Link
from simedge.world.loss_settings import BernoulliLoss
from simedge.world.profiles import LinkModel
from simedge.world.traces.source import open_trace


class TestSurrogate(conformance.Learner):
    def open(self, device):
        return open_learner(
            SurrogateSettings(kind="surrogate"),
            classes=10,
            width=8,
            height=8,
            streams=Streams(1),
            device=device,
            span_ns=10**8,
            pools={},
        )


class TestLossyLink(conformance.Link):
    def open(self):
        loss = BernoulliLoss(kind="bernoulli", mean=Fraction(1, 3))
        model = LinkModel(rate_bps=10**7, loss=loss)
        return Link(model, name="box-1.server", number=9, src=1, dst=0, streams=Streams(7))


@settings(max_examples=15)
@given(scenarios(faults=fault_schedules(names=("box-1",))))
def test_scenarios_are_sound_and_of_one_history(scenario):
    assert sense(scenario) == []
    assert scenario.parse(scenario.dump()) == scenario
    assert plan(scenario, 1, 5) == plan(scenario, 1, 5)


@settings(max_examples=20)
@given(traces())
def test_traces_can_be_read(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("trace") / "drawn.csv"
    path.write_text(text, encoding="utf-8")
    assert list(open_trace(path).rows())


@given(st.data())
@settings(max_examples=3)
def test_a_doctored_result_is_refused_by_name(data):
    scenario = data.draw(scenarios())
    result = simulate(scenario)
    counts = {**result.summary["counts"], "frames_arrived": -1}
    broken = dataclasses.replace(result, summary={**result.summary, "counts": counts})
    with pytest.raises(invariants.BrokenInvariant, match="counts_are_those_of_the_records"):
        invariants.check(broken)
