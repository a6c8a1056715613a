"""Laws of all learners alike: what a dump leaves out, what asking costs, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CLASSES, EVERY, frame_of, grown, opened, run

from simedge.learning.errors import LearnerError
from simedge.learning.reference_settings import (
    BackPropSettings,
    CostSettings,
    DeepSettings,
    FilterSettings,
    SurrogateSettings,
)

BATCHES = DeepSettings(
    layers=(FilterSettings(maps=3, kernel=3),), bins=2, rule=BackPropSettings(batch=2)
)
SURROGATE = SurrogateSettings(params=50, costs=CostSettings(learning_writes=9))
TRAVELLING = EVERY | {"batches": BATCHES, "surrogate": SURROGATE}
every_learner = pytest.mark.parametrize("kind", TRAVELLING.values(), ids=TRAVELLING)
few = settings(max_examples=4)


@every_learner
@given(rho=st.sampled_from([0.0, 0.3]), share=st.sampled_from([0.0, 0.5]), between=st.booleans())
@few
def test_a_dump_leaves_no_hold_in_force(kind, rho, share, between):
    learner, free = opened(kind), opened(kind)
    learner.hold(anchor=np.ones(learner.params), rho=rho, sparsity=share)
    for n in range(2 if between else 0):
        learner.learn(frame_of(n)).commit()
    image = learner.dump()
    learner.learn(frame_of(9)).commit()
    learner.load(image)
    free.load(image)
    free.hold()
    for n in range(4, 8):
        assert learner.learn(frame_of(n)).commit() == free.learn(frame_of(n)).commit()
    assert learner.digest() == free.digest()
    assert learner.get_params().commit().tobytes() == free.get_params().commit().tobytes()


@every_learner
def test_reading_parameters_costs_nothing_and_setting_them_costs_writes(kind):
    learner = grown(kind)
    _, counts, macs, values = run(learner.get_params(), None)
    assert (any(counts), sum(macs.values())) == (False, 0)
    _, counts, macs, _ = run(learner.set_params(values), None)
    assert counts == counts._replace(macs=0, weight_writes=learner.params)
    assert not any(counts._replace(weight_writes=0))
    assert sum(macs.values()) == 0


@every_learner
def test_a_step_on_frames_of_others_costs_more_than_their_loss_and_writes_once(kind):
    learner = grown(kind)
    frames = [frame_of(n) for n in (3, 5, 6)]
    labels = [frame.label for frame in frames]
    _, looked, _, _ = run(learner.loss_on(frames), None)
    told = []
    for count in (1, 3):
        _, counts, macs, _ = run(learner.train_on(frames[:count], labels[:count]), None)
        told.append(counts.weight_writes)
        assert counts.macs >= sum(macs.values())
    assert counts.macs > looked.macs
    assert looked.weight_writes == 0
    assert 0 < told[0] == told[1] <= learner.params


@pytest.mark.parametrize("momentum", [0, 0.5])
@pytest.mark.parametrize("kind", ["linear", "frozen", "deep"])
def test_a_step_on_one_frame_of_another_costs_what_learning_it_does(kind, momentum):
    rule = BackPropSettings(batch=1, momentum=momentum)
    kind = BATCHES.model_copy(update={"rule": rule}) if kind == "deep" else EVERY[kind]
    learner = grown(kind)
    step = run(learner.train_on([frame_of(7)], [frame_of(7).label]), None)
    learned = run(learner.learn(frame_of(7)), None)
    assert (step[1], step[2]) == (learned[1], learned[2])


@every_learner
def test_nonsense_is_refused_by_all_and_changes_nothing(kind):
    learner = grown(kind)
    before, frame = learner.digest(), frame_of(1)
    bad, table = [replace(frame, label=label) for label in (-1, CLASSES)], np.eye(CLASSES)
    every = np.ones(CLASSES, bool)
    for ask in (
        lambda: learner.learn(bad[0]),
        lambda: learner.learn(bad[1]),
        lambda: learner.slope(bad[0]),
        lambda: learner.slope(bad[1]),
        lambda: learner.loss_on([]),
        lambda: learner.loss_on([frame, bad[0]]),
        lambda: learner.loss_on([frame, bad[1]]),
        lambda: learner.train_on([], []),
        lambda: learner.train_on([frame], []),
        lambda: learner.train_on([frame], [-1]),
        lambda: learner.train_on([frame], [CLASSES]),
        lambda: learner.class_table(1, CLASSES),
        lambda: learner.class_table(-1, 1),
        lambda: learner.class_table(0, 0),
        lambda: learner.set_class_prior(table[:1], every, alpha=1.0),
        lambda: learner.set_class_prior(table, every[:1], alpha=1.0),
        lambda: learner.set_class_prior(table, every, alpha=-1.0),
        lambda: learner.set_class_prior(table, every, alpha=1.0, steps=0),
        lambda: learner.set_params(np.zeros(learner.params + 1)),
        lambda: learner.hold(rho=-1.0),
        lambda: learner.hold(sparsity=1.0),
        lambda: learner.hold(anchor=np.zeros(learner.params + 1), rho=0.0),
        lambda: learner.kl_step(address=0, target=table[:, :1], mask=every, alpha=1.0),
        lambda: learner.kl_step(address=0, target=table, mask=every, alpha=-1.0),
        lambda: learner.kl_step(address=0, target=table, mask=every, alpha=1.0, steps=0),
    ):
        with pytest.raises(LearnerError):
            ask()
    assert learner.digest() == before


@every_learner
def test_no_frames_are_no_predictions(kind):
    learner = grown(kind)
    none = learner.prepare([])
    assert learner.predict(none).shape == (0,)
    assert list(learner.pass_rows(none, address=0)) == []


@every_learner
def test_what_is_no_number_is_found_and_named(kind):
    learner = grown(kind)
    assert learner.broken() is None
    spoilt = np.full(learner.params, np.nan)
    learner.set_params(spoilt).commit()
    known = kind is SURROGATE or learner.broken() in {"readout", "layer readout", "layer 1"}
    assert known


@pytest.mark.parametrize(
    ("kind", "way", "told"),
    [
        ("spiking", ("held",), "layer 1"),
        ("circuit", ("weights",), "layer hidden-1"),
        ("tess", ("hidden", "arrays", 0), "layer 1"),
        ("s-tllr", ("hidden", "arrays", 0), "layer 1"),
    ],
)
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_broken_hidden_layer_is_named(kind, way, told, number):
    learner = grown(EVERY[kind])
    image = weights = learner.dump()
    for step in way:
        weights = weights[step]
    weights[0] = number
    learner.load(image)
    assert learner.broken() == told
