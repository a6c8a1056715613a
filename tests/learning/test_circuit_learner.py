"""Recurrent learners do what the clocked network does; what makes no sense is said."""

import os
from dataclasses import replace

import numpy as np
import pytest
from broken import said
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import CIRCUIT, CLASSES, FIELDS, NOTHING, SIDE, frame_of, opened, run
from structured import Layer, Network, Twin, hinge

from simedge.learning.circuits import teaching
from simedge.learning.errors import LearnerError
from simedge.learning.ports import Counts
from simedge.learning.settings import CountReadoutSettings

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
TICKS = 100
RULES = st.sampled_from(
    [
        {},
        {"gate": "arrival"},
        {"noncausal": 0.2},
        {"gate": "arrival", "noncausal": -0.1, "balanced": False},
    ]
)


def with_rule(net, changes):
    return net.model_copy(update={"rule": net.rule.model_copy(update=changes)})


def clocked(learner):
    """Return the clocked network of a learner with a spiking readout, as it stands."""
    shop, net = learner.shop, learner.shop.body.settings
    known, body, layers = shop.known, shop.body, []

    def dense(place):
        wires = body.projections[place].synapses
        source, target = wires.pairs()
        weights, mask = np.zeros((2, wires.targets, wires.sources))
        weights[target, source], mask[target, source] = known.weights[body.places[place]], 1
        return weights, mask

    for place in range(len(body.sizes)):
        parts = [dense(n) for n in (2 * place, 2 * place + 1, body.readouts[place])]
        weights, masks = zip(*parts, strict=True)
        layers.append(
            Layer(
                forward=weights[0], recurrent=weights[1], readout=weights[2],
                forward_mask=masks[0], recurrent_mask=masks[1], readout_mask=masks[2],
                feedback=body.feedback[place],
            )
        )  # fmt: skip
    return Twin(
        Network(
            layers=layers, basis=body.basis, homeostasis=(1e-3, 0.02, 0.3, 3.0),
            hidden_rate=net.rule.rate, readout_rate=net.readout.rate, balanced=net.rule.balanced,
            gate={"spike": "post", "arrival": "pre_psi"}[net.rule.gate],
            noncausal=net.rule.noncausal,
        )
    )  # fmt: skip


@settings(max_examples=16 if NIGHTLY else 6)  # the twin is slow
@given(seed=st.integers(0, 1000), changes=RULES, balanced=st.booleans())
def test_it_learns_as_the_clocked_network_does(seed, changes, balanced):
    learner = opened(with_rule(CIRCUIT, {"balanced": balanced} | changes))
    twin = clocked(learner)
    for n in (seed, seed + 1, seed + 2):
        frame = frame_of(n, events=400)
        lines = (frame.y.astype(int) * SIDE + frame.x) * 2 + frame.p
        played = {}
        for tick, line in zip(frame.t_us // 1000, lines, strict=True):
            played.setdefault(int(tick), set()).add(int(line))
        value = learner.learn(frame).commit()
        twin.play(TICKS, {tick: sorted(lines) for tick, lines in played.items()})
        assert value.correct == (int(np.argmax(twin.scores())) == frame.label)
        twin.teach(frame.label)
        fresh = clocked(learner)
        for layer in range(2):
            for one, other in zip(fresh.weights(layer), twin.weights(layer), strict=True):
                assert np.abs(one - other).max() < 1e-9
        thresholds = np.concatenate([twin.thresholds(layer) for layer in range(2)])
        assert np.abs(learner.shop.known.thresholds - thresholds).max() < 1e-9


def onset_of(index):
    """Return when a presentation begins: in time, or while the one before it lasts."""
    return [0, 130, 180, 1_500, 7_000][index] * 1_000_000


@settings(max_examples=10 if NIGHTLY else 5)
@given(seed=st.integers(0, 1000), reset=st.sampled_from(["window", "never"]), changes=RULES)
def test_state_goes_on_as_in_the_clocked_network(seed, reset, changes):
    net = with_rule(CIRCUIT.model_copy(update={"reset": reset}), changes)
    learner = opened(net, starts_ns=onset_of)
    twin = clocked(learner)
    twin.network.stream = True
    for circuit in twin.circuits:
        circuit.forget = forget_counts(circuit) if reset == "never" else circuit.forget
    for index in range(4):
        frame = replace(frame_of(seed + index, events=400), index=index)
        twin.play(max(0, onset_of(index) // 1_000_000 - twin.now), {})
        lines = (frame.y.astype(int) * SIDE + frame.x) * 2 + frame.p
        played = {}
        for tick, line in zip(frame.t_us // 1000, lines, strict=True):
            played.setdefault(twin.now + int(tick), set()).add(int(line))
        value = learner.learn(frame).commit()
        twin.play(TICKS, {tick: sorted(lines) for tick, lines in played.items()})
        assert value.correct == (int(np.argmax(twin.scores())) == frame.label)
        twin.teach(frame.label)
        fresh = clocked(learner)
        for layer in range(2):
            for one, other in zip(fresh.weights(layer), twin.weights(layer), strict=True):
                assert np.abs(one - other).max() < 1e-9
        thresholds = np.concatenate([twin.thresholds(layer) for layer in range(2)])
        assert np.abs(learner.shop.known.thresholds - thresholds).max() < 1e-9


def forget_counts(circuit):
    def forget():
        circuit.counts = np.zeros_like(circuit.counts)

    return forget


@settings(max_examples=16)
@given(
    seed=st.integers(0, 1000),
    step=st.integers(1, 60),
    reset=st.sampled_from(["window", "never"]),
    net=st.sampled_from([CIRCUIT, FIELDS]),
    changes=RULES,
)
def test_state_that_goes_on_is_dumped_and_stepped_bit_by_bit(seed, step, reset, net, changes):
    net = with_rule(net.model_copy(update={"reset": reset}), changes)
    plain, other = (opened(net, seed=seed % 3, starts_ns=onset_of) for _ in range(2))
    for index in range(4):
        frame = replace(frame_of(seed + index), index=index)
        copy = opened(net, seed=seed % 3, starts_ns=onset_of)
        copy.load(other.dump())
        other.learn(frame).discard()
        copy.learn(NOTHING).discard()
        copy.proxy_row(frame_of(seed), address=0, row=0).commit()
        stepped, fused = run(copy.learn(frame), step), run(plain.learn(frame), None)
        assert stepped[0].tolist() == fused[0].tolist()
        assert stepped[1:] == fused[1:]
        assert copy.digest() == plain.digest()
        other = copy
    other.load(opened(net, seed=seed % 3).dump())
    assert other.digest() == opened(net, seed=seed % 3).digest()


def test_what_is_reset_is_what_is_said():
    digests = set()
    for reset in ("frame", "window", "never"):
        learner = opened(CIRCUIT.model_copy(update={"reset": reset}), starts_ns=onset_of)
        for index in range(3):
            learner.learn(replace(frame_of(index), index=index)).commit()
        digests.add(learner.shop.known.weights.tobytes())
    assert len(digests) == 3


@given(seed=st.integers(0, 2**32), classes=st.integers(2, 10))
def test_errors_are_those_of_the_clocked_network(seed, classes):
    words = np.random.Generator(np.random.Philox(seed))
    scores = words.integers(0, 4, classes) + 0.0
    label = seed % classes
    assert (teaching.hinge(scores, label, 2.0) == hinge(scores, label, 2.0)).all()


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_teaching_signal_is_as_many_numbers_as_the_broadcast_is_wide(width):
    rule = CIRCUIT.rule.model_copy(update={"width": width})
    learner = opened(CIRCUIT.model_copy(update={"rule": rule}))
    work = learner.learn(frame_of(1))
    work.commit()
    assert work.counts.modulator_bytes == 4 * width
    assert learner.proxy_row(NOTHING, address=0, row=0).counts == Counts()


def test_a_margin_that_holds_sends_nothing_and_keeps_all_weights():
    rule = CIRCUIT.rule.model_copy(update={"margin": 1e-12})
    learner = opened(CIRCUIT.model_copy(update={"rule": rule}))
    for _ in range(20):
        before = learner.shop.known.weights
        work = learner.learn(frame_of(1))
        if work.commit().correct:
            assert work.counts.modulator_bytes == work.counts.weight_writes == 0
            assert (learner.shop.known.weights == before).all()
            return
    pytest.fail("it never learned one frame")


def test_without_a_hidden_rate_only_the_readout_learns():
    rule = FIELDS.rule.model_copy(update={"rate": 0.0})
    learner = opened(FIELDS.model_copy(update={"rule": rule}))
    before = learner.shop.known
    learner.learn(frame_of(1)).commit()
    assert (learner.shop.known.weights == before.weights).all()
    assert (learner.shop.known.readout != before.readout).any()


def test_fields_are_squares_of_neighbouring_pixels():
    learner = opened(FIELDS)
    source, target = learner.shop.body.projections[0].synapses.pairs()
    for neuron in range(20):
        y, x = np.divmod(source[target == neuron], SIDE)
        assert np.ptp(x) < 4
        assert np.ptp(y) < 4
        assert x.size == (np.ptp(x) + 1) * (np.ptp(y) + 1) >= 9


def test_devices_share_their_start_or_do_not():
    apart = CIRCUIT.model_copy(update={"shared_start": False})
    known = [
        opened(settings, device=device).digest()
        for settings in (CIRCUIT, apart)
        for device in ("dev-1", "dev-2")
    ]
    assert known[0] == known[1]
    assert len(set(known)) == 3


def test_memory_is_that_of_the_formula():
    learner = opened(CIRCUIT)
    body = learner.shop.body
    counts = [projection.synapses.count for projection in body.projections]
    plastic, read, neurons = sum(counts[:4]), sum(counts[4:]), 40
    terms = learner.memory(kept_rows=0)
    assert sum(terms.values()) == 8 * plastic + 4 * read + 4 * neurons * (3 + 4 + 1 + 1 + 3)
    assert learner.memory(kept_rows=5)["features"] == 4 * 5 * (neurons + CLASSES)
    late = opened(with_rule(CIRCUIT, {"noncausal": 0.1})).memory(kept_rows=0)
    assert sum(late.values()) == sum(terms.values()) + 4 * 2 * neurons


def test_the_rule_has_no_share():
    learner = opened(CIRCUIT)
    assert learner.set_lambda([]).commit() is None
    with pytest.raises(LearnerError, match="no share"):
        learner.set_lambda([0.5])


def test_counts_fall_into_bins_of_time():
    learner = opened(FIELDS.model_copy(update={"readout": CountReadoutSettings(bins=2)}))
    frame = frame_of(1)
    frame.t_us = frame.t_us // 2  # all within the first half, but for what recurrence adds
    learner.proxy_row(frame, address=0, row=0).commit()
    (counts,) = learner.shop.kept.levels(0, np.array([0]))
    assert counts[:20].sum() > 10 * counts[20:].sum()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ("rule: {kind: three-factor, widthh: 2}", "widthh: unknown key (did you mean 'width'?)"),
        ("rule: {kind: three-factor, gate: arrivals}", "(did you mean 'arrival'?)"),
        ("rule: {kind: three-factor, noncausal: .inf}", "finite"),
        ("rule: {kind: three-factor, width: 4}", "width: 4 numbers for 4 classes: at most 3"),
        ("rule: {kind: three-factor}, layers: [{neurons: 8}]", "need a ring of 12 neurons"),
        ("rule: {kind: three-factor}, layers: [{threshold: 9}]", "must begin between 0.3 and 3"),
        (
            "rule: {kind: three-factor}, layers: [{inputs: {kind: fields, size: 9}}]",
            "a field of 9 pixels on 8 x 8 pixels",
        ),
        (
            "rule: {kind: three-factor}, layers: [{}, {inputs: {kind: fields}}]",
            "only the first layer has pixels",
        ),
        (
            "rule: {kind: three-factor}, layers: [{homeostasis: {rate: 1, target: 1}}]",
            "neurons would fire from nothing",
        ),
        ("rule: {kind: three-factor}, readout: {kind: lfi}", "unknown kind 'lfi'"),
    ],
)
def test_what_makes_no_sense_is_said(changes, text):
    assert text in said(changes)
