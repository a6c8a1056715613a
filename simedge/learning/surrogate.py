"""A recorded learning curve in place of a learner: for very many devices.

After n learned frames a device is right with the curve's accuracy at n; what it says of an item is
that accuracy on one class and the rest evenly on the others. Time, energy, memory and every byte on
the air are those of a real learner of that size; nothing is waited for.

What it cannot show: anything that depends on what is learned from what. A device gets better by
learning frames and by nothing else: priors, models, gradients and tables of others, that devices
see different classes, a shift of the world, lost frames of one class and poisoned labels leave no
mark on accuracy. Use it for load, traffic, age and energy, not to tell protocols apart by accuracy.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams, integer_between, unit_float
from simedge.learning.asked import check_labels, check_span, held_point, vector
from simedge.learning.curves import CURVES, Curve
from simedge.learning.errors import LearnerError
from simedge.learning.ports import Counts, FrameLike, Learned, Pull, Work
from simedge.learning.reference_settings import CostSettings, CurvePoint, SurrogateSettings
from simedge.learning.terms import class_prior

__all__ = ["SurrogateLearner", "open_surrogate"]

_NO_SPIKES = hashlib.sha256(b"").digest()
_NONE = np.empty(0, np.int64)
_LEARNING_RATE = 0.05
_SURE = 0.999
"""No opinion is stronger than this."""


class _Law(NamedTuple):
    """What all surrogates of a run share."""

    classes: int
    curve: Curve
    costs: CostSettings
    params: int
    features: int
    framework: int

    @property
    def forward(self) -> dict[str, int]:
        """Multiply-accumulates of predicting a frame."""
        return {"conv": self.costs.conv, "dense": self.costs.dense}

    @property
    def learning(self) -> dict[str, int]:
        """Multiply-accumulates of learning a frame."""
        return {"conv": self.costs.learning_conv, "dense": self.costs.learning_dense}


def open_surrogate(
    settings: SurrogateSettings,
    *,
    classes: int,
    streams: Streams,
    device: str,
    pools: dict[object, Any],
) -> "SurrogateLearner":
    """Build the surrogate of one device's learner; those of one run share what `pools` holds."""
    key = settings, classes
    if key not in pools:
        wish = settings.curve
        points = CURVES[wish] if isinstance(wish, str) else [_pair(point) for point in wish]
        pools[key] = _Law(
            classes,
            Curve(points),
            settings.costs,
            settings.params,
            settings.features,
            settings.framework,
        )
    return SurrogateLearner(pools[key], streams, device)


def _pair(point: CurvePoint) -> tuple[int, float]:
    return point.frames, point.accuracy


class SurrogateLearner:
    """Stands for one device's learner: it counts frames, and draws how well it does."""

    __slots__ = ("_draws", "_items", "_kept", "_labels", "_law", "_learned")

    rule = "surrogate"
    hidden_layers = 0

    def __init__(self, law: _Law, streams: Streams, device: str) -> None:
        self._law = law
        self._draws = streams.stream("learner", device, "surrogate")
        self._items = streams.stream("learner", device, "surrogate-items")
        self._learned = 0
        self._labels = 0
        """Labels learned since the class table was read, a bit each."""
        self._kept: dict[int, int] = {}
        """Rows that a pass has seen, by address, a bit each."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._law.classes

    @property
    def params(self) -> int:
        """How many parameters would travel."""
        return self._law.params

    @property
    def learning_rate(self) -> float:
        """Step that is said to be taken: gradients are zero."""
        return _LEARNING_RATE

    @property
    def accuracy(self) -> float:
        """How often it is right by now."""
        return self._law.curve.at(self._learned)

    def learn(self, frame: FrameLike, *, shown: Any = None) -> Work:  # noqa: ANN401, ARG002
        """Predict the frame's class, then count it, if it has events; value `Learned`."""
        check_labels([frame.label], frames=[frame], classes=self.classes)
        law = self._law
        if not frame.x.size:
            return _Job(lambda: self._taken(frame.label, counts=False))
        writes = law.costs.learning_writes
        return _Job(lambda: self._taken(frame.label), law.learning, writes=writes)

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> Work:
        """Say something of one proxy item; value: softmax, float32 (classes,)."""
        return self._row(int(self.prepare([frame])[0]), address, row)

    def pass_rows(
        self,
        prepared: NDArray[np.int64],
        *,
        address: int,
        first: int = 0,
        stop: int | None = None,
    ) -> list[Work]:
        """Return what `proxy_row` gives for the prepared items first .. stop - 1."""
        labels = prepared[first:stop].tolist()
        return [self._row(label, address, row) for row, label in enumerate(labels, first)]

    def kl_step(
        self, *, address: int, target: ArrayLike, mask: ArrayLike, alpha: float, steps: int = 1
    ) -> "_Job":
        """Count kept rows with a prior, at what a step costs; the accuracy stays as it is."""
        return self._pulled([Pull(address, target, mask)], alpha, steps, whole=False)

    def kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int = 1) -> "_Job":
        """Do `kl_step` on one address after the other; value: the rows of each."""
        return self._pulled(parts, alpha, steps, whole=True)

    def set_lambda(self, values: Sequence[float]) -> Work:
        """Refuse any λ: no layer has one; value None."""
        if len(values) != self.hidden_layers:
            raise LearnerError(f"{len(values)} lambdas for {self.hidden_layers} hidden layers")
        return _Job(lambda: None)

    def prepare(self, frames: Sequence[FrameLike]) -> NDArray[np.int64]:
        """Return the class of each frame; an unlabelled one has one that all devices agree on."""
        return np.array([self._class(frame) for frame in frames], np.int64)

    def predict(self, prepared: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class said of each item: one that it is right about, it stays right about."""
        words = self._items.rows(1, range(len(prepared))).tolist()
        pairs = zip(prepared.tolist(), words, strict=True)
        return np.array([self._said(label, word[0], word[1]) for label, word in pairs], np.int64)

    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term, at 4 bytes a number.

        Parameters
        ----------
        kept_rows
            Plan for this many proxy rows; None: those kept now.
        """
        rows = sum(map(int.bit_count, self._kept.values())) if kept_rows is None else kept_rows
        terms = dict.fromkeys(("parameters", "gradients", "momentum"), 4 * self.params)
        law = self._law
        return terms | {"features": 4 * rows * law.features, "framework": law.framework}

    def get_params(self) -> Work:
        """Read the parameters; value: zeros, float32 (d,)."""
        return _Job(lambda: np.zeros(self.params, np.float32))

    def set_params(self, values: ArrayLike) -> Work:
        """Check parameters, (d,), and leave all as it is; value None."""
        vector(values, self.params)
        return _Job(lambda: None, writes=self.params)

    def hold(
        self, *, anchor: ArrayLike | None = None, rho: float = 0.0, sparsity: float = 0.0
    ) -> None:
        """Hear what shall hold for every `learn`; nothing comes of it."""
        held_point(anchor, rho=rho, sparsity=sparsity, size=self.params)

    def slope(self, frame: FrameLike) -> Work:
        """Take the gradient of a frame's loss; value: (expected loss, zeros)."""
        check_labels([frame.label], frames=[frame], classes=self.classes)
        zeros = np.zeros(self.params, np.float32)
        return _Job(lambda: (self._expected, zeros), self._law.learning)

    def loss_on(self, frames: Sequence[FrameLike]) -> Work:
        """Return the work of the mean loss on frames; value: the expected one."""
        check_labels([frame.label for frame in frames], frames=frames, classes=self.classes)
        return _Job(lambda: self._expected, _times(self._law.forward, len(frames)))

    def class_table(self, first: int, count: int) -> Work:
        """Read, and forget, the expected softmax of the labels learned since, (count, classes)."""
        check_span(first, count, classes=self.classes)
        return _Job(lambda: self._table(range(first, first + count)))

    def set_class_prior(
        self, target: ArrayLike, mask: ArrayLike, *, alpha: float, steps: int = 1
    ) -> Work:
        """Check a prior by class; nothing comes of it."""
        class_prior(target, mask, alpha=alpha, steps=steps, classes=self.classes)
        return _Job(lambda: None)

    def train_on(self, frames: Sequence[FrameLike], labels: Sequence[int]) -> Work:
        """Predict frames of others, then count them; value: the classes predicted."""
        check_labels(labels, frames=frames, classes=self.classes)

        def trained() -> tuple[int, ...]:
            words = [self._draws.words(self._learned, i, 2) for i in range(len(labels))]
            said = [self._said(y, w[0], w[1]) for y, w in zip(labels, words, strict=True)]
            self._learned += len(labels)
            return tuple(said)

        macs = _times(self._law.learning, len(frames))
        return _Job(trained, macs, writes=self.params)

    def dump(self) -> dict[str, Any]:
        """Return all that it knows; copies."""
        return {"learned": self._learned, "labels": self._labels, "kept": dict(self._kept)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump."""
        self._learned, self._labels = state["learned"], state["labels"]
        self._kept = dict(state["kept"])

    def digest(self) -> bytes:
        """Return the SHA-256 of how many frames it has learned, and of which labels."""
        return hashlib.sha256(f"{self._learned} {self._labels}".encode()).digest()

    def broken(self) -> str | None:
        """Return None: it knows whole numbers."""
        return None

    def _class(self, frame: FrameLike) -> int:
        if frame.label >= 0:
            return frame.label
        sha = hashlib.sha256()
        for column in (frame.x, frame.y, frame.t_us, frame.p):
            sha.update(column.astype("<i8").tobytes())
        return int.from_bytes(sha.digest()[:8], "little") % self.classes

    def _said(self, label: int, chance: int, other: int) -> int:
        """Return the class said of an item of this class, from two words."""
        if unit_float(chance) < self.accuracy:
            return label
        said = integer_between(other, 0, self.classes - 2)
        return said + (said >= label)

    @property
    def _sure(self) -> float:
        """What the class said is given."""
        return min(max(self.accuracy, 1 / self.classes), _SURE)

    @property
    def _expected(self) -> float:
        """The loss that is to be expected."""
        right, sure = self.accuracy, self._sure
        return -right * math.log(sure) - (1 - right) * math.log((1 - sure) / (self.classes - 1))

    def _opinion(self, said: int) -> NDArray[np.float32]:
        sure = self._sure
        row = np.full(self.classes, (1 - sure) / (self.classes - 1), np.float32)
        row[said] = sure
        return row

    def _taken(self, label: int, *, counts: bool = True) -> Learned:
        chance, other, _, _ = self._draws.words(self._learned)
        said = self._said(label, chance, other)
        own = self._sure if said == label else (1 - self._sure) / (self.classes - 1)
        if counts:
            self._learned += 1
            self._labels |= 1 << label
        return Learned(
            loss=-math.log(own),
            correct=said == label,
            spikes=0,
            spike_digest=_NO_SPIKES,
            weight_digest=self.digest(),
        )

    def _row(self, label: int, address: int, row: int) -> "_Job":
        def passed() -> NDArray[np.float32]:
            self._kept[address] = self._kept.get(address, 0) | 1 << row
            chance, other, _, _ = self._draws.words(self._learned, 1 + row, 1, w0=address)
            return self._opinion(self._said(label, chance, other))

        return _Job(passed, self._law.forward)

    def _pulled(self, parts: Sequence[Pull], alpha: float, steps: int, *, whole: bool) -> "_Job":
        if steps < 1 or alpha < 0:
            raise LearnerError(f"KL needs steps >= 1 and alpha >= 0, got {steps}, {alpha}")
        took = []
        for address, target, mask in parts:
            wanted, kept = np.flatnonzero(np.asarray(mask, np.bool_)), self._kept.get(address, 0)
            if np.shape(target) != (np.size(mask), self.classes):
                raise LearnerError(f"priors of shape {np.shape(target)} for {np.size(mask)} rows")
            took.append(sum(kept >> row & 1 for row in wanted.tolist()))
        size = self._law.costs.dense
        macs = {"dense": 2 * sum(took) * steps * size}
        writes = size * steps * sum(count > 0 for count in took)
        return _Job(lambda: tuple(took) if whole else took[0], macs, writes=writes)

    def _table(self, labels: range) -> NDArray[np.float32]:
        right, sure, others = self.accuracy, self._sure, self.classes - 1
        own = right * sure + (1 - right) * (1 - sure) / others
        rows = np.zeros((len(labels), self.classes), np.float32)
        for row, label in enumerate(labels):
            if self._labels >> label & 1:
                rows[row], rows[row, label] = (1 - own) / others, own
                self._labels &= ~(1 << label)
        return rows


class _Job:
    """Work that is charged for and happens when it is committed: nothing is left to undo before."""

    __slots__ = ("_act", "counts", "macs")

    volleys = 0

    def __init__(
        self,
        act: Callable[[], object],
        macs: Mapping[str, int] | None = None,
        *,
        writes: int = 0,
    ) -> None:
        self._act = act
        self.macs = {"dense": 0} if macs is None else dict(macs)
        self.counts = Counts(macs=sum(self.macs.values()), weight_writes=writes)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return _NONE

    def compute(self) -> None:
        """Compute nothing ahead."""

    def commit(self) -> Any:  # noqa: ANN401 - whatever the act returns
        """Do it now; return the value."""
        return self._act()

    def discard(self) -> None:
        """Forget it."""


def _times(macs: Mapping[str, int], count: int) -> dict[str, int]:
    return {kind: count * each for kind, each in macs.items()}
