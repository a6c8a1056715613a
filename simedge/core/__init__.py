"""Units, named random streams, ids, records and the one error root."""

from simedge.core.errors import SimedgeError
from simedge.core.records import Due, Order

__all__ = ["Due", "Order", "SimedgeError"]
