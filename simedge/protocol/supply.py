"""The server's model, and which devices are owed it.

At most one model is on its way to a device: who is owed a newer one meanwhile gets it afterwards,
whatever is the newest then.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import Params, Value
from simedge.protocol.bookkeeping import Refusals, Timers
from simedge.protocol.machine import Checkpoint, Effect, Floats, Note, Plain, Sample
from simedge.protocol.params import Code, Parcel, bytes_of, checked, send_params
from simedge.protocol.post import Post
from simedge.protocol.transport import GIVE, backoff_ns

__all__ = ["Supply"]

_NOTHING: Final = np.zeros(0, np.float32)
_NEVER: Final = -1


@dataclass(slots=True)
class _Debt:
    """A model that a device is to have."""

    wanted: int = _NEVER
    """The version that it was promised; `_NEVER` once it is withdrawn."""
    sent: int = _NEVER
    """The version that was sent last."""
    tag: int = 0
    """Of the send that is on its way; 0 if none is."""
    failed: int = 0


class Supply:
    """A model, its version, and the debts.

    Parameters
    ----------
    post, timers, refusals
        Of the server; timers are named `GIVE` and the device.
    is_live
        Whether there is a way to a device.
    """

    def __init__(
        self,
        post: Post,
        timers: Timers,
        *,
        refusals: Refusals,
        is_live: Callable[[int], bool],
    ) -> None:
        self._post = post
        self._timers = timers
        self._refusals = refusals
        self._is_live = is_live
        self.values: Params = _NOTHING
        self.version = 0
        self._captured_ns = _NEVER
        self._published = _NEVER
        self._samples = 0
        self._tag = 0
        self._debts: dict[int, _Debt] = {}
        self._flying: dict[int, int] = {}
        """By tag: to whom a model is on its way."""
        self._payload = b""

    @property
    def known(self) -> bool:
        """Whether there is a model."""
        return len(self.values) > 0

    def take_first(self, value: Value, params: int) -> None:
        """Take the model that the server's own learner begins with."""
        self._set(checked(value, (params,)).astype(np.float32))

    def advance(self, values: Floats, *, captured_ns: int, n: int) -> list[Effect]:
        """Take the next version, made from `n` samples, the newest captured then."""
        self.version += 1
        self.replace(values, captured_ns=captured_ns, n=n)
        return [Checkpoint()]

    def replace(self, values: Floats | Params, *, captured_ns: int, n: int) -> None:
        """Let this be the model of the present version."""
        self._set(values.astype(np.float32))
        self._samples = n
        self._captured_ns = max(self._captured_ns, captured_ns)

    def keep(self) -> None:
        """Let the same model be the next version."""
        self.version += 1

    def give(self, dev: int, now: int) -> list[Effect]:
        """Owe a device the current model, and send it if there is a way and none is on it."""
        debt = self._debts.setdefault(dev, _Debt())
        debt.wanted = self.version
        return self.flush(dev, now)

    def flush(self, dev: int, now: int) -> list[Effect]:
        """Send a device what it is owed, if anything."""
        debt = self._debts.get(dev)
        if debt is None or debt.tag or debt.wanted == _NEVER or not self._is_live(dev):
            return []
        effects = [*self._timers.cancel(f"{GIVE}{dev}"), *self._publish(now)]
        self._tag += 1
        self._flying[self._tag] = dev
        # What leaves is the newest, whatever was promised: that settles the promise.
        debt.tag, debt.wanted, debt.sent = self._tag, self.version, self.version
        parcel = Parcel(
            code=Code.MODEL,
            payload=self._payload,
            g=self.version,
            n=self._samples,
            captured_ns=max(self._captured_ns, 0),
        )
        return [*effects, send_params(self._post, parcel, dst=dev, tag=self._tag)]

    def ended(self, tag: int, now: int, *, ok: bool) -> list[Effect]:
        """Take the outcome of a send; what failed is tried again while it is owed."""
        dev = self._flying.pop(tag, None)
        if dev is None:
            return self._refusals.late()
        debt = self._debts[dev]
        debt.tag = 0
        if ok:
            debt.failed = 0
            if debt.wanted not in {_NEVER, debt.sent}:
                return self.flush(dev, now)
            del self._debts[dev]
            return []
        self._refusals.count("model_failed")
        if debt.wanted == _NEVER:
            del self._debts[dev]
            return []
        wait_ns = backoff_ns(debt.failed)
        debt.failed += 1
        return [self._timers.set(f"{GIVE}{dev}", now + wait_ns)]

    def withdraw(self, dev: int) -> list[Effect]:
        """Owe a device nothing any more; what is on its way goes on."""
        debt = self._debts.get(dev)
        if debt is None:
            return []
        if debt.tag == 0:
            return self.drop(dev)
        debt.wanted = _NEVER
        return []

    def drop(self, dev: int) -> list[Effect]:
        """Forget all about a device; the outcome of what is on its way will come too late."""
        debt = self._debts.pop(dev, None)
        if debt is not None:
            self._flying.pop(debt.tag, None)
        return self._timers.cancel(f"{GIVE}{dev}")

    def restart(self) -> None:
        """Forget what was on its way, and to whom: a crash took it. Tags and the model stay."""
        self._debts.clear()
        self._flying.clear()

    def roll_back(self, state: object) -> None:
        """Put the model of an old ``dump`` in place of this one; debts and tags stay."""
        debts, tag, flying = self._debts, self._tag, self._flying
        self.load(state)
        self._debts, self._tag, self._flying = debts, tag, flying

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "values": plain_of(self.values),
            "version": self.version,
            "captured_ns": self._captured_ns,
            "published": self._published,
            "samples": self._samples,
            "tag": self._tag,
            "debts": [[dev, d.wanted, d.sent, d.tag, d.failed] for dev, d in self._debts.items()],
        }

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        plain = cast("Plain", state)
        self._set(cast("Params", array_of(plain["values"])))
        self.version = cast("int", plain["version"])
        self._captured_ns = cast("int", plain["captured_ns"])
        self._published = cast("int", plain["published"])
        self._samples = cast("int", plain["samples"])
        self._tag = cast("int", plain["tag"])
        rows = cast("list[tuple[int, int, int, int, int]]", plain["debts"])
        self._debts = {dev: _Debt(*rest) for dev, *rest in rows}
        self._flying = {debt.tag: dev for dev, debt in self._debts.items() if debt.tag}

    def _set(self, values: Params) -> None:
        self.values = values
        self._payload = bytes_of(values)

    def _publish(self, now: int) -> list[Effect]:
        """Say that a version leaves for the first time."""
        if self._published >= self.version:
            return []
        self._published = self.version
        digest = hashlib.sha256(self._payload).digest()
        note = Note(kind="published", subject=Code.MODEL, detail=(self.version, digest))
        if self._captured_ns < 0:
            return [note]
        labels = (("block", int(Code.MODEL)), ("version", self.version))
        age_s = (now - self._captured_ns) / 1e9
        return [note, Sample(metric="published_age_s", value=age_s, labels=labels)]
