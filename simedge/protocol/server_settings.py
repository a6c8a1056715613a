"""Settings of protocols in which devices send models, gradients or frames to a server."""

import math
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from simedge.core.quantities import Duration, Settings
from simedge.protocol.policy_settings import FixedSettings, Training

__all__ = [
    "CentralSettings",
    "FedAsyncSettings",
    "FedAvgSettings",
    "FedBuffSettings",
    "ServerSettings",
]

_SECOND_NS = 1_000_000_000
_BUFFER = 10
_Share = Annotated[float, Field(gt=0.0, le=1.0)]
_Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1)]
_Period = Annotated[Duration, Field(gt=0)]


class FedAvgSettings(Settings):
    """Rounds in which some devices train the same model, and the server takes the mean."""

    training: ClassVar[Training] = "on-call"
    kind: Literal["fedavg"] = "fedavg"
    interval: _Count = 64
    """T: frames that count as a period."""
    frames: _Count | None = None
    """Q: frames a device trains on; default T."""
    fraction: _Share = 0.5
    """Share of all devices that a round chooses."""
    wait: Literal["deadline", "wait_all"] = "deadline"
    """Whether a round ends at its deadline if it has to, or waits for all."""
    deadline: _Period = 5 * _SECOND_NS
    """D: how long after the last frame was due a round ends."""
    m_min: _Count | None = None
    """Fewer arrivals make a round void; default half of those that a round chooses."""
    gather: _Period = _SECOND_NS
    """How long the first round waits, from the first join, for the others to join."""
    hail_period: _Period = 10 * _SECOND_NS
    """How long an idle device hears nothing before it joins again."""
    policy: FixedSettings = FixedSettings()
    """The Hebbian shares."""

    @property
    def work(self) -> int:
        """Frames that a device trains on before it sends."""
        return self.frames or self.interval

    def chosen(self, devices: int) -> int:
        """Return how many of so many devices a round chooses."""
        # As written: 0.07 of 100 devices are 7, though the float is a little more than 0.07.
        return max(math.ceil(Fraction(str(self.fraction)) * devices), 1)


class FedAsyncSettings(Settings):
    """Each device trains and sends on its own; the server mixes each model in as it comes."""

    training: ClassVar[Training] = "on-call"
    kind: Literal["fedasync"] = "fedasync"
    interval: _Count = 64
    """T: frames that count as a period."""
    frames: _Count | None = None
    """Q: frames a device trains on; default T."""
    alpha: _Share = 0.6
    """Weight of a model that is not stale."""
    rho: _NotNegative = 0.005
    """Weight of the pull towards the model that a device began with."""
    staleness: Literal["constant", "poly", "hinge"] = "poly"
    """How models lose weight with the versions that they lie behind."""
    a: _Positive | None = None
    """Parameter of that loss; default 0.5 for poly, 10 for hinge."""
    b: _NotNegative = 6.0
    """Versions behind from which hinge begins."""
    staleness_max: Annotated[int, Field(ge=0)] = 16
    """Models that lie further behind are dropped."""
    hail_period: _Period = 10 * _SECOND_NS
    """How long an idle device hears nothing before it joins again."""
    policy: FixedSettings = FixedSettings()
    """The Hebbian shares."""

    @property
    def work(self) -> int:
        """Frames that a device trains on before it sends."""
        return self.frames or self.interval

    def weight(self, behind: int) -> float:
        """Return s, the weight of a model that lies so many versions behind, in (0, 1]."""
        if self.staleness == "constant":
            return 1.0
        if self.staleness == "poly":
            return float((behind + 1) ** -(0.5 if self.a is None else self.a))
        if behind <= self.b:
            return 1.0
        return 1.0 / ((10.0 if self.a is None else self.a) * (behind - self.b) + 1.0)


class FedBuffSettings(Settings):
    """Each device trains and sends on its own; the server steps after every few arrivals."""

    training: ClassVar[Training] = "on-call"
    kind: Literal["fedbuff"] = "fedbuff"
    interval: _Count = 64
    """T: frames that count as a period."""
    frames: _Count | None = None
    """Q: frames a device trains on; default T."""
    buffer: _Count | None = None
    """K_b: arrivals that make a step; default 10, or all devices if they are fewer."""
    server_rate: _Positive = 1.0
    """Size of a step, as a multiple of the mean of what came."""
    training_max: _Count | None = None
    """M_c: most devices that train at once; default all."""
    hail_period: _Period = 10 * _SECOND_NS
    """How long an idle device hears nothing before it joins again."""
    policy: FixedSettings = FixedSettings()
    """The Hebbian shares."""

    @property
    def work(self) -> int:
        """Frames that a device trains on before it sends."""
        return self.frames or self.interval

    def arrivals(self, devices: int) -> int:
        """Return how many arrivals of so many devices make a step."""
        return self.buffer or max(min(_BUFFER, devices), 1)


class CentralSettings(Settings):
    """Back-propagation at the server, in step with all devices (`central_bp`)."""

    training: ClassVar[Training] = "on-call"
    reported_as: ClassVar[str] = "central_bp"
    kind: Literal["centralised"] = "centralised"
    interval: _Count = 64
    """T: frames that count as a period."""
    mode: Literal["raw", "gradient"] = "raw"
    """What devices send: every frame, or the gradient on some frames."""
    batch: _Count = 16
    """Frames that a gradient is the mean of."""
    learning_rate: _Positive | None = None
    """Step of the server along the mean gradient; default: that of the learners."""
    serve: Literal["server", "device"] = "server"
    """With frames: whether predictions go down, or the model every `serve_every` steps."""
    serve_every: _Count = 100
    """Steps between two models that go down."""
    step_deadline: _Period | None = None
    """Longest time that a step waits for a device; by default it waits for ever."""
    uploads_max: _Count = 8
    """Most frames that a device has on the way; while they are, it takes no other."""
    backlog_max: _Count = 64
    """Most frames of a device that wait at the server; what comes then is dropped."""
    gather: _Period = _SECOND_NS
    """How long the first step waits, from the first join, for the others to join."""
    hail_period: _Period = 10 * _SECOND_NS
    """How long an idle device hears nothing before it joins again."""
    policy: FixedSettings = FixedSettings()
    """The Hebbian shares."""

    @property
    def work(self) -> int:
        """Frames that a device takes the gradient of before it sends."""
        return self.batch


ServerSettings = FedAvgSettings | FedAsyncSettings | FedBuffSettings | CentralSettings
