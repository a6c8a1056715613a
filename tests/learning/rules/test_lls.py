"""Laws of local losses for blocks: known vectors, finite differences, what crosses borders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.learning.errors import LearnerError
from simedge.learning.rules.basis import basis
from simedge.learning.rules.lls import Block, Head, LocalNet
from simedge.learning.rules.optimiser import Adam

A, Y = np.array([[0.5, -1.0, 2.0, 1.0]]), np.array([[0.0, 1.0, 0.0]])
MIXED = np.array([[0.1, 0.2, 0.0], [0.0, 0.3, -0.1], [0.2, 0.0, 0.1]])


def near(value, known, atol=1e-9):
    return np.testing.assert_allclose(value, known, rtol=0, atol=atol)


def generator(seed):
    return np.random.Generator(np.random.Philox(seed))


def signs(text):
    return [{"0": 0, "+": 1, "-": -1}[sign] for sign in text]


def test_known_signs_of_the_basis():
    known = basis(10, 16)
    assert known[0].tolist() == signs("0-----------++++")
    assert known[1].tolist() == signs("0+++----++++----")
    assert known[9].tolist() == [0, *([1, -1] * 8)[:15]]
    wide = basis(10, 1024)
    assert (wide[:5] == 1).sum(axis=1).tolist() == [516, 511, 511, 512, 513]
    assert wide.sum() == 12
    apart = np.abs((wide @ wide.T / 1024)[~np.eye(10, dtype=bool)])
    assert apart.mean() == pytest.approx(0.00779, abs=5e-6)
    assert apart.max() == pytest.approx(0.05176, abs=5e-6)
    other = basis(11, 1024)
    assert (other[:5] == 1).sum(axis=1).tolist() == [516, 512, 509, 513, 512]
    assert other.sum() == -9
    assert np.array_equal(np.sign(basis(7, 50, "sine")), basis(7, 50))


@pytest.mark.parametrize(
    ("mixing", "loss", "slope", "change"),
    [
        (None, 0.0163255049, [0.0062180990, 0.0005181749, -0.0010363498, -0.0005181749], None),
        (
            np.array([0.5, 1.0, -0.5]),
            0.1034889984,
            [0.0209902131, -0.0026548033, 0.0314232663, -0.0759964425],
            [-0.0264239266, -0.3146049835, -0.1308785652],
        ),
        (
            MIXED,
            0.5023253522,
            [0.0353810777, 0.1345744562, 0.0309584430, 0.0549670314],
            [-0.3159024793, 0.6318049586, -0.3159024793],
        ),
    ],
)
def test_known_losses(mixing, loss, slope, change):
    found = Head(basis=basis(3, 4), mixing=mixing).judge(A, Y)
    assert found.loss == pytest.approx(loss, abs=1e-9)
    near(found.activation[0], slope)
    assert abs((found.activation * A).sum()) < 1e-12
    if change is not None:
        near(found.mixing if mixing.ndim == 1 else found.mixing[0], change)
    else:
        near(found.chances[0], [0.008096483, 0.983807034, 0.008096483])


def block_of(words, kind, norm, cell=2, pre=3):
    head = Head(basis=basis(3, 4))
    if kind == "scaled":
        head.mixing = words.normal(size=3)
    if kind == "mixed":
        head.mixing = words.normal(size=(3, 3))
    if kind == "reduced":
        head = Head(basis=basis(2, 4), mixing=words.normal(size=(2, 3)))
    block = Block(weights=words.normal(size=(4 * cell, pre)), head=head, cell=cell, norm=norm)
    block.scale[...], block.shift[...] = words.normal(size=(2, 4 * cell))
    block.mean[...], block.variance[...] = words.normal(size=4 * cell), 0.5
    return block


@given(
    seed=st.integers(0, 999),
    kind=st.sampled_from(["plain", "scaled", "mixed", "reduced"]),
    norm=st.sampled_from(["batch", "frozen"]),
)
def test_gradients_are_those_of_finite_differences(seed, kind, norm):
    words = generator(seed)
    block = block_of(words, kind, norm)
    inputs, target = words.normal(size=(5, 3)), np.eye(3)[words.integers(3, size=5)]
    found = block.gradient(inputs, target).arrays()
    for array, slope in zip(block.parameters, found, strict=True):
        place = tuple(int(words.integers(n)) for n in array.shape)
        held, ends = array[place], []
        for step in (1e-6, -1e-6):
            array[place] = held + step
            ends.append(block.gradient(inputs, target).judged.loss)
        array[place] = held
        assert slope[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


@given(seed=st.integers(0, 999))
def test_gradients_are_those_of_torch(seed):
    torch = pytest.importorskip("torch")
    words = generator(seed)
    block = block_of(words, "mixed", "batch")
    inputs, label = words.normal(size=(5, 3)), words.integers(3, size=5)
    found = block.gradient(inputs, np.eye(3)[label])
    weights = torch.tensor(block.weights, requires_grad=True)
    mixing = torch.tensor(block.head.mixing, requires_grad=True)
    linear = torch.tensor(inputs) @ weights.T
    normal = torch.nn.functional.batch_norm(
        linear,
        None,
        None,
        torch.tensor(block.scale),
        torch.tensor(block.shift),
        training=True,
    )
    bent = torch.nn.functional.leaky_relu(normal, 0.01).reshape(5, 4, 2).mean(dim=2)
    unit = torch.nn.functional.normalize(bent)
    scores = unit @ torch.tensor(block.head.basis).T @ mixing / 0.5
    torch.nn.functional.cross_entropy(scores, torch.tensor(label)).backward()
    near(found.weights, weights.grad.numpy(), 1e-10)
    near(found.judged.mixing, mixing.grad.numpy(), 1e-10)


def net_of(seed):
    words = generator(seed)
    first, second = block_of(words, "scaled", "batch"), block_of(words, "plain", "batch", pre=8)
    return LocalNet([first, second], words.normal(size=(3, 8))), words


@given(seed=st.integers(0, 999))
def test_a_block_learns_the_same_whatever_is_above_it(seed):
    nets = [net_of(seed)[0] for _ in range(2)]
    nets[1].blocks[1].weights[...] += 1.0
    nets[1].readout[...] = 0.0
    words = generator(seed)
    inputs, target = words.normal(size=(9, 3)), np.eye(3)[words.integers(3, size=9)]
    for net in nets:
        net.learn(inputs, target)
    mine, other = (net.blocks[0].parameters for net in nets)
    assert all(np.array_equal(a, b) for a, b in zip(mine, other, strict=True))


def test_a_net_of_blocks_learns_and_counts_what_it_did():
    net, words = net_of(5)
    inputs = words.normal(size=(24, 3))
    target = np.eye(3)[(inputs[:, 0] > 0).astype(int) + (inputs[:, 1] > 0)]
    optimisers = [Adam(rate=0.03) for _ in range(3)]
    losses = [net.learn(inputs, target, optimisers) for _ in range(60)]
    assert losses[-1][-1] < losses[0][-1]
    assert losses[-1][0] < losses[0][0]
    right = net.scores(inputs).argmax(axis=1) == target.argmax(axis=1)
    assert right.mean() > 0.6
    local = 24 * (2 * 3 * 4 + 3 + 2 * 3 * 4)
    dense = 24 * 2 * (8 * 3 + 8 * 8 + 3 * 8)
    assert net.ledger.mac == 60 * (local + dense)
    assert net.ledger.wr == 60 * (8 * 3 + 16 + 3 + 8 * 8 + 16 + 3 * 8)
    assert net.ledger.mem == 4 * sum(net.memory().values())
    assert net.memory()["mixing"] == 3
    assert net.memory()["activations"] == 8 + 8


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Head(basis=basis(3, 4), mixing=np.zeros(2)), "mixing"),
        (lambda: Head(basis=basis(3, 4), temperature=0.0), "temperature"),
        (lambda: Block(weights=np.zeros((5, 2)), head=Head.of(3, 4)), "cells"),
        (lambda: Block(weights=np.ones((4, 2)), head=Head.of(3, 4)).gradient(A[:, :2], Y), "rows"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, word):
    with pytest.raises(LearnerError, match=word):
        make()
