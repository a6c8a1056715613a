"""How the server delivers the proxy set: reliably, once to each device that asks for it."""

import hashlib
from dataclasses import replace
from typing import cast

from simedge.protocol.bookkeeping import Refusals, Timers
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import Effect, Plain
from simedge.protocol.post import Post
from simedge.protocol.shape import MESSAGE_BYTES_AROUND_MAX, RELIABLE_BYTES_MAX, Ground
from simedge.protocol.transport import GIVE, backoff_ns
from simedge.protocol.wire import Kind

__all__ = ["Deliveries", "check_set"]


def check_set(ground: Ground) -> None:
    """Refuse a proxy set that cannot be delivered, or is not the one that everybody means.

    Raises
    ------
    ProtocolError
        If it does not have its name, or no message holds it.
    """
    if hashlib.sha256(ground.proxy_set).digest() != ground.pset:
        raise ProtocolError("the SHA-256 of the proxy set is not pset")
    size = len(ground.proxy_set) + MESSAGE_BYTES_AROUND_MAX
    if size > RELIABLE_BYTES_MAX:
        raise ProtocolError(f"a proxy set takes up to {size} bytes, most are {RELIABLE_BYTES_MAX}")


class Deliveries:
    """Which devices are owed the proxy set.

    Parameters
    ----------
    ground
        Has the proxy set.
    post, timers, refusals
        Of the server.
    """

    def __init__(self, ground: Ground, post: Post, *, timers: Timers, refusals: Refusals) -> None:
        self._ground = ground
        self._post = post
        self._timers = timers
        self._refusals = refusals
        self._tag = 0
        self._heard: dict[int, int] = {}
        """The newest join of each device that asked."""
        self._owed: dict[int, tuple[int, int]] = {}
        """By device: tag of the send that is on its way, 0 if none is, and failures so far."""

    def owe(self, dev: int, stamp: int, now: int) -> list[Effect]:
        """Owe it to a device that asks for it in a join; a repeated join asks for nothing more."""
        if stamp <= self._heard.get(dev, 0):
            return []
        self._heard[dev] = stamp
        self._owed.setdefault(dev, (0, 0))
        return self.send(dev, now)

    def send(self, dev: int, now: int) -> list[Effect]:
        """Send it, unless it is on its way."""
        tag, failed = self._owed[dev]
        if tag:
            return []
        self._tag += 1
        self._owed[dev] = self._tag, failed
        ground = self._ground
        message = self._post.write(Kind.PROXY, now, payload=ground.proxy_set)
        message = replace(message, n=ground.blocks * ground.rows)
        sent = self._post.send_whole(message, dst=dev, cls="proxy", tag=self._tag)
        return [*self._timers.cancel(f"{GIVE}{dev}"), sent]

    def ended(self, tag: int, now: int, *, ok: bool) -> list[Effect]:
        """Take the outcome of a send; what failed is tried again, each time after a longer wait."""
        dev = next((dev for dev, owed in self._owed.items() if owed[0] == tag), None)
        if dev is None or tag == 0:
            return self._refusals.late()
        failed = self._owed.pop(dev)[1]
        if ok:
            return []
        self._refusals.count("proxy_failed")
        self._owed[dev] = 0, failed + 1
        wait_ns = backoff_ns(failed)
        return [self._timers.set(f"{GIVE}{dev}", now + wait_ns)]

    def restart(self, now: int) -> list[Effect]:
        """Begin again what a crash cut off."""
        self._owed = {dev: (0, failed) for dev, (_, failed) in self._owed.items()}
        return [effect for dev in sorted(self._owed) for effect in self.send(dev, now)]

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "tag": self._tag,
            "heard": [[dev, stamp] for dev, stamp in self._heard.items()],
            "owed": [[dev, *owed] for dev, owed in self._owed.items()],
        }

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        plain = cast("Plain", state)
        self._tag = cast("int", plain["tag"])
        self._heard = dict(cast("list[tuple[int, int]]", plain["heard"]))
        owed = cast("list[tuple[int, int, int]]", plain["owed"])
        self._owed = {dev: (tag, failed) for dev, tag, failed in owed}
