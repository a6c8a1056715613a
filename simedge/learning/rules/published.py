"""Figures that papers print on costs of learning, each beside what a formula of `costs.py` gives.

A figure *agrees* if the formula gives it to the printed digit (cut off or rounded), *by a fit* if
the formula was made to give it and has parts that nothing explains; it is *inside* if a range is
printed, and *differs* otherwise.
(S-TLLR arXiv 2306.15220, LLS 2405.15868, TESS 2502.01837, LANCE 2509.21617.)
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from simedge.learning.rules.costs import (
    SHD_MACS,
    TESS_PRINTED,
    VGG8_WIDTHS,
    VGG9_WIDTHS,
    backprop,
    bptt,
    bptt_signal,
    dense,
    lance_words,
    lls,
    lls_words,
    s_tllr,
    tess,
    tess_fit,
    tess_mebibytes,
    truncated,
    vgg8,
    vgg9,
)

__all__ = ["Figure", "Verdict", "figures"]

Verdict = Literal["agrees", "agrees, by a fit", "inside", "differs"]

_NAMES: Final = {
    "cifar10-dvs": "CIFAR10-DVS",
    "dvs-gesture": "DVS Gesture",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}
_TOKENS: Final = (128, 197)
"""Batch and tokens of the vision transformer that LANCE is shown on."""
_MEBIBYTE: Final = 2**20


class Figure(NamedTuple):
    """A figure of a paper and ours."""

    paper: str
    what: str
    formula: str
    printed: str
    """As the paper prints it."""
    found: float
    """What the formula gives, in the unit of what is printed."""
    places: int
    """Decimals that are shown of it."""
    fit: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether both are the same to the printed digit, or one is inside the range."""
        low, _, high = self.printed.rpartition(" to ")
        if high != self.printed:
            least = 0.0 if low == "up" else float(low)
            return "inside" if least <= self.found <= float(high) else "differs"
        if float(self.printed) not in self._digits(len(self.printed.partition(".")[2])):
            return "differs"
        return "agrees, by a fit" if self.fit else "agrees"

    @property
    def shown(self) -> str:
        """What the formula gives, for people: cut off if that is how it agrees, else rounded."""
        cut, near = self._digits(self.places)
        value = cut if self.printed == f"{cut:.{self.places}f}" else near
        return f"{value:,.{self.places}f}"

    def _digits(self, places: int) -> tuple[float, float]:
        """Return what is found to so many decimals, cut off and rounded."""
        return truncated(self.found, places), round(self.found, places)


def figures() -> list[Figure]:
    """Return all figures, by paper."""
    return [*_s_tllr(), *_lls(), *_tess(), *_lance()]


def _s_tllr() -> Iterator[Figure]:
    net, source = dense((20, 30, 10)), "S-TLLR"  # ratios are the same for every net
    for ticks, active, printed in ((10, 5, "5"), (20, 5, "5 to 50"), (100, 90, "50")):
        ratio = bptt(net, ticks).words / s_tllr(net, active).words
        yield Figure(source, f"memory, BPTT over S-TLLR, T = {ticks}", "T/2", printed, ratio, 1)
    for ticks, active, printed in ((10, 5, "1.3"), (20, 5, "1.3 to 6.6"), (10, 1, "6.6")):
        ratio = bptt(net, ticks).macs / s_tllr(net, active).macs
        what = f"MACs, BPTT over S-TLLR, T = {ticks}, {active} active"
        yield Figure(source, what, "2·T/(3·A)", printed, ratio, 3)
    for what, macs, printed in (("S-TLLR", 2 * 90, "0.096"), ("BPTT", 100, "0.054")):
        found, formula = macs * SHD_MACS / 1e9, f"{macs}·535 500"
        yield Figure(source, f"10⁹ MACs on SHD, {what}", formula, printed, found, 4, fit=True)


def _lls() -> Iterator[Figure]:
    for classes in (10, 100):
        net = vgg8(classes)
        ratio = backprop(net).macs / lls(VGG8_WIDTHS, classes)
        what = f"MACs of the signal, BP over LLS, VGG-8, {classes} classes"
        yield Figure("LLS", what, "Σ_(l≥2) MAC_l/(2·C·Σ m_l)", "up to 300", ratio, 0)
    ratio = backprop(vgg8(10)).words / lls_words(vgg8(10))
    formula = "Σ n_l/max(n_(l-1) + n_l)"
    yield Figure("LLS", "memory, BP over LLS, VGG-8", formula, "2", ratio, 2)


def _tess() -> Iterator[Figure]:
    for name, one in TESS_PRINTED.items():
        data, frames = _NAMES[name], "dvs" not in name
        classes = 10 if name == "dvs-gesture" else one.classes
        through = bptt_signal(vgg9(classes, side=48 if one.area > 1 else 32), one.ticks) / 1e6
        printed, own = (f"{value:.2f}" for value in one.macs)
        formula = "T·(603 979 776·a + 512·C)"
        yield Figure("TESS", f"10⁶ MACs of BPTT's signal, {data}", formula, printed, through, 2)
        fit = tess_fit(one.ticks, one.classes, area=one.area, frames=frames)
        what = f"10⁶ MACs of TESS's signal, {data}"
        yield Figure("TESS", what, "T·(22 528·C + 3·P)", own, fit, 2, fit=True)
        plain = tess(VGG9_WIDTHS, one.classes, one.ticks).macs / 1e6
        yield Figure("TESS", what, "2·C·T·Σ m_l, the rule as written", own, plain, 2)
    for name, printed in (("cifar100", "205"), ("cifar10", "661")):
        one = TESS_PRINTED[name]
        through, local = one.macs
        what, both = "MACs, BPTT over TESS", f"{through} over {local}"
        yield Figure("TESS", f"{what}, {_NAMES[name]}", both, printed, through / local, 1)
        plain = bptt_signal(vgg9(one.classes), one.ticks)
        ratio = plain / tess(VGG9_WIDTHS, one.classes, one.ticks).macs
        formula = "the rule as written"
        yield Figure("TESS", f"{what}, {_NAMES[name]}", formula, printed, ratio, 1)
    yield from _tess_memory()


def _tess_memory() -> Iterator[Figure]:
    widths = VGG9_WIDTHS
    for name, late, printed in (("cifar10", True, "3"), ("dvs-gesture", True, "10")):
        ticks = TESS_PRINTED[name].ticks
        ratio = ticks * sum(widths) / tess(widths, 10, ticks, late=late).words
        what = f"memory, BPTT over TESS, {_NAMES[name]}"
        yield Figure("TESS", what, "T/2", printed, ratio, 1)
    ticks = TESS_PRINTED["cifar10-dvs"].ticks
    ratio = ticks * sum(widths) / tess(widths, 10, ticks, late=False).words
    yield Figure("TESS", "memory, BPTT over TESS, CIFAR10-DVS, α_post = 0", "T", "10", ratio, 1)
    for name, one in TESS_PRINTED.items():
        held = (one.ticks, 2, 1 if name == "cifar10-dvs" else 2)
        for rule, times, value in zip(("BPTT", "S-TLLR", "TESS"), held, one.megabytes, strict=True):
            found = tess_mebibytes(times, area=one.area, frames="dvs" not in name)
            formula = f"{times}·4·(294 912·a + 512 + input)"
            what = f"MiB of {rule}, {_NAMES[name]}"
            yield Figure("TESS", what, formula, f"{value:.2f}", found, 2, fit=True)


def _lance() -> Iterator[Figure]:
    for layers, widths, printed in (
        (2, (192, 768), "92.34"),
        (4, (192, 192, 192, 768), "129.28"),
    ):
        found = 4 * _TOKENS[0] * _TOKENS[1] * sum(widths) / _MEBIBYTE
        what = f"MiB of the inputs of the last block's {layers} linear layers, DeiT-Tiny"
        formula = f"4·128·197·{sum(widths)}"
        yield Figure("LANCE", what, formula, printed, found, 2)
    whole, kept = lance_words((*_TOKENS, 768), (35,) * 3)
    what = "activations whole over compressed, 128 x 197 x 768, ranks of 35"
    formula = "Π n_i/(Π r_i + Σ n_i·r_i)"
    yield Figure("LANCE", what, formula, "up to 250", whole / kept, 1)
