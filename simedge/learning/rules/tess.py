"""TESS, clocked: the eligibilities of S-TLLR, and a modulator that a layer makes by itself.

Layers and eligibilities are those of `eligibility.py`. With B the square basis of `basis.py`
divided by its width m (C, m), layer l teaches itself by its own spikes,

    m[n] = Bᵀ·(f(B·o[n]) - y*),   f = softmax, or the identity

from device tick t_l on. Nothing crosses layers, neither time nor depth. With cells of several
neurons that are pooled (means of `cell` neurons in a row), o is pooled and the signal spread over
the cell, divided by its size. The readout is linear, its cross entropy taken at every device tick.
`tess` executes every device tick; `lazy_tess` is its twin that skips silence: a layer executes the
device ticks at which something arrives, or at which it fires by itself. (TESS, arXiv 2502.01837.)
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.basis import Wave, basis
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.eligibility import EligibleLayer
from simedge.learning.rules.lazy_layout import IDENTITY, SOFTMAX
from simedge.learning.rules.lazy_stack import LazyStack, Mode
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.stack import Clocked, Stack

__all__ = ["Squash", "lazy_tess", "local_bases", "tess"]

Floats = NDArray[np.float64]
Squash = Literal["softmax", "identity"]


def local_bases(
    neurons: Sequence[int], classes: int, *, cells: Sequence[int] = (), wave: Wave = "square"
) -> list[Floats]:
    """Return B/m of every layer spread over its cells: (classes, neurons), so that both ways fit.

    B·(means of cells) is this matrix times o, and its transpose spreads a signal over cells.
    """
    found = []
    for count, cell in zip(neurons, cells or [1] * len(neurons), strict=True):
        if cell < 1 or count % cell:
            raise LearnerError(f"{count} neurons are not made of cells of {cell}")
        width = count // cell
        found.append(np.repeat(basis(classes, width, wave) / width, cell, axis=1) / cell)
    return found


def tess(
    stack: Stack,
    *,
    squash: Squash = "softmax",
    bases: Sequence[Floats] = (),
    first_active: int = 0,
) -> Clocked:
    """Return the clocked rule of a stack; `bases` are `local_bases` unless given."""
    posts, classes = stack.posts, stack.classes
    mine = list(bases) or local_bases(posts, classes)
    if [one.shape for one in mine] != [(classes, post) for post in posts]:
        raise LearnerError(f"bases must be (classes, neurons), one a layer of {posts}")

    def modulate(
        states: Sequence[EligibleLayer], errors: tuple[Floats, Floats], ledger: Ledger
    ) -> list[Floats]:
        target, found = errors[1], []
        for one, state in zip(mine, states, strict=True):
            scores = (one * state.spikes).sum(axis=1)
            local = (softmax(scores) if squash == "softmax" else scores) - target
            found.append((one * local[:, None]).sum(axis=0))
            ledger.mac += 2 * one.size
        return found

    return Clocked(stack, modulate=modulate, first_active=first_active)


def lazy_tess(  # noqa: PLR0913 -- one name an option
    stack: Stack,
    *,
    ticks: int,
    squash: Squash = "softmax",
    bases: Sequence[Floats] = (),
    mode: Mode = "exact",
    first_active: int = 0,
    standardise: bool = False,
) -> LazyStack:
    """Return the rule that skips silence, in windows of so many device ticks."""
    return LazyStack(
        stack,
        feedback=list(bases) or local_bases(stack.posts, stack.classes),
        kind=(True, SOFTMAX if squash == "softmax" else IDENTITY, mode),
        ticks=ticks,
        first_active=first_active,
        standardise=standardise,
    )
