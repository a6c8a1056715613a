"""Feed-forward spiking layers that are played as they are and taught when a presentation is over.

With n the spikes of the top layer and m their running mean, the readout says

    P = softmax(O·r + b),   r = (√n - m)/|√n - m|,   r = 0 if nothing fired

and learns by O ← O - η·(P - y*)⊗r; b moves by gradients of others and by priors alone, which all
see alike. Hidden weights change as each layer's rule says. There are no traces.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.learning.errors import LearnerFaultError
from simedge.learning.own_rule import LayerSeen, OwnRule, Taught
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.lazy_layout import Heard
from simedge.learning.rules.lazy_stack import LazyStack, LazyWindow
from simedge.learning.rules.optimiser import Optimiser

__all__ = ["LayeredStack", "LayeredWindow", "features_of"]

Floats = NDArray[np.float64]


def features_of(counts: Floats, mean: Floats) -> Floats:
    """Return r of each row of counts, (rows, neurons)."""
    bent = np.where(counts.any(axis=1, keepdims=True), np.sqrt(counts) - mean, 0.0)
    lengths = np.sqrt((bent * bent).sum(axis=1, keepdims=True))
    return np.asarray(bent / np.where(lengths > 0.0, lengths, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredWindow(LazyWindow):
    """What came of a presentation."""

    writes: int = 0
    """Hidden weights that are to change."""


class LayeredStack(LazyStack):
    """Layers of one device at a time, see `lend`."""

    rules: Sequence[OwnRule] = ()
    """What each layer learns by."""
    rate = 0.0
    """η of the readout."""
    mean: Floats = np.zeros(0)
    """m."""
    taught: Sequence[Taught] = ()
    """What each layer learned of the presentation that was played last."""
    _fault: tuple[str, str, str] | None = None
    _read_out: tuple[Floats, Floats] | None = None

    def lend(self, rules: Sequence[OwnRule], *, mean: Floats, rate: float) -> None:
        """Let a device use it."""
        self.rules = tuple(rules)
        self.mean, self.rate = mean, rate
        self.forget()

    @override
    def see(self, heard: Heard) -> LayeredWindow:
        """Play a window from rest and learn nothing."""
        return self._read(super().see(heard))

    @override
    def learn(self, heard: Heard, targets: Floats, since: Sequence[int] = (0,)) -> LayeredWindow:
        """Play a window from rest, and work out what every layer learns of it."""
        window = self.see(heard)
        target = np.asarray(targets, float).reshape(-1)
        seen = features_of(window.counts[None], self.mean)[0]
        error = softmax(window.scores / self.ticks) - target
        self._read_out = seen, error
        try:
            self.taught = found = self._teach(heard, window, (target, error))
        except LearnerFaultError as fault:  # it is of the time when it would take place
            self._fault, found = (fault.what, str(fault.device), fault.text), []
        work = self._plan.readout.size + sum(one.macs for one in found)
        return replace(window, macs=window.macs + work, writes=sum(one.writes for one in found))

    @override
    def commit(self, optimiser: Optimiser) -> None:
        """Let what was learned take place; steps are plain, no optimiser remembers anything."""
        if self._fault is not None:
            raise LearnerFaultError(*self._fault)
        weights, readout, _ = self.parameters
        sizes, at = self._plan.sizes, 0
        for layer, one in enumerate(self.taught, 1):
            size = int(sizes[layer] * sizes[layer - 1])
            weights[at : at + size].reshape(sizes[layer - 1], -1)[...] += one.change.T
            at += size
        if self._read_out is not None:
            seen, error = self._read_out
            readout -= self.rate * np.outer(seen, error).reshape(-1)
        self.forget()

    @override
    def forget(self) -> None:
        """Forget what was learned and did not take place."""
        self.taught, self._fault, self._read_out = (), None, None

    def _read(self, window: LazyWindow) -> LayeredWindow:
        """Let the readout see a window: once, at its end, and not at every device tick."""
        classes, neurons = self._plan.bias.size, window.counts.size
        seen = features_of(window.counts[None], self.mean)[0]
        scores = (seen[:, None] * self._plan.readout.reshape(-1, classes)).sum(axis=0)
        fired = np.bincount(window.trains[-1][0], minlength=len(window.spent)).cumsum()
        spent = window.spent.copy()
        spent[:, 0] -= classes * fired
        spent[:, 2] = 0
        known = {field.name: getattr(window, field.name) for field in fields(window)}
        known |= {"scores": self.ticks * (scores + self._plan.bias), "spent": spent}
        return LayeredWindow(**known | {"macs": classes * neurons})

    def _teach(self, heard: Heard, window: LazyWindow, goal: tuple[Floats, Floats]) -> list[Taught]:
        """Ask the rule of every layer, the lowest first; none is told of another."""
        target, error = goal
        ticks = np.repeat(np.arange(self.ticks), np.diff(heard.start))
        below = ticks, heard.lines.astype(np.int64)
        found = []
        for layer, (rule, train) in enumerate(zip(self.rules, window.trains, strict=True), 1):
            fired = train[0].astype(np.int64), train[1].astype(np.int64)
            seen = LayerSeen(
                **dict(zip(("pre_ticks", "pre_lines"), below, strict=True)),
                **dict(zip(("post_ticks", "post_neurons"), fired, strict=True)),
                ticks=self.ticks,
                target=target.copy(),
                error=error.copy(),
                sizes=(rule.neurons, rule.lines),
                held=partial(self._weights, layer),
            )
            for array in (*below, *fired, seen.target, seen.error):
                array.flags.writeable = False
            found.append(_asked(rule, seen))
            below = fired
        return found

    def _weights(self, layer: int) -> Floats:
        pre, post = int(self._plan.sizes[layer - 1]), int(self._plan.sizes[layer])
        first = int(self._plan.ahead[layer])
        return self._plan.weights[first : first + pre * post].reshape(pre, post).T.copy()


def _asked(rule: OwnRule, seen: LayerSeen) -> Taught:
    """Return what a rule makes of a presentation; of silence nothing is made."""
    if not seen.pre_lines.size and not seen.post_neurons.size:
        return Taught(rule.memory(), np.zeros((rule.neurons, rule.lines)), 0, 0)
    return rule.taught(seen)
