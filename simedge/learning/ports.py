"""What learning needs from other rooms, by shape, and what it offers to them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams

__all__ = [
    "Counts",
    "DeviceLearner",
    "FrameLike",
    "Learned",
    "LearnerFactory",
    "ParameterLearner",
    "Pull",
    "PullWork",
    "Work",
]


class FrameLike(Protocol):
    """One presentation to a camera: its pixel events in order of time."""

    @property
    def label(self) -> int:
        """Class shown."""
        ...

    @property
    def x(self) -> NDArray[np.uint16]:
        """Column of each pixel event."""
        ...

    @property
    def y(self) -> NDArray[np.uint16]:
        """Row of each pixel event."""
        ...

    @property
    def t_us(self) -> NDArray[np.int64]:
        """Microseconds since the presentation began, ascending."""
        ...

    @property
    def p(self) -> NDArray[np.uint8]:
        """Polarity of each pixel event, 0 or 1."""
        ...


class Counts(NamedTuple):
    """What a job did, in operations; all 0 in silence."""

    volleys: int = 0
    spikes: int = 0
    synaptic_events: int = 0
    """Weights added to a potential."""
    neuron_updates: int = 0
    trace_touches: int = 0
    plasticity_updates: int = 0
    """Contributions to a weight change, one a synapse and spike."""
    macs: int = 0
    """Multiply-accumulates of dense mathematics: readout, scaling."""
    weight_writes: int = 0
    modulator_bytes: int = 0
    """Broadcast to all neurons to teach them."""


class Learned(NamedTuple):
    """What came of learning one frame."""

    loss: float
    """Cross entropy of the prediction made before learning."""
    correct: bool
    spikes: int
    spike_digest: bytes
    """SHA-256 of the spikes, layer by layer: their ticks, then their neurons, as int32."""
    weight_digest: bytes
    """SHA-256 of what is learned: hidden weights and thresholds, then the features r and softmax P,
    from which with the label the readout's change follows."""


class Pull(NamedTuple):
    """Where a prior pulls: the kept rows of an address."""

    address: int
    target: ArrayLike
    """Prior of each row, (rows, classes)."""
    mask: ArrayLike
    """Which rows have a prior, (rows,)."""


class Work(Protocol):
    """One job of a device: computed in steps, seen by nobody until it is committed."""

    @property
    def volleys(self) -> int:
        """How many volleys the job has; 0 for dense jobs."""
        ...

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next `count` volleys (None: all left); return the operations of each, int64."""
        ...

    @property
    def macs(self) -> dict[str, int]:
        """Dense work by kind of layer; known when all volleys are done."""
        ...

    @property
    def counts(self) -> Counts:
        """What the job has done so far."""
        ...

    def commit(self) -> object:
        """Finish what is left, let the effect take place now and return the value."""
        ...

    def discard(self) -> None:
        """Leave the learner as if the job had never begun."""
        ...


class PullWork(Work, Protocol):
    """Work whose time is known before it is computed."""

    def compute(self) -> None:
        """Compute what can be computed ahead of the commit; other threads may call."""
        ...


class DeviceLearner(Protocol):
    """What a device needs of its learner: the whole port.

    Whoever writes a rule of one's own takes `simedge.OwnLearner`, which has all of this. Learners
    of one run are built alike: what one prepares, another can predict.
    """

    @property
    def rule(self) -> str:
        """Name, for the summary."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes."""
        ...

    @property
    def hidden_layers(self) -> int:
        """How many layers learn by a share λ; 0 if none do."""
        ...

    def learn(self, frame: FrameLike, *, shown: Any = None) -> Work:  # noqa: ANN401
        """Predict the frame's class, then learn from it; value `Learned`.

        `shown` is the frame as `prepare` gave it, and its place there, if that is at hand.
        """
        ...

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> Work:
        """Forward one proxy item and keep it; value: softmax, float32 (classes,)."""
        ...

    def pass_rows(
        self,
        prepared: Any,  # noqa: ANN401 -- each learner's own form
        *,
        address: int,
        first: int = 0,
        stop: int | None = None,
    ) -> Sequence[Work]:
        """Return what `proxy_row` gives for the prepared items first .. stop - 1."""
        ...

    def kl_step(
        self, *, address: int, target: ArrayLike, mask: ArrayLike, alpha: float, steps: int = 1
    ) -> PullWork:
        """Pull what is predicted towards a prior on kept rows; value: how many took part."""
        ...

    def kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int = 1) -> PullWork:
        """Do `kl_step` on one address after the other; value: how many rows took part in each."""
        ...

    def set_lambda(self, values: Sequence[float]) -> Work:
        """Set λ of the hidden layers; value None."""
        ...

    def prepare(self, frames: Sequence[FrameLike]) -> Any:  # noqa: ANN401
        """Bring frames into one's own form, once for all devices."""
        ...

    def predict(self, prepared: Any) -> NDArray[np.int64]:  # noqa: ANN401
        """Return the class of each presentation; changes nothing, and other threads may call."""
        ...

    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term."""
        ...

    def dump(self) -> dict[str, Any]:
        """Return all that the learner knows; copies."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal learner."""
        ...

    def digest(self) -> bytes:
        """Return the SHA-256 of all that it knows."""
        ...

    def broken(self) -> str | None:
        """Return which part of what it knows has a NaN or an infinity; None: all are numbers."""
        ...


class ParameterLearner(DeviceLearner, Protocol):
    """A learner whose parameters can travel, and whose gradient can be taken.

    Parameters are one vector of float32 in a fixed order: the readout of a spiking learner, the
    whole model of a deep one.
    """

    @property
    def params(self) -> int:
        """How many parameters travel: d."""
        ...

    @property
    def learning_rate(self) -> float:
        """Step along the gradient that the learner itself takes."""
        ...

    def get_params(self) -> Work:
        """Read the parameters; value: float32 (d,), a copy."""
        ...

    def set_params(self, values: ArrayLike) -> Work:
        """Take over parameters, (d,); value None."""
        ...

    def hold(
        self, *, anchor: ArrayLike | None = None, rho: float = 0.0, sparsity: float = 0.0
    ) -> None:
        """Say what holds for every `learn` from now on, until this is called again.

        Parameters
        ----------
        anchor, rho
            The loss gains rho/2 times the squared distance to these parameters, (d,).
        sparsity
            Share of the parameters, the smallest in size, that are zero after each `learn`.
        """
        ...

    def slope(self, frame: FrameLike) -> Work:
        """Take the gradient of one frame's loss; value: (loss, float32 (d,)); changes nothing."""
        ...

    def loss_on(self, frames: Sequence[FrameLike]) -> Work:
        """Take the mean loss on frames in nats; value: float; changes nothing."""
        ...

    def class_table(self, first: int, count: int) -> Work:
        """Read, and forget, the mean softmax of the frames learned since, by their label.

        Value: float32 (count, classes) for the labels first .. first + count - 1; the row of a
        label that was not seen is zero.
        """
        ...

    def set_class_prior(
        self, target: ArrayLike, mask: ArrayLike, *, alpha: float, steps: int = 1
    ) -> Work:
        """From now on pull each frame that is learned towards the row of its label; value None.

        `target` is (classes, classes); rows outside `mask`, (classes,), pull nothing.
        """
        ...

    def train_on(self, frames: Sequence[FrameLike], labels: Sequence[int]) -> Work:
        """Predict frames of others, then take one step on their mean gradient.

        Value: the classes predicted before the step, a tuple.
        """
        ...


class LearnerFactory(Protocol):
    """Makes the learner of one device, from its sensor and its named streams."""

    def __call__(
        self,
        *,
        classes: int,
        width: int,
        height: int,
        streams: Streams,
        device: str,
        span_ns: int,
    ) -> DeviceLearner:
        """Return a learner that has learned nothing."""
        ...
