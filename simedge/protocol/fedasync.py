"""Federated learning without rounds: each model is mixed in as it comes.

A model that began as version tau and comes at version t, delta = t - tau behind, with weight
function s (Xie, Koyejo and Gupta 2019, "Asynchronous federated optimization")::

    w <- (1 - alpha s(delta)) w + alpha s(delta) w_new        t <- t + 1
"""

import numpy as np

from simedge.protocol.asks import Value
from simedge.protocol.errors import WireError
from simedge.protocol.hub import Arrival, House
from simedge.protocol.machine import Effect, Plain
from simedge.protocol.params import Code, values_of
from simedge.protocol.server_settings import FedAsyncSettings
from simedge.protocol.wire import Message

__all__ = ["FedAsync"]


class FedAsync:
    """The scheme; it has no state besides the model.

    Parameters
    ----------
    house
        Shared with the hub.
    settings
        The protocol's settings.
    """

    def __init__(self, house: House, settings: FedAsyncSettings) -> None:
        self._house = house
        self._settings = settings

    def forget(self) -> None:
        """Be as new."""

    def begin(self, now: int) -> list[Effect]:
        """Give everyone the model: nobody is known to have work."""
        effects: list[Effect] = []
        for dev in self._house.live():
            effects += self._house.supply.give(dev, now)
        return effects

    def admit(self, dev: int, now: int) -> list[Effect]:
        """Give a device the model."""
        return self._house.supply.give(dev, now)

    def back(self, dev: int, now: int) -> list[Effect]:
        """Do nothing: what a device is owed is on its way, or it is at work."""
        del dev, now
        return []

    def leave(self, dev: int, now: int, *, forgotten: bool) -> list[Effect]:
        """Do nothing: nobody waits for a device."""
        del dev, now, forgotten
        return []

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if this is no model."""
        if message.blk != Code.MODEL:
            raise WireError("malformed")
        values_of(message, self._house.ground.params)

    def take(self, arrival: Arrival, now: int) -> list[Effect]:
        """Mix a model in, unless it is too stale, and give its device the current one."""
        return [*self._mix(arrival, now), *self._house.supply.give(arrival.dev, now)]

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Take what the learner answered: it is asked nothing."""
        del op, value, now
        return self._house.refusals.late()

    def timer(self, name: str, now: int) -> list[Effect]:
        """Take a timer: there is none."""
        del name, now
        return self._house.refusals.late()

    def dump(self) -> Plain:
        """Return the state: none."""
        return {}

    def load(self, state: Plain) -> None:
        """Take over the state: none."""

    def _mix(self, arrival: Arrival, now: int) -> list[Effect]:
        house, settings = self._house, self._settings
        behind = house.supply.version - arrival.g
        if behind < 0:
            return house.drop("unknown_version", arrival)
        if behind > settings.staleness_max:
            return house.drop("too_stale", arrival)
        share = settings.alpha * settings.weight(behind)
        new = values_of(arrival.message, house.ground.params).astype(np.float64)
        mixed = (1.0 - share) * house.supply.values.astype(np.float64) + share * new
        house.refusals.count("rounds")
        effects = house.merged(arrival, now)
        return effects + house.supply.advance(mixed, captured_ns=arrival.captured_ns, n=arrival.n)
