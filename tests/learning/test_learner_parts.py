"""Laws of the learners: KL steps, dumps, digests, features, refusals."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from learners import (
    CLASSES,
    DEEP,
    FROZEN,
    LIVELY,
    SIDE,
    SPIKING,
    every_learner,
    frame_of,
    grown,
    opened,
)

from simedge.core.streams import Streams
from simedge.learning.eligible.readout import Readout as CentredReadout
from simedge.learning.errors import LearnerError
from simedge.learning.learner import open_learner
from simedge.learning.settings import (
    ConvSettings,
    HomeostasisSettings,
    LinearReadoutSettings,
    LinearSettings,
    ReadoutSettings,
    SpikingSettings,
    WeightSettings,
)
from simedge.neurons import circuit


def weights_of(learner):
    """Return how many weights the readout has."""
    shop = getattr(learner, "shop", None)
    if shop is None:
        return learner.features * CLASSES
    return shop.readout_weights if hasattr(shop, "readout_weights") else shop.readout_size


def centred_of(learner):
    """Return how many features of a row are centred for each taking, one multiplication each."""
    readout = getattr(getattr(learner, "shop", None), "readout", None)
    return readout.features if isinstance(readout, CentredReadout) else 0


@every_learner
def test_a_kl_step_moves_the_readout_only_and_towards_the_prior(settings):
    learner = grown(settings)
    rows = [learner.proxy_row(frame_of(n), address=5, row=n).commit() for n in range(4)]
    before = learner.dump()
    prior = np.roll(np.array(rows, float), 1, axis=1)
    mask = np.array([True, True, False, True])
    work = learner.kl_step(address=5, target=prior, mask=mask, alpha=0.05, steps=3)
    assert (work.volleys, work.advance().size) == (0, 0)
    assert work.commit() == 3
    assert work.counts.synaptic_events == 0
    weights = weights_of(learner)
    held_back = getattr(getattr(learner, "_shop", None), "kept_macs", 0)
    assert work.macs["dense"] == 2 * 3 * 3 * weights + 3 * centred_of(learner) + held_back
    after = learner.dump()
    for name in {"held", "thresholds"} & set(before):
        assert (before[name] == after[name]).all()
    if "weights" in before:
        hidden = before["weights"].size - (weights if not before["readout"].size else 0)
        assert (before["weights"][:hidden] == after["weights"][:hidden]).all()
    again = [learner.proxy_row(frame_of(n), address=5, row=n).commit() for n in range(4)]

    def loss(own):
        own = np.array(own, float)[mask]
        return -(prior[mask] * np.log(own)).sum()

    assert loss(again) < loss(rows)


def test_no_prior_no_rows_or_no_weight_is_no_step():
    learner = grown()
    learner.proxy_row(frame_of(1), address=1, row=0).commit()
    before = learner.digest()
    prior = np.full((2, CLASSES), 0.25)
    for address, mask, alpha in ((1, [False, False], 1.0), (2, [True, True], 1.0)):
        step = learner.kl_step(address=address, target=prior, mask=mask, alpha=alpha)
        assert step.macs == {"dense": 0}
        assert step.commit() == 0
        assert learner.digest() == before
    assert learner.kl_step(address=1, target=prior, mask=[True, True], alpha=0.0).commit() == 1
    assert learner.digest() == before


@pytest.mark.parametrize(
    "wrong", [{"mask": [True]}, {"steps": 0}, {"alpha": -1.0}, {"target": np.ones((2, 9))}]
)
def test_a_kl_step_that_makes_no_sense_is_refused(wrong):
    right = {"address": 0, "target": np.ones((2, CLASSES)), "mask": [True] * 2, "alpha": 1.0}
    with pytest.raises(LearnerError):
        opened().kl_step(**{**right, **wrong})


@every_learner
def test_a_dump_brings_everything_back(settings):
    learner = grown(settings)
    learner.proxy_row(frame_of(1), address=1, row=0).commit()
    state, digest = learner.dump(), learner.digest()
    fresh = opened(settings)
    fresh.load(state)
    assert fresh.digest() == digest
    prior = np.full((1, CLASSES), 0.25)
    for one in (learner, fresh):
        one.kl_step(address=1, target=prior, mask=[True], alpha=1.0).commit()
    assert fresh.learn(frame_of(50)).commit() == learner.learn(frame_of(50)).commit()
    learner.load(state)
    assert learner.digest() == digest


def test_a_dump_of_another_learner_is_refused():
    with pytest.raises(LearnerError, match="another shape"):
        opened().load(opened(DEEP).dump())


def test_one_job_at_a_time():
    learner = opened()
    learner.learn(frame_of(1))
    with pytest.raises(LearnerError, match="under way"):
        learner.learn(frame_of(2))


def test_devices_start_alike_unless_told_otherwise():
    def start(shared, device):
        settings = SpikingSettings(layers=(LIVELY,), shared_start=shared)
        return opened(settings, device=device).digest()

    assert start(True, "cam-1") == start(True, "cam-2")
    assert start(False, "cam-1") != start(False, "cam-2")
    assert opened(seed=1).digest() != opened(seed=2).digest()


def test_memory_is_the_sum_of_the_formulas():
    learner = opened()
    neurons, inputs = 9 * 4, 2 * SIDE * SIDE
    weights = 4 * 18 + learner.features * CLASSES
    terms = learner.memory(kept_rows=16)
    assert terms == {
        "parameters": 4 * weights,
        "state": 4 * 3 * neurons + 4 * learner.features,
        "traces": 4 * 2 * (inputs + neurons),
        "features": 4 * 16 * learner.features,
    }
    assert learner.memory()["features"] == 0
    learner.proxy_row(frame_of(1), address=0, row=0).commit()
    assert learner.memory()["features"] == 4 * learner.features
    assert opened(FROZEN).memory()["traces"] == 0


def test_digests_are_of_the_spikes_and_of_what_changed():
    learner = opened(LinearSettings())
    value = learner.learn(frame_of(1)).commit()
    assert value.spike_digest == hashlib.sha256().digest()
    values = [grown().learn(frame_of(n)).commit() for n in (7, 7, 8)]
    assert values[0] == values[1]
    assert values[0].spike_digest != values[2].spike_digest
    assert values[0].weight_digest != values[2].weight_digest


def test_events_after_the_last_tick_count_as_in_the_last():
    late = frame_of(1)
    late = replace(late, t_us=late.t_us + 99_000)
    work = opened().learn(late)
    assert work.volleys == 1
    work.discard()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"label": CLASSES}, "label"), ({"label": -1}, "label"), ({"x": 99}, "outside")],
)
def test_a_frame_of_another_camera_is_refused(change, words):
    frame = frame_of(1)
    if "x" in change:
        change = {"x": frame.x + np.uint16(change["x"])}
    with pytest.raises(LearnerError, match=words):
        opened().learn(replace(frame, **change))


def test_the_scratch_clock_starts_again_in_time(monkeypatch):
    straight = grown(frames=12)
    monkeypatch.setattr(circuit, "_LATEST", 300)
    assert grown(frames=12).digest() == straight.digest()


def test_the_same_seed_gives_the_same_state_in_another_process():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "import learners as t; print(t.grown().digest().hex())"
    )
    told = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert told.stdout.strip() == grown().digest().hex()


@pytest.mark.parametrize("normalise", ["none", "unit", "share", "root-mean"])
@pytest.mark.parametrize("transform", ["none", "sqrt", "log"])
def test_features_are_the_scaled_counts(transform, normalise):
    settings = LinearSettings(
        readout=LinearReadoutSettings(
            transform=transform, normalise=normalise, input_bins=2, input_pool=4, rate=0.1
        )
    )
    learner, frames = opened(settings), [frame_of(1), frame_of(2)]
    levels = []
    for frame in frames:
        counts = np.zeros((2, 2, 2, 2))
        ticks = np.unique(
            np.stack([frame.t_us // 1000, frame.y, frame.x, frame.p]).astype(int), axis=1
        )
        np.add.at(counts, (ticks[0] // 50, ticks[1] // 4, ticks[2] // 4, ticks[3]), 1)
        levels.append({"none": counts, "sqrt": np.sqrt(counts), "log": np.log1p(counts)}[transform])
        work = learner.learn(frame)
        work.advance()
        seen = work._outcome.features[0]  # noqa: SLF001 - what the readout saw
        raw = levels[-1].ravel() - (levels[0].ravel() if len(levels) > 1 else 0)
        size = {
            "none": 1,
            "unit": np.linalg.norm(raw),
            "share": np.abs(raw).sum(),
            "root-mean": np.sqrt((raw**2).mean()),
        }[normalise]
        np.testing.assert_allclose(seen, raw / size, rtol=1e-4, atol=1e-5)
        work.commit()
    np.testing.assert_allclose(
        learner.dump()["mean"], np.mean(levels, axis=0).ravel(), rtol=1e-4, atol=1e-5
    )


def test_the_readout_sees_the_sources_it_is_given():
    def features(*sources):
        read = ReadoutSettings(sources=sources, pool=1, bins=1, input_pool=1, input_bins=1)
        return opened(DEEP.model_copy(update={"readout": read})).features

    hidden = (9 * 4, 1 * 8)
    assert features("input") == 2 * SIDE * SIDE
    assert features("hidden-1") == hidden[0]
    assert features("hidden-2") == hidden[1]
    assert features("hidden") == sum(hidden)
    assert features("input", "hidden-2") == 2 * SIDE * SIDE + hidden[1]
    with pytest.raises(LearnerError, match="cannot see hidden-3"):
        features("hidden-3")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SpikingSettings(layers=(ConvSettings(kernel=9),)), "does not fit"),
        (
            SpikingSettings(layers=(LIVELY,), rule={"kind": "hebbian-stdp", "lambda": (0.1, 0.2)}),
            "2 values for 1",
        ),
        (
            SpikingSettings(
                layers=(
                    ConvSettings(kernel=3, homeostasis=HomeostasisSettings(rate=1.0, target=1.0)),
                )
            ),
            "fire from nothing",
        ),
    ],
)
def test_a_learner_that_cannot_be_built_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        opened(settings)


def test_a_learner_needs_two_classes():
    with pytest.raises(LearnerError, match="classes"):
        open_learner(SPIKING, classes=1, width=8, height=8, streams=Streams(1), device="dev-1")


def test_the_layer_neither_dies_nor_saturates():
    layer = ConvSettings(kernel=3, weights=WeightSettings(low=-1.0, high=1.0))
    learner = opened(SpikingSettings(layers=(layer,)))
    spikes = [learner.learn(frame_of(n)).commit().spikes for n in range(300)]
    room = 9 * 2 * 100
    assert 10 < np.mean(spikes[-50:]) < room / 5
    held = learner.dump()["held"][: 18 * 8]
    assert np.abs(held).max() < 0.99
    assert held.std() > 0.05
