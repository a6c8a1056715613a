"""S-TLLR, clocked: eligibilities of causal and of late order, gated by what the readout got wrong.

Layers and eligibilities are those of `eligibility.py`, the readout's error E[n] that of
`stack.py`. The modulator of layer l at device tick n is, from tick T_l on and 0 before,

    backprop:     δ^L = Oᵀ·E,  δ^(l-1) = Wᵀ·(δ^l ⊙ Ψ^l): this tick only, not through time or R
    dfa:          δ^l = B_lᵀ·E,  B_l fixed, (C, n_l), uniform in ±√(6/n_l)
    signed-dfa:   δ^l = B_lᵀ·sign(E)

With α_post = 0, λ_pre = γ and a readout without memory, `backprop` gives the top layer its exact
gradient, the reset taken as given. Gradients are committed once a window, or at each active tick.
`s_tllr` executes every device tick; `lazy_s_tllr` is its twin that skips silence, for direct
feedback. A spike of the readout's changes every δ, so a device tick is executed by all layers or
by none. (S-TLLR, arXiv 2306.15220; direct feedback alignment, arXiv 1609.01596.)
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream, unit_floats
from simedge.learning.errors import LearnerError
from simedge.learning.rules.eligibility import EligibleLayer
from simedge.learning.rules.lazy_layout import IDENTITY, SIGN
from simedge.learning.rules.lazy_stack import LazyStack, Mode
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.stack import Clocked, Stack

__all__ = ["Signal", "feedback_of", "lazy_s_tllr", "s_tllr"]

Floats = NDArray[np.float64]
Signal = Literal["backprop", "dfa", "signed-dfa"]


def feedback_of(neurons: Sequence[int], classes: int, stream: Stream) -> list[Floats]:
    """Draw B_l of every layer, (classes, neurons), uniform in ±√(6/neurons)."""
    drawn = []
    for depth, count in enumerate(neurons):
        words = stream.block(-(-classes * count // 4), depth)
        shares = unit_floats(words)[: classes * count].reshape(classes, count)
        drawn.append((2.0 * shares - 1.0) * np.sqrt(6.0 / count))
    return drawn


def s_tllr(
    stack: Stack,
    *,
    signal: Signal = "backprop",
    feedback: Sequence[Floats] = (),
    first_active: int = 0,
) -> Clocked:
    """Return the clocked rule of a stack; `feedback` holds B_l unless the signal is `backprop`."""
    if signal != "backprop":
        wished = [(stack.classes, post) for post in stack.posts]
        if [tuple(one.shape) for one in feedback] != wished:
            raise LearnerError(f"feedback must have shapes {wished}, one a layer")

    def modulate(
        states: Sequence[EligibleLayer], errors: tuple[Floats, Floats], ledger: Ledger
    ) -> list[Floats]:
        error, _ = errors
        if signal == "backprop":
            ledger.mac += sum(state.synapses.weights.size for state in states)
            return _backward(states, (stack.readout.weights * error[:, None]).sum(axis=0))
        ledger.mac += sum(one.size for one in feedback)
        sent = np.sign(error) if signal == "signed-dfa" else error
        return [(one * sent[:, None]).sum(axis=0) for one in feedback]

    return Clocked(stack, modulate=modulate, first_active=first_active)


def lazy_s_tllr(  # noqa: PLR0913 -- one name an option
    stack: Stack,
    *,
    feedback: Sequence[Floats],
    ticks: int,
    signal: Literal["dfa", "signed-dfa"] = "dfa",
    mode: Mode = "exact",
    first_active: int = 0,
    standardise: bool = False,
) -> LazyStack:
    """Return the rule that skips silence, in windows of so many device ticks."""
    squash = SIGN if signal == "signed-dfa" else IDENTITY
    return LazyStack(
        stack,
        feedback=feedback,
        kind=(False, squash, mode),
        ticks=ticks,
        first_active=first_active,
        standardise=standardise,
    )


def _backward(states: Sequence[EligibleLayer], top: Floats) -> list[Floats]:
    modulators = [top]
    for state in reversed(states[1:]):
        known = modulators[-1] * state.psi
        modulators.append((state.synapses.weights * known[:, None]).sum(axis=0))
    return modulators[::-1]
