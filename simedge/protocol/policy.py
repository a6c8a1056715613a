"""Who chooses the Hebbian shares: nobody (fixed), or a policy that learns by REINFORCE.

The policy is linear and Gaussian, squashed into (0, 1), or draws from ``beta`` distributions::

    u = Phi s + sigma eps,  eps ~ N(0, I)        lambda = logistic(u)
    grad_Phi ln pi = ((u - Phi s) / sigma) s^T / sigma

After an episode of E rewards, with G_j = sum_{i >= j} discount^(i-j) r_i and a baseline b of one
entry a position (Williams 1992, "Simple statistical gradient-following algorithms")::

    A_j = clip(G_j - b_j, -5, 5)    g = (1/E) sum_j A_j grad_j, of norm <= 1
    Phi <- Phi + lr g               b <- 0.9 b + 0.1 G     (first episode: b = G)
"""

import hashlib
import math
from typing import Final, cast

import numpy as np

from simedge.core.streams import Stream, normals
from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.beta import BetaShares
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import Effect, Floats, Note, Plain, Sample
from simedge.protocol.online import ReinforceOnline
from simedge.protocol.outlook import Decision, Outlook, Policy
from simedge.protocol.policy_settings import (
    BetaSettings,
    FixedSettings,
    ReinforceOnlineSettings,
    ReinforceSettings,
    RewardedSettings,
)

__all__ = ["Decision", "Fixed", "Outlook", "Policy", "Reinforce", "open_policy"]

_STATES: Final = 6
_STATE_MAX: Final = 4.0
_ADVANTAGE_MAX: Final = 5.0
_BASELINE_KEPT: Final = 0.9
_WORDS_A_BLOCK: Final = 4


class Fixed:
    """The same shares for ever."""

    def __init__(self, values: tuple[float, ...]) -> None:
        self._values = values

    def begin(self) -> tuple[float, ...]:
        """Return the shares."""
        return self._values

    def decide(self, outlook: Outlook) -> None:
        """Return nothing, whatever the outlook."""

    def dump(self) -> Plain:
        """Return the state: none."""
        return {}

    def load(self, state: Plain) -> None:
        """Take over the state: none."""


class Reinforce:
    """REINFORCE with a baseline for each position in the episode.

    Parameters
    ----------
    settings
        Weights of the reward, exploration, step, discount, episode.
    layers
        M, number of hidden plastic layers, at least 1.
    classes
        C, scales losses by ln C.
    stream
        Keyed draws: decision j takes the words of counter j.
    """

    def __init__(
        self,
        settings: RewardedSettings,
        layers: int,
        *,
        classes: int,
        stream: Stream,
    ) -> None:
        self._settings = settings
        self._layers = layers
        self._scale = math.log(classes)
        self._stream = stream
        self._sigma = settings.sigma if isinstance(settings, ReinforceSettings) else 0.0
        self._shares = BetaShares(layers, stream) if isinstance(settings, BetaSettings) else None
        rows = layers if self._shares is None else self._shares.rows
        self._phi = np.zeros((rows, _STATES))
        self._baseline = np.zeros(settings.episode)
        self._episodes = 0
        self._number = 0
        self._scores: list[Floats] = []
        self._rewards: list[float] = []

    def begin(self) -> tuple[float, ...]:
        """Return 0.5 for every layer; a decision whose reward is still out is forgotten."""
        del self._scores[len(self._rewards) :]
        return (0.5,) * self._layers

    def decide(self, outlook: Outlook) -> Decision:
        """Take the reward of the last decision, learn at the end of an episode, decide anew."""
        effects: list[Effect] = []
        if len(self._scores) > len(self._rewards):
            reward = self.reward(outlook)
            self._rewards.append(reward)
            effects.append(Sample(metric="policy_reward", value=reward))
        if len(self._rewards) == self._settings.episode:
            self._learn()
        self._number += 1
        values = self._choose(self.state(outlook))
        digest = hashlib.sha256(np.array(values, "<f8").tobytes()).digest()
        effects.append(Note(kind="action", subject=self._number, detail=(digest,)))
        effects += [
            Sample(metric="lambda", value=value, labels=(("layer", layer),))
            for layer, value in enumerate(values)
        ]
        return Decision(values=values, effects=tuple(effects))

    def act(self, state: Floats, noise: Floats) -> tuple[float, ...]:
        """Return the shares for a state and standard normal noise; their score is remembered."""
        sigma = self._sigma
        logits = (self._phi * state).sum(axis=1) + sigma * noise
        # (u - Phi s) / sigma is the noise itself.
        self._scores.append(np.outer(noise / sigma, state))
        return tuple(_logistic(logit) for logit in logits.tolist())

    def state(self, outlook: Outlook) -> Floats:
        """Return s: losses in units of ln C, round trip in seconds, each at most 4; fail; flags."""
        scaled = (outlook.loss / self._scale, outlook.kl_reverse / self._scale, outlook.srtt_s)
        return np.array(
            [*(min(x, _STATE_MAX) for x in scaled), outlook.fail, float(outlook.has_prior), 1.0]
        )

    def reward(self, outlook: Outlook) -> float:
        """Return -L - beta KL - gamma C_comm of the period that ended."""
        settings = self._settings
        cost = outlook.bits / settings.c_ref
        return -outlook.loss - settings.beta * outlook.kl_reverse - settings.gamma * cost

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "phi": plain_of(self._phi),
            "baseline": plain_of(self._baseline),
            "episodes": self._episodes,
            "number": self._number,
            "scores": [plain_of(score) for score in self._scores],
            "rewards": list(self._rewards),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._phi = cast("Floats", array_of(state["phi"]))
        self._baseline = cast("Floats", array_of(state["baseline"]))
        self._episodes = cast("int", state["episodes"])
        self._number = cast("int", state["number"])
        scores = cast("list[object]", state["scores"])
        self._scores = [cast("Floats", array_of(score)) for score in scores]
        self._rewards = list(cast("list[float]", state["rewards"]))

    # ----------------------------------------------------------------------------------- below
    def _choose(self, state: Floats) -> tuple[float, ...]:
        if self._shares is None:
            return self.act(state, self._noise(self._number))
        values, score = self._shares.choose(self._phi, state, self._number)
        self._scores.append(score)
        return values

    def _noise(self, number: int) -> Floats:
        blocks = -(-self._layers // _WORDS_A_BLOCK)
        return normals(self._stream.block(blocks, number))[: self._layers]

    def _learn(self) -> None:
        settings = self._settings
        returns = np.zeros(settings.episode)
        ahead = 0.0
        for position in range(settings.episode - 1, -1, -1):
            ahead = self._rewards[position] + settings.discount * ahead
            returns[position] = ahead
        baseline = self._baseline if self._episodes else returns
        advantages = np.clip(returns - baseline, -_ADVANTAGE_MAX, _ADVANTAGE_MAX)
        gradient = (advantages[:, None, None] * np.stack(self._scores)).mean(axis=0)
        gradient /= max(1.0, math.sqrt(math.fsum(np.square(gradient).ravel().tolist())))
        self._phi = self._phi + settings.lr * gradient
        self._baseline = _BASELINE_KEPT * baseline + (1 - _BASELINE_KEPT) * returns
        self._episodes += 1
        self._scores.clear()
        self._rewards.clear()


def open_policy(
    settings: FixedSettings | ReinforceOnlineSettings | RewardedSettings,
    layers: int,
    *,
    classes: int,
    stream: Stream,
) -> Policy:
    """Return the policy of some settings; without hidden plastic layers there is none to make.

    Raises
    ------
    ProtocolError
        If fixed shares are given for another number of layers.
    """
    if not isinstance(settings, FixedSettings):
        if not layers:
            return Fixed(())
        if isinstance(settings, ReinforceOnlineSettings):
            return ReinforceOnline(settings, layers, stream=stream)
        return Reinforce(settings, layers, classes=classes, stream=stream)
    shares = settings.lambda_
    if isinstance(shares, float):
        return Fixed((shares,) * layers)
    if len(shares) != layers:
        raise ProtocolError(f"lambda has {len(shares)} shares for {layers} hidden layers")
    return Fixed(shares)


def _logistic(logit: float) -> float:
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    return math.exp(logit) / (1.0 + math.exp(logit))
