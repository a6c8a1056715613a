"""A policy that learns from every reward at once: its exploration is learned too.

With s the state, whose first four entries are standardised by what was seen so far, m = Phi s in
[-4, 4], and A = r - b the advantage of the reward r of the interval that a decision governed::

    l ~ N(m, diag sigma^2)          lambda = logistic(l)
    Phi <- Phi + lr A ((l - m) / sigma^2) s^T
    ln sigma <- ln sigma + lr A ((l - m)^2 / sigma^2 - 1),  sigma in [0.05, 1]
    b <- 0.9 b + 0.1 r              (first reward: b = r, so no step)

s = (running mean of the loss, reverse KL, round trip, failures, 1). The logistic has no part in the
gradient: it does not depend on Phi. (Williams 1992.)
"""

import hashlib
import math
from typing import Final, cast

import numpy as np

from simedge.core.streams import Stream, normals
from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.machine import Effect, Floats, Note, Plain, Sample
from simedge.protocol.outlook import Decision, Outlook
from simedge.protocol.policy_settings import ReinforceOnlineSettings

__all__ = ["ReinforceOnline"]

_STATES: Final = 5
_SEEN: Final = 4
"""Entries of the state that are standardised."""
_MEAN_MAX: Final = 4.0
_KEPT: Final = 0.9
_SIGMA_MIN: Final = 0.05
_SIGMA_MAX: Final = 1.0
_WORDS_A_BLOCK: Final = 4


class ReinforceOnline:
    """REINFORCE with a step a decision, a running baseline, and a sigma of its own a layer.

    Parameters
    ----------
    settings
        Weights of the reward, first exploration, step.
    layers
        M, number of hidden plastic layers, at least 1.
    stream
        Keyed draws: decision j takes the words of counter j.
    """

    def __init__(self, settings: ReinforceOnlineSettings, layers: int, *, stream: Stream) -> None:
        self._settings, self._layers, self._stream = settings, layers, stream
        self._phi = np.zeros((layers, _STATES))
        self._log_sigma = np.full(layers, math.log(settings.sigma))
        self._baseline: float | None = None
        self._number = 0
        self._loss: float | None = None
        self._spread = np.zeros((2, _SEEN))
        """Mean and sum of squares around it, of what was seen."""
        self._drawn: tuple[Floats, Floats] | None = None
        """State and logits of the decision whose reward is still out."""

    def begin(self) -> tuple[float, ...]:
        """Return 0.5 for every layer; a decision whose reward is still out is forgotten."""
        self._drawn = None
        return (0.5,) * self._layers

    def decide(self, outlook: Outlook) -> Decision:
        """Learn from the reward of the last decision, then decide anew."""
        effects: list[Effect] = []
        if self._drawn is not None:
            reward = self.reward(outlook)
            self.learn(reward)
            effects.append(Sample(metric="policy_reward", value=reward))
        self._number += 1
        values = self.act(self.state(outlook), self._noise(self._number))
        digest = hashlib.sha256(np.array(values, "<f8").tobytes()).digest()
        effects.append(Note(kind="action", subject=self._number, detail=(digest,)))
        effects += [
            Sample(metric="lambda", value=value, labels=(("layer", layer),))
            for layer, value in enumerate(values)
        ]
        return Decision(values=values, effects=tuple(effects))

    def act(self, state: Floats, noise: Floats) -> tuple[float, ...]:
        """Return the shares for a state and standard normal noise; they wait for their reward."""
        logits = self._means(state) + np.exp(self._log_sigma) * noise
        self._drawn = state, logits
        return tuple((1.0 / (1.0 + np.exp(-logits))).tolist())

    def learn(self, reward: float) -> None:
        """Take one step by the reward of the decision that waits for it."""
        assert self._drawn is not None
        state, logits = self._drawn
        baseline = reward if self._baseline is None else self._baseline
        step, away = self._settings.lr * (reward - baseline), logits - self._means(state)
        variance = np.exp(2.0 * self._log_sigma)
        self._phi = self._phi + step * np.outer(away / variance, state)
        moved = self._log_sigma + step * (away * away / variance - 1.0)
        self._log_sigma = np.clip(moved, math.log(_SIGMA_MIN), math.log(_SIGMA_MAX))
        self._baseline = _KEPT * baseline + (1.0 - _KEPT) * reward
        self._drawn = None

    def state(self, outlook: Outlook) -> Floats:
        """Return s, with what is told taken into the running mean and spread."""
        before = outlook.loss if self._loss is None else self._loss
        self._loss = _KEPT * before + (1.0 - _KEPT) * outlook.loss
        seen = np.array([self._loss, outlook.kl_reverse, outlook.srtt_s, outlook.fail])
        count, (mean, squares) = max(1, self._number), self._spread
        moved = mean + (seen - mean) / count
        squares = squares + (seen - mean) * (seen - moved)
        self._spread = np.stack([moved, squares])
        width = np.sqrt(squares / count)
        scaled = np.where(width > 0.0, (seen - moved) / np.where(width > 0.0, width, 1.0), 0.0)
        return np.append(scaled, 1.0)

    def reward(self, outlook: Outlook) -> float:
        """Return -L - beta KL - gamma C_comm of the period that ended."""
        settings = self._settings
        cost = outlook.bits / settings.c_ref
        return -outlook.loss - settings.beta * outlook.kl_reverse - settings.gamma * cost

    def dump(self) -> Plain:
        """Return the state as plain data."""
        drawn = self._drawn
        return {
            "phi": plain_of(self._phi),
            "log_sigma": plain_of(self._log_sigma),
            "baseline": self._baseline,
            "number": self._number,
            "loss": self._loss,
            "spread": plain_of(self._spread),
            "drawn": None if drawn is None else [plain_of(one) for one in drawn],
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._phi = cast("Floats", array_of(state["phi"]))
        self._log_sigma = cast("Floats", array_of(state["log_sigma"]))
        self._baseline = cast("float | None", state["baseline"])
        self._number = cast("int", state["number"])
        self._loss = cast("float | None", state["loss"])
        self._spread = cast("Floats", array_of(state["spread"]))
        drawn = cast("list[object] | None", state["drawn"])
        self._drawn = None
        if drawn is not None:
            first, second = (cast("Floats", array_of(one)) for one in drawn)
            self._drawn = first, second

    def _means(self, state: Floats) -> Floats:
        means: Floats = (self._phi * state).sum(axis=1)
        return means.clip(-_MEAN_MAX, _MEAN_MAX)

    def _noise(self, number: int) -> Floats:
        blocks = -(-self._layers // _WORDS_A_BLOCK)
        return normals(self._stream.block(blocks, number))[: self._layers]
