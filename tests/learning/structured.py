"""The structured recurrent network, clocked: every tick, every synapse, in double precision.

A device tick n decays everything, adds what arrives, compares with the thresholds, and lets the
eligibilities grow, layer by layer. A decision at n comes before the volley of n: it sees every
quantity decayed to n, and ticks 0 .. n-1 played. Nothing here knows of another implementation;
whatever fits `Structured` can stand in the twin's place in the tests.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

__all__ = [
    "Layer",
    "Network",
    "Structured",
    "Teaching",
    "Twin",
    "balance",
    "hinge",
    "modulator_basis",
    "small_world",
]


@dataclass(kw_only=True)
class Layer:
    """One microcircuit; a synapse exists where its mask says so (default: where it weighs)."""

    forward: np.ndarray  # (n, inputs)
    recurrent: np.ndarray  # (n, n)
    readout: np.ndarray  # (classes, n)
    feedback: np.ndarray  # (n, d)
    forward_mask: np.ndarray = None
    recurrent_mask: np.ndarray = None
    readout_mask: np.ndarray = None
    forward_delay: int = 0
    recurrent_delay: int = 1

    def __post_init__(self):
        for name in ("forward", "recurrent", "readout"):
            weights = np.array(getattr(self, name), float)
            mask = getattr(self, f"{name}_mask")
            mask = weights != 0 if mask is None else np.array(mask, bool)
            setattr(self, name, weights * mask)
            setattr(self, f"{name}_mask", mask)
        self.feedback = np.array(self.feedback, float)


@dataclass(kw_only=True)
class Network:
    """A whole network: layers, the modulator's basis (d, classes), and the constants."""

    layers: list
    basis: np.ndarray
    leak: float = float(np.exp(-1 / 20))
    trace_decay: float = float(np.exp(-1 / 20))
    eligibility_decay: float = float(np.exp(-1 / 100))
    threshold: float = 1.0
    homeostasis: tuple = (0.0, 0.0, 0.0, np.inf)  # step, target rate, least, most
    margin: float = 2.0
    hidden_rate: float = 0.02
    readout_rate: float = 0.02
    most: float = 2.0
    gate: str = "post"  # or "pre_psi"
    noncausal: float = 0.0
    balanced: bool = False  # rows of eligibilities are centred and brought to bounded length
    hold: int = 0  # device ticks for which a modulator lasts; 0: it acts at once and once
    stream: bool = False


@dataclass(kw_only=True)
class Teaching:
    """What a teaching signal said: (classes,), (d,), and (n,) for each layer."""

    errors: np.ndarray
    broadcast: np.ndarray
    modulators: list


class Structured(Protocol):
    """What the tests ask of an implementation, opened on a `Network` that it may not change."""

    ledger: dict  # syn, neu, trc, and of teaching: mac, wr
    trains: list  # (layer, tick, neuron) in order; the readout is layer -1

    def play(self, ticks: int, arrivals: dict) -> None:
        """Process so many device ticks; `arrivals`: input channels by tick of the window."""

    def scores(self) -> np.ndarray:
        """Return the scores; nothing changes."""

    def teach(self, label: int) -> Teaching | None:
        """End the window with its label; None if the margin holds."""

    def close(self) -> None:
        """End the window without a label."""

    def weights(self, layer: int) -> tuple:
        """Return forward, recurrent and readout weights, dense."""

    def eligibilities(self, layer: int) -> tuple:
        """Return forward and recurrent eligibilities, decayed to now, dense."""

    def thresholds(self, layer: int) -> np.ndarray:
        """Return the thresholds that hold now."""


def hinge(scores, label, margin):
    """Return the errors of margin winner-take-all: zero, or two of equal size."""
    rivals = np.where(np.arange(len(scores)) == label, -np.inf, scores)
    rival = int(np.argmax(rivals))
    violation = margin + scores[rival] - scores[label]
    errors = np.zeros(len(scores))
    if violation > 0:
        errors[label] = min(1.0, violation / margin)
        errors[rival] = -errors[label]
    return errors


def balance(rows, mask):
    """Return rows less their mean over the synapses that exist, over one plus their length."""
    fan_in = np.maximum(1, mask.sum(1, keepdims=True))
    rest = (rows - rows.sum(1, keepdims=True) / fan_in) * mask
    return rest / (1.0 + np.linalg.norm(rest, axis=1, keepdims=True))


def small_world(neurons, sources, share, draws):
    """Return who hears whom: ring neighbours, each redrawn with a probability among the others.

    `draws` are uniform in [0, 1), one pair for each (neuron, neighbour): [neurons, sources, 2].
    """
    mask = np.zeros((neurons, neurons), bool)
    for i in range(neurons):
        heard = [(i + step) % neurons for step in range(-(sources // 2), sources // 2 + 1) if step]
        for place, (lot, which) in enumerate(draws[i]):
            if lot < share:
                free = [j for j in range(neurons) if j != i and j not in heard]
                heard[place] = free[int(which * len(free))]
        mask[i, heard] = True
    return mask


def modulator_basis(draws):
    """Return orthonormal rows orthogonal to the all-ones vector, from normal draws (d, classes)."""
    rows = []
    for drawn in draws - draws.mean(1, keepdims=True):
        rest = drawn.copy()
        for done in rows:
            rest -= (rest @ done) * done
        rows.append(rest / np.linalg.norm(rest))
    return np.array(rows)


@dataclass
class Twin:
    """The clocked network."""

    network: Network
    ledger: dict = field(default_factory=lambda: dict.fromkeys(("syn", "neu", "trc"), 0))
    trains: list = field(default_factory=list)

    def __post_init__(self):
        self.circuits = [_Circuit(self.network, layer) for layer in self.network.layers]
        self.ledger |= {"mac": 0, "wr": 0}
        self.now = 0
        self.potentials = np.zeros(self.network.basis.shape[1])
        self._restart()

    def play(self, ticks, arrivals):
        for _ in range(ticks):
            self._tick(sorted(arrivals.get(self.now, ())))
            self.now += 1

    def scores(self):
        return self.counts + 1e-3 * self.network.leak * self.potentials

    def teach(self, label):
        net = self.network
        errors = hinge(self.scores(), label, net.margin)
        if not errors.any():
            self.close()
            return None
        broadcast = net.basis @ errors
        modulators = [circuit.layer.feedback @ broadcast for circuit in self.circuits]
        for circuit, modulator in zip(self.circuits, modulators, strict=True):
            circuit.learn(modulator, errors, self.ledger)
        self.close()
        return Teaching(errors=errors, broadcast=broadcast, modulators=modulators)

    def close(self):
        self.counts = np.zeros_like(self.counts)
        for circuit in self.circuits:
            circuit.forget()
        if not self.network.stream:
            self._restart()

    def weights(self, layer):
        circuit = self.circuits[layer]
        return circuit.forward.weights, circuit.recurrent.weights, circuit.readout

    def eligibilities(self, layer):
        circuit = self.circuits[layer]
        decay = self.network.eligibility_decay
        return decay * circuit.forward.eligibility, decay * circuit.recurrent.eligibility

    def thresholds(self, layer):
        return self.circuits[layer].thresholds

    def _restart(self):
        self.now = 0
        self.potentials = np.zeros_like(self.potentials)
        self.counts = np.zeros_like(self.potentials)
        for circuit in self.circuits:
            circuit.restart()

    def _tick(self, channels):
        below = np.bincount(channels, minlength=self.circuits[0].layer.forward.shape[1])
        drive = np.zeros_like(self.potentials)
        for index, circuit in enumerate(self.circuits):
            below = circuit.tick(below.astype(float), self.now, self.ledger)
            self.trains += [(index, self.now, int(i)) for i in np.flatnonzero(below)]
            drive += circuit.readout @ below
            self.ledger["syn"] += int(circuit.layer.readout_mask[:, below > 0].sum())
        self.potentials = self.network.leak * self.potentials + drive
        fired = self.potentials > 1.0
        self.potentials -= fired
        self.counts += fired
        self.trains += [(-1, self.now, int(c)) for c in np.flatnonzero(fired)]


class _Projection:
    """Synapses of one delay with their pre traces and eligibilities."""

    def __init__(self, weights, mask, delay):
        self.weights, self.mask, self.delay = weights.copy(), mask, delay
        self.forget()
        self.restart()

    def forget(self):
        self.eligibility = np.zeros(self.weights.shape)

    def restart(self):
        self.trace = np.zeros(self.weights.shape[1])
        self.under_way = defaultdict(lambda: np.zeros(self.weights.shape[1]))

    def receive(self, emitted, now, net):
        """Decay to now; return what arrives."""
        if emitted is not None:
            self.under_way[now + self.delay] += emitted
        arrived = self.under_way.pop(now, np.zeros(self.weights.shape[1]))
        self.trace = net.trace_decay * self.trace + arrived
        self.eligibility *= net.eligibility_decay
        return arrived

    def grow(self, part, where):
        """Let the eligibilities of the synapses at `where` grow; return whose."""
        where = where & self.mask
        self.eligibility = np.where(where, self.eligibility + part, self.eligibility)
        return where.any(1)


class _Circuit:
    """One layer as it runs."""

    def __init__(self, net, layer):
        self.net, self.layer = net, layer
        self.forward = _Projection(layer.forward, layer.forward_mask, layer.forward_delay)
        self.recurrent = _Projection(layer.recurrent, layer.recurrent_mask, layer.recurrent_delay)
        self.both = (self.forward, self.recurrent)
        self.readout = layer.readout.copy()
        self.thresholds = np.full(len(layer.forward), net.threshold)
        self.forget()
        self.restart()

    def forget(self):
        self.counts = np.zeros(len(self.thresholds))
        self.live = np.zeros(len(self.thresholds), bool)  # whose row has grown in this window
        for projection in self.both:
            projection.forget()

    def restart(self):
        self.potentials = np.zeros(len(self.thresholds))
        self.post_trace = np.zeros(len(self.thresholds))
        for projection in self.both:
            projection.restart()

    def tick(self, below, now, ledger):
        """Process one device tick; return who fires."""
        net = self.net
        self.potentials = net.leak * self.potentials
        self.post_trace = net.trace_decay * self.post_trace
        arrived = (
            self.forward.receive(below, now, net),
            self.recurrent.receive(None, now, net),
        )
        touched = np.zeros(len(self.thresholds), bool)
        for projection, lines in zip(self.both, arrived, strict=True):
            self.potentials = self.potentials + projection.weights @ lines
            touched |= projection.mask[:, lines > 0].any(1)
            ledger["syn"] += int(projection.mask.sum(0) @ lines)
        ledger["neu"] += int(touched.sum())
        fired = self.potentials > self.thresholds
        self._grow(arrived, fired, ledger)
        self.potentials[fired] = 0.0
        self.post_trace += fired
        self.counts += fired
        step, target, least, most = net.homeostasis
        self.thresholds = np.clip(self.thresholds + step * (fired - target), least, most)
        self.recurrent.under_way[now + self.recurrent.delay] += fired
        return fired.astype(float)

    def _grow(self, arrived, fired, ledger):
        net, nobody = self.net, np.zeros((len(fired), 1), bool)
        surrogate = 0.3 * np.maximum(
            0.0, 1.0 - np.abs(self.potentials - self.thresholds) / self.thresholds
        )
        for projection, lines in zip(self.both, arrived, strict=True):
            here = nobody | (lines > 0)
            if net.gate == "post":
                projection.grow(projection.trace, fired[:, None] | np.zeros_like(here))
                self.live |= fired
                ledger["trc"] += int(projection.mask[fired].sum())
            else:
                self.live |= projection.grow(np.outer(surrogate, lines), here)
                ledger["trc"] += int(projection.mask[:, lines > 0].sum())
            if net.noncausal:
                late = net.noncausal * np.outer(self.post_trace, lines)
                self.live |= projection.grow(late, here)
                ledger["trc"] += int(projection.mask[:, lines > 0].sum())

    def learn(self, modulator, errors, ledger):
        """Apply a teaching signal: hidden rows that are live, and two rows of the readout."""
        net, decay = self.net, self.net.eligibility_decay
        # At onset e is decayed to now; a held modulator finds it decayed by one tick more, ...
        lasting = sum(decay**k for k in range(1, net.hold + 1)) if net.hold else 1.0
        for projection in self.both:
            memory = decay * projection.eligibility
            if net.balanced:
                memory = balance(memory, projection.mask)
            change = net.hidden_rate * lasting * modulator[:, None] * memory
            bounded = np.clip(projection.weights + change, -net.most, net.most)
            live = self.live[:, None] & projection.mask
            projection.weights = np.where(live, bounded, projection.weights)
            ledger["mac"] += int(live.sum())
            ledger["wr"] += int(live.sum())
        activity = 10.0 * self.counts / max(1.0, self.counts.sum())
        change = net.readout_rate * np.outer(errors, activity) * self.layer.readout_mask
        self.readout = self.readout + change
        rows = int(self.layer.readout_mask[errors != 0].sum())
        ledger["mac"] += len(net.basis) * int(self.live.sum()) + rows
        ledger["wr"] += rows
