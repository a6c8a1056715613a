"""Delay tables: 4,096 equal-probability bins of a law, as 64-bit integers at scale 2^32.

They are computed with `decimal` at 60 digits, whose `ln` and `exp` are correctly rounded (those of
a C library are not), and shipped beside this file, since computing them takes seconds. Tests
compute them again and compare the checksums.
"""

import functools
import hashlib
import importlib.resources
import math
import struct
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from statistics import NormalDist
from typing import Final

from simedge.core.errors import SimedgeError

__all__ = [
    "TABLE_SHA256",
    "TableError",
    "compute_exponential",
    "compute_normal",
    "exponential_table",
    "normal_table",
    "pack",
]

_SIZE: Final = 4096
_DIGITS: Final = 60
TABLE_SHA256: Final = {
    "exponential": "dbb6819523a602f06c4a3814d4086129b4bfcbbafbe8e7b070bafe900a6949cb",
    "normal": "758e0d40b91fcfdbbda54b651540ae3e15127768107a9db7ecf4b5ec5713ce35",
}


class TableError(SimedgeError):
    """A shipped table does not have its checksum."""


@functools.cache
def exponential_table() -> tuple[int, ...]:
    """Return the exponential law of mean 1: entry i is the mean of its bin times 2^32."""
    return _read("exponential")


@functools.cache
def normal_table() -> tuple[int, ...]:
    """Return the standard normal law: entry i is the quantile of its bin's middle times 2^32."""
    return _read("normal")


def _read(name: str) -> tuple[int, ...]:
    data = importlib.resources.files("simedge.core").joinpath("data", f"{name}.i64").read_bytes()
    if hashlib.sha256(data).hexdigest() != TABLE_SHA256[name]:
        raise TableError(f"the table {name} is damaged: install simedge again")
    return struct.unpack(f"<{_SIZE}q", data)


def pack(table: tuple[int, ...]) -> bytes:
    """Return a table as little-endian 64-bit integers, as shipped."""
    return struct.pack(f"<{len(table)}q", *table)


def compute_exponential() -> tuple[int, ...]:
    """Compute 2^32 * (1 - m ln(m/4096) + (m-1) ln((m-1)/4096)), m = 4096 - i, 0 ln 0 = 0."""
    with localcontext() as context:
        context.prec = _DIGITS
        size = Decimal(_SIZE)
        terms = [Decimal(0)] + [m * (m / size).ln() for m in map(Decimal, range(1, _SIZE + 1))]
        return tuple(_scaled(1 - terms[_SIZE - i] + terms[_SIZE - i - 1]) for i in range(_SIZE))


def compute_normal() -> tuple[int, ...]:
    """Compute the normal quantiles at (2i+1)/8192, times 2^32."""
    with localcontext() as context:
        context.prec = _DIGITS
        half = [_scaled(_quantile(2 * i + 1)) for i in range(_SIZE // 2, _SIZE)]
        return tuple([-value for value in reversed(half)] + half)


def _scaled(value: Decimal) -> int:
    return int((value * 2**32).to_integral_value(ROUND_HALF_EVEN))


def _quantile(odd: int) -> Decimal:
    """Solve Phi(x) = odd/8192 by Newton's method from the float quantile."""
    target = Decimal(odd) / 8192 - Decimal("0.5")
    x = Decimal(NormalDist().inv_cdf(odd / 8192))
    root = (2 * _pi()).sqrt()
    for _ in range(3):
        density = (-x * x / 2).exp() / root
        x -= (density * _series(x) - target) / density
    return x


def _series(x: Decimal) -> Decimal:
    """Return (Phi(x) - 1/2) / phi(x) = sum of x^(2k+1) / (1*3*..*(2k+1))."""
    term = total = x
    odd = 1
    while abs(term) > Decimal(10) ** -(_DIGITS + 2):
        odd += 2
        term = term * x * x / odd
        total += term
    return total


def _pi() -> Decimal:
    """Return pi by Machin's formula: 16 atan(1/5) - 4 atan(1/239)."""
    return 16 * _atan_inverse(5) - 4 * _atan_inverse(239)


def _atan_inverse(n: int) -> Decimal:
    terms = math.ceil(_DIGITS / math.log10(n * n)) + 2
    power = Decimal(1) / n
    total = Decimal(0)
    for k in range(terms):
        total += (-1) ** k * power / (2 * k + 1)
        power /= n * n
    return total
