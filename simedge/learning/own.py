"""A learner of one's own: a rule in three short methods, everything else is here."""

import copy
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.own_code import fault_text, made_settings
from simedge.core.streams import Streams
from simedge.learning.asked import check_labels
from simedge.learning.errors import LearnerError, LearnerFaultError
from simedge.learning.own_settings import OwnLearnerSettings
from simedge.learning.own_state import (
    arrays_in,
    check_whole,
    feed,
    file_of,
    first_not_finite,
    own_state,
    put_back,
)
from simedge.learning.ports import Counts, FrameLike, Learned, Pull, PullWork, Work

__all__ = ["OwnLearner", "check_own_learner", "open_own"]

_NO_SPIKES = hashlib.sha256(b"").digest()
_NONE = np.empty(0, np.int64)
_TINY = float(np.finfo(np.float32).tiny)
_GIVEN = frozenset({"classes", "width", "height", "device", "span_ns", "settings", "_kept"})
_T = TypeVar("_T")


class OwnLearner(ABC):
    """Subclass it; name it in a scenario, or pass it as ``learner=`` to `simedge.simulate`.

    A scenario names it as ``learner: {kind: my_module:MyLearner}``. Keys beside `kind` are
    `settings`, if the class declares them: ``Settings``, a dataclass or a pydantic model.

    Write `begin`, `scores` and `update`; with `pull` the priors of a server act on it too, without
    it they are heard and change nothing. Whatever is learned lives in attributes: arrays, numbers,
    text, and tuples, lists or dicts of those. So crashes, checkpoints and the event log know it
    all. Two learners of the same device and seed must do the same: draw from `streams` alone.

    Examples
    --------
    >>> class Majority(OwnLearner):
    ...     def begin(self, streams):
    ...         self.seen = np.zeros(self.classes)
    ...
    ...     def scores(self, frame):
    ...         return self.seen
    ...
    ...     def update(self, frame):
    ...         self.seen[frame.label] += 1
    >>> import simedge
    >>> scenario = simedge.load("two_devices").vary({"duration": "1 s"})
    >>> simedge.simulate(scenario, learner=Majority).summary["rule"]
    'Majority'
    """

    hidden_layers = 0

    def __init__(  # noqa: PLR0913 -- what every learner is given, all by name
        self,
        *,
        classes: int,
        width: int,
        height: int,
        streams: Streams,
        device: str,
        span_ns: int,
        settings: Any = None,  # noqa: ANN401 -- the user's own
    ) -> None:
        self.settings = made_settings(type(self), {}) if settings is None else settings
        """What the scenario says, or the defaults; None without a `Settings`."""
        self.classes = classes
        self.width, self.height = width, height
        """Pixels of the camera."""
        self.device = device
        self.span_ns = span_ns
        """How long a presentation lasts."""
        self._kept: dict[int, dict[int, FrameLike]] = {}
        self._tried(lambda: self.begin(streams))

    @abstractmethod
    def begin(self, streams: Streams) -> None:
        """Make the attributes that learning changes."""

    @abstractmethod
    def scores(self, frame: FrameLike) -> ArrayLike:
        """Return a score a class, (classes,); their softmax is the prediction. Changes nothing."""

    @abstractmethod
    def update(self, frame: FrameLike) -> None:
        """Learn from a frame and its label."""

    def pull(  # noqa: B027 -- who does not write it learns from labels alone
        self, frame: FrameLike, target: NDArray[np.float64], weight: float
    ) -> None:
        """Move the prediction for an unlabelled frame towards `target`, shape (classes,)."""

    @property
    def rule(self) -> str:
        """Name of the rule: that of the class."""
        return type(self).__name__

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one prediction: by default one for each number learned."""
        return sum(array.size for array in arrays_in(self._state()))

    def learn(self, frame: FrameLike, *, shown: Any = None) -> Work:  # noqa: ANN401, ARG002
        """Predict the frame's class, then learn from it; value `Learned`.

        A frame without events teaches nothing, and costs nothing.
        """
        check_labels([frame.label], frames=[frame], classes=self.classes)
        if not frame.x.size:
            return _Job(lambda: self._learned(frame), macs=0)
        return _Job(lambda: self._learned(frame), macs=2 * self.macs, writes=self.macs)

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> Work:
        """Forward one proxy item and keep it for `kl_step`; value: softmax, float32."""
        return _Job(lambda: self._passed(frame, address, row), macs=self.macs)

    def pass_rows(
        self,
        prepared: Sequence[FrameLike],
        *,
        address: int,
        first: int = 0,
        stop: int | None = None,
    ) -> list[Work]:
        """Return the work of the proxy items first .. stop - 1."""
        rows = enumerate(prepared[first:stop], first)
        return [self.proxy_row(frame, address=address, row=row) for row, frame in rows]

    def kl_step(
        self, *, address: int, target: ArrayLike, mask: ArrayLike, alpha: float, steps: int = 1
    ) -> PullWork:
        """Pull towards a prior on the kept items; value: how many took part, 0 without `pull`."""
        prior, kept = np.asarray(target, np.float64), self._kept.get(address, {})
        rows = [row for row in np.flatnonzero(np.asarray(mask, np.bool_)).tolist() if row in kept]
        pairs = [(kept[row], prior[row]) for row in rows] if self._pulls else []
        work = steps * len(pairs) * self.macs
        return _Job(lambda: self._pulled(pairs, alpha, steps), macs=2 * work, writes=work)

    def kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int = 1) -> PullWork:
        """Do as `kl_step` for one part after another, in one job; value: a tuple of its values."""
        jobs = [
            self.kl_step(address=address, target=target, mask=mask, alpha=alpha, steps=steps)
            for address, target, mask in parts
        ]
        return _Job(
            lambda: tuple([job.commit() for job in jobs]),
            macs=sum(job.macs["dense"] for job in jobs),
            writes=sum(job.counts.weight_writes for job in jobs),
        )

    def set_lambda(self, values: Sequence[float]) -> Work:
        """Refuse any λ: there are no hidden layers; value None."""
        if len(values) != self.hidden_layers:
            raise LearnerError(f"{len(values)} lambdas for {self.hidden_layers} hidden layers")
        return _Job(lambda: None, macs=0)

    def prepare(self, frames: Sequence[FrameLike]) -> Sequence[FrameLike]:
        """Return the frames as they are."""
        return frames

    def predict(self, prepared: Sequence[FrameLike]) -> NDArray[np.int64]:
        """Return the class of each presentation, ties to the lowest."""
        return np.array([int(np.argmax(self._scored(frame))) for frame in prepared], np.int64)

    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term, at 4 bytes a number."""
        kept = sum(map(len, self._kept.values())) if kept_rows is None else kept_rows
        numbers = sum(array.size for array in arrays_in(self._state()))
        features = 4 * kept * self.width * self.height if self._pulls else 0
        return {"parameters": 4 * numbers, "state": 0, "traces": 0, "features": features}

    def dump(self) -> dict[str, Any]:
        """Return all that was learned, and the items that are kept; copies."""
        kept = {address: dict(rows) for address, rows in self._kept.items()}
        return {"learned": copy.deepcopy(self._state()), "kept": kept}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal learner."""
        put_back(self, _GIVEN, state["learned"])
        self._kept = {address: dict(rows) for address, rows in state["kept"].items()}

    def digest(self) -> bytes:
        """Return the SHA-256 of all that was learned."""
        sha = hashlib.sha256()
        for name, value in sorted(self._state().items()):
            sha.update(name.encode())
            feed(sha, value, name)
        return sha.digest()

    def broken(self) -> str | None:
        """Return None: what is not a number is told as soon as it comes about."""
        return None

    @property
    def _pulls(self) -> bool:
        return type(self).pull is not OwnLearner.pull

    def _state(self) -> dict[str, Any]:
        return own_state(self, _GIVEN)

    def _scored(self, frame: FrameLike) -> NDArray[np.float64]:
        scores = self._tried(lambda: np.asarray(self.scores(frame), np.float64))
        if scores.shape != (self.classes,) or not np.isfinite(scores).all():
            raise self._fault(f"scores must give {self.classes} finite numbers, got {scores}")
        return scores

    def _softmax(self, frame: FrameLike) -> NDArray[np.float64]:
        scores = self._scored(frame)
        powers = np.exp(scores - scores.max())
        return np.asarray(powers / powers.sum(), np.float64)

    def _learned(self, frame: FrameLike) -> Learned:
        own = self._softmax(frame)
        if frame.x.size:
            self._changed(lambda: self.update(frame), "update")
        return Learned(
            loss=-math.log(max(float(own[frame.label]), _TINY)),
            correct=int(own.argmax()) == frame.label,
            spikes=0,
            spike_digest=_NO_SPIKES,
            weight_digest=self._tried(self.digest),
        )

    def _passed(self, frame: FrameLike, address: int, row: int) -> NDArray[np.float32]:
        self._kept.setdefault(address, {})[row] = frame
        return self._softmax(frame).astype(np.float32)

    def _pulled(
        self, pairs: Sequence[tuple[FrameLike, NDArray[np.float64]]], alpha: float, steps: int
    ) -> int:
        for _ in range(steps):
            for frame, target in pairs:
                self._pull(frame, target, alpha / len(pairs))
        return len(pairs)

    def _pull(self, frame: FrameLike, target: NDArray[np.float64], weight: float) -> None:
        self._changed(lambda: self.pull(frame, target, weight), "pull")

    def _changed(self, act: Callable[[], None], name: str) -> None:
        """Let the rule change what it learned; whatever is not a number any more stops the run."""
        self._tried(act)
        key = first_not_finite(self._state())
        if key is not None:
            raise self._fault(f"{key} is not finite (NaN or overflow) after {name}")

    def _tried(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except Exception as error:
            raise self._fault(fault_text(error, file_of(type(self)))) from error

    def _fault(self, text: str) -> LearnerFaultError:
        return LearnerFaultError(f"the rule {self.rule}", self.device, text)


class _Job:
    """Dense work that happens when it is committed, so that nothing is left to undo before."""

    __slots__ = ("_act", "counts", "macs")

    volleys = 0

    def __init__(self, act: Callable[[], object], *, macs: int, writes: int = 0) -> None:
        self._act = act
        self.macs = {"dense": macs}
        self.counts = Counts(macs=macs, weight_writes=writes)

    def advance(self, count: int | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the port's
        """Return no operations."""
        return _NONE

    def compute(self) -> None:
        """Compute nothing ahead: all is done at the commit."""

    def commit(self) -> object:
        """Do it now; return the value."""
        return self._act()

    def discard(self) -> None:
        """Forget it."""


def check_own_learner(settings: OwnLearnerSettings) -> None:
    """See that a class is a learner.

    Raises
    ------
    OwnCodeError
        If it is none, or lacks a method.
    """
    check_whole(settings.owner(), OwnLearner, kind=settings.kind)


def open_own(settings: OwnLearnerSettings, **given: Any) -> OwnLearner:  # noqa: ANN401
    """Return the learner of one device, of the class that a scenario names."""
    check_own_learner(settings)
    made: OwnLearner = settings.owner()(settings=settings.own(), **given)
    return made
