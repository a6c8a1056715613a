"""Feed-forward spiking layers that are played as they are and taught when a presentation is over.

Potentials follow spikes; there are no traces. Hidden weights change as each layer's rule says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.learning.errors import LearnerFaultError
from simedge.learning.own_rule import LayerSeen, OwnRule, Taught
from simedge.learning.rules.lazy_layout import Heard
from simedge.learning.rules.lazy_stack import LazyStack, LazyWindow

__all__ = ["LayeredStack", "LayeredWindow"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredWindow(LazyWindow):
    """What came of a presentation."""

    writes: int = 0
    """Hidden weights that are to change."""


class LayeredStack(LazyStack):
    """Layers whose gradients are the changes that rules ask for, turned round."""

    taught: Sequence[Taught] = ()
    """What each layer learned of the presentation that was played last."""
    _fault: tuple[str, str, str] | None = None

    @override
    def see(self, heard: Heard) -> LayeredWindow:
        """Play a window from rest and learn nothing."""
        window = super().see(heard)
        fired = np.bincount(window.trains[-1][0], minlength=len(window.spent)).cumsum()
        spent = window.spent.copy()
        spent[:, 0] -= self._plan.bias.size * fired  # nothing is read at a device tick
        spent[:, 2] = 0
        known = {field.name: getattr(window, field.name) for field in fields(window)}
        return LayeredWindow(**known | {"spent": spent, "macs": 0})

    def teach(
        self,
        rules: Sequence[OwnRule],
        played: tuple[Heard, LayeredWindow],
        goal: tuple[Floats, Floats],
    ) -> LayeredWindow:
        """Work out what the rules make of a window that was played; `goal` is (y*, P - y*)."""
        heard, window = played
        try:
            self.taught = found = self._teach(rules, heard, (window, *goal))
        except LearnerFaultError as fault:  # it is of the time when it would take place
            self._fault, found = (fault.what, str(fault.device), fault.text), []
        at = 0
        for one in found:
            size = one.change.size
            self.gradient[at : at + size] = -one.change.T.ravel()
            at += size
        macs, writes = (sum(getattr(one, name) for one in found) for name in ("macs", "writes"))
        return replace(window, macs=window.macs + macs, writes=writes)

    def check(self) -> None:
        """Raise what a rule failed by, if one did."""
        if self._fault is not None:
            raise LearnerFaultError(*self._fault)

    @override
    def forget(self) -> None:
        """Forget what was learned and did not take place."""
        super().forget()
        self.taught, self._fault = (), None

    def _teach(
        self,
        rules: Sequence[OwnRule],
        heard: Heard,
        told: tuple[LayeredWindow, Floats, Floats],
    ) -> list[Taught]:
        """Ask the rule of every layer, the lowest first; none is told of another."""
        window, target, error = told
        ticks = np.repeat(np.arange(self.ticks), np.diff(heard.start))
        below = ticks, heard.lines.astype(np.int64)
        found = []
        for layer, (rule, train) in enumerate(zip(rules, window.trains, strict=True), 1):
            fired = train[0].astype(np.int64), train[1].astype(np.int64)
            seen = LayerSeen(
                **dict(zip(("pre_ticks", "pre_lines"), below, strict=True)),
                **dict(zip(("post_ticks", "post_neurons"), fired, strict=True)),
                ticks=self.ticks,
                target=target.copy(),
                error=error.copy(),
                sizes=(rule.neurons, rule.lines),
                held=_only(self._weights, layer),
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


def _only(weights: Callable[[int], Floats], layer: int) -> Callable[[], Floats]:
    """Return what gives the weights of one layer, and takes no other for an answer."""
    return lambda: weights(layer)


def _asked(rule: OwnRule, seen: LayerSeen) -> Taught:
    """Return what a rule makes of a presentation; of silence nothing is made."""
    if not seen.pre_lines.size and not seen.post_neurons.size:
        return Taught(rule.memory(), np.zeros((rule.neurons, rule.lines)), 0, 0)
    return rule.taught(seen)
