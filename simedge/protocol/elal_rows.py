"""What the rows of a device are about: the items of the proxy set."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.bookkeeping import OpenCall
from simedge.protocol.elal_kit import Kit
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import Effect, KlPart, KlStep, ProxyPass
from simedge.protocol.shape import address_of

__all__ = ["ProxyRows"]


class ProxyRows:
    """Rows about unlabelled items: the learner passes them, and steps towards what is held of them.

    Parameters
    ----------
    kit
        Shared with the device's other parts.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self._passed: set[int] = set()

    def dump(self) -> list[int]:
        """Return the state."""
        return sorted(self._passed)

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._passed = set(cast("list[int]", state))

    def ask(self, turn: int, now: int) -> Effect:
        """Ask for the pass of a turn."""
        kit = self._kit
        level = kit.settings.part_level
        turn %= kit.shape.blocks << level
        address = address_of(turn >> level, level=level, part=turn & ((1 << level) - 1))
        block, first, count = kit.shape.span(address)
        start = block * kit.shape.rows + first
        return kit.calls.proxy_pass(ProxyPass(address=address, first=start, count=count), now)

    def take(self, call: OpenCall, value: object) -> NDArray[np.float32]:
        """Return the rows that a pass gave."""
        (address,) = call.addresses
        count = self._kit.shape.span(address)[2]
        if not isinstance(value, np.ndarray) or len(value) != count:
            raise ProtocolError(f"a proxy pass must return {count} rows of probabilities")
        self._passed.add(address)
        return value

    def pull(self, address: int, now: int) -> list[Effect]:
        """Step towards what is held, after the pass of an address."""
        kit, settings = self._kit, self._kit.settings
        if settings.kl == 0:
            return []
        addresses = sorted(self._passed) if settings.kl_blocks == "held" else [address]
        parts = []
        for each in addresses:
            held = kit.priors.held(each, now - kit.age_ns_max)
            if held is not None:
                parts.append(KlPart(each, held.rows, held.mask))
        if not parts:
            return []
        step = KlStep(parts=tuple(parts), alpha=settings.kl, steps=settings.kl_steps)
        return [kit.calls.kl_step(step)]
