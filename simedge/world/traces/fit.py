"""From a trace to a link: mean rate, Gilbert-Elliott loss and a table of delays.

A fitted link has the trace's means, burst length and delay quantiles. It has not its order in
time: outages, slow fading and the correlation of rate, delay and loss are gone, and the tails of
real bursts are heavier than the geometric ones of the fit.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from simedge.core.units import format_duration, format_rate, format_share
from simedge.world.traces.figures import DELAY_SHARES, Figures

__all__ = ["Fit", "fit"]

_SHARE_STEPS: Final = 10**6
_US: Final = 1000
_KBIT: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A block of link settings as plain data, and what should be said beside it."""

    link: dict[str, object]
    notes: tuple[str, ...]


def fit(up: Figures, down: Figures) -> Fit:
    """Return the link that both directions of a trace suggest.

    Loss and delay are those of the direction up, if it has them.
    """
    link: dict[str, object] = {}
    notes = []
    for name, figures in (("up", up), ("down", down)):
        if figures.rate is None:
            notes.append(f"no rate {name} in the trace: give one, or the profile's is taken")
        elif figures.rate.mean < 1:
            notes.append(f"nothing passed {name}: no rate fits")
        else:
            link[name] = format_rate(_rounded(figures.rate.mean))
            notes.append(f"{name}: {_rates(figures)}")
    source = up if up.delay_ns or up.loss is not None else down
    link |= _delay(source.delay_ns)
    link |= _loss(source)
    if source.loss is None:
        notes.append("no loss in the trace")
    if source.delay_ns is None:
        notes.append("no delay in the trace")
    return Fit(link=link, notes=tuple(notes))


def _rates(figures: Figures) -> str:
    spread = figures.rate
    assert spread is not None
    p5, p95 = format_rate(_rounded(spread.p5)), format_rate(_rounded(spread.p95))
    text = f"p5 {p5}, p95 {p95} over {figures.window_ns // 10**9} s"
    if figures.outages:
        longest = figures.outage_ns_max / 1e9
        text += f"; {figures.outages} outages up to {longest:.3g} s are not in the fit"
    return text


def _rounded(bps: float) -> int:
    whole = round(bps)
    return whole if whole < 10 * _KBIT else round(whole / _KBIT) * _KBIT


def _delay(quantiles: tuple[int, ...] | None) -> dict[str, object]:
    if quantiles is None:
        return {}
    least = quantiles[0]
    found: dict[str, object] = {"delay": format_duration(least // _US * _US)}
    if quantiles[-1] // _US > least // _US:
        points = [
            [f"{percent}%", format_duration((value - least) // _US * _US)]
            for percent, value in zip(DELAY_SHARES[1:], quantiles[1:], strict=True)
        ]
        found["jitter"] = {"kind": "table", "points": points}
    return found


def _loss(figures: Figures) -> dict[str, object]:
    if figures.loss is None:
        return {}
    mean, bad = _share(figures.loss), _share(figures.loss_bad or 0.0)
    if mean == 0 or figures.burst_ns is None:
        kind = {"kind": "bernoulli", "mean": format_share(mean)} if mean else {"kind": "none"}
        return {"loss": kind}
    grain = _US if figures.burst_ns < _US**3 else _US**2
    burst = format_duration(max(figures.burst_ns // grain, 1) * grain)
    chain = {"kind": "gilbert-elliott", "mean": format_share(mean), "burst": burst}
    return {"loss": chain if bad == 1 else {**chain, "bad": format_share(bad)}}


def _share(value: float) -> Fraction:
    return Fraction(round(value * _SHARE_STEPS), _SHARE_STEPS)
