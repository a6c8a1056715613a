"""Layers with eligibilities that are executed only when something happens, exact all the same.

The twin of `stack.py` with direct or local modulators and a linear readout, at a cost that follows
spikes. Three modes: `exact` sums up silence in closed form (`silence.py`: the triangle only);
`gated` lets a layer learn in executed device ticks only, which is a *different* rule; in `spike`
the spike is its own pseudo-derivative, and silence teaches nothing by itself.

Shapes, units and equations are those of `eligibility.py`; hidden layers have no bias. Gradients
are committed at a window's end. Weights are held by pre neuron, so that an arrival reads one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.eligibility import Synapses
from simedge.learning.rules.lazy_layout import (
    MAC,
    NEU,
    RAN,
    SPENT,
    SYN,
    TALLY,
    TRC,
    Goal,
    Heard,
    Law,
    Plan,
    Room,
)
from simedge.learning.rules.lazy_play import gather, play
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.optimiser import Optimiser
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.standardisation import standardised, unstandardised

__all__ = ["LazyStack", "LazyWindow", "Mode", "heard_of"]

Floats = NDArray[np.float64]
Mode = Literal["exact", "gated", "spike"]


def heard_of(ticks: NDArray[np.int64], lines: NDArray[np.int64], *, count: int) -> Heard:
    """Return arrivals at ascending device ticks below `count`, as a window hears them."""
    if ticks.size and (np.diff(ticks) < 0).any():
        raise LearnerError("arrivals must come in order of time")
    start = np.searchsorted(ticks, np.arange(count + 1)).astype(np.int32)
    if start[-1] != ticks.size or (ticks.size and ticks[0] < 0):
        raise LearnerError(f"arrivals must be at device ticks 0 .. {count - 1}")
    return Heard(np.ascontiguousarray(lines, dtype=np.int32), start)


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyWindow:
    """What came of a window."""

    scores: Floats
    """Σ z over its device ticks, (classes,)."""
    counts: Floats
    """Spikes of each top neuron."""
    trains: list[tuple[NDArray[np.int64], NDArray[np.int32]]]
    """Spikes of each layer: their ticks and neurons, by tick."""
    spent: NDArray[np.int64]
    """Weights added, neurons and traces touched up to each device tick and to the window's end:
    (ticks + 1, 3)."""
    macs: int
    """Multiply-accumulates of learning."""

    @property
    def predicted(self) -> int:
        """The class of most Σ z; ties to the lowest."""
        return int(np.argmax(self.scores))


class LazyStack:
    """Layers and a linear readout; `feedback` is what turns errors into modulators, (C, n) each.

    With `local` a layer's error is f(B·o) - y* of its own spikes; without, the readout's.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        feedback: Sequence[Floats],
        kind: tuple[bool, int, Mode],
        ticks: int,
        first_active: int = 0,
        standardise: bool = False,
    ) -> None:
        local, squash, mode = kind
        _check(stack, mode, feedback)
        if ticks < 1 or first_active < 0:
            raise LearnerError(f"a window has ticks, got {ticks} from {first_active} on")
        neuron = stack.neuron
        self.ticks, self.mode, self.neuron = ticks, mode, neuron
        self.ledger = Ledger()
        """What was done so far."""
        self.executed = 0
        """Device ticks that layers have executed so far, one a layer and tick."""
        self._raw = _Raw(stack) if standardise else None
        self._plan = _plan(self._raw.used() if self._raw else stack, feedback)
        past_gains = np.full(len(stack.layers) + 1, neuron.past_gain)
        self._law = Law(
            *(neuron.leak, neuron.threshold, neuron.pre_decay, neuron.post_decay),
            *(neuron.pre_gain, past_gains, first_active, ticks),
            *(mode == "exact", mode == "spike", local, squash),
            reads=True,
        )
        self._room = _room(self._plan, ticks)
        self._none = np.zeros(self._shapes(0)[0]), np.zeros(self._shapes(0)[1])
        self.gradient = np.zeros_like(self._plan.weights)
        """Descent gradients of all hidden weights, in the order of `parameters`."""

    @property
    def parameters(self) -> list[Floats]:
        """Hidden weights, flat, then O by neuron, flat, and its bias; change them in place."""
        return [self._plan.weights, self._plan.readout, self._plan.bias]

    def adopt(self, parameters: Sequence[Floats]) -> None:
        """Go on from other `parameters`, which are used themselves, not copied."""
        if [one.shape for one in parameters] != [one.shape for one in self.parameters]:
            raise LearnerError(f"parameters of shapes {[one.shape for one in parameters]}")
        weights, readout, bias = parameters
        self._plan = self._plan._replace(weights=weights, readout=readout, bias=bias)

    def set_past_gains(self, gains: Sequence[float]) -> None:
        """Let each layer's late terms count so much (α_post) in windows to come."""
        if len(gains) != self._plan.sizes.size - 1:
            raise LearnerError(f"{len(gains)} gains for {self._plan.sizes.size - 1} layers")
        lag = self.neuron.post_decay if self.neuron.lag == "paper" else 1.0
        self._law = self._law._replace(past_gains=lag * np.array([0.0, *gains]))

    def rest_readout(self) -> None:
        """Let the readout learn nothing in windows to come: somebody else sees to it."""
        self._law = self._law._replace(reads=False)

    @property
    def gradients(self) -> list[Floats]:
        """Descent gradients of `parameters`."""
        return [self.gradient, self._room.readout, self._room.bias]

    def learn(
        self,
        heard: Heard,
        targets: Floats,
        since: Sequence[int] = (0,),
        *,
        readouts: tuple[Floats, Floats] | None = None,
    ) -> LazyWindow:
        """Play a window from rest and add its gradients.

        `targets` is y*, (C,), or one a part, (parts, C); `since` is each part's first device tick.
        With `readouts` each part has its own, (parts, neurons * C), and bias, (parts, C), which
        are written over what is adopted.
        """
        starts, each = np.array(since, np.int64), readouts or self._none
        goal = Goal(np.atleast_2d(np.asarray(targets, float)), starts, *each)
        if starts[0] != 0 or len(starts) != len(goal.targets):
            raise LearnerError(f"parts begin at 0, one a target, got {tuple(since)}")
        if readouts and [one.shape for one in readouts] != self._shapes(len(starts)):
            raise LearnerError(f"readouts must have shapes {self._shapes(len(starts))}")
        window = self._play(heard, goal)
        gather(self._plan, self._law, self._room, heard, self.gradient)
        self._charge()
        return window

    def see(self, heard: Heard) -> LazyWindow:
        """Play a window from rest and learn nothing."""
        law, target = self._law, np.zeros((1, self._plan.bias.size))
        self._law = law._replace(first_active=self.ticks, exact=False)
        window = self._play(heard, Goal(target, np.zeros(1, np.int64), *self._none))
        self._law = law
        self._charge()
        return window

    def commit(self, optimiser: Optimiser) -> None:
        """Take one step by the gradients, and forget them."""
        if self._raw is None:
            optimiser.step(self.parameters, self.gradients)
        else:
            found = [a for held in self.layers(self.gradient) for a in held.arrays()]
            weights, gradients = self._raw.back(found)
            optimiser.step([*weights, *self.parameters[1:]], [*gradients, *self.gradients[1:]])
            self._plan.weights[...] = _flat(self._raw.used().layers)
        self.ledger.wr += sum(array.size for array in self.gradients)
        self.forget()

    def forget(self) -> None:
        """Set gradients to 0."""
        for array in self.gradients:
            array[...] = 0.0

    def layers(self, flat: Floats | None = None) -> list[Synapses]:
        """Return weights, or gradients laid out like them, by layer: copies, (post, pre)."""
        flat = self._plan.weights if flat is None else flat
        found = []
        for layer, (pre, post) in enumerate(pairwise(self._plan.sizes.tolist()), 1):
            ahead, loop = int(self._plan.ahead[layer]), int(self._plan.loops[layer])
            weights = flat[ahead : ahead + pre * post].reshape(pre, post).T.copy()
            recurrent = None
            if loop >= 0:
                recurrent = flat[loop : loop + post * post].reshape(post, post).T.copy()
            found.append(Synapses(weights=weights, recurrent=recurrent))
        return found

    def readout(self, *, gradient: bool = False) -> Readout:
        """Return the readout, or its gradient: copies."""
        _, weights, bias = self.gradients if gradient else self.parameters
        return Readout(weights=weights.reshape(-1, bias.size).T.copy(), bias=bias.copy())

    def memory(self) -> dict[str, int]:
        """Return the words that a device holds, by term; see `costs.py`."""
        sizes = self._plan.sizes.tolist()
        pre, post = sum(sizes[:-1]), sum(sizes[1:])
        loops = sum(n for n, at in zip(sizes, self._plan.loops, strict=True) if at >= 0)
        return {
            "weights": self._plan.weights.size + self._plan.readout.size + self._plan.bias.size,
            "neurons": 4 * post,
            "traces": 2 * (pre + loops),
            "accumulator": self.gradient.size + self._plan.readout.size + self._plan.bias.size,
        }

    def _shapes(self, parts: int) -> list[tuple[int, int]]:
        return [(parts, self._plan.readout.size), (parts, self._plan.bias.size)]

    def _play(self, heard: Heard, goal: Goal) -> LazyWindow:
        plan, room = self._plan, self._room
        room.tally[:] = 0
        room.spent[:] = 0
        play(plan, self._law, room, heard, goal)
        classes = plan.bias.size
        matrix = plan.readout.reshape(-1, classes)
        scores = (room.hits[:, None] * matrix).sum(axis=0) + self.ticks * plan.bias
        return LazyWindow(
            scores=scores,
            counts=room.hits.copy(),
            trains=self._trains(),
            spent=np.maximum.accumulate(room.spent.reshape(-1, SPENT)),
            macs=int(room.tally[MAC]),
        )

    def _trains(self) -> list[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        room, trains = self._room, []
        for layer in range(1, self._plan.sizes.size):
            span = slice(layer * self.ticks, (layer + 1) * self.ticks)
            first = int(self._plan.places[layer]) * self.ticks
            ticks = np.repeat(np.arange(self.ticks), room.stop[span] - room.first[span])
            trains.append((ticks, room.spikes[first : first + int(room.used[layer])].copy()))
        return trains

    def _charge(self) -> None:
        tally, ledger = self._room.tally.tolist(), self.ledger
        ledger.syn += tally[SYN]
        ledger.neu += tally[NEU]
        ledger.trc += tally[TRC]
        ledger.mac += tally[MAC]
        ledger.hold(sum(self.memory().values()))
        self.executed += tally[RAN]


def _check(stack: Stack, mode: Mode, feedback: Sequence[Floats]) -> None:
    form = stack.neuron.form
    if mode not in {"exact", "gated", "spike"}:
        raise LearnerError(f"mode must be exact, gated or spike, got {mode!r}")
    if mode == "spike" and form != "spike":
        raise LearnerError(f"mode spike needs form spike, got {form}")
    if mode != "spike" and form != "triangle":
        raise LearnerError(f"only the triangle has sums over silence, got {form}")
    if stack.readout.leak is not None:
        raise LearnerError("a leaky readout changes in silence: run it on every device tick")
    if any(held.bias is not None for held in stack.layers):
        raise LearnerError("hidden layers that skip silence have no bias")
    wished = [(stack.classes, post) for post in stack.posts]
    if [one.shape for one in feedback] != wished:
        raise LearnerError(f"feedback must have shapes {wished}, one a layer")


class _Raw:
    """Weights as they are learned, where those that are used are standardised."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._weights = [a.copy() for held in stack.layers for a in held.arrays()]
        self._gains = [np.ones(len(weights)) for weights in self._weights]

    def used(self) -> Stack:
        found = iter([standardised(w, g) for w, g in zip(self._weights, self._gains, strict=True)])
        layers = [
            Synapses(
                weights=next(found),
                recurrent=None if held.recurrent is None else next(found),
            )
            for held in self._stack.layers
        ]
        return replace(self._stack, layers=layers)

    def back(self, gradients: list[Floats]) -> tuple[list[Floats], list[Floats]]:
        pairs = [
            unstandardised(weights, gain, gradient)
            for weights, gain, gradient in zip(self._weights, self._gains, gradients, strict=True)
        ]
        raw, gains = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return [*self._weights, *self._gains], [*raw, *gains]


def _flat(layers: Sequence[Synapses]) -> Floats:
    return np.concatenate([a.T.ravel() for held in layers for a in held.arrays()])


def _plan(stack: Stack, feedback: Sequence[Floats]) -> Plan:
    layers, readout = stack.layers, stack.readout
    sizes = [layers[0].weights.shape[1], *(held.weights.shape[0] for held in layers)]
    ahead, loops, end = [0], [-1], 0
    for held in layers:
        ahead.append(end)
        end += held.weights.size
        loops.append(-1 if held.recurrent is None else end)
        if held.recurrent is not None:
            end += held.recurrent.size
    return Plan(
        sizes=np.array(sizes, np.int64),
        places=np.array([0, 0, *np.cumsum(sizes[1:])], np.int64),
        lines=np.array([0, 0, *np.cumsum(sizes[:-1])], np.int64),
        ahead=np.array(ahead, np.int64),
        loops=np.array(loops, np.int64),
        weights=_flat(layers),
        readout=readout.weights.T.ravel().copy(),
        bias=readout.bias.copy(),
        feedback=np.concatenate([one.ravel() for one in feedback]),
    )


def _room(plan: Plan, ticks: int) -> Room:
    sizes, classes = plan.sizes.tolist(), plan.bias.size
    neurons, layers = sum(sizes[1:]), len(sizes)
    u, past, psi, silent = (np.zeros(neurons) for _ in range(4))
    counts, due, last, arrived, used, live = (np.zeros(layers, np.int64) for _ in range(6))
    return Room(
        u=u,
        past=past,
        psi=psi,
        silent=silent,
        causal=np.zeros(ticks * neurons),
        late=np.zeros(ticks * neurons),
        ran=np.zeros(layers * ticks, np.int64),
        counts=counts,
        due=due,
        last=last,
        arrived=arrived,
        used=used,
        spikes=np.zeros(ticks * neurons, np.int32),
        first=np.zeros(layers * ticks, np.int32),
        stop=np.zeros(layers * ticks, np.int32),
        seen=np.zeros(sum(sizes[:-1]), np.uint8),
        looped=np.zeros(neurons, np.uint8),
        live=live,
        error=np.zeros(2 * classes),
        hits=np.zeros(sizes[-1]),
        readout=np.zeros_like(plan.readout),
        bias=np.zeros(classes),
        tally=np.zeros(TALLY, np.int64),
        spent=np.zeros((ticks + 1) * SPENT, np.int64),
    )
