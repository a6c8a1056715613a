"""Circuits' readouts that travel: slopes, what holds and pulls; a run of every protocol."""

import numpy as np
import pytest
from every_protocol import PROTOCOLS
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CIRCUIT, CLASSES, FIELDS, NOTHING, frame_of, grown, opened, run
from worlds import lossy, records_of
from worlds import run as simulated

from simedge.learning.errors import LearnerError
from simedge.run.invariants import check_records
from simedge.run.problems import ScenarioError

KINDS = {"lif": CIRCUIT, "linear": FIELDS, "stream": CIRCUIT.model_copy(update={"reset": "never"})}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def calm(kind):
    """Return a kind whose thresholds stay: then it sees a frame alike, whatever it is shown for."""
    still = kind.layers[0].homeostasis.model_copy(update={"rate": 0.0})
    layers = [layer.model_copy(update={"homeostasis": still}) for layer in kind.layers]
    return kind.model_copy(update={"layers": tuple(layers)})


calm_kind = pytest.mark.parametrize("kind", [calm(CIRCUIT), calm(FIELDS)], ids=["lif", "linear"])


def params_of(learner):
    return learner.get_params().commit()


def hidden_of(learner):
    """Return hidden weights and thresholds."""
    body, known = learner.shop.body, learner.shop.known
    return known.weights[: body.places[2 * len(body.sizes) - 1].stop], known.thresholds


@every_kind
def test_equal_parameters_make_equal_readouts_and_ones_own_change_nothing(kind):
    taught, fresh = grown(kind), opened(kind)
    known, values = taught.digest(), params_of(taught)
    assert values.shape == (taught.params,)
    assert values.dtype == np.float32
    taught.set_params(values).commit()
    assert taught.digest() == known
    assert not np.array_equal(params_of(fresh), values)
    assert fresh.set_params(values).commit() is None
    assert np.array_equal(params_of(fresh), values)
    assert all(map(np.array_equal, hidden_of(fresh), hidden_of(opened(kind))))


@every_kind
def test_the_start_is_the_same_everywhere(kind):
    here, there = (opened(kind, device=name) for name in ("dev-1", "server"))
    assert np.array_equal(params_of(here), params_of(there))


@every_kind
@given(seed=st.integers(6, 60), step=st.sampled_from([None, 1, 7]))
@settings(max_examples=8)
def test_a_step_down_the_slope_is_what_learning_does_to_the_readout(kind, seed, step):
    learner, twin = grown(kind), grown(kind)
    before, known = params_of(learner), learner.digest()
    _, counts, macs, (loss, slope) = run(learner.slope(frame_of(seed)), step)
    assert learner.digest() == known
    learned = twin.learn(frame_of(seed)).commit()
    assert loss == learned.loss
    assert slope.dtype == np.float32
    assert np.allclose(params_of(twin), before - learner.learning_rate * slope, rtol=0, atol=1e-6)
    assert counts.macs == macs["dense"] > 0
    assert counts.volleys > 0


@every_kind
def test_a_slope_is_steep_where_the_margin_fails_and_flat_where_nothing_is_shown(kind):
    learner = opened(kind)
    assert np.abs(learner.slope(frame_of(3)).commit()[1]).max() > 0.01
    assert not learner.slope(NOTHING).commit()[1].any()


@calm_kind
@pytest.mark.parametrize("step", [None, 5])
def test_a_batch_of_others_is_a_step_on_the_mean_and_hidden_layers_stay(kind, step):
    learner, seeds = grown(kind), [7, 8, 10]
    before, hidden = params_of(learner), hidden_of(learner)
    slopes = [learner.slope(frame_of(seed)).commit()[1] for seed in seeds]
    frames = [frame_of(seed) for seed in seeds]
    said = tuple(learner.predict(learner.prepare(frames)).tolist())
    work = learner.train_on(frames, [frame.label for frame in frames])
    _, counts, _, found = run(work, step)
    assert found == said
    assert counts.weight_writes == learner.params
    wanted = before - learner.learning_rate * np.mean(slopes, axis=0)
    assert np.allclose(params_of(learner), wanted, rtol=0, atol=1e-6)
    assert not np.array_equal(params_of(learner), before)
    assert all(map(np.array_equal, hidden_of(learner), hidden))


@calm_kind
def test_a_mean_loss_is_that_of_learning_and_changes_nothing(kind):
    learner, frames = grown(kind), [frame_of(9), NOTHING, frame_of(11)]
    known = learner.digest()
    losses = []
    for frame in frames:
        work = learner.slope(frame)
        losses.append(work.commit()[0])
    _, _, _, loss = run(learner.loss_on(frames), 3)
    assert loss == pytest.approx(sum(losses) / 3)
    assert learner.digest() == known
    assert learner.learn(frames[0]).commit().loss == losses[0]


def test_work_that_is_given_up_leaves_nothing():
    learner = grown(CIRCUIT)
    known = learner.digest()
    work = learner.train_on([frame_of(7), frame_of(8)], [3, 0])
    work.advance(5)
    assert work.counts.volleys == 5
    with pytest.raises(LearnerError, match="under way"):
        learner.get_params()
    work.discard()
    assert learner.digest() == known
    learner.learn(frame_of(7)).commit()


@every_kind
def test_a_class_table_tells_each_frame_once(kind):
    learner = grown(kind, frames=3)
    table = learner.class_table(0, CLASSES).commit()
    assert table.dtype == np.float32
    assert np.allclose(table.sum(axis=1), [1, 1, 1, 0])
    assert not learner.class_table(0, CLASSES).commit().any()
    chances = learner.proxy_row(frame_of(3), address=0, row=0)
    chances.commit()
    assert not learner.class_table(0, CLASSES).commit().any()


@every_kind
@pytest.mark.parametrize("ahead", [False, True])
def test_what_holds_acts_when_a_frame_is_learned_and_until_it_is_let_go(kind, ahead):
    def step(rho, share):
        learner = grown(kind)
        before, anchor = params_of(learner), np.ones(learner.params, np.float32)
        work = learner.learn(frame_of(9))
        if ahead:
            work.compute()
        learner.hold(anchor=anchor, rho=rho, sparsity=share)
        work.commit()
        return before, params_of(learner), learner

    before, free, one = step(0.0, 0.0)
    _, held, other = step(0.5, 0.0)
    pull = other.learning_rate * 0.5 * (before - 1)
    assert np.allclose(held, free - pull, rtol=0, atol=1e-6)
    assert all(map(np.array_equal, hidden_of(one), hidden_of(other)))
    _, sparse, last = step(0.0, 0.5)
    zero = np.argsort(np.abs(before), kind="stable")[: before.size // 2]
    assert not sparse[zero].any()
    other_places = np.setdiff1d(np.arange(before.size), zero)
    assert np.array_equal(sparse[other_places], free[other_places])
    last.hold()
    for seed in range(10, 16):
        last.learn(frame_of(seed)).commit()
    assert params_of(last)[zero].any()


@calm_kind
def test_a_prior_for_a_label_pulls_its_frames_as_a_prior_for_their_rows_would(kind):
    frame, target = frame_of(9), np.roll(np.eye(CLASSES), 1, axis=0)
    label = frame.label
    mask = np.arange(CLASSES) == label
    free, pulled, rows = grown(kind), grown(kind), grown(kind)
    start = params_of(rows)
    rows.proxy_row(frame, address=0, row=0).commit()
    rows.kl_step(address=0, target=target[label:][:1], mask=[True], alpha=3.0, steps=2).commit()
    pulled.set_class_prior(target, mask, alpha=3.0, steps=2).commit()
    alone, both = free.learn(frame), pulled.learn(frame)
    alone.commit()
    both.commit()
    change = params_of(rows) - start
    assert np.abs(change).max() > 1e-4
    assert np.allclose(params_of(pulled) - params_of(free), change, rtol=0, atol=1e-6)
    assert both.counts.macs == alone.counts.macs + 4 * pulled.params
    assert both.macs["dense"] == both.counts.macs
    other, plain = grown(kind), grown(kind)
    other.set_class_prior(target, ~mask, alpha=3.0).commit()
    for learner in (other, plain):
        learner.learn(frame).commit()
    assert other.digest() == plain.digest()


@every_kind
def test_a_dump_has_the_table_and_the_prior(kind):
    learner, twin = grown(kind), opened(kind)
    learner.set_class_prior(np.eye(CLASSES), np.ones(CLASSES), alpha=1.0).commit()
    twin.load(learner.dump())
    for one in (learner, twin):
        one.learn(frame_of(9)).commit()
    assert twin.digest() == learner.digest()
    tables = [one.class_table(0, CLASSES).commit().tobytes() for one in (learner, twin)]
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    "ask",
    [
        lambda learner: learner.set_params(np.zeros(3)),
        lambda learner: learner.hold(anchor=np.zeros(3), rho=1.0),
        lambda learner: learner.hold(sparsity=1.0),
        lambda learner: learner.loss_on([]),
        lambda learner: learner.train_on([], []),
        lambda learner: learner.train_on([frame_of(1)], [CLASSES]),
        lambda learner: learner.class_table(1, CLASSES),
        lambda learner: learner.set_class_prior(np.zeros(3), np.zeros(3), alpha=1.0),
        lambda learner: learner.set_class_prior(np.eye(4), np.ones(4), alpha=-1.0),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_begins(ask):
    learner = grown(FIELDS, frames=1)
    with pytest.raises(LearnerError):
        ask(learner)
    learner.get_params().commit()


WORLD = {
    "duration": "4 s",
    "evaluate": {"every": "3 s", "items": 8},
    "sensors": {"kind": "temporal", "size": 8, "rate": "8 Hz", "proxy": {"blocks": 2, "rows": 4}},
    "devices": [{"id": "cam", "count": 2, "compute": "cpu-large", "memory": "512 MiB"}],
    "topology": {"kind": "ring"},
    "learner": {
        "kind": "spiking",
        "polarity": "merged",
        "layers": [{"kind": "microcircuit", "neurons": 20, "gain": 4.0}],
        "rule": {"kind": "three-factor", "rate": 0.1},
    },
    "faults": [{"kind": "crash", "devices": ["cam-1"], "at": "1500 ms", "for": "300 ms",
                "state": "checkpoint"}],
}  # fmt: skip


def world(name, **values):
    linear = list(PROTOCOLS).index(name) % 2
    readout = {"learner.readout": {"kind": "linear", "bins": 2}} if linear else {}
    return lossy().vary({**WORLD, "protocol": PROTOCOLS[name], **readout, **values})


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_runs_and_its_books_are_exact(name):
    result = simulated(world(name))
    assert result.summary["invariants"]["broken"] == []
    assert check_records(result.records) == []
    assert result.summary["communication"]["bits_up"] > 0
    # Where frames are sent, the server learns: no device has spikes.
    sends_frames = name in {"central frames", "central model"}
    assert (result.summary["counts"]["spikes"] == 0) == sends_frames
    assert (result.summary["information_age_s"]["mean"] is None) == (name == "central frames")
    assert result.summary["counts"]["priors_applied"] > 0 or not name.startswith("elal")


@pytest.mark.parametrize("name", ["central gradient", "aedfl"])
def test_stepped_volleys_have_the_history_of_fused_ones(name):
    fused, stepped = (
        simulated(world(name, **{"kernel.volleys": how})) for how in ("fused", "stepped")
    )
    assert records_of(fused) == records_of(stepped)


def test_readouts_of_different_wiring_are_not_exchanged():
    with pytest.raises(ScenarioError, match="same hidden weights"):
        world("gossip", **{"learner.shared_start": False})
