"""The native circuit is its slow twin: every tick, every neuron, in double precision."""

# ruff: noqa: SLF001 - the oracle compares inner state
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.rules.convolution import SCALINGS
from simedge.learning.settings import (
    BoundsSettings,
    ConvSettings,
    HebbianStdpSettings,
    HomeostasisSettings,
    ReadoutSettings,
    SpikingSettings,
    WeightSettings,
)
from simedge.learning.stage import common_room

SIDE, TICKS, CLASSES = 7, 40, 3


@dataclass
class Frame:
    label: int
    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    p: np.ndarray


def frame_of(seed, events=120):
    words = np.random.Generator(np.random.Philox(seed))
    return Frame(
        label=int(words.integers(CLASSES)),
        x=words.integers(0, SIDE, events).astype(np.uint16),
        y=words.integers(0, SIDE, events).astype(np.uint16),
        t_us=np.sort(words.integers(0, TICKS * 1000, events)),
        p=words.integers(0, 2, events).astype(np.uint8),
    )


@dataclass
class Layer:
    """One layer of the twin, clocked."""

    columns: object
    weights: np.ndarray  # (taps, maps)
    law: tuple  # pre, post, both, Oja, low, high, mu+, mu-
    scaling: tuple
    theta: np.ndarray = None
    margin: float = np.inf
    spikes: list = field(default_factory=list)

    def __post_init__(self):
        shape = self.columns.shape
        self.theta = np.full((self.columns.groups, shape.maps), self.columns.law.initial)
        self.synapses = shape.synapses()

    def begin(self):
        shape = self.columns.shape
        self.u = np.zeros((shape.columns, shape.maps))
        self.pre, self.post = np.zeros(shape.inputs), np.zeros((shape.columns, shape.maps))
        self.spikes, self.acted, self.due = [], np.zeros(shape.maps, int), {}

    def play(self, tick, arrivals, learn):
        layer, law, shape = self.columns, self.columns.law, self.columns.shape
        self.u *= law.gamma
        column, line, tap = self.synapses.T
        active = arrivals[line] > 0
        np.add.at(self.u, column[active], self.weights[tap[active]])
        fired = self.fire()
        self.spikes += [(tick, int(i)) for i in np.flatnonzero(fired)]
        if learn:
            self.learn(tick, arrivals, fired)
            share = fired if not layer.shared else fired.mean(axis=0, keepdims=True)
            moved = self.theta + law.rate * (share - law.target)
            self.theta = np.clip(moved, law.low, law.high)
        return fired.reshape(shape.neurons)

    def fire(self):
        excess = self.u - self.theta
        self.margin = min(self.margin, np.abs(excess).min())
        fired, self.first = np.zeros_like(self.u), np.zeros_like(self.u)
        for row, a in enumerate(excess):
            order = sorted(np.flatnonzero(a > 0), key=lambda i, a=a: (-a[i], i))
            gaps = np.diff(sorted(a[order]))
            self.margin = min([self.margin, *gaps])
            fired[row, order[: self.columns.winners]] = 1
            self.first[row, order[:1]] = 1
        above = excess > 0
        kept = np.where((fired > 0) & self.columns.soft, excess, 0.0)
        self.u = np.where(above, kept, self.u)
        return fired

    def learn(self, tick, arrivals, fired):
        layer, maps = self.columns, self.columns.shape.maps
        self.pre *= layer.pre_factor
        self.post *= layer.post_factor
        self.due[tick + layer.delay] = self.first if layer.first_only else fired
        acting = np.zeros_like(fired)
        for i in np.flatnonzero(self.due.pop(tick, np.zeros_like(fired))):
            if self.acted[i % maps] < layer.limit:
                self.acted[i % maps] += 1
                acting.flat[i] = 1
        self.change(arrivals, acting)
        self.pre += arrivals
        self.post += acting

    def change(self, arrivals, acting):
        at_pre, at_post, at_both, oja, low, high, mu_plus, mu_minus = self.law
        if not (arrivals.any() or acting.any()):
            return
        column, line, tap = self.synapses.T
        part, total = (self.weights / high)[tap], np.zeros_like(self.weights)
        came, pre = arrivals[line][:, None], self.pre[line][:, None]
        ltd = at_pre * came * self.post[column]
        ltp = acting[column] * (at_post * pre + at_both * came)
        up, down = np.maximum(0, 1 - part) ** mu_plus, np.maximum(0, part) ** mu_minus
        for change in (ltd, ltp):
            np.add.at(total, tap, change * np.where(change > 0, up, down))
        np.add.at(total, tap, acting[column] * oja * (pre - self.weights[tap]))
        self.weights = np.clip(self.weights + total, low, high)

    def end(self):
        mode, size = SCALINGS[self.scaling[0]], self.scaling[1]
        for m in np.flatnonzero(self.acted):
            w = self.weights[:, m]
            if mode == "centred":
                w = w - w.mean()
            length = {"none": 0.0, "sum": np.abs(w).sum(), "centred": np.linalg.norm(w)}[mode]
            if length > 0:
                w = w * size / length
            self.weights[:, m] = np.clip(w, self.law[4], self.law[5])


class Twin:
    """A circuit that steps every tick of every neuron."""

    def __init__(self, learner):
        shop = learner._shop
        plan, held = shop.plan, shop.held
        rows = zip(shop.stage.wiring.layers, plan.columns, plan.scalings, strict=True)
        laws = shop.pool.law[shop.place].reshape(-1, 8).astype(float)
        self.layers = []
        for (row, columns, scaling), law in zip(rows, laws, strict=True):
            size = row.taps * row.maps
            weights = held[row.weight : row.weight + size].reshape(row.taps, row.maps)
            self.layers.append(Layer(columns, weights.astype(float), tuple(law), scaling))

    def learn(self, frame):
        for layer in self.layers:
            layer.begin()
        ticks = frame.t_us // 1000
        longest = max(layer.columns.delay for layer in self.layers)
        for tick in range(TICKS + longest + 1):
            lines = (frame.y.astype(int) * SIDE + frame.x) * 2 + frame.p
            arrivals = np.zeros(2 * SIDE * SIDE)
            arrivals[lines[ticks == tick]] = 1
            for layer in self.layers:
                if tick < TICKS:
                    arrivals = layer.play(tick, arrivals, learn=True)
                else:
                    theta, layer.first = layer.theta, np.zeros_like(layer.u)
                    layer.learn(tick, np.zeros_like(layer.pre), np.zeros_like(layer.u))
                    layer.theta = theta
        for layer in self.layers:
            layer.end()


def native_spikes(learner):
    """Return the spikes of each layer as (tick, neuron)."""
    ints = common_room(learner._shop.stage).scratch.ints
    return [
        list(
            zip(
                ints[row.spike_tick : row.spike_tick + ints[row.spikes]].tolist(),
                ints[row.spike_neuron : row.spike_neuron + ints[row.spikes]].tolist(),
                strict=True,
            )
        )
        for row in learner._shop.stage.wiring.layers
    ]


def spiking(layers, **rule):
    return SpikingSettings(
        layers=layers,
        rule=HebbianStdpSettings(**rule),
        readout=ReadoutSettings(pool=1),
    )


def opened(settings, seed=1):
    return open_learner(
        settings,
        classes=CLASSES,
        width=SIDE,
        height=SIDE,
        streams=Streams(seed),
        device="dev-1",
        span_ns=TICKS * 1_000_000,
    )


layers = st.builds(
    ConvSettings,
    maps=st.integers(1, 4),
    kernel=st.sampled_from([2, 3]),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
    threshold=st.sampled_from([0.4, 0.8]),
    leak=st.sampled_from(["5 ms", "20 ms"]),
    reset=st.sampled_from(["hard", "soft"]),
    inhibition=st.sampled_from([1, 2, "none"]),
    homeostasis=st.builds(
        HomeostasisSettings,
        scope=st.sampled_from(["map", "neuron"]),
        rate=st.sampled_from([0.0, 0.05]),
        target=st.just(0.02),
    ),
    weights=st.builds(
        WeightSettings,
        low=st.just(0.0),
        high=st.sampled_from([0.5, 1.0]),
        scaling=st.sampled_from(["none", "sum", "centred"]),
        size=st.just(2.0),
    ),
)
rules = st.fixed_dictionaries(
    {
        "hebbian_share": st.sampled_from([0.0, 0.3, 1.0]),
        "a_plus": st.just(0.3),
        "delay": st.sampled_from([0, "1 ms", "3 ms"]),
        "hebb": st.sampled_from(["oja", "pair"]),
        "limit": st.sampled_from([1, 3, "none"]),
        "competition": st.sampled_from(["first", "all"]),
        "bounds": st.sampled_from(
            [
                BoundsSettings(),
                BoundsSettings(low=0.0),
                BoundsSettings(low=0.0, mu_plus=1.0, mu_minus=1.0),
                BoundsSettings(low=0.0, mu_plus=0.5),
            ]
        ),
    }
)


@settings(max_examples=40, phases=[Phase.generate])  # shrinking runs the slow twin for minutes
@given(
    shapes=st.lists(layers, min_size=1, max_size=2),
    rule=rules,
    seed=st.integers(0, 10_000),
)
def test_the_native_circuit_is_its_twin(shapes, rule, seed):
    learner = opened(spiking(tuple(shapes), **rule), seed)
    twin = Twin(learner)
    for n in range(2):
        frame = frame_of(seed + n)
        twin.learn(frame)
        margin = min(layer.margin for layer in twin.layers)
        assume(margin > 1e-4)  # single precision decides near ties its own way
        work = learner.learn(frame)
        work.advance()
        assert native_spikes(learner) == [layer.spikes for layer in twin.layers]
        work.commit()
        held = learner._shop.held
        for row, layer in zip(learner._shop.stage.wiring.layers, twin.layers, strict=True):
            size = row.taps * row.maps
            np.testing.assert_allclose(
                held[row.weight : row.weight + size],
                layer.weights.ravel(),
                rtol=1e-4,
                atol=2e-5,
            )


def test_the_usual_circuit_is_its_twin():
    settings = spiking((ConvSettings(kernel=3, threshold=0.5),), a_plus=0.5)
    learner = opened(settings)
    twin = Twin(learner)
    spikes = 0
    for n in range(3):
        twin.learn(frame_of(n))
        work = learner.learn(frame_of(n))
        work.advance()
        assert native_spikes(learner) == [layer.spikes for layer in twin.layers]
        spikes += work.commit().spikes
    assert spikes > 20


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("inhibition", [1, 2])
def test_a_known_competition(reset, inhibition):
    # One position, four maps whose weights are the potentials of the textbook case.
    settings = spiking(
        (
            ConvSettings(
                maps=4,
                kernel=SIDE,
                stride=1,
                reset=reset,
                inhibition=inhibition,
                weights=WeightSettings(scaling="none"),
                homeostasis=HomeostasisSettings(rate=0.0),
            ),
        )
    )
    learner = opened(settings)
    learner._shop.held[:4] = (1.2, 1.5, 0.9, 1.5)
    one = np.zeros(1, np.uint16)
    frame = Frame(label=0, x=one, y=one, t_us=np.zeros(1, np.int64), p=np.zeros(1, np.uint8))
    work = learner.learn(frame)
    work.advance()
    row = learner._shop.stage.wiring.layers[0]
    after = {"hard": (0, 0, 0.9, 0), "soft": (0, 0.5, 0.9, 0 if inhibition == 1 else 0.5)}
    potentials = common_room(learner._shop.stage).scratch.real[row.u : row.u + 4]
    assert native_spikes(learner) == [[(0, 1), (0, 3)][:inhibition]]
    np.testing.assert_allclose(potentials, after[reset], atol=1e-6)
