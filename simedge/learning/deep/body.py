"""What one deep learner knows, and how it steps.

Each frame adds its gradient to those gathered; after a batch of them the parameters step against
their mean. Gradients of a batch are worked out together, when they are needed: the frames of a
batch wait until its end, or until something else changes the parameters.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.learning.asked import held_point, vector
from simedge.learning.deep.frames import Prepared, Retina
from simedge.learning.deep.network import Network, Pull
from simedge.learning.errors import LearnerError
from simedge.learning.readout import Kept
from simedge.learning.reference_settings import BackPropSettings

__all__ = ["Body", "Plan"]

Values = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What learners built alike have in common."""

    network: Network
    retina: Retina
    rule: BackPropSettings
    kl_rate: float
    framework: int
    """Bytes."""

    @property
    def step_macs(self) -> int:
        """Multiply-accumulates of one step of all parameters."""
        return self.network.params * (2 if self.rule.momentum else 1)


class Body:
    """Parameters, gradients on their way, and what was kept of frames. A vector never changes."""

    def __init__(self, plan: Plan, values: Values) -> None:
        network = plan.network
        self.plan = plan
        self.values = values
        self.velocity = np.zeros_like(values)
        self.kept = Kept(network.features)
        self.table = np.zeros((network.classes, network.classes))
        """Sum of the softmax of the frames of each label since it was last read."""
        self.table_count = np.zeros(network.classes, np.int64)
        self._gathered = np.zeros_like(values)
        self._gathered_count = 0
        self._waiting: list[tuple[Values, int]] = []
        self._pull: Pull | None = None
        self._anchor: tuple[Values, float] | None = None
        self._sparsity = 0.0
        self._mask: NDArray[np.bool_] | None = None
        self._ahead: tuple[Prepared, Values, int, Values] | None = None
        self._named: tuple[Values | None, bytes] = None, b""
        self._open: object = None

    def begin(self, job: object) -> None:
        """Start a job: one at a time."""
        if self._open is not None:
            raise LearnerError("a job is under way: commit or discard it first")
        self._open = job

    def end(self, job: object) -> None:
        """Close a job; it can have no further effect."""
        if self._open is not job:
            raise LearnerError("this job is over")
        self._open = None

    @property
    def named(self) -> bytes:
        """SHA-256 of the parameters; they change once a batch, and are asked for at every frame."""
        if self._named[0] is not self.values:
            self._named = self.values, hashlib.sha256(self.values.data).digest()
        return self._named[1]

    @property
    def closes(self) -> bool:
        """Whether the next frame completes a batch."""
        return self._left == 1

    @property
    def _left(self) -> int:
        return self.plan.rule.batch - self._gathered_count - len(self._waiting)

    def chances(self, shown: Prepared, index: int) -> Values:
        """Return the softmax of a frame, (classes,).

        The frames after it are likely the next, and until the batch is full they are predicted by
        the same parameters: so they are predicted at once.
        """
        ahead = self._ahead
        if ahead is None or ahead[0] is not shown or ahead[1] is not self.values:
            ahead = None
        if ahead is None or not 0 <= index - ahead[2] < len(ahead[3]):
            some = shown.pictures[index : index + self._left]
            chances = self.plan.network.seen(self.values, some)[1]
            ahead = self._ahead = shown, self.values, index, chances
        row: Values = ahead[3][index - ahead[2]]
        return row

    def take(self, picture: Values, label: int, chances: Values) -> None:
        """Learn from a frame of which `chances` was said."""
        self.table[label] += chances
        self.table_count[label] += 1
        self._waiting.append((picture, label))
        if not self._left:
            self._gather()
            gathered, count = self._gathered, self._gathered_count
            self._gathered, self._gathered_count = np.zeros_like(gathered), 0
            self.step(gathered / np.float32(count))
        if self._sparsity and self._mask is None:
            self._prune()

    def step(self, gradient: Values) -> None:
        """Step against a mean gradient.

        v ← μ·v + g,  w ← w - η·v, where g has the pull of the anchor and a bounded length.
        """
        self._gather()
        rule = self.plan.rule
        if self._anchor is not None:
            gradient = gradient + np.float32(self._anchor[1]) * (self.values - self._anchor[0])
        if rule.clip is not None:
            length = float(np.sqrt(np.sum(gradient.astype(np.float64) ** 2)))
            gradient = gradient * np.float32(min(1.0, rule.clip / length) if length else 1.0)
        self.velocity = np.float32(rule.momentum) * self.velocity + gradient
        self.shift(self.values - np.float32(rule.rate) * self.velocity)

    def become(self, values: Values) -> None:
        """Go on from other parameters; gradients gathered by now stay as they are."""
        self._gather()
        self.values, self._mask = values, None

    def shift(self, values: Values) -> None:
        """Take a step that has been worked out; what is held at zero stays there."""
        self._gather()
        self.values = values if self._mask is None else np.where(self._mask, values, np.float32(0))

    def hold(self, anchor: ArrayLike | None, rho: float, sparsity: float) -> None:
        """Bind later steps to an anchor, and to a share of zeros."""
        point = held_point(anchor, rho=rho, sparsity=sparsity, size=self.values.size)
        self._anchor = None if point is None else (point, rho)
        self._sparsity, self._mask = sparsity, None

    def set_pull(self, pull: Pull | None) -> None:
        """Draw later frames to the rows of their labels too."""
        self._gather()
        self._pull = pull

    def vector(self, values: ArrayLike) -> Values:
        """Return a copy of parameters from elsewhere."""
        return vector(values, self.values.size)

    def _gather(self) -> None:
        """Work out the gradients of the frames that wait."""
        if self._waiting:
            pictures, labels = zip(*self._waiting, strict=True)
            self._waiting = []
            _, gradient = self.plan.network.gradient(
                self.values, np.stack(pictures), np.array(labels, np.int64), pull=self._pull
            )
            self._gathered = self._gathered + gradient
            self._gathered_count += len(labels)

    def _prune(self) -> None:
        """Put the smallest parameters to zero, and keep them there."""
        self._gather()
        smallest = np.argsort(np.abs(self.values), kind="stable")
        self._mask = np.ones(self.values.size, np.bool_)
        self._mask[smallest[: int(self._sparsity * self.values.size)]] = False
        self.values = np.where(self._mask, self.values, np.float32(0))

    def dump(self) -> dict[str, Any]:
        """Return all of it, as plain arrays and numbers; copies. A hold is for whoever trains."""
        shape = (0, *self.plan.network.picture)
        waiting = [picture for picture, _ in self._waiting]
        return {
            "values": self.values.copy(),
            "velocity": self.velocity.copy(),
            "gathered": self._gathered.copy(),
            "gathered_count": self._gathered_count,
            "waiting": np.stack(waiting) if waiting else np.empty(shape, np.float32),
            "labels": np.array([label for _, label in self._waiting], np.int64),
            "table": self.table.copy(),
            "table_count": self.table_count.copy(),
            "pull": None if self._pull is None else tuple(part.copy() for part in self._pull),
            "kept": self.kept.dump(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump; nothing holds any more. A job under way is forgotten."""
        self.values, self.velocity = self.vector(state["values"]), self.vector(state["velocity"])
        self._gathered = self.vector(state["gathered"])
        self._gathered_count = state["gathered_count"]
        waiting = np.array(state["waiting"], np.float32)
        self._waiting = list(zip(waiting, state["labels"].tolist(), strict=True))
        self.table, self.table_count = state["table"].copy(), state["table_count"].copy()
        self._pull = None if state["pull"] is None else Pull(*state["pull"])
        self._anchor, self._sparsity, self._mask = None, 0.0, None
        self.kept.load(state["kept"])
        self._ahead = self._open = None
