"""What learners of a run that are built alike share: where they begin, stacks to play on."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.core.streams import Streams
from simedge.learning.eligible.body import Body
from simedge.learning.eligible.hidden import Hidden
from simedge.learning.eligible_settings import EligibleSettings
from simedge.learning.layered.local_loss import LocalLoss
from simedge.learning.layered.stack import LayeredStack
from simedge.learning.layered_settings import LayeredSettings
from simedge.learning.own_rule import OwnRule, check_own_rule
from simedge.learning.own_settings import OwnRuleSettings
from simedge.learning.volleys import Camera

__all__ = ["LayeredBody", "RuleFactory"]

Floats = NDArray[np.float64]
RuleFactory = Callable[..., OwnRule]
"""Makes the rule of one layer; takes what `OwnRule` takes, by name."""


class LayeredBody(Body):
    """Layers as they begin, and as many stacks as are in use at once; other threads take them too.

    Parameters
    ----------
    rule
        Makes the rules, if not the settings say which.
    """

    def __init__(
        self,
        settings: LayeredSettings,
        *,
        classes: int,
        camera: Camera,
        streams: Streams,
        name: str,
        rule: RuleFactory | None = None,
    ) -> None:
        super().__init__(
            _played(settings), classes=classes, camera=camera, streams=streams, name=name
        )
        self.asked, self._rule = settings, rule or _rule_of(settings)

    def rules(self, streams: Streams, device: str) -> list[OwnRule]:
        """Return the rules of the layers of a device, the lowest first."""
        sizes = (self.camera.lines, *self.asked.hidden)
        given: dict[str, Any] = {"classes": self.classes, "streams": streams, "device": device}
        return [
            self._rule(lines=lines, neurons=neurons, layer=layer, **given)
            for layer, (lines, neurons) in enumerate(pairwise(sizes), 1)
        ]

    @override
    def begin(self) -> Hidden:
        """Return hidden weights as they begin."""
        flat = np.concatenate([one.weights.T.ravel() for one in self._stack.layers])
        return _Changed(flat, (self.camera.lines, *self.asked.hidden), law=(1.0, 1, None))

    @override
    def _open(self) -> LayeredStack:
        stack = self._stack
        nothing = [np.zeros((self.classes, post)) for post in stack.posts]
        made = LayeredStack(
            stack, feedback=nothing, kind=(True, 0, "gated"), ticks=self.camera.ticks
        )
        made.forget()
        return made


class _Changed(Hidden):
    """Hidden weights that take each change as it is."""

    macs = 0
    """What rules do is counted by them."""
    writes = 0
    """Likewise."""

    @override
    def take(self, gradient: Floats) -> None:
        """Go down all of it."""
        self.weights -= gradient


def _rule_of(settings: LayeredSettings) -> RuleFactory:
    rule = settings.rule
    if not isinstance(rule, OwnRuleSettings):
        return lambda **given: LocalLoss(settings=rule, **given)
    check_own_rule(rule)
    owner, own = rule.owner(), rule.own()
    return lambda **given: owner(settings=own, **given)


def _played(settings: LayeredSettings) -> EligibleSettings:
    """Return settings of the layers that are played: their neurons, and no memory at synapses."""
    neuron = settings.neuron
    played = {
        "tick": f"{settings.tick} ns",
        "hidden": settings.hidden,
        "gain": settings.gain,
        "neuron": {"leak": neuron.leak, "threshold": neuron.threshold},
        "rule": {"kind": "tess", "mode": "gated", "rate": 0, "standardise": False},
        "readout": settings.readout,
        "shared_start": settings.shared_start,
    }
    return EligibleSettings.model_validate(played)
