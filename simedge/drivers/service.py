"""Who predicts for a device that has no model: the server that hears it, while it can answer."""

from collections.abc import Callable
from typing import Protocol

from simedge.drivers.observer import Predictor
from simedge.drivers.server_host import ServerHost
from simedge.drivers.sides import Sides

__all__ = ["Serves", "Service"]


class Serves(Protocol):
    """What says who predicts for a device."""

    def predictor(self, device: int) -> Predictor | None:
        """Return who answers a device now; None: nobody does."""
        ...


class Service:
    """Predictions of servers for devices that send what they see, and have no model.

    A server answers while it is up and in no pause, and while there is a way to it and one back on
    which nothing is dead or cut; a message may still be lost on either.

    Parameters
    ----------
    server
        Who answers, unless another has taken the device.
    sides
        Who has taken whom.
    reaches
        Whether one number can reach another.
    """

    def __init__(
        self, server: ServerHost, *, sides: Sides, reaches: Callable[[int, int], bool]
    ) -> None:
        self._server = server
        self._sides = sides
        self._reaches = reaches

    def predictor(self, device: int) -> Predictor | None:
        """Return the learner of the server that answers a device now; None: nobody does."""
        taken = self._sides.of(device)
        server = taken if isinstance(taken, ServerHost) else self._server
        reached = self._reaches(device, 0) and self._reaches(0, device)
        return server.learner if server.answers and reached else None
