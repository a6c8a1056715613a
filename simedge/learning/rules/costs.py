"""What rules cost on paper: multiply-accumulates and words of the clocked formulas, per window.

With T device ticks, A of them active, n_l neurons in layer l (0: input), C classes:

    S-TLLR:   MACs 3·A·Σ n_l·n_(l-1)  (2·A·Σ without late order)     words 2·Σ n_l
    TESS:     MACs 2·C·A·Σ m_l, m_l the pooled widths                words 2·Σ n_l  (Σ n_l without)
    BPTT:     MACs 2·T·Σ n_l·n_(l-1)                                 words T·Σ n_l
    LLS:      MACs 2·C·Σ m_l, + C (scaled) or + 3·C² (mixed) a block  words max(n_(l-1) + n_l)
    BP:       MACs Σ_(l≥2) MAC_l of the signal                       words Σ n_l
    e-prop:   MACs 3·T·Σ synapses                                    words 2·Σ synapses + Σ lines
    LANCE:    words Π r_i + Σ n_i·r_i for Π n_i

With direct feedback S-TLLR has C·A·Σ_hidden n_l for one A·Σ n_l·n_(l-1). TESS compares signals
alone: then S-TLLR counts A·Σ n_l·n_(l-1) and BPTT T·Σ n_l·n_(l-1). Words leave out weights,
accumulators and optimiser slots, as papers do; `memory` of a rule has them all.
These are for comparison with papers: what a device did is in its ledger. (arXiv 2306.15220,
2502.01837, 2405.15868, 2509.21617; the fits below reproduce printed figures, no more.)
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from simedge.learning.errors import LearnerError

__all__ = [
    "SHD_MACS",
    "TESS_PRINTED",
    "VGG8_WIDTHS",
    "VGG9_WIDTHS",
    "Cost",
    "Net",
    "backprop",
    "bptt",
    "bptt_signal",
    "dense",
    "e_prop",
    "frames",
    "lance_linear_macs",
    "lance_words",
    "lls",
    "lls_words",
    "s_tllr",
    "s_tllr_direct",
    "tess",
    "tess_fit",
    "tess_learning",
    "tess_mebibytes",
    "truncated",
    "vgg8",
    "vgg9",
]


class Cost(NamedTuple):
    """Multiply-accumulates, and words of memory."""

    macs: int
    words: int


class Net(NamedTuple):
    """Multiply-accumulates of each layer, and its neurons, the input's first."""

    macs: tuple[int, ...]
    neurons: tuple[int, ...]


VGG8_WIDTHS: Final = (2048, 1024, 1024, 1024, 2048, 2048, 1024)
"""Pooled widths of the blocks of VGG-8 under LLS."""
VGG9_WIDTHS: Final = (1024, 512, 1024, 1024, 2048, 2048, 2048, 512)
"""Pooled widths of the blocks of VGG-9 under TESS."""
SHD_MACS: Final = 535_500
"""Multiply-accumulates a device tick that both printed figures for SHD follow from: a fit."""


class _Printed(NamedTuple):
    ticks: int
    classes: int
    area: float
    """Of the input, in units of 32×32."""
    macs: tuple[float, float]
    """Millions, BPTT and TESS."""
    megabytes: tuple[float, float, float]
    """BPTT, S-TLLR and TESS."""


TESS_PRINTED: Final = {
    "cifar10-dvs": _Printed(10, 10, 2.25, (13589.59, 22.15), (25.50, 5.10, 2.55)),
    "dvs-gesture": _Printed(20, 11, 1.0, (12079.69, 22.65), (22.69, 2.26, 2.26)),
    "cifar10": _Printed(6, 10, 1.0, (3623.90, 5.48), (6.83, 2.27, 2.27)),
    "cifar100": _Printed(6, 100, 1.0, (3624.18, 17.64), (6.83, 2.27, 2.27)),
}
"""Figures printed for TESS, by data set."""


def dense(sizes: Sequence[int]) -> Net:
    """Return a net of dense layers; `sizes` begins with the input's."""
    return Net(tuple(a * b for a, b in pairwise(sizes)), tuple(sizes))


def vgg9(classes: int, *, channels: int = 2, side: int = 32) -> Net:
    """Return 64-128-P-256-256-P-512-512-P-512-512-GAP-FC, all 3×3."""
    plan = (64, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512)
    return _convolutions(plan, (channels, side), (512, classes))


def vgg8(classes: int) -> Net:
    """Return 128-256-P-256-256-P-512-P-512-AAP2×2-FC1024-FC, all 3×3, on 3×32×32."""
    plan = (128, 256, 0, 256, 256, 0, 512, 0, 512)
    return _convolutions(plan, (3, 32), (4 * 512, 1024, classes))


def s_tllr(net: Net, active: int, *, late: bool = True) -> Cost:
    """Return the cost of S-TLLR over active device ticks."""
    sides = 3 if late else 2
    return Cost(sides * active * sum(net.macs), 2 * sum(net.neurons[1:]))


def s_tllr_direct(net: Net, active: int, *, late: bool = True) -> Cost:
    """Return the cost of S-TLLR whose error goes to every hidden neuron by weights of its own."""
    sides, classes = 2 if late else 1, net.neurons[-1]
    signal = classes * sum(net.neurons[1:-1])
    return Cost(active * (sides * sum(net.macs) + signal), 2 * sum(net.neurons[1:]))


def bptt(net: Net, ticks: int) -> Cost:
    """Return the cost of back-propagation through time."""
    return Cost(2 * ticks * sum(net.macs), ticks * sum(net.neurons[1:]))


def bptt_signal(net: Net, ticks: int) -> int:
    """Return the multiply-accumulates of the signal alone: nothing goes below the first layer."""
    return ticks * sum(net.macs[1:])


def tess(widths: Sequence[int], classes: int, active: int, *, late: bool = True) -> Cost:
    """Return the cost of TESS over active device ticks."""
    return Cost(2 * classes * active * sum(widths), (2 if late else 1) * sum(widths))


def tess_learning(net: Net, signal: Cost, active: int) -> Cost:
    """Return the cost of TESS on a net, with late order: the signal's, and the products'."""
    return Cost(signal.macs + 2 * active * sum(net.macs), 2 * sum(net.neurons[1:]))


def tess_fit(ticks: int, classes: int, *, area: float = 1.0, frames: bool) -> float:
    """Return millions of multiply-accumulates that fit what was printed; parts are unexplained."""
    pooled = 229_376 if frames else 294_912 * area
    return ticks * (22_528 * classes + 3 * pooled) / 1e6


def tess_mebibytes(copies: int, *, area: float = 1.0, frames: bool) -> float:
    """Return MiB that fit all that was printed: so many copies of some neurons and the input."""
    channels = 3 if frames else 2
    return 4 * copies * ((294_912 + 1024 * channels) * area + 512) / 2**20


def lls(
    widths: Sequence[int], classes: int, kind: Literal["plain", "scaled", "mixed"] = "plain"
) -> int:
    """Return the multiply-accumulates a sample of LLS's signal."""
    extra = {"plain": 0, "scaled": classes, "mixed": 3 * classes * classes}[kind]
    return 2 * classes * sum(widths) + extra * len(widths)


def lls_words(net: Net) -> int:
    """Return the activations held at a time: those of one block and its input."""
    return max(a + b for a, b in pairwise(net.neurons[:-1]))


def backprop(net: Net) -> Cost:
    """Return the signal's multiply-accumulates of back-propagation on frames, and its words."""
    return Cost(sum(net.macs[1:]), sum(net.neurons[:-1]))


def frames(net: Net, signal: int, words: int) -> Cost:
    """Return the cost of a rule on one frame: its signal's MACs and the products'."""
    return Cost(signal + sum(net.macs), words)


def e_prop(synapses: int, lines: int, ticks: int) -> Cost:
    """Return the cost of e-prop with an eligibility and a filter of it a synapse."""
    return Cost(3 * ticks * synapses, 2 * synapses + lines)


def lance_words(shape: Sequence[int], ranks: Sequence[int]) -> tuple[int, int]:
    """Return the words of an activation, whole and compressed.

    Raises
    ------
    LearnerError
        If a rank is not in 1 .. its extent.
    """
    if len(shape) != len(ranks) or not all(1 <= r <= n for n, r in zip(shape, ranks, strict=True)):
        raise LearnerError(f"ranks {tuple(ranks)} do not fit a shape of {tuple(shape)}")
    kept = math.prod(ranks) + sum(n * r for n, r in zip(shape, ranks, strict=True))
    return math.prod(shape), kept


def lance_linear_macs(shape: Sequence[int], outputs: int, ranks: Sequence[int]) -> tuple[int, int]:
    """Return MACs of a linear layer's projection and of its weight gradient; (b, l, f) shape."""
    batch, length, features = shape
    r0, r1, r2 = ranks
    projection = batch * length * features * (r0 + r1 + r2)
    inner = r0 * r1 * r2 * length + r0 * r2 * features * length
    change = batch * length * outputs * r0 + inner + features * outputs * length * r0
    return projection, change


def truncated(value: float, places: int = 2) -> float:
    """Return a value cut off, not rounded, as papers print it.

    >>> truncated(3623.909)
    3623.9
    """
    scale = 10.0**places
    return math.floor(value * scale + 1e-9) / scale


def _convolutions(plan: Sequence[int], start: tuple[int, int], tail: Sequence[int]) -> Net:
    channels, side = start
    macs, neurons = [], [channels * side * side]
    for maps in plan:
        if maps:
            macs.append(9 * channels * maps * side * side)
            neurons.append(maps * side * side)
            channels = maps
        else:
            side //= 2
    for a, b in pairwise(tail):
        macs.append(a * b)
        neurons.append(b)
    return Net(tuple(macs), tuple(neurons))
