"""Parameters that travel: what is handed out, taken over, sloped, held, told and pulled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import ALL, CLASSES, FROZEN, NOTHING, frame_of, grown, opened, run

from simedge.learning.errors import LearnerError
from simedge.learning.settings import LinearReadoutSettings, LinearSettings

TRAVELLING = {name: ALL[name] for name in ("spiking", "deep", "frozen", "linear")}
every_learner = pytest.mark.parametrize("kind", TRAVELLING.values(), ids=TRAVELLING)
# Hidden layers that learn do so while a frame is shown, so that its features are other ones then.
calm_learner = pytest.mark.parametrize("kind", [FROZEN, ALL["linear"]], ids=["frozen", "linear"])
PLAIN = LinearSettings(readout=LinearReadoutSettings(centring=0))


def params_of(learner):
    return learner.get_params().commit()


@every_learner
def test_equal_parameters_make_equal_readouts(kind):
    taught, fresh = grown(kind), opened(kind)
    values = params_of(taught)
    assert values.shape == (taught.params,)
    assert values.dtype == np.float32
    assert fresh.set_params(values).commit() is None
    assert np.array_equal(params_of(fresh), values)
    values[:] = 0.0
    assert params_of(taught).any(), "what is handed out is a copy"


@calm_learner
@given(seed=st.integers(6, 40), step=st.sampled_from([None, 1, 7]))
@settings(max_examples=10)
def test_a_slope_is_the_way_that_learning_takes_and_changes_no_parameter(kind, seed, step):
    learner, twin = grown(kind), grown(kind)
    before = params_of(learner)
    _, counts, _, (loss, slope) = run(learner.slope(frame_of(seed)), step)
    assert np.array_equal(params_of(learner), before)
    learned = twin.learn(frame_of(seed)).commit()
    rate = kind.readout.rate
    assert loss == pytest.approx(learned.loss, rel=1e-6)
    weights = slice(CLASSES * learner.features)
    assert np.allclose(params_of(twin)[weights], (before - rate * slope)[weights], atol=1e-6)
    assert counts.macs > 0


@calm_learner
@given(seeds=st.lists(st.integers(0, 40), min_size=1, max_size=4, unique=True))
@settings(max_examples=10)
def test_the_slope_of_the_centring_leads_half_way_to_what_was_seen(kind, seeds):
    learner, rest = grown(kind), CLASSES * opened(kind).features
    before, rate = params_of(learner)[rest:], kind.readout.rate
    slopes = [learner.slope(frame_of(seed)).commit()[1][rest:] for seed in seeds]
    fresh = opened(kind)
    for seed in seeds:
        fresh.learn(frame_of(seed)).commit()  # a mean from nothing is that of what was seen
    wanted = (before + params_of(fresh)[rest:]) / 2
    assert np.allclose(before - rate * np.mean(slopes, axis=0), wanted, atol=1e-5)


@calm_learner
def test_who_takes_over_parameters_says_what_their_owner_says(kind):
    taught, fresh = grown(kind), opened(kind)
    fresh.set_params(params_of(taught)).commit()
    assert np.array_equal(forward(fresh, 9), forward(taught, 9))
    rest, alone = CLASSES * fresh.features, opened(kind)
    kept = params_of(fresh)[rest:]
    for learner in (fresh, alone):
        learner.learn(frame_of(9)).commit()
    seen = params_of(alone)[rest:]
    assert np.allclose(params_of(fresh)[rest:], kept + (seen - kept) / 17, atol=1e-5)


def test_without_centring_the_weights_are_all_that_travels():
    learner = opened(PLAIN)
    assert learner.params == CLASSES * learner.features
    assert learner.slope(frame_of(3)).commit()[1].shape == (learner.params,)
    learner.set_params(np.ones(learner.params)).commit()
    assert (params_of(learner) == 1).all()
    still = opened(LinearSettings(readout=LinearReadoutSettings(rate=0)))
    assert not still.slope(frame_of(3)).commit()[1][CLASSES * still.features :].any()


@every_learner
def test_a_mean_loss_is_the_mean_of_losses_and_nothing_changes(kind):
    learner = grown(kind)
    before = learner.digest()
    frames = [frame_of(9), NOTHING, frame_of(11)]
    alone = [learner.loss_on([frame]).commit() for frame in frames]
    assert learner.loss_on(frames).commit() == pytest.approx(sum(alone) / 3)
    _, _, _, stepped = run(learner.loss_on(frames), 1)
    assert stepped == learner.loss_on(frames).commit()
    assert learner.digest() == before


@calm_learner
def test_a_loss_is_that_of_learning(kind):
    learner = grown(kind)
    loss = learner.loss_on([frame_of(9)]).commit()
    assert learner.learn(frame_of(9)).commit().loss == pytest.approx(loss, rel=1e-6)


@every_learner
@pytest.mark.parametrize("step", [None, 5])
def test_a_slope_is_the_same_in_any_pieces_and_moves_no_parameter(kind, step):
    learner, twin = grown(kind), grown(kind)
    before = params_of(learner)
    operations, counts, macs, (loss, slope) = run(learner.slope(frame_of(8)), step)
    whole = run(twin.slope(frame_of(8)), 1)
    assert np.array_equal(operations, whole[0])
    assert (counts, macs, loss) == (whole[1], whole[2], whole[3][0])
    assert np.array_equal(slope, whole[3][1])
    assert np.array_equal(params_of(learner), before)


@every_learner
def test_a_job_that_is_dropped_half_way_leaves_no_trace(kind):
    learner = grown(kind)
    before = learner.digest()
    for job in (learner.slope(frame_of(3)), learner.loss_on([frame_of(3), frame_of(4)])):
        job.advance(3)
        job.discard()
    learner.set_params(np.zeros(learner.params)).discard()
    assert learner.digest() == before


@given(rho=st.floats(0.0, 0.2), seed=st.integers(0, 40))
@settings(max_examples=10)
def test_an_anchor_pulls_by_rho_times_the_distance(rho, seed):
    learner, free = grown(FROZEN), grown(FROZEN)
    before = params_of(learner)
    anchor = np.linspace(-1, 1, learner.params).astype(np.float32)
    learner.hold(anchor=anchor, rho=rho)
    for each in (learner, free):
        each.learn(frame_of(seed)).commit()
    size = CLASSES * learner.features  # the running mean is not held
    wanted = params_of(free)
    wanted[:size] -= FROZEN.readout.rate * rho * (before - anchor)[:size]
    assert np.allclose(params_of(learner), wanted, atol=1e-5)
    learner.hold()
    assert learner.learn(frame_of(0)).macs == free.learn(frame_of(0)).macs


@given(share=st.floats(0.0, 0.99))
@settings(max_examples=10)
def test_the_smallest_parameters_stay_zero_while_that_holds(share):
    learner = grown(FROZEN)
    before = params_of(learner)[: CLASSES * learner.features]
    count = int(share * before.size)
    gone = np.argsort(np.abs(before), kind="stable")[:count]
    learner.hold(sparsity=share)
    for seed in range(3):
        learner.learn(frame_of(seed)).commit()
        assert not params_of(learner)[gone].any()


def test_a_class_table_tells_each_frame_once():
    learner, said = opened(PLAIN), {}
    for seed in (0, 1, 4, 8, 9):
        said.setdefault(frame_of(seed).label, []).append(forward(learner, seed))
        learner.learn(frame_of(seed)).commit()
    again = opened(PLAIN)
    again.load(learner.dump())
    table = again.class_table(0, CLASSES).commit()
    for label in range(CLASSES):
        wanted = np.mean(said[label], axis=0) if label in said else np.zeros(CLASSES)
        assert np.allclose(table[label], wanted, atol=1e-6)
    assert not again.class_table(0, CLASSES).commit().any()


def forward(learner, seed):
    return learner.proxy_row(frame_of(seed), address=0, row=0).commit()


def test_a_class_prior_pulls_frames_of_its_labels_alone():
    target = np.full((CLASSES, CLASSES), 1 / CLASSES)
    mask = np.array([True, False, False, False])
    learner, free = grown(FROZEN), grown(FROZEN)
    learner.set_class_prior(target, mask, alpha=4.0).commit()
    for each in (learner, free):
        each.learn(frame_of(1)).commit()
    assert np.array_equal(params_of(learner), params_of(free))
    for each in (learner, free):
        each.learn(frame_of(4)).commit()
    assert forward(learner, 4)[0] < forward(free, 4)[0]


@calm_learner
def test_a_step_on_one_frame_of_another_is_learning_it(kind):
    learner, twin = grown(kind), grown(kind)
    predicted = learner.train_on([frame_of(7)], [frame_of(7).label]).commit()
    assert predicted == (int(twin.predict(twin.prepare([frame_of(7)]))[0]),)
    twin.learn(frame_of(7)).commit()
    assert np.allclose(params_of(learner), params_of(twin), atol=1e-6)


def test_a_step_on_many_frames_is_along_their_mean_gradient():
    learner, twin = grown(PLAIN), grown(PLAIN)
    frames = [frame_of(seed) for seed in (3, 5, 6)]
    slopes = [twin.slope(frame).commit()[1] for frame in frames]
    wanted = params_of(learner) - PLAIN.readout.rate * np.mean(slopes, axis=0)
    learner.train_on(frames, [frame.label for frame in frames]).commit()
    assert np.allclose(params_of(learner), wanted, atol=1e-6)


def test_nonsense_is_refused():
    learner = opened(PLAIN)
    table = np.zeros((CLASSES, CLASSES))
    for ask in (
        lambda: learner.set_params(np.zeros(3)),
        lambda: learner.hold(sparsity=1.0),
        lambda: learner.hold(rho=-1.0),
        lambda: learner.loss_on([]),
        lambda: learner.class_table(1, CLASSES),
        lambda: learner.set_class_prior(table[:1], np.ones(CLASSES, bool), alpha=1.0),
        lambda: learner.set_class_prior(table, np.ones(CLASSES, bool), alpha=-1.0),
        lambda: learner.train_on([frame_of(1)], []),
    ):
        with pytest.raises(LearnerError):
            ask()
