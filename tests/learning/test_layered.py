"""Layers that learn when a presentation is over: what they reach, count, and where they run."""

import numpy as np
import pytest
from every_protocol import PROTOCOLS
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CLASSES, LLS, NOTHING, frame_of, grown, opened, run
from worlds import lossy, records_of
from worlds import run as simulated

from simedge.run.invariants import check_records
from simedge.run.problems import ScenarioError

KINDS = ("lls", "lls-m", "lls-mxm")


def with_rule(kind, **changes):
    return LLS.model_copy(update={"rule": LLS.rule.model_copy(update={"kind": kind, **changes})})


@pytest.mark.parametrize("kind", KINDS)
def test_frames_that_are_shown_again_and_again_are_told_apart(kind):
    learner, frames = opened(with_rule(kind)), [frame_of(seed) for seed in range(CLASSES)]
    for _ in range(12):
        for frame in frames:
            learner.learn(frame).commit()
    said = learner.predict(learner.prepare(frames))
    assert said.tolist() == [frame.label for frame in frames]


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_learns_by_itself(kind):
    learner, still = opened(with_rule(kind)), opened(with_rule(kind, rate=0.0))
    for each in (learner, still):
        for seed in range(3):
            each.learn(frame_of(seed)).commit()
    pairs = zip(learner.shop.take().layers(), still.shop.take().layers(), strict=True)
    assert all((one.weights != other.weights).any() for one, other in pairs)
    # What lies above a layer does not reach it: its rule alone moves it.
    bent = opened(with_rule(kind))
    bent.set_params(np.ones(bent.params)).commit()
    for seed in range(3):
        bent.learn(frame_of(seed)).commit()
    pairs = zip(learner.shop.take().layers(), bent.shop.take().layers(), strict=True)
    assert all(np.array_equal(one.weights, other.weights) for one, other in pairs)


@given(seed=st.integers(0, 99), cut=st.integers(1, 20))
@settings(max_examples=6)
def test_volleys_take_what_the_counts_say(seed, cut):
    work = grown(LLS, frames=3).learn(frame_of(seed))
    first = work.advance(cut)
    counts = work.counts
    assert (counts.volleys, counts.macs) == (cut, 0) or cut >= work.volleys
    rest, spent = work.advance(), work.counts
    assert first.sum() + rest.sum() == spent.synaptic_events + spent.neuron_updates
    assert spent.trace_touches == 0
    before = [one.weights for one in work._shop.take().layers()]  # noqa: SLF001 -- what it changes
    readout = work._shop.readout.numbers  # noqa: SLF001
    work.commit()
    after = [one.weights for one in work._shop.take().layers()]  # noqa: SLF001
    changed = sum(int((a != b).sum()) for a, b in zip(before, after, strict=True))
    assert changed <= spent.plasticity_updates == spent.weight_writes - readout <= spent.macs


def test_what_is_only_looked_at_is_cheaper_than_what_is_learned():
    learner = grown(LLS)
    looked = run(learner.proxy_row(frame_of(7), address=0, row=0), None)[1]
    learned = run(learner.learn(frame_of(7)), None)[1]
    assert looked.synaptic_events == learned.synaptic_events
    assert looked.weight_writes == looked.plasticity_updates == 0 < looked.macs < learned.macs
    assert not any(run(learner.learn(NOTHING), None)[1])


WORLD = {
    "duration": "3 s",
    "evaluate": {"every": "2 s", "items": 8},
    "sensors": {"kind": "temporal", "size": 8, "rate": "8 Hz", "proxy": {"blocks": 2, "rows": 4}},
    "devices": [{"id": "cam", "count": 2, "compute": "cpu-large", "memory": "512 MiB"}],
    "topology": {"kind": "ring"},
    "faults": [{"kind": "crash", "devices": ["cam-1"], "at": "1500 ms", "for": "300 ms",
                "state": "checkpoint"}],
}  # fmt: skip
ALL = {**PROTOCOLS, "elal": {"kind": "elal", "interval": 4, "prior_period": "500 ms"}}


def world(name, **values):
    kind = KINDS[list(ALL).index(name) % len(KINDS)]
    learner = {"kind": "spiking", "tick": "4 ms", "hidden": [12], "rule": {"kind": kind}}
    return lossy().vary({**WORLD, "protocol": ALL[name], "learner": learner, **values})


@pytest.mark.parametrize("name", ALL)
def test_every_protocol_runs_and_its_books_are_exact(name):
    result = simulated(world(name))
    assert result.summary["invariants"]["broken"] == []
    assert check_records(result.records) == []
    assert result.summary["communication"]["bits_up"] > 0
    sends_frames = name in {"central frames", "central model"}
    assert (result.summary["counts"]["spikes"] == 0) == sends_frames


def test_stepped_volleys_have_the_history_of_fused_ones():
    fused, stepped = (
        simulated(world("elal", **{"kernel.volleys": how})) for how in ("fused", "stepped")
    )
    assert records_of(fused) == records_of(stepped)
    assert fused.summary["energy_j"] == stepped.summary["energy_j"]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"kind": "lls", "temperature": 0}, "temperature: must be above 0"),
        ({"kind": "lls-m", "rat": 1}, "did you mean 'rate'"),
    ],
)
def test_what_makes_no_sense_is_said(rule, text):
    with pytest.raises(ScenarioError, match=text):
        lossy().vary({"learner": {"kind": "spiking", "rule": rule}})
