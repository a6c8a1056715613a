"""The learner of one device: layers that learn by themselves, behind the port of jobs."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from simedge.core.streams import Streams
from simedge.learning.eligible.jobs import Learning
from simedge.learning.eligible.learner import EligibleLearner
from simedge.learning.eligible.shop import Seen, Shop
from simedge.learning.layered.body import LayeredBody, RuleFactory
from simedge.learning.layered.stack import LayeredStack, LayeredWindow
from simedge.learning.layered_settings import LayeredSettings
from simedge.learning.ports import Counts, FrameLike
from simedge.learning.rules.lazy_layout import Heard
from simedge.learning.rules.lazy_stack import LazyStack, LazyWindow
from simedge.learning.rules.ledger import WORD_BYTES
from simedge.learning.volleys import Camera, Prepared

if TYPE_CHECKING:
    from simedge.learning.own_rule import Taught

__all__ = ["LayeredLearner", "open_layered"]


def open_layered(
    settings: LayeredSettings,
    sight: tuple[int, Camera],
    *,
    streams: Streams,
    device: str,
    pools: dict[object, Any],
    rule: RuleFactory | None = None,
) -> "LayeredLearner":
    """Build the learner of a device that sees so many classes by a camera.

    Parameters
    ----------
    rule
        Makes the rule of a layer, if not the settings say which.
    """
    classes, camera = sight
    name = "learner" if settings.shared_start else device
    key = settings, classes, camera, name, rule
    if key not in pools:
        pools[key] = LayeredBody(
            settings, classes=classes, camera=camera, streams=streams, name=name, rule=rule
        )
    return LayeredLearner(LayeredShop(pools[key], streams=streams, device=device))


class LayeredShop(Shop):
    """What is known: weights, the readout, and what every layer's rule remembers."""

    def __init__(self, body: LayeredBody, *, streams: Streams, device: str) -> None:
        super().__init__(body)
        self.layered = body
        self.rules = body.rules(streams, device)

    @override
    def play(self, stack: LazyStack, heard: Heard, label: int) -> LazyWindow:
        """Play a presentation with its label, by which hidden layers learn."""
        assert isinstance(stack, LayeredStack)
        target, window = np.eye(self.body.classes)[label], stack.see(heard)
        error = self.seen(label, window).chances - target
        return stack.teach(self.rules, (heard, window), (target, error))

    @override
    def learn(self, seen: Seen, stack: LazyStack | None) -> None:
        """Take over what a frame has taught, and what machines have added to its loss."""
        taught: Sequence[Taught] = ()
        if isinstance(stack, LayeredStack):
            stack.check()
            taught = stack.taught
        super().learn(seen, stack)
        for rule, found in zip(self.rules, taught, strict=False):
            rule.remember(found.memory)

    @override
    def dump(self) -> dict[str, Any]:
        """Return what is known and kept; copies."""
        return {**super().dump(), "rules": [rule.twin().memory() for rule in self.rules]}

    @override
    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; the inverse of `dump`. A job under way is forgotten."""
        super().load(state)
        for rule, remembered in zip(self.rules, state["rules"], strict=True):
            rule.remember(remembered)


class _Learning(Learning):
    """One frame that is learned; value `Learned`."""

    @property
    @override
    def counts(self) -> Counts:
        """What the job has done so far."""
        counts, window = super().counts, self._parts[0].window
        if not self._over or not isinstance(window, LayeredWindow):
            return counts
        writes = counts.weight_writes + window.writes
        return counts._replace(weight_writes=writes, plasticity_updates=window.writes)


class LayeredLearner(EligibleLearner):
    """One device's learner. Every job is a `Work`; nothing changes until it is committed."""

    shop: LayeredShop

    def __init__(self, shop: LayeredShop) -> None:
        self.shop = shop

    @property
    @override
    def rule(self) -> str:
        """Name of the rule of the hidden layers."""
        return self.shop.rules[0].name

    @override
    def learn(self, frame: FrameLike, *, shown: tuple[Prepared, int] | None = None) -> Learning:
        """Predict the frame's class, then learn from it; value `Learned`."""
        self._check([frame.label], [frame])
        return _Learning(self.shop, shown or (self.prepare([frame]), 0))

    @override
    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term, at 4 bytes a number."""
        shop, hidden = self.shop, self.shop.layered.asked.hidden
        row, most = shop.readout.features, max(rule.lines + rule.neurons for rule in shop.rules)
        kept = shop.kept.bytes if kept_rows is None else WORD_BYTES * kept_rows * row
        return {
            "parameters": WORD_BYTES * (shop.hidden.weights.size + shop.readout.numbers),
            "state": WORD_BYTES * 2 * sum(hidden),
            "traces": WORD_BYTES * most,
            "rules": WORD_BYTES * sum(rule.words for rule in shop.rules),
            "features": kept,
        }

    @override
    def digest(self) -> bytes:
        """Return the SHA-256 of all weights and what the next step depends on."""
        sha = hashlib.sha256(super().digest())
        for rule in self.shop.rules:
            sha.update(rule.digest())
        return sha.digest()
