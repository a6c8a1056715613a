"""Hebbian shares drawn from beta distributions, whose parameters are linear in the state.

Layer m draws its share from two rows of Phi::

    lambda_m ~ Beta(a_m, b_m)    a_m = 1 + softplus(Phi_m s)    b_m = 1 + softplus(Phi_(M+m) s)
    d ln pi / d a = ln lambda - psi(a) + psi(a + b)             likewise b with ln(1 - lambda)

with psi the digamma function and d softplus(x) / dx = logistic(x). As a and b exceed 1, densities
are bounded. A beta variate is the share of one gamma variate in the sum of two, each by the
rejection of Marsaglia and Tsang (2000, "A simple method for generating gamma variables").
"""

import math
from typing import Final

import numpy as np

from simedge.core.streams import Stream, normal_float, unit_float
from simedge.protocol.asks import Floats

__all__ = ["BetaShares", "digamma"]

_LANE: Final = 2
"""Lanes 0 and 1 of the same stream are the noise of normal policies and what machines draw."""
_TRIES: Final = 64
_LEAST: Final = 1e-12
_ASYMPTOTIC: Final = 10.0


def digamma(x: float) -> float:
    """Return psi(x), the derivative of ln Gamma, for x > 0; right to about 1e-13.

    By psi(x) = psi(x + 1) - 1 / x and, from 10 on, the asymptotic series (Abramowitz and Stegun
    6.3.5 and 6.3.18).

    >>> round(digamma(1.0), 12)
    -0.577215664902
    """
    shift = 0.0
    while x < _ASYMPTOTIC:
        shift -= 1 / x
        x += 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132)))))
    return shift + math.log(x) - 0.5 / x - series


class BetaShares:
    """Draws the shares of a decision and tells their score.

    Parameters
    ----------
    layers
        M, number of hidden plastic layers.
    stream
        Keyed draws: those of a decision have its number as counter, layer and side as lane.
    """

    def __init__(self, layers: int, stream: Stream) -> None:
        self._layers = layers
        self._stream = stream

    @property
    def rows(self) -> int:
        """How many rows Phi has: two a layer."""
        return 2 * self._layers

    def choose(self, phi: Floats, state: Floats, number: int) -> tuple[tuple[float, ...], Floats]:
        """Return the shares of decision `number`, each in (0, 1), and their score, as Phi."""
        shapes = [1 + _softplus(x) for x in (phi * state).sum(axis=1).tolist()]
        drawn = [self._gamma(shape, number, row) for row, shape in enumerate(shapes)]
        values = []
        for layer in range(self._layers):
            one, other = drawn[layer], drawn[self._layers + layer]
            values.append(min(max(one / (one + other), _LEAST), 1 - _LEAST))
        return tuple(values), self.score(phi, state, values)

    def score(self, phi: Floats, state: Floats, values: list[float]) -> Floats:
        """Return the gradient of ln pi in Phi, for shares that were drawn in a state."""
        logits = (phi * state).sum(axis=1).tolist()
        slopes = np.zeros(self.rows)
        for layer, value in enumerate(values):
            other = self._layers + layer
            a, b = 1 + _softplus(logits[layer]), 1 + _softplus(logits[other])
            both = digamma(a + b)
            slopes[layer] = (math.log(value) - digamma(a) + both) * _logistic(logits[layer])
            slopes[other] = (math.log1p(-value) - digamma(b) + both) * _logistic(logits[other])
        return np.outer(slopes, state)

    def _gamma(self, shape: float, number: int, row: int) -> float:
        """Return a gamma variate of this shape, at least 1."""
        d = shape - 1 / 3
        c = 1 / math.sqrt(9 * d)
        for attempt in range(_TRIES):
            first, second, _, _ = self._stream.words(number, _LANE + row, w0=attempt)
            x = normal_float(first)
            v = (1 + c * x) ** 3
            # A unit float is never 1, so what is left of 1 has a logarithm.
            if v > 0 and math.log(1 - unit_float(second)) < x * x / 2 + d - d * v + d * math.log(v):
                return d * v
        return d  # of 64 tries one in more than 10^80 fails: the mode will do


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _logistic(x: float) -> float:
    return math.exp(x - _softplus(x))
