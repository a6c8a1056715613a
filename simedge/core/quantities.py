"""Quantities as field types of settings: parsed exactly, written back exactly, with units.

``Settings`` is the base of every room's settings model: frozen, unknown keys refused.
"""

from fractions import Fraction
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from simedge.core import units

__all__ = [
    "Duration",
    "Energy",
    "Factor",
    "Frequency",
    "Power",
    "Rate",
    "Settings",
    "Share",
    "SignedDuration",
    "Size",
]


class Settings(BaseModel):
    """Base of all settings: frozen, strict, unknown keys are errors.

    Defaults stand in code in base units (nanoseconds, bits per second, bytes, fractions); text
    comes from outside and always carries its unit. Lists are taken as tuples. The docstring below
    a field is its description in the JSON Schema, which reads it when asked for it: to have every
    model read its own source takes a fifth of the time to validate a scenario.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        populate_by_name=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}


def _schema(example: str, what: str, *, number: bool = False) -> WithJsonSchema:
    # A bare 0 needs no unit; a share may be a bare number.
    bare: dict[str, Any] = {"type": "number"} if number else {"const": 0}
    kinds: list[dict[str, Any]] = [{"type": "string"}, bare]
    return WithJsonSchema({"anyOf": kinds, "description": what, "examples": [example]})


Duration = Annotated[
    int,
    BeforeValidator(units.parse_duration_ns),
    PlainSerializer(units.format_duration, return_type=str),
    _schema("20 ms", "a duration with its unit"),
]
"""Whole nanoseconds, written ``"20 ms"``."""

SignedDuration = Annotated[
    int,
    BeforeValidator(units.parse_signed_duration_ns),
    PlainSerializer(units.format_signed_duration, return_type=str),
    _schema("-20 ms", "a duration with its unit, perhaps negative"),
]
"""Whole nanoseconds of either sign, written ``"-20 ms"``."""

Rate = Annotated[
    int,
    BeforeValidator(units.parse_rate_bps),
    PlainSerializer(units.format_rate, return_type=str),
    _schema("5 Mbit/s", "a rate with its unit"),
]
"""Whole bits per second, written ``"5 Mbit/s"``."""

Size = Annotated[
    int,
    BeforeValidator(units.parse_bytes),
    PlainSerializer(units.format_bytes, return_type=str),
    _schema("512 MiB", "a size with its unit"),
]
"""Whole bytes, written ``"512 MiB"``."""

Share = Annotated[
    Fraction,
    BeforeValidator(units.parse_share),
    PlainSerializer(units.format_share, return_type=str),
    _schema("20%", "a share in [0, 1] or a percentage", number=True),
]
"""An exact fraction in [0, 1], written ``"20%"``."""

Factor = Annotated[
    Fraction,
    BeforeValidator(units.parse_factor),
    PlainSerializer(units.format_share, return_type=str),
    _schema("250%", "a positive number or percentage", number=True),
]
"""An exact positive fraction, written ``"250%"``."""

Frequency = Annotated[
    Fraction,
    BeforeValidator(units.parse_frequency),
    PlainSerializer(units.format_frequency, return_type=str),
    _schema("8 Hz", "a frequency with its unit"),
]
"""An exact fraction of hertz, written ``"8 Hz"``."""

Power = Annotated[
    Fraction,
    BeforeValidator(units.parse_power_w),
    PlainSerializer(units.format_power, return_type=str),
    _schema("1.8 W", "a power with its unit"),
]
"""An exact fraction of watts, written ``"1.8 W"``."""

Energy = Annotated[
    Fraction,
    BeforeValidator(units.parse_energy_j),
    PlainSerializer(units.format_energy, return_type=str),
    _schema("10 Wh", "an energy with its unit"),
]
"""An exact fraction of joules, written ``"10 Wh"``."""
