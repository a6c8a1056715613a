"""Skewed delay laws of mean 1 as 4096 bins of equal probability, integers at scale 2^32.

They are computed with `decimal` at 60 digits, whose `ln`, `exp` and `sqrt` are correctly rounded,
so that they are the same on every machine; it takes some hundredths of a second, once a shape.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Final

from simedge.core.tables import normal_table, pack
from simedge.core.units import format_duration
from simedge.world.jitter_settings import (
    JitterSettings,
    LogNormalJitter,
    ParetoJitter,
    TableJitter,
)

__all__ = ["lognormal_table", "pareto_table", "table_digest"]

_BINS: Final = 4096
_DIGITS: Final = 60
_UNIT: Final = 2**32


@lru_cache(maxsize=64)
def lognormal_table(mean_ns: int, sd_ns: int) -> tuple[int, ...]:
    """Return exp(s z_i) over its mean, z_i the normal table, s^2 = ln(1 + (sd/mean)^2)."""
    with localcontext() as context:
        context.prec = _DIGITS
        spread = (1 + (Decimal(sd_ns) / mean_ns) ** 2).ln().sqrt()
        values = [(spread * entry / _UNIT).exp() for entry in normal_table()]
        mean = sum(values, Decimal(0)) / _BINS
        return _scaled(value / mean for value in values)


@lru_cache(maxsize=64)
def pareto_table(mean_ns: int, sd_ns: int) -> tuple[int, ...]:
    """Return the means of the bins of a Pareto law with index a = 1 + sqrt(1 + (mean/sd)^2).

    With u the share above, the integral of u^(-1/a) over a bin is the difference of u^(1 - 1/a)
    up to a factor that the mean of 1 fixes.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        index = 1 + (1 + (Decimal(mean_ns) / sd_ns) ** 2).sqrt()
        power = 1 - 1 / index
        above = [(Decimal(m) / _BINS).ln() * power for m in range(_BINS, 0, -1)]
        ends = [*(value.exp() for value in above), Decimal(0)]
        return _scaled(_BINS * (high - low) for high, low in pairwise(ends))


def table_digest(jitter: JitterSettings) -> tuple[str, str] | None:
    """Return name and SHA-256 of the table of a law; None if it has none of its own.

    Of 4096 bins: their little-endian 64-bit integers. Of points: lines of share and nanoseconds.
    """
    match jitter:
        case LogNormalJitter() | ParetoJitter():
            law = lognormal_table if isinstance(jitter, LogNormalJitter) else pareto_table
            shape = f"mean {format_duration(jitter.mean)}, sd {format_duration(jitter.sd)}"
            return f"{jitter.kind}: {shape}", sha256(pack(law(jitter.mean, jitter.sd))).hexdigest()
        case TableJitter():
            text = "".join(f"{share} {delay_ns}\n" for share, delay_ns in jitter.points)
            found = sha256(text.encode()).hexdigest()
            return f"{len(jitter.points)} points: {found[:8]}", found
        case _:
            return None


def _scaled(values: Iterable[Decimal]) -> tuple[int, ...]:
    return tuple(int((value * _UNIT).to_integral_value(ROUND_HALF_EVEN)) for value in values)
