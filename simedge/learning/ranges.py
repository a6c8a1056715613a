"""The kinds of numbers that settings of learners are made of."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

__all__ = ["Count", "NotNegative", "Number", "Positive", "UnitShare"]


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


Number = Annotated[float, BeforeValidator(_plain)]
Positive = Annotated[float, BeforeValidator(_plain), Field(gt=0)]
NotNegative = Annotated[float, BeforeValidator(_plain), Field(ge=0)]
UnitShare = Annotated[float, BeforeValidator(_plain), Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=4096)]
