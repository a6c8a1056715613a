"""How reports write figures: short, with a unit that suits, and the exact figure kept beside it."""

from collections.abc import Sequence
from typing import Any, Final, Self

__all__ = ["NONE", "Figure", "figure", "sampled_name"]

NONE: Final = "-"

_Scale = Sequence[tuple[float, str]]
_DECIMAL: Final[_Scale] = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY: Final[_Scale] = ((2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"))
_JOULES: Final[_Scale] = (*_DECIMAL, (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))
_SCALES: Final = {"bit": _DECIMAL, "bit/s": _DECIMAL, "B": _BINARY, "J": _JOULES}
_SAMPLED: Final = {
    "battery_j": "left in the battery / J",
    "bits": "bits on all links",
    "cycles": "cycles",
    "decision_latency_s": "onset to decision / s",
    "fail": "datagrams taken for lost",
    "kl_forward": "KL(prior, own) / nat",
    "kl_reverse": "KL(own, prior) / nat",
    "lambda": "Hebbian share",
    "model_age_s": "age of merged models / s",
    "modulator_bits": "bits of a modulator",
    "policy_reward": "reward of the policy",
    "published_age_s": "age of what is published / s",
    "rounds": "rounds",
    "rtt_s": "round-trip time / s",
    "serve_latency_s": "frame to being served / s",
    "share_latency_ms": "sent to merged / ms",
    "sigma": "sigma",
    "update_p95_ms": "frame to update, p95 / ms",
}


class Figure(str):
    """A figure as people read it; `exact` has all its digits, in its plain unit."""

    __slots__ = ("exact",)
    exact: str

    def __new__(cls, shown: str, exact: str) -> Self:
        """Return text that knows what it stands for."""
        made = super().__new__(cls, shown)
        made.exact = exact
        return made


def figure(value: Any, unit: str = "") -> str:  # noqa: ANN401 -- whatever a summary holds
    """Write a figure with its unit: four digits, shares in percent, counts of things whole.

    >>> figure(22888816, "bit"), figure(0.77444, "%"), figure(12345.6, "J"), figure(None, "s")
    ('22.89 Mbit', '77.44 %', '12.35 kJ', '-')
    >>> figure(60021209, "B"), figure(2**29, "B"), figure(9.274e-6, "J"), figure(12345)
    ('57.24 MiB', '512 MiB', '9.274 uJ', '12,345')
    >>> figure(22888816, "bit").exact
    '22,888,816 bit'
    """
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    if unit == "%":
        return f"{100 * value:.2f} %"
    scales = _SCALES.get(unit, ())
    size, prefix = next((one for one in scales if abs(value) >= one[0]), (1.0, ""))
    if size == 1.0:
        return _plain(value, unit)
    exact = f"{value:,} {unit}" if isinstance(value, int) else f"{value!r} {unit}"
    return Figure(f"{value / size:.4g} {prefix}{unit}", exact)


def _plain(value: float, unit: str) -> str:
    whole = isinstance(value, int) or abs(value) >= 1000
    text = f"{value:,.0f}" if whole else f"{value:.4g}"
    return f"{text} {unit}" if unit else text


def sampled_name(metric: str) -> str:
    """Return what a metric of ``metrics.csv`` is called, with its unit; unknown ones as they are.

    >>> sampled_name("share_latency_ms"), sampled_name("own")
    ('sent to merged / ms', 'own')
    """
    return _SAMPLED.get(metric, metric)
