"""What learners of a run that are built alike share: where they begin, stacks to play on."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from typing_extensions import override

from simedge.core.streams import Streams
from simedge.learning.eligible.body import Body
from simedge.learning.eligible_settings import EligibleSettings
from simedge.learning.layered.local_loss import LocalLoss
from simedge.learning.layered.stack import LayeredStack
from simedge.learning.layered_settings import LayeredSettings
from simedge.learning.own_rule import OwnRule, check_own_rule
from simedge.learning.own_settings import OwnRuleSettings
from simedge.learning.volleys import Camera

__all__ = ["LayeredBody", "RuleFactory"]

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
    def _open(self) -> LayeredStack:
        stack = self._stack
        nothing = [np.zeros((self.classes, post)) for post in stack.posts]
        made = LayeredStack(
            stack, feedback=nothing, kind=(True, 0, "gated"), ticks=self.camera.ticks
        )
        made.forget()
        return made


def _rule_of(settings: LayeredSettings) -> RuleFactory:
    rule = settings.rule
    if not isinstance(rule, OwnRuleSettings):
        return lambda **given: LocalLoss(settings=rule, **given)
    check_own_rule(rule)
    owner, own = rule.owner(), rule.own()
    return lambda **given: owner(settings=own, **given)


def _played(settings: LayeredSettings) -> EligibleSettings:
    """Return settings of the layers that are played: their neurons, and no memory at synapses."""
    neuron, read = settings.neuron, settings.readout
    rates = {"rate": 0.0, "plain_rate": read.rate, "kl_rate": read.kl_rate}
    played = {
        "tick": f"{settings.tick} ns",
        "hidden": settings.hidden,
        "gain": settings.gain,
        "neuron": {"leak": neuron.leak, "threshold": neuron.threshold},
        "rule": {"kind": "tess", "mode": "gated", **rates},
        "shared_start": settings.shared_start,
    }
    return EligibleSettings.model_validate(played)
