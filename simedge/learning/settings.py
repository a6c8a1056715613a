"""The `learner:` part of a scenario. No numpy here: settings are read before anything runs."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from simedge.core.quantities import Duration, Settings

__all__ = [
    "BoundsSettings",
    "ConvSettings",
    "DeltaSettings",
    "HebbianStdpSettings",
    "HomeostasisSettings",
    "LearnerSettings",
    "LinearSettings",
    "ReadoutSettings",
    "SpikingSettings",
    "WeightSettings",
]


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


Number = Annotated[float, BeforeValidator(_plain)]
Positive = Annotated[float, BeforeValidator(_plain), Field(gt=0)]
NotNegative = Annotated[float, BeforeValidator(_plain), Field(ge=0)]
UnitShare = Annotated[float, BeforeValidator(_plain), Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=4096)]


class HomeostasisSettings(Settings):
    """Thresholds that move so that every map keeps firing at its target."""

    scope: Literal["map", "neuron"] = "map"
    """One threshold for all positions of a map, or one a neuron."""
    rate: NotNegative = 0.02
    """Step of the threshold a spike (for `map`: when all positions fire)."""
    target: UnitShare = 0.003
    """Wanted spikes a neuron and device tick."""
    min: Positive = 0.3
    max: Positive = 3.0


class WeightSettings(Settings):
    """Where the weights of a layer begin, and what they are held to."""

    low: Number = -1.0
    high: Number = 1.0
    scaling: Literal["none", "sum", "centred"] = "centred"
    """After learning: each map's magnitudes summed to `size`, or mean 0 and length `size`."""
    size: Positive = 1.0


class ConvSettings(Settings):
    """A spiking convolution layer."""

    kind: Literal["conv"] = "conv"
    maps: Count = 8
    kernel: Count = 5
    stride: Count = 2
    padding: Annotated[int, Field(ge=0, le=64)] = 0
    threshold: Positive = 1.0
    """Threshold at the start."""
    leak: Annotated[Duration, Field(gt=0)] = 10_000_000
    """Time constant of the potential."""
    reset: Literal["hard", "soft"] = "hard"
    inhibition: Count | Literal["none"] = 2
    """How many maps may fire at one position and tick."""
    homeostasis: HomeostasisSettings = HomeostasisSettings()
    weights: WeightSettings = WeightSettings()


class BoundsSettings(Settings):
    """Where weights may go; exponents above 0 slow them on the way."""

    low: Number = -1.0
    high: Number = 1.0
    mu_plus: NotNegative = 0.0
    mu_minus: NotNegative = 0.0


class HebbianStdpSettings(Settings):
    """Hidden layers learn without a teacher: a share λ of Hebb, the rest STDP."""

    kind: Literal["hebbian-stdp"] = "hebbian-stdp"
    hebbian_share: UnitShare | tuple[UnitShare, ...] = Field(
        default=0.5, validation_alias="lambda", serialization_alias="lambda"
    )
    """λ, one for all hidden layers or one each."""
    a_plus: NotNegative = 0.1
    """Potentiation; like all amplitudes it is divided by the number of positions."""
    a_minus: NotNegative | None = None
    """Depression; by default 1.05·A₊·τ₊/τ₋."""
    a_hebb: NotNegative | None = None
    """A_H, or the step of Oja's term; by default A₊."""
    tau_plus: Annotated[Duration, Field(gt=0)] = 10_000_000
    tau_minus: Annotated[Duration, Field(gt=0)] = 10_000_000
    delay: Annotated[Duration, Field(ge=0)] = 1_000_000
    """From a spike until it acts on its synapses (dendritic delay)."""
    hebb: Literal["oja", "pair"] = "oja"
    limit: Count | Literal["none"] = 1
    """Spikes of a map in one presentation that act on its synapses."""
    competition: Literal["first", "all"] = "first"
    """Who learns of those that win a position together: the furthest above threshold, or all."""
    bounds: BoundsSettings = BoundsSettings()


class DeltaSettings(Settings):
    """Hidden layers stay as they begin; only the readout learns."""

    kind: Literal["delta"] = "delta"


class _ReadoutBase(Settings):
    transform: Literal["none", "sqrt", "log"] = "sqrt"
    normalise: Literal["none", "unit", "share", "root-mean"] = "unit"
    """Each source of features is scaled on its own."""
    centring: Annotated[int, Field(ge=0, le=2**20)] = 256
    """Presentations over which the mean that is taken away runs; 0: nothing is taken away."""
    rate: NotNegative = 2.0
    """Step of the delta rule."""
    kl_rate: NotNegative = 2.0
    """Step of a pull towards a prior of weight 1, on the mean over rows."""
    input_bins: Count = 3
    """Bins of time for pixel events."""
    input_pool: Count = 2
    """Pixels a side that share a feature."""


class ReadoutSettings(_ReadoutBase):
    """The softmax readout of a spiking circuit."""

    sources: tuple[Annotated[str, Field(pattern=r"input|hidden(-[1-9]\d*)?")], ...] = Field(
        default=("input", "hidden"),
        min_length=1,
        validation_alias="from",
        serialization_alias="from",
    )
    """What it sees: `input`, `hidden` (all hidden layers) or `hidden-N`."""
    bins: Count = 3
    """Bins of time for hidden spikes."""
    pool: Count = 2
    """Positions a side that share a feature."""
    input_gain: Positive = 1.0
    """Weight of the input's features beside the hidden ones'."""


class LinearReadoutSettings(_ReadoutBase):
    """A softmax readout of binned pixel events."""


class SpikingSettings(Settings):
    """An event-driven spiking circuit with a softmax readout."""

    kind: Literal["spiking"] = "spiking"
    tick: Annotated[Duration, Field(gt=0)] = 1_000_000
    layers: tuple[ConvSettings, ...] = Field(default=(ConvSettings(),), min_length=1, max_length=8)
    rule: HebbianStdpSettings | DeltaSettings = Field(
        default=HebbianStdpSettings(), discriminator="kind"
    )
    readout: ReadoutSettings = ReadoutSettings()
    shared_start: bool = True
    """All devices begin with the same hidden weights."""


class LinearSettings(Settings):
    """No hidden layer: the same readout on binned pixel events."""

    kind: Literal["linear"] = "linear"
    tick: Annotated[Duration, Field(gt=0)] = 1_000_000
    readout: LinearReadoutSettings = LinearReadoutSettings()


LearnerSettings = Annotated[SpikingSettings | LinearSettings, Field(discriminator="kind")]
"""How a device learns."""
