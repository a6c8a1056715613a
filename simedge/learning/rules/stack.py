"""Layers one above the other under a readout of scores: what clocked rules for spikes learn.

Linear readout, z[n] = O·o[n] + b; or leaky, z[n] = γ_o·z[n-1] + O·o[n] + b. The error is that of
the cross entropy at every device tick, E[n] = softmax(z[n]) - y*, and

    g_O = Σ E[n] ⊗ o[n], or ⊗ p_o[n] with p_o[n] = λ_o·p_o[n-1] + o[n] if leaky;   g_b = Σ E[n]

O has shape (C, n_L); y* (C,) are shares of the classes; a class is predicted by its Σ z[n].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.eligibility import EligibleLayer, Neuron, Synapses
from simedge.learning.rules.ledger import Ledger

__all__ = ["Clocked", "Readout", "ReadoutState", "Stack", "Window", "errors_of"]

Floats = NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Readout:
    """Weights of the readout, or gradients of them."""

    weights: Floats
    """(classes, neurons)."""
    bias: Floats
    """(classes,)."""
    leak: float | None = None
    """γ_o; None for a readout without memory."""
    trace_decay: float = 0.99
    """λ_o, of a leaky readout."""

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[:1]:
            shapes = f"{self.weights.shape} and {self.bias.shape}"
            raise LearnerError(f"a readout is (classes, neurons) and (classes,), got {shapes}")
        if self.leak is not None and not 0.0 <= self.leak < 1.0:
            raise LearnerError(f"the readout's leak must be in [0, 1), got {self.leak}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What is learned, and the constants of its neurons."""

    layers: Sequence[Synapses]
    """From the lowest on."""
    readout: Readout
    neuron: Neuron

    def __post_init__(self) -> None:
        if not self.layers:
            raise LearnerError("a stack needs a layer")
        lines = [held.weights.shape[1] for held in self.layers]
        if [*lines[1:], self.readout.weights.shape[1]] != self.posts:
            raise LearnerError(
                f"layers of {self.posts} neurons do not fit layers that hear {lines} lines and a "
                f"readout that hears {self.readout.weights.shape[1]}"
            )

    @property
    def posts(self) -> list[int]:
        """Neurons of each layer."""
        return [held.weights.shape[0] for held in self.layers]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.readout.bias.size


class ReadoutState:
    """A readout on the clock, from rest."""

    def __init__(self, readout: Readout) -> None:
        self.readout, (classes, neurons) = readout, readout.weights.shape
        self.logits, self.trace = np.zeros(classes), np.zeros(neurons)

    def advance(self, spikes: Floats, ledger: Ledger) -> Floats:
        """Take a device tick's spikes; return z, (classes,)."""
        held = self.readout
        reached = (held.weights * spikes).sum(axis=1) + held.bias
        if held.leak is None:
            self.logits, self.trace = reached, spikes
        else:
            self.logits = held.leak * self.logits + reached
            self.trace = held.trace_decay * self.trace + spikes
        ledger.syn += held.weights.size
        ledger.trc += 0 if held.leak is None else self.trace.size
        return self.logits

    def words(self) -> int:
        """Return the words that it holds: weights, scores, and a trace a neuron if it has one."""
        held = self.readout
        kept = 0 if held.leak is None else self.trace.size
        return held.weights.size + held.bias.size + self.logits.size + kept

    def contribute(self, error: Floats, gradient: Readout, ledger: Ledger) -> None:
        """Add E ⊗ what the readout remembers to a gradient."""
        gradient.weights += np.outer(error, self.trace)
        gradient.bias += error
        ledger.mac += gradient.weights.size


def errors_of(logits: Floats, target: Floats) -> Floats:
    """Return E = softmax(z) - y*."""
    return softmax(logits) - target


@dataclass(slots=True, kw_only=True)
class Window:
    """What came of a window: gradients, and what was seen on the way."""

    layers: list[Synapses]
    """Gradients of every layer."""
    readout: Readout
    """Gradient of the readout."""
    logits: Floats
    """z, (ticks, classes)."""
    spikes: list[Floats]
    """Trains of every layer, (ticks, neurons)."""
    potentials: list[Floats]
    """Before reset, (ticks, neurons)."""

    @property
    def predicted(self) -> int:
        """The class of most Σ z; ties to the lowest."""
        return int(np.argmax(self.logits.sum(axis=0)))


Modulate = Callable[[Sequence[EligibleLayer], tuple[Floats, Floats], Ledger], list[Floats]]


class Clocked:
    """A stack that runs on every device tick, with a modulator for its layers that a rule gives.

    `modulate` turns (the layers, the readout's error E and y*) into one δ a layer and charges the
    ledger. Gradients pile up from device tick `first_active` on.
    """

    def __init__(self, stack: Stack, *, modulate: Modulate, first_active: int = 0) -> None:
        if first_active < 0:
            raise LearnerError(f"the first active tick must not be negative, got {first_active}")
        self.stack, self.first_active = stack, first_active
        self.ledger = Ledger()
        """What was done so far."""
        self._modulate = modulate

    def run(
        self,
        arrivals: Floats,
        target: Floats,
        *,
        active: Sequence[bool] | None = None,
        commit: Callable[[Window], None] | None = None,
    ) -> Window:
        """Run a window of arrivals, (ticks, lines), from rest; y* is (C,) or (ticks, C).

        `active` says at which device ticks the rule may learn, in place of `first_active`.
        `commit` makes it learn online: it is called with the gradients of each active device tick,
        which are then forgotten.
        """
        states = [EligibleLayer(held, self.stack.neuron) for held in self.stack.layers]
        readout = ReadoutState(self.stack.readout)
        ticks, classes = len(arrivals), self.stack.classes
        targets = np.broadcast_to(target, (ticks, classes))
        window = self._window(ticks)
        for n, arrived in enumerate(arrivals):
            spikes = arrived
            for depth, state in enumerate(states):
                spikes = state.advance(spikes, self.ledger)
                window.spikes[depth][n] = spikes
                window.potentials[depth][n] = state.potential
            window.logits[n] = readout.advance(spikes, self.ledger)
            if active[n] if active is not None else n >= self.first_active:
                self._teach(states, readout, (targets[n], window))
                if commit is not None:
                    commit(window)
                    self._forget(window)
        self._hold(states, readout, window)
        return window

    def _hold(self, states: Sequence[EligibleLayer], readout: ReadoutState, window: Window) -> None:
        """Charge what the rule holds: not the course of the window, which is for who looks."""
        gradients = [array for layer in window.layers for array in layer.arrays()]
        gradients += [window.readout.weights, window.readout.bias]
        own = sum(state.words() for state in states) + readout.words()
        self.ledger.hold(own + sum(array.size for array in gradients))

    def _teach(
        self,
        states: Sequence[EligibleLayer],
        readout: ReadoutState,
        goal: tuple[Floats, Window],
    ) -> None:
        target, window = goal
        error = errors_of(readout.logits, target)
        modulators = self._modulate(states, (error, target), self.ledger)
        for state, modulator, gradient in zip(states, modulators, window.layers, strict=True):
            state.contribute(modulator, gradient, self.ledger)
        readout.contribute(error, window.readout, self.ledger)

    def _window(self, ticks: int) -> Window:
        held, posts = self.stack.readout, self.stack.posts
        return Window(
            layers=[synapses.zeros() for synapses in self.stack.layers],
            readout=Readout(
                weights=np.zeros_like(held.weights),
                bias=np.zeros_like(held.bias),
            ),
            logits=np.zeros((ticks, held.bias.size)),
            spikes=[np.zeros((ticks, post)) for post in posts],
            potentials=[np.zeros((ticks, post)) for post in posts],
        )

    @staticmethod
    def _forget(window: Window) -> None:
        held = [a for gradient in window.layers for a in gradient.arrays()]
        for array in (*held, window.readout.weights, window.readout.bias):
            array[...] = 0.0
