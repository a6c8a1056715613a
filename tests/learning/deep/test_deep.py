"""Laws of the deep learner: gradients, batches, dumps, parameters that travel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CLASSES, NOTHING, SIDE, frame_of, opened
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from simedge.core.streams import Streams
from simedge.learning.deep.frames import Prepared
from simedge.learning.deep.network import Network, Pull, be_deterministic
from simedge.learning.errors import LearnerError
from simedge.learning.reference_settings import BackPropSettings, DeepSettings, FilterSettings

RULE = BackPropSettings(batch=4)
TINY = DeepSettings(layers=(FilterSettings(maps=3, kernel=3),), bins=2, rule=RULE)
TALL = DeepSettings(
    layers=(FilterSettings(maps=3, kernel=3, padding=1), FilterSettings(maps=4, kernel=2)),
    hidden=5,
    bins=2,
    rule=RULE,
)
PLAIN = TINY.model_copy(update={"rule": BackPropSettings(batch=4, momentum=0, clip=None)})
both = pytest.mark.parametrize("wish", [TINY, TALL], ids=["tiny", "tall"])
frames = st.lists(st.integers(0, 200), min_size=1, max_size=14)
few = settings(max_examples=20, deadline=None)


def network_of(wish):
    be_deterministic()
    return Network(wish, classes=CLASSES, channels=2 * wish.bins, width=SIDE, height=SIDE)


def slow_loss(network, values, shown):
    """Cross entropy by convolving pixel by pixel, in float64."""
    level = shown.pictures.astype(np.float64)
    *below, weight, bias = [part.astype(np.float64) for part in network.parts(values)]
    for layer, w, b in zip(network.layers, below[::2], below[1::2], strict=False):
        if layer.filter is None:
            level = np.maximum(level.reshape(len(level), -1) @ w.T + b, 0)
            continue
        p, s, k = layer.filter.padding, layer.filter.stride, layer.filter.kernel
        level = np.pad(level, ((0, 0), (0, 0), (p, p), (p, p)))
        down = range(0, level.shape[2] - k + 1, s)
        patches = [
            [level[:, :, i : i + k, j : j + k].reshape(len(level), -1) for j in down] for i in down
        ]
        flat = w.reshape(len(w), -1)
        level = np.maximum(np.array(patches) @ flat.T + b, 0).transpose(2, 3, 0, 1)
    level = level.reshape(len(level), -1)
    if network.normal:
        level = level - level.mean(axis=1, keepdims=True)
        level = level / np.sqrt((level**2).mean(axis=1, keepdims=True) + 1e-5)
    scores = level @ weight.T + bias
    own = scores[np.arange(len(scores)), shown.labels]
    return float((np.log(np.exp(scores).sum(axis=1)) - own).sum())


def plain_scores(network, leaves, pictures):
    """Return the scores as torch's own layers give them, for its own graph."""
    level = torch.from_numpy(pictures)
    for layer, weight, bias in zip(network.layers, leaves[::2], leaves[1::2], strict=True):
        wish = layer.filter
        if wish is not None:
            level = functional.conv2d(level, weight, bias, stride=wish.stride, padding=wish.padding)
            level = functional.relu(level)
            continue
        level = level.flatten(1)
        if layer is network.layers[-1]:
            if network.normal:
                level = functional.layer_norm(level, level.shape[1:])
            return functional.linear(level, weight, bias)
        level = functional.relu(functional.linear(level, weight, bias))
    raise AssertionError("a network ends with its readout")


def plain_loss(network, leaves, shown):
    """Return the sum of the cross entropies."""
    scores = plain_scores(network, leaves, shown.pictures)
    return functional.cross_entropy(scores, torch.from_numpy(shown.labels), reduction="sum")


WIDE = DeepSettings(normalise=False, transform="none")
MANY = DeepSettings(layers=(FilterSettings(maps=5, kernel=4, stride=3, padding=2),) * 2, hidden=7)
shapes = st.sampled_from([TINY, TALL, MANY, WIDE, DeepSettings()])


@given(wish=shapes, count=st.integers(1, 20), drawn=st.booleans(), seed=st.integers(0, 99))
@few
def test_what_is_written_out_is_what_torch_finds_in_its_graph(wish, count, drawn, seed):
    be_deterministic()
    network = Network(wish, classes=CLASSES, channels=2 * wish.bins, width=16, height=16)
    words = np.random.Generator(np.random.Philox(seed))
    values = network.start(Streams(seed), "learner")
    values += 0.1 * words.normal(size=values.size).astype(np.float32)
    pictures = words.exponential(size=(count, *network.picture)).astype(np.float32)
    shown = Prepared(words.integers(0, CLASSES, count), pictures)
    pull = Pull(*words.random((2, CLASSES, CLASSES)).astype(np.float32)) if drawn else None
    pull = pull and pull._replace(weight=pull.weight[0])
    vector = torch.tensor(values, requires_grad=True)
    leaves = network.parts(vector)
    loss = plain_loss(network, leaves, shown)
    if pull:
        said = torch.log_softmax(plain_scores(network, leaves, pictures), 1)
        weighed = pull.target[shown.labels] * pull.weight[shown.labels, None]
        (loss - (torch.from_numpy(weighed) * said).sum()).backward()
    else:
        loss.backward()
    losses, gradient = network.gradient(values, pictures, shown.labels, pull=pull)
    assert losses.sum() == pytest.approx(loss.item(), rel=1e-5, abs=1e-5)
    found = vector.grad.numpy()
    np.testing.assert_allclose(gradient, found, rtol=0, atol=3e-6 * max(1, np.abs(found).max()))
    features, chances = network.seen(values, pictures)
    plain = torch.softmax(plain_scores(network, leaves, pictures), 1).detach().numpy()
    np.testing.assert_allclose(chances, plain, atol=1e-5)
    for i in (0, count // 2, count - 1):  # to the last bit, whatever it is shown with
        alone = network.seen(values, pictures[i : i + 1].copy())
        assert alone[0].tobytes() == features[i].tobytes()
        assert alone[1].tobytes() == chances[i].tobytes()


@both
def test_the_gradient_is_that_of_finite_differences(wish):
    network, learner = network_of(wish), opened(wish)
    values = network.start(Streams(3), "learner") + np.float32(0.01)
    shown = learner.prepare([frame_of(n) for n in range(3)])
    losses, gradient = network.gradient(values, shown.pictures, shown.labels)
    assert losses.sum() == pytest.approx(slow_loss(network, values, shown), rel=1e-5)
    for at in range(0, values.size, max(1, values.size // 40)):
        up, down = values.astype(np.float64), values.astype(np.float64)
        up[at] += 1e-5
        down[at] -= 1e-5
        slope = (slow_loss(network, up, shown) - slow_loss(network, down, shown)) / 2e-5
        assert gradient[at] == pytest.approx(slope, rel=1e-3, abs=2e-4)


@both
@given(seeds=frames, lone=st.integers(0, 200))
@few
def test_what_is_said_of_a_frame_does_not_depend_on_its_company(wish, seeds, lone):
    learner = opened(wish)
    together = learner.prepare([frame_of(n) for n in [*seeds, lone, *seeds]])
    rows = learner.pass_rows(together, address=0)
    alone = learner.proxy_row(frame_of(lone), address=0, row=0)
    assert rows[len(seeds)].commit().tobytes() == alone.commit().tobytes()


@both
@given(seeds=frames, gaps=st.sets(st.integers(0, 13)))
@few
def test_frames_learned_ahead_are_learned_as_one_by_one(wish, seeds, gaps):
    ahead, plain = opened(wish), opened(wish)
    seen = [frame_of(n) for n in seeds]
    shown = ahead.prepare(seen)
    for i, frame in enumerate(seen):
        if i in gaps:  # looked at, and dropped
            work = ahead.learn(frame, shown=(shown, i))
            ahead.run_together([work], None)
            work.discard()
        else:
            assert ahead.learn(frame, shown=(shown, i)).commit() == plain.learn(frame).commit()
    assert ahead.digest() == plain.digest()


@given(
    seeds=st.lists(st.integers(0, 200), min_size=4, max_size=9), momentum=st.sampled_from([0, 0.9])
)
@few
def test_batches_step_like_plain_torch(seeds, momentum):
    wish = TINY.model_copy(update={"rule": BackPropSettings(batch=4, momentum=momentum, clip=0.5)})
    learner, network = opened(wish), network_of(wish)
    values = torch.tensor(network.start(Streams(1), "learner"), requires_grad=True)
    steps = torch.optim.SGD([values], lr=wish.rule.rate, momentum=momentum)
    for n, seed in enumerate(seeds, 1):
        shown = learner.prepare([frame_of(seed)])
        loss = plain_loss(network, network.parts(values), shown)
        learned = learner.learn(frame_of(seed)).commit()
        assert learned.loss == pytest.approx(loss.item(), abs=1e-4)
        (loss / 4).backward()
        if n % 4 == 0:
            torch.nn.utils.clip_grad_norm_([values], 0.5)
            steps.step()
            steps.zero_grad()
    np.testing.assert_allclose(learner.get_params().commit(), values.detach(), atol=2e-5)


@given(cut=st.integers(0, 9))
@few
def test_a_dump_in_the_middle_of_a_batch_goes_on_as_if_nothing_had_been(cut):
    learner, other = opened(TALL), opened(TALL)
    target, mask = np.full((CLASSES, CLASSES), 1 / CLASSES), np.ones(CLASSES, bool)
    learner.set_class_prior(target, mask, alpha=0.5).commit()
    hold = {"anchor": np.zeros(learner.params), "rho": 0.1, "sparsity": 0.3}
    learner.hold(**hold)
    for n in range(10):
        if n == cut:
            other.load(learner.dump())
            for each in (learner, other):  # zeros are those of the next frame
                each.hold(**hold)
            assert other.digest() == learner.digest()
        told = learner.learn(frame_of(n)).commit()
        if n >= cut:
            assert other.learn(frame_of(n)).commit() == told
    assert other.digest() == learner.digest()
    table = learner.class_table(0, CLASSES).commit()
    assert table.tobytes() == other.class_table(0, CLASSES).commit().tobytes()
    np.testing.assert_allclose(table.sum(axis=1), [1] * CLASSES, atol=1e-6)
    assert not learner.class_table(0, CLASSES).commit().any()


def test_devices_start_alike_and_nothing_is_drawn_from_torch():
    torch.manual_seed(1)
    first = opened(TALL, device="dev-1").get_params().commit()
    torch.manual_seed(2)
    assert (first == opened(TALL, device="server").get_params().commit()).all()
    own = TALL.model_copy(update={"shared_start": False})
    assert (first != opened(own, device="dev-2").get_params().commit()).any()


@both
def test_memory_and_work_are_those_that_torch_counts(wish):
    learner, network = opened(wish), network_of(wish)
    shown, values = learner.prepare([frame_of(1)]), learner.get_params().commit()
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    leaves = [part.requires_grad_() for part in network.parts(torch.from_numpy(values))]
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        plain_scores(network, leaves, shown.pictures)
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with FlopCounterMode(display=False) as learning, hooks:
        plain_loss(network, leaves, shown).backward()
    with FlopCounterMode(display=False) as own:
        network.gradient(values, shown.pictures, shown.labels)
    assert forward.get_total_flops() == 2 * sum(network.forward_macs.values())
    macs = sum(network.learning_macs.values())
    assert learning.get_total_flops() == own.get_total_flops() == 2 * macs
    memory = learner.memory(kept_rows=3)
    held = [t.untyped_storage().nbytes() for t in kept.values() if t.dtype == torch.float32]
    # Torch keeps weights beside the frame and what layers put out; all of them are one vector.
    said = memory["parameters"] + memory["activations"] + memory["batch"]
    assert sum(held) == pytest.approx(said, rel=0.05)
    assert memory["gradients"] == memory["momentum"] == 4 * values.size
    assert memory["features"] == 3 * 4 * network.features


def test_a_kl_step_moves_the_readout_alone_towards_the_prior():
    learner = opened(TINY)
    for n in range(6):
        learner.learn(frame_of(n)).commit()
    rows = np.array([learner.proxy_row(frame_of(n), address=5, row=n).commit() for n in range(4)])
    before, prior = learner.get_params().commit(), np.roll(rows, 1, axis=1)
    mask = np.array([True, True, False, True])
    assert learner.kl_step(address=5, target=prior, mask=mask, alpha=1.0, steps=3).commit() == 3
    after = learner.get_params().commit()
    readout = slice(-network_of(TINY).layers[-1].params, None)
    assert (before[: readout.start] == after[: readout.start]).all()
    again = np.array([learner.proxy_row(frame_of(n), address=5, row=n).commit() for n in range(4)])
    assert (prior * np.log(again))[mask].sum() > (prior * np.log(rows))[mask].sum()


def test_a_slope_and_a_step_on_frames_of_others_are_those_of_learning():
    learner, other = opened(PLAIN), opened(PLAIN)
    seen = [frame_of(n) for n in range(4)]
    before = learner.get_params().commit()
    slopes = [learner.slope(frame).commit() for frame in seen]
    assert learner.loss_on(seen).commit() == pytest.approx(
        np.mean([s[0] for s in slopes]), rel=1e-5
    )
    assert (learner.get_params().commit() == before).all()
    said = learner.train_on(seen, [frame.label for frame in seen]).commit()
    assert said == tuple(other.predict(other.prepare(seen)).tolist())
    mean = np.mean([s[1] for s in slopes], axis=0)
    moved = before - np.float32(PLAIN.rule.rate) * mean
    np.testing.assert_allclose(learner.get_params().commit(), moved, atol=1e-6)
    for frame in seen:
        other.learn(frame).commit()
    np.testing.assert_allclose(other.get_params().commit(), moved, atol=1e-6)


def test_an_anchor_pulls_and_the_smallest_are_held_at_zero():
    learner, free = opened(PLAIN), opened(PLAIN)
    anchor = np.ones(learner.params, np.float32)
    learner.hold(anchor=anchor, rho=0.5)
    before = learner.get_params().commit()
    for n in range(4):
        learner.learn(frame_of(n)).commit()
        free.learn(frame_of(n)).commit()
    pulled = free.get_params().commit() - np.float32(0.05 * 0.5) * (before - anchor)
    np.testing.assert_allclose(learner.get_params().commit(), pulled, atol=1e-6)
    learner.hold(sparsity=0.4)
    for n in range(9):
        learner.learn(frame_of(n)).commit()
        zeros = np.count_nonzero(learner.get_params().commit() == 0)
        assert zeros >= int(0.4 * learner.params)


def test_a_class_prior_adds_its_cross_entropy_to_the_gradient():
    learner, network = opened(PLAIN), network_of(PLAIN)
    prior = np.full((CLASSES, CLASSES), 1 / CLASSES)
    mask = np.arange(CLASSES) == frame_of(1).label
    before = learner.get_params().commit()
    learner.set_class_prior(prior, mask, alpha=2.0).commit()
    for _ in range(4):
        learner.learn(frame_of(1)).commit()
    shown = learner.prepare([frame_of(1)] * CLASSES)
    every = network.gradient(before, shown.pictures, np.arange(CLASSES))[1] / CLASSES
    own = network.gradient(before, shown.pictures[:1], shown.labels[:1])[1]
    moved = before - np.float32(PLAIN.rule.rate) * (own + 2 * every)
    np.testing.assert_allclose(learner.get_params().commit(), moved, atol=1e-5)


def test_darkness_is_a_frame_like_any_other():
    learner = opened(TINY)
    learned = learner.learn(NOTHING).commit()
    assert np.isfinite(learned.loss)


def test_what_makes_no_sense_is_refused():
    learner = opened(TINY)
    with pytest.raises(LearnerError, match="does not fit"):
        opened(TINY.model_copy(update={"layers": (FilterSettings(kernel=9),)}))
    outside = frame_of(1)
    outside.x[:] = SIDE
    wrong = [
        lambda: learner.prepare([outside]),
        lambda: learner.set_params(np.zeros(3)),
        lambda: learner.hold(rho=-1),
        lambda: learner.train_on([frame_of(1)], [CLASSES]),
        lambda: learner.set_class_prior(np.ones((2, 2)), [True] * 2, alpha=1),
        lambda: learner.set_lambda([0.5]),
        lambda: learner.kl_step(address=0, target=np.ones((1, 9)), mask=[True], alpha=1),
    ]
    for act in wrong:
        with pytest.raises(LearnerError):
            act()
    work = learner.learn(frame_of(1))
    with pytest.raises(LearnerError, match="under way"):
        learner.learn(frame_of(2))
    work.discard()
    with pytest.raises(LearnerError, match="over"):
        work.commit()
