"""The readout: linear and softmax, on how often top neurons fired in each bin of the presentation.

With c the counts, μ their running mean and σ the running length of c - μ,

    r = (c - μ)/σ,   P = softmax(Oᵀ·r),   O ← O - η·r ⊗ (P - y*)

Counts of spikes are small, nearly the same for all classes and of any size; without μ and σ the
part that tells classes apart is a small part of a small gradient. As r is linear in the spikes,
device tick n of bin k, that has T_k of them, has scores of its own,

    z[n] = O_kᵀ·(o[n] - μ_k/T_k)/σ,   Σ_n z[n] = Oᵀ·r

by which S-TLLR tells its errors. A presentation without a spike says nothing: r = 0.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.learning.eligible_settings import EligibleReadoutSettings
from simedge.learning.errors import LearnerError
from simedge.learning.rules.delta import softmax

__all__ = ["Readout"]

Floats = NDArray[np.float64]
_LEAST = 1e-9


class Readout:
    """Weights (features, classes), flat; features are bin by bin, neuron by neuron."""

    def __init__(
        self, settings: EligibleReadoutSettings, *, neurons: int, classes: int, ticks: int
    ) -> None:
        if settings.bins > ticks:
            raise LearnerError(
                f"readout.bins: {settings.bins} bins of a presentation of {ticks} device ticks"
            )
        self.settings, self.classes, self.neurons, self.ticks = settings, classes, neurons, ticks
        self.features = settings.bins * neurons
        self.weights = np.zeros(self.features * classes)
        self.mean = np.zeros(self.features)
        """μ, spikes."""
        self.length = 0.0
        """σ, spikes; 0 before anything was learned."""
        self.learned = 0
        """Presentations that the mean has seen."""
        first = -(-np.arange(settings.bins + 1) * ticks // settings.bins)
        self.since: tuple[int, ...] = tuple(first[:-1].tolist())
        """First device tick of each bin."""
        self._spans = np.diff(first)

    @property
    def numbers(self) -> int:
        """Weights, means and the length."""
        return self.weights.size + self.features + 1

    def count(self, train: tuple[NDArray[np.int64], NDArray[np.int32]]) -> Floats:
        """Return c of spikes at these ticks, of these neurons."""
        ticks, neurons = train
        places = ticks * self.settings.bins // self.ticks * self.neurons + neurons
        return np.bincount(places, minlength=self.features).astype(np.float64)

    def chances(self, weights: Floats, counts: Floats) -> Floats:
        """Return what weights say of counts, (rows, features): P, (rows, classes)."""
        return self._said(weights, self._shaped(counts))

    def gradient(self, error: Floats, counts: Floats) -> Floats:
        """Return the mean over rows of r ⊗ error, flat."""
        return self._slope(error, self._shaped(counts))

    def pulled(self, weights: Floats, counts: Floats, law: tuple[Floats, float, int]) -> Floats:
        """Return weights after steps towards priors of rows; `law` is (priors, step, steps)."""
        prior, step, steps = law
        shaped = self._shaped(counts)
        for _ in range(steps):
            weights = weights - step * self._slope(self._said(weights, shaped) - prior, shaped)
        return weights

    def follow(self, counts: Floats) -> None:
        """Let mean and length follow the counts of a presentation; without a spike they stay."""
        if not counts.any():
            return
        part = 1.0 / min(self.learned + 1, self.settings.centring)
        self.length += part * (self._away(counts[None]).item() - self.length)
        self.mean += part * (counts - self.mean)
        self.learned += 1

    def drift(self, counts: Floats) -> Floats:
        """Return the gradient of the loss by which mean and length follow; 0 without a spike."""
        rate = self.settings.rate
        if not counts.any() or not rate:
            return np.zeros(self.features + 1)
        off = np.append(self.mean - counts, self.length - self._away(counts[None]))
        return np.asarray(off * (0.5 / rate))

    def centre(self, mean: Floats, length: float) -> None:
        """Take over mean and length; others' count as those over a 16th of the horizon."""
        if not np.array_equal(mean, self.mean) or length != self.length:
            self.mean[:], self.length = mean, max(length, 0.0)
            self.learned = max(1, self.settings.centring // 16)

    def by_bins(self) -> tuple[Floats, Floats]:
        """Return what a spike adds to scores in each bin, flat, and what a device tick does."""
        scaled = self.weights / (self.length or 1.0)
        each = scaled.reshape(self.settings.bins, self.neurons, self.classes)
        mean = self.mean.reshape(self.settings.bins, self.neurons) / self._spans[:, None]
        bias = -np.einsum("bn,bnc->bc", mean, each)
        return scaled.reshape(self.settings.bins, -1), bias

    def dump(self) -> dict[str, Any]:
        """Return what is known; copies."""
        return {
            "weights": self.weights.copy(),
            "mean": self.mean.copy(),
            "length": self.length,
            "learned": self.learned,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump."""
        if np.shape(state["weights"]) != self.weights.shape:
            raise LearnerError("a dump of another learner: readout has another shape")
        self.weights, self.mean = np.array(state["weights"]), np.array(state["mean"])
        self.length, self.learned = state["length"], state["learned"]

    def _away(self, counts: Floats) -> Floats:
        return np.asarray(np.sqrt(((counts - self.mean) ** 2).sum(axis=1)))

    def _shaped(self, counts: Floats) -> Floats:
        """Return r of each row; the first presentation of all is its own measure."""
        away = counts - self.mean
        if self.length:
            away /= self.length
        else:
            away /= np.maximum(self._away(counts), _LEAST)[:, None]
        away[counts.sum(axis=1) == 0.0] = 0.0
        return away

    def _said(self, weights: Floats, shaped: Floats) -> Floats:
        return softmax(np.einsum("sf,fc->sc", shaped, weights.reshape(-1, self.classes)))

    @staticmethod
    def _slope(error: Floats, shaped: Floats) -> Floats:
        return np.asarray(np.einsum("sf,sc->fc", shaped, error).reshape(-1) / len(error))
