"""Federated learning with a buffer: the server steps after every few updates that came.

Updates are what training took from a model, Delta = w_tau - y; at version t each enters a buffer
with weight (1 + t - tau)^(-1/2), and the K_b-th of them makes a step (Nguyen et al. 2022,
"Federated learning with buffered asynchronous aggregation")::

    w <- w - eta_g buffer / K_b        t <- t + 1        buffer <- 0

The divisor is the count, not the sum of the weights. Published implementations differ in this.
"""

from itertools import islice
from typing import cast

import numpy as np

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import Value
from simedge.protocol.errors import WireError
from simedge.protocol.hub import Arrival, House
from simedge.protocol.machine import Effect, Floats, Plain
from simedge.protocol.params import Code, values_of
from simedge.protocol.server_settings import FedBuffSettings
from simedge.protocol.wire import Message

__all__ = ["FedBuff"]


class FedBuff:
    """The scheme.

    Parameters
    ----------
    house
        Shared with the hub.
    settings
        The protocol's settings.
    """

    def __init__(self, house: House, settings: FedBuffSettings) -> None:
        self._house = house
        self._settings = settings
        devices = house.ground.devices or house.devices
        self._busy_max = settings.training_max or devices
        self._arrivals = settings.arrivals(devices)
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self._buffer: Floats = np.zeros(self._house.ground.params)
        self._count = 0
        self._samples = 0
        self._captured_ns = 0
        self._busy: dict[int, None] = {}
        self._idle: dict[int, None] = {}
        self._away: dict[int, None] = {}

    def begin(self, now: int) -> list[Effect]:
        """Give out work anew; the buffer stays, if it survived."""
        self._busy, self._idle, self._away = {}, dict.fromkeys(self._house.live()), {}
        return self._hand_out(now)

    def admit(self, dev: int, now: int) -> list[Effect]:
        """Give a device its work again, or let it wait for its turn."""
        if dev in self._busy:
            return self._house.supply.give(dev, now)
        self._idle.setdefault(dev)
        return self._hand_out(now)

    def back(self, dev: int, now: int) -> list[Effect]:
        """Count a device as at work again if it was; else it may be its turn."""
        if dev in self._away:
            del self._away[dev]
            self._busy[dev] = None
        self._idle.update({dev: None} if dev not in self._busy and dev not in self._idle else {})
        return self._hand_out(now)

    def leave(self, dev: int, now: int, *, forgotten: bool) -> list[Effect]:
        """Let the next device work in place of one that is gone."""
        was_busy = dev in self._busy
        places = (self._busy, self._idle, self._away) if forgotten else (self._busy,)
        for place in places:
            place.pop(dev, None)
        if was_busy and not forgotten:
            self._away[dev] = None
        return self._hand_out(now)

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if this is no update."""
        if message.blk != Code.DELTA:
            raise WireError("malformed")
        values_of(message, self._house.ground.params)

    def take(self, arrival: Arrival, now: int) -> list[Effect]:
        """Take an update, step if it is time to, and give the next device work."""
        house, dev = self._house, arrival.dev
        for place in (self._busy, self._away):
            place.pop(dev, None)
        behind = house.supply.version - arrival.g
        if behind < 0:
            self._idle.pop(dev, None)
            self._busy[dev] = None
            return [*house.drop("unknown_version", arrival), *house.supply.give(dev, now)]
        self._idle.setdefault(dev)
        delta = values_of(arrival.message, house.ground.params).astype(np.float64)
        self._buffer += (1 + behind) ** -0.5 * delta
        self._count += 1
        self._samples += arrival.n
        self._captured_ns = max(self._captured_ns, arrival.captured_ns)
        effects = house.merged(arrival, now)
        if self._count >= self._arrivals:
            effects += self._step()
        return effects + self._hand_out(now)

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Take what the learner answered: it is asked nothing."""
        del op, value, now
        return self._house.refusals.late()

    def timer(self, name: str, now: int) -> list[Effect]:
        """Take a timer: there is none."""
        del name, now
        return self._house.refusals.late()

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "buffer": plain_of(self._buffer),
            "counts": [self._count, self._samples, self._captured_ns],
            "busy": list(self._busy),
            "idle": list(self._idle),
            "away": list(self._away),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._buffer = cast("Floats", array_of(state["buffer"]))
        counts = cast("tuple[int, int, int]", state["counts"])
        self._count, self._samples, self._captured_ns = counts
        self._busy, self._idle, self._away = (
            dict.fromkeys(cast("list[int]", state[name])) for name in ("busy", "idle", "away")
        )

    def _step(self) -> list[Effect]:
        house, rate = self._house, self._settings.server_rate
        after = house.supply.values.astype(np.float64) - rate * self._buffer / self._count
        house.refusals.count("rounds")
        effects = house.supply.advance(after, captured_ns=self._captured_ns, n=self._samples)
        self._buffer = np.zeros_like(self._buffer)
        self._count = self._samples = self._captured_ns = 0
        return effects

    def _hand_out(self, now: int) -> list[Effect]:
        """Give idle devices work, in turn, while fewer than the most are at it."""
        effects: list[Effect] = []
        room = self._busy_max - len(self._busy)
        if room <= 0:
            return effects
        live = (dev for dev in self._idle if self._house.is_live(dev))
        for dev in list(islice(live, room)):
            del self._idle[dev]
            self._busy[dev] = None
            effects += self._house.supply.give(dev, now)
        return effects
