"""Figures as people read them: units, shares, small curves."""

from collections.abc import Mapping, Sequence

__all__ = [
    "bars",
    "bits",
    "bytes_",
    "curve",
    "joules",
    "number",
    "percent",
    "quantiles",
    "seconds",
    "spread",
    "times",
]

_BARS = "▁▂▃▄▅▆▇█"
_NONE = "-"
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"))


def curve(shares: Sequence[float]) -> str:
    """Draw shares in [0, 1] as a row of bars, with the ends in figures.

    >>> curve([0.1, 0.5, 1.0])
    '10.0 % ▁▅█ 100.0 %'
    """
    return f"{percent(shares[0])} {bars(shares)} {percent(shares[-1])}"


def bars(shares: Sequence[float]) -> str:
    """Draw shares in [0, 1] as a row of bars.

    >>> bars([0.0, 0.5, 1.0])
    '▁▅█'
    """
    return "".join(_BARS[min(int(share * len(_BARS)), len(_BARS) - 1)] for share in shares)


def bits(count: float | None) -> str:
    """Write an amount of bits.

    >>> bits(1_234_567), bits(None)
    ('1.23 Mbit', '-')
    """
    return _scaled(count, "bit", _SCALES)


def bytes_(count: float | None) -> str:
    """Write an amount of memory.

    >>> bytes_(3 * 2**20)
    '3.00 MiB'
    """
    return _scaled(count, "B", _BINARY)


def joules(amount: float | None) -> str:
    """Write an energy.

    >>> joules(1234.5), joules(0.0021)
    ('1.23 kJ', '2.10 mJ')
    """
    if amount is not None and 0 < amount < 1:
        small = next((s for s in ((1e-3, "m"), (1e-6, "u"), (1e-9, "n")) if amount >= s[0]), None)
        return f"{amount:.2e} J" if small is None else f"{amount / small[0]:.2f} {small[1]}J"
    return _scaled(amount, "J", _SCALES)


def seconds(amount: float | None) -> str:
    """Write a duration.

    >>> seconds(3725.0), seconds(61), seconds(0.25), seconds(None)
    ('1 h 02 min', '1 min 01 s', '250 ms', '-')
    """
    if amount is None:
        return _NONE
    if amount >= 3600:
        return f"{amount // 3600:.0f} h {amount % 3600 // 60:02.0f} min"
    if amount >= 60:
        return f"{amount // 60:.0f} min {int(amount % 60):02d} s"
    return f"{amount:.3g} s" if amount >= 1 or amount == 0 else f"{amount * 1e3:.3g} ms"


def _scaled(amount: float | None, unit: str, scales: Sequence[tuple[float, str]]) -> str:
    if amount is None:
        return _NONE
    for size, prefix in scales:
        if amount >= size:
            return f"{amount / size:.2f} {prefix}{unit}"
    return f"{amount:.4g} {unit}"


def quantiles(q: dict[str, float | None]) -> str:
    """Write quantiles that come in milliseconds."""
    return ", ".join(
        f"{name} {seconds(None if ms is None else ms / 1e3)}" for name, ms in q.items()
    )


def percent(share: float | None) -> str:
    """Write a share as a percentage.

    >>> percent(0.123), percent(-1e-9), percent(None)
    ('12.3 %', '0.0 %', '-')
    """
    return _NONE if share is None else f"{share * 100:z.1f} %"


def number(value: float | None) -> str:
    """Write a plain number with three digits."""
    return _NONE if value is None else f"{value:.3g}"


def times(factor: float) -> str:
    """Write a factor.

    >>> times(12345.6), times(0.4321)
    ('12,346x', '0.43x')
    """
    return f"{factor:,.0f}x" if factor >= 100 else f"{factor:.2g}x"


def spread(figures: Mapping[str, float | None], unit: str = "") -> str:
    """Write mean and standard deviation with a unit, three digits at most.

    >>> (
    ...     spread({"mean": 0.91234, "sd": 0.0149}, "%"),
    ...     spread({"mean": 12345678.0, "sd": None}, "bit"),
    ... )
    ('91.2 ± 1.5 %', '12.3 Mbit')
    >>> spread({"mean": 1240.0, "sd": 15.0}, "s"), spread({"mean": 12.0, "sd": 0.0})
    ('1,240 ± 15 s', '12 ± 0')
    """
    mean, deviation = figures["mean"], figures["sd"]
    if mean is None:
        return _NONE
    scales = () if unit in {"%", "s", "ms"} else _SCALES
    size, prefix = next((one for one in scales if abs(mean) >= one[0]), (1.0, ""))
    size = 0.01 if unit == "%" else size
    shown = _digits(mean / size, 3)
    if deviation is not None:
        shown += f" ± {_digits(deviation / size, 2)}"
    return f"{shown} {prefix}{unit}".rstrip()


def _digits(value: float, most: int) -> str:
    """Write a number with so many significant digits, without an exponent unless it is tiny."""
    short = float(f"{value:.{most}g}")
    return f"{short:,.0f}" if abs(short) >= 10 ** (most - 1) else f"{short:.{most}g}"
