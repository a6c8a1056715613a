"""The `learner:` part of a scenario. No numpy here: settings are read before anything runs."""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from simedge.core.own_code import is_own
from simedge.core.quantities import Duration, Settings, Share
from simedge.learning.continual.settings import CodeSettings, LanceSettings
from simedge.learning.eligible_settings import EligibleSettings
from simedge.learning.layered_settings import LayeredSettings
from simedge.learning.ranges import Count, NotNegative, Number, Positive, UnitShare
from simedge.learning.reference_settings import DeepSettings, SurrogateSettings

__all__ = [
    "BoundsSettings",
    "CircuitSettings",
    "ConvSettings",
    "CountReadoutSettings",
    "DeltaSettings",
    "FieldInputs",
    "HebbianStdpSettings",
    "HomeostasisSettings",
    "LearnerSettings",
    "LifReadoutSettings",
    "LinearReadoutSettings",
    "LinearSettings",
    "MicrocircuitSettings",
    "NeuronHomeostasisSettings",
    "RandomInputs",
    "ReadoutSettings",
    "SpikingSettings",
    "ThreeFactorSettings",
    "WeightSettings",
]


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
    continual: Annotated[CodeSettings | LanceSettings, Field(discriminator="kind")] | None = None
    """What protects earlier tasks from later ones; null: nothing."""


class NeuronHomeostasisSettings(Settings):
    """Thresholds that move so that every neuron keeps firing at its target."""

    rate: NotNegative = 1e-3
    """Step of the threshold a spike."""
    target: UnitShare = 0.02
    """Wanted spikes a neuron and device tick."""
    min: Positive = 0.3
    max: Positive = 3.0


class RandomInputs(Settings):
    """Every neuron hears every line below with the same probability."""

    kind: Literal["random"] = "random"
    density: Annotated[Share, Field(gt=0)] = Fraction(3, 10)


class FieldInputs(Settings):
    """Every neuron hears a square of pixels, drawn once: its receptive field."""

    kind: Literal["fields"] = "fields"
    size: Count = 7
    """Pixels a side; what lies beyond the border is cut off."""


class MicrocircuitSettings(Settings):
    """A layer of recurrently joined spiking neurons."""

    kind: Literal["microcircuit"] = "microcircuit"
    neurons: Count = 100
    inputs: RandomInputs | FieldInputs = Field(default=RandomInputs(), discriminator="kind")
    """Whom a neuron hears of the layer below; only the first layer can have fields."""
    gain: Positive = 2.6
    """Standard deviation of input weights, times the root of the lines (fields: of the inputs)."""
    neighbours: Annotated[int, Field(ge=2, le=512, multiple_of=2)] = 10
    """Recurrent inputs of a neuron: its neighbours on a ring, ..."""
    rewire: Share = Fraction(1, 10)
    """... each redrawn with this probability among all others."""
    recurrent_gain: NotNegative = 0.25
    """Standard deviation of recurrent weights."""
    delay: Annotated[Duration, Field(gt=0)] = 1_000_000
    """From a spike to its recurrent arrival."""
    leak: Annotated[Duration, Field(gt=0)] = 20_000_000
    """Time constant of the potential."""
    threshold: Positive = 1.0
    """Threshold at the start."""
    homeostasis: NeuronHomeostasisSettings = NeuronHomeostasisSettings()

    @model_validator(mode="after")
    def _fits_a_ring(self) -> Self:
        if self.neurons < self.neighbours + 2:
            raise ValueError(
                f"{self.neighbours} neighbours need a ring of {self.neighbours + 2} neurons or "
                f"more, got {self.neurons}"
            )
        return self

    @model_validator(mode="after")
    def _threshold_is_within_its_range(self) -> Self:
        law = self.homeostasis
        if not law.min <= self.threshold <= law.max:
            raise ValueError(
                f"the threshold must begin between {law.min:g} and {law.max:g}, its homeostasis's "
                f"min and max, got {self.threshold:g}"
            )
        return self


class ThreeFactorSettings(Settings):
    """Local eligibilities become weights when a few numbers are broadcast to all neurons."""

    kind: Literal["three-factor"]
    rate: NotNegative = 0.03
    """Step of hidden weights; 0: only the readout learns."""
    balanced: bool = True
    """Whether the change of a neuron's weights sums to 0 and has a bounded length."""
    trace: Annotated[Duration, Field(gt=0)] = 20_000_000
    """Time constant of what a spike leaves at its synapses."""
    eligibility: Annotated[Duration, Field(gt=0)] = 100_000_000
    """Time constant of eligibilities: about as long as a presentation."""
    margin: Positive = 2.0
    """By how much the label's score must exceed all others for nothing to be sent or learned."""
    width: Count | None = None
    """Numbers that are broadcast; null for one fewer than classes, the most that there can be."""
    bound: Positive = 2.0
    """Hidden weights stay in ± this."""
    gate: Literal["spike", "arrival"] = "spike"
    """What raises eligibilities: a neuron's own spikes, or arrivals while it is near threshold."""
    noncausal: Annotated[Number, Field(allow_inf_nan=False)] = 0.0
    """κ: an arrival also adds this times what the neuron's earlier spikes have left."""


class _DecisionSettings(Settings):
    rate: NotNegative = 0.02
    """Step of the readout."""
    kl_rate: NotNegative = 0.02
    """Step of a pull towards a prior of weight 1, on the mean over rows."""
    sharpness: Positive = 1.0
    """What is said of an item is the softmax of this times the scores."""


class LifReadoutSettings(_DecisionSettings):
    """One leaky neuron a class, reached by every layer; its spikes are the score."""

    kind: Literal["lif"] = "lif"
    leak: Annotated[Duration, Field(gt=0)] = 20_000_000
    threshold: Positive = 1.0
    density: Annotated[Share, Field(gt=0)] = Fraction(1, 2)
    """Share of the hidden neurons that reach a class."""
    gain: NotNegative = 0.05
    """Standard deviation of the weights at the start."""


class CountReadoutSettings(_DecisionSettings):
    """A linear readout of the spike counts of every layer."""

    kind: Literal["linear"] = "linear"
    bins: Annotated[int, Field(ge=1, le=64)] = 1
    """Bins of time in which spikes are counted."""
    normalise: Literal["length", "share"] = "length"
    """A layer's counts are scaled to length 3, or to sum 10."""


class CircuitSettings(Settings):
    """Structured recurrent layers that learn from local eligibilities and a broadcast."""

    kind: Literal["spiking"] = "spiking"
    tick: Annotated[Duration, Field(gt=0)] = 1_000_000
    polarity: Literal["both", "merged"] = "both"
    """Two input lines a pixel, or one."""
    layers: tuple[MicrocircuitSettings, ...] = Field(
        default=(MicrocircuitSettings(), MicrocircuitSettings()), min_length=1, max_length=8
    )
    rule: ThreeFactorSettings
    readout: LifReadoutSettings | CountReadoutSettings = Field(
        default=LifReadoutSettings(), discriminator="kind"
    )
    reset: Literal["frame", "window", "never"] = "frame"
    """Each presentation begins at rest; or its eligibilities alone do; or state goes on."""
    shared_start: bool = True
    """All devices begin with the same wiring and weights."""

    @model_validator(mode="after")
    def _fields_are_of_pixels(self) -> Self:
        if any(isinstance(layer.inputs, FieldInputs) for layer in self.layers[1:]):
            raise ValueError("only the first layer has pixels to make fields of")
        return self


_FAMILIES = {
    "three-factor": "three-factor",
    "s-tllr": "eligible",
    "tess": "eligible",
    "lls": "layered",
    "lls-m": "layered",
    "lls-mxm": "layered",
}


def _family(learner: object) -> str:
    """Tell by its rule which of the spiking learners is meant."""
    rule = learner.get("rule") if isinstance(learner, dict) else getattr(learner, "rule", None)
    kind = rule.get("kind") if isinstance(rule, dict) else getattr(rule, "kind", None)
    if is_own(kind):
        return "layered"
    return _FAMILIES.get(kind, "spiking") if isinstance(kind, str) else "spiking"


_Spiking = Annotated[
    Annotated[SpikingSettings, Tag("spiking")]
    | Annotated[CircuitSettings, Tag("three-factor")]
    | Annotated[EligibleSettings, Tag("eligible")]
    | Annotated[LayeredSettings, Tag("layered")],
    Discriminator(_family),
]
LearnerSettings = Annotated[
    _Spiking | LinearSettings | DeepSettings | SurrogateSettings, Field(discriminator="kind")
]
"""How a device learns."""
