"""Exact quantities: text with a unit in, integers or fractions out, never a float between.

Base units are the nanosecond, bit per second, byte, hertz, watt and joule. Durations, rates and
sizes are whole numbers of their base unit; shares, frequencies, powers and energies are exact
fractions. ``format_*`` is the exact inverse of ``parse_*``.
"""

import difflib
import re
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from simedge.core.errors import SimedgeError

__all__ = [
    "UnitError",
    "format_bytes",
    "format_duration",
    "format_energy",
    "format_frequency",
    "format_power",
    "format_rate",
    "format_share",
    "format_signed_duration",
    "parse_bytes",
    "parse_duration_ns",
    "parse_energy_j",
    "parse_factor",
    "parse_frequency",
    "parse_power_w",
    "parse_rate_bps",
    "parse_share",
    "parse_signed_duration_ns",
]


class UnitError(SimedgeError, ValueError):
    """A quantity cannot be read: no unit, an unknown unit, or no whole number of its base unit."""


_NS = MappingProxyType(
    {
        "d": Fraction(86_400_000_000_000),
        "h": Fraction(3_600_000_000_000),
        "min": Fraction(60_000_000_000),
        "s": Fraction(1_000_000_000),
        "ms": Fraction(1_000_000),
        "us": Fraction(1_000),
        "µs": Fraction(1_000),
        "ns": Fraction(1),
    }
)
_BPS = MappingProxyType(
    {
        "Gbit/s": Fraction(10**9),
        "Mbit/s": Fraction(10**6),
        "kbit/s": Fraction(10**3),
        "bit/s": Fraction(1),
    }
)
_BYTES = MappingProxyType(
    {
        "GiB": Fraction(2**30),
        "MiB": Fraction(2**20),
        "KiB": Fraction(2**10),
        "GB": Fraction(10**9),
        "MB": Fraction(10**6),
        "kB": Fraction(10**3),
        "B": Fraction(1),
    }
)
_HZ = MappingProxyType(
    {
        "kHz": Fraction(1000),
        "Hz": Fraction(1),
        "mHz": Fraction(1, 1000),
    }
)
_WATT = MappingProxyType(
    {"kW": Fraction(1000), "W": Fraction(1), "mW": Fraction(1, 10**3), "uW": Fraction(1, 10**6)}
)
_JOULE = MappingProxyType(
    {"Wh": Fraction(3600), "kJ": Fraction(1000), "J": Fraction(1), "mJ": Fraction(1, 1000)}
)
# An exponent of three digits at most: a bound on the size of the integers that a text can ask for.
_NUMBER = re.compile(
    r"\s*([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?)\s*(\S*)\s*"
)
_INT64_MAX = 2**63 - 1


def _split(text: str, units: MappingProxyType[str, Fraction], what: str) -> tuple[Fraction, str]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        example = f"1 {next(iter(units))}"
        raise UnitError(f"{what} must be a number with a unit such as {example!r}, got {text!r}")
    return Fraction(Decimal(match[1])), match[2]


def _unit(
    name: str, units: MappingProxyType[str, Fraction], *, what: str, text: object
) -> Fraction:
    if name in units:
        return units[name]
    known = ", ".join(reversed(units))
    if not name:
        raise UnitError(f"{what} needs a unit ({known}), got {text!r}")
    by_case = [unit for unit in units if unit.lower() == name.lower()]
    close = by_case or difflib.get_close_matches(name, units, n=1, cutoff=0.5)
    hint = f" (did you mean {close[0]!r}?)" if close else f" (known: {known})"
    raise UnitError(f"{what} has the unknown unit {name!r} in {text!r}{hint}")


def _exact(value: object, units: MappingProxyType[str, Fraction], what: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | Fraction):
        raise UnitError(f"{what} must be a number with a unit, got {value!r}")
    if not isinstance(value, str):
        if value == 0:
            return Fraction(0)
        raise UnitError(f"{what} needs a unit ({', '.join(reversed(units))}), got {value!r}")
    number, name = _split(value, units, what)
    if number == 0 and not name:
        return number
    return number * _unit(name, units, what=what, text=value)


def _whole(value: object, units: MappingProxyType[str, Fraction], *, what: str, base: str) -> int:
    exact = _exact(value, units, what)
    if exact < 0:
        raise UnitError(f"{what} must not be negative, got {value!r}")
    if exact.denominator != 1:
        raise UnitError(f"{what} must be a whole number of {base}, got {value!r}")
    if exact > _INT64_MAX:
        raise UnitError(f"{what} must stay below 2^63 {base}, got {value!r}")
    return int(exact)


def parse_duration_ns(value: object) -> int:
    """Read a duration such as ``"20 ms"`` or ``"2 min"`` as whole nanoseconds.

    Raises
    ------
    UnitError
        If there is no unit, the unit is unknown, or the value is negative, no whole number of
        nanoseconds or not below 2^63.
    """
    return _whole(value, _NS, what="a duration", base="nanoseconds")


def parse_rate_bps(value: object) -> int:
    """Read a rate such as ``"5 Mbit/s"`` as whole bits per second (raises `UnitError`)."""
    return _whole(value, _BPS, what="a rate", base="bits per second")


def parse_bytes(value: object) -> int:
    """Read a size such as ``"512 MiB"`` as whole bytes (raises `UnitError`)."""
    return _whole(value, _BYTES, what="a size", base="bytes")


def parse_frequency(value: object) -> Fraction:
    """Read a frequency such as ``"8 Hz"`` as an exact fraction of hertz, above 0."""
    exact = _exact(value, _HZ, "a frequency")
    if exact <= 0:
        raise UnitError(f"a frequency must be above 0, got {value!r}")
    return exact


def parse_power_w(value: object) -> Fraction:
    """Read a power such as ``"1.8 W"`` as an exact fraction of watts, at least 0."""
    return _not_negative(_exact(value, _WATT, "a power"), "a power", value)


def parse_energy_j(value: object) -> Fraction:
    """Read an energy such as ``"10 Wh"`` as an exact fraction of joules, at least 0."""
    return _not_negative(_exact(value, _JOULE, "an energy"), "an energy", value)


def _not_negative(exact: Fraction, what: str, value: object) -> Fraction:
    if exact < 0:
        raise UnitError(f"{what} must not be negative, got {value!r}")
    return exact


def parse_share(value: object) -> Fraction:
    """Read a share in [0, 1]: ``"20%"``, ``0.2`` or ``"1/5"``; numbers are taken as written.

    Raises
    ------
    UnitError
        If it is no number or outside [0, 1].
    """
    share = _share(value)
    if not 0 <= share <= 1:
        raise UnitError(f"a share must be in [0, 1] or 0% to 100%, got {value!r}")
    return share


def parse_factor(value: object) -> Fraction:
    """Read a positive factor: ``"250%"``, ``2.5`` or ``"5/2"``; numbers are taken as written.

    Raises
    ------
    UnitError
        If it is no number or not positive.
    """
    factor = _share(value)
    if factor <= 0:
        raise UnitError(f"a factor must be above 0, got {value!r}")
    return factor


def parse_signed_duration_ns(value: object) -> int:
    """Read a duration that may be negative, such as ``"-2 s"``, in whole nanoseconds.

    Raises
    ------
    UnitError
        As `parse_duration_ns` does, but for the sign.
    """
    if isinstance(value, str) and value.strip().startswith("-"):
        return -parse_duration_ns(value.strip()[1:])
    return parse_duration_ns(value)


def _share(value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | Fraction):
        raise UnitError(f"a share must be a number or a percentage, got {value!r}")
    if isinstance(value, int | Fraction):
        return Fraction(value)
    text = value if isinstance(value, str) else str(value)
    ratio = re.fullmatch(r"\s*(\d{1,18})\s*/\s*(\d{1,18})\s*", text)
    if ratio is not None and int(ratio[2]) > 0:
        return Fraction(int(ratio[1]), int(ratio[2]))
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in {"", "%"}:
        raise UnitError(f"a share must be a number or a percentage such as '20%', got {value!r}")
    return Fraction(Decimal(match[1])) / (100 if match[2] else 1)


def _decimal_text(value: Fraction) -> str | None:
    """Return the finite decimal of a fraction, or None where there is none."""
    rest, digits = value.denominator, 0
    while rest % 10 == 0:
        rest, digits = rest // 10, digits + 1
    for prime in (2, 5):
        while rest % prime == 0:
            rest, digits = rest // prime, digits + 1
    if rest != 1:
        return None
    scaled = value * 10**digits
    text = f"{Decimal(int(scaled)).scaleb(-digits):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _format(value: int | Fraction, units: MappingProxyType[str, Fraction], base: str) -> str:
    exact = Fraction(value)
    whole = [
        (int(exact / size), unit)
        for unit, size in units.items()
        if (exact / size).denominator == 1 and unit.isascii()
    ]
    if exact == 0 or not whole:
        return f"{_decimal_text(exact) or exact} {base}"
    number, unit = min(whole, key=lambda pair: pair[0])
    return f"{number} {unit}"


def format_duration(ns: int) -> str:
    """Write whole nanoseconds in the largest unit that keeps them whole."""
    return _format(ns, _NS, "ns")


def format_signed_duration(ns: int) -> str:
    """Write whole nanoseconds, with a sign if they are negative."""
    return f"-{format_duration(-ns)}" if ns < 0 else format_duration(ns)


def format_rate(bps: int) -> str:
    """Write whole bits per second in the largest unit that keeps them whole."""
    return _format(bps, _BPS, "bit/s")


def format_bytes(count: int) -> str:
    """Write whole bytes in the unit that gives the least whole number."""
    return _format(count, _BYTES, "B")


def format_frequency(hz: Fraction) -> str:
    """Write a frequency exactly."""
    return _format(hz, _HZ, "Hz")


def format_power(watts: Fraction) -> str:
    """Write a power exactly."""
    return _format(watts, _WATT, "W")


def format_energy(joules: Fraction) -> str:
    """Write an energy exactly."""
    return _format(joules, _JOULE, "J")


def format_share(share: Fraction) -> str:
    """Write a share as a percentage, or as a ratio where a percentage has no end."""
    percent = _decimal_text(share * 100)
    return f"{share.numerator}/{share.denominator}" if percent is None else f"{percent}%"
