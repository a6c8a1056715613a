"""Settings of spiking layers whose synapses remember: S-TLLR and TESS. No numpy here."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simedge.core.quantities import Duration, Settings
from simedge.learning.ranges import Count, NotNegative, Number, Positive, UnitShare

__all__ = [
    "EligibleNeuronSettings",
    "EligibleReadoutSettings",
    "EligibleSettings",
    "STllrSettings",
    "TessSettings",
]


class EligibleNeuronSettings(Settings):
    """Constants of the neurons and of what their synapses remember; decays a device tick."""

    leak: UnitShare = 0.5
    """γ: what is left of a potential; 0.5 as in both papers."""
    threshold: Positive = 0.6
    pre_decay: UnitShare = 0.5
    """λ_pre: what is left of an arrival's trace; 0.5 as in TESS."""
    post_decay: UnitShare = 0.2
    """λ_post: what is left of the trace of the neuron's own activity."""
    pre_gain: Number = 1.0
    """α_pre."""
    post_gain: Number = -1.0
    """α_post: below 0 rewards causal order, above 0 coincidence; 0: causal terms only."""
    lag: Literal["code", "paper"] = "code"
    """`paper` counts late terms λ_post times what `code` does."""


class _EligibleRule(Settings):
    mode: Literal["exact", "gated", "spike"] = "exact"
    """Silence teaches as on the clock; or only executed device ticks teach, which is another rule;
    or a spike is its own pseudo-derivative, and silence teaches nothing by itself."""
    rate: NotNegative = 3e-5
    """Step of Adam for hidden weights, in weight; 0: they stay as they began."""
    batch: Annotated[int, Field(ge=1, le=2**20)] = 1
    """Frames whose gradients are gathered for one step of hidden weights; papers take 16 to 128."""
    standardise: bool = True
    """Whether hidden weights are used with mean 0 and a learned length a neuron, as in the released
    code (arXiv 1903.10520); else nothing bounds how much neurons fire."""
    first_active: Annotated[Duration, Field(ge=0)] = 0
    """From when on in a presentation hidden layers learn (T_l)."""
    shares: Literal["none", "post-gain"] = "none"
    """What a policy's share λ of a layer sets: nothing, or α_post = 2λ - 1."""


class STllrSettings(_EligibleRule):
    """The readout's error reaches every layer by fixed random weights (arXiv 2306.15220)."""

    kind: Literal["s-tllr"]
    signal: Literal["dfa", "signed-dfa"] = "dfa"
    """The error that is sent, or its sign."""


class TessSettings(_EligibleRule):
    """Every layer makes its own error of its own spikes (arXiv 2502.01837)."""

    kind: Literal["tess"]
    squash: Literal["softmax", "identity"] = "softmax"
    """What is made of a layer's scores before they are compared with the label."""


class EligibleReadoutSettings(Settings):
    """A linear softmax readout of the top layer's spike counts, that learns by the delta rule."""

    bins: Annotated[int, Field(ge=1, le=64)] = 3
    """Bins of time in which spikes are counted; not more than a presentation has device ticks."""
    centring: Annotated[int, Field(ge=1, le=2**20)] = 256
    """Presentations over which the mean of counts runs, that is taken away, and the length of what
    is left, by which it is divided."""
    rate: NotNegative = 2.0
    """Step along the gradient of a frame's cross entropy, for weights on features of length ~1."""
    kl_rate: NotNegative = 2.0
    """Step of a pull towards a prior of weight 1, on the mean over rows."""


class EligibleSettings(Settings):
    """Feed-forward spiking layers with eligibilities under a linear readout of counts."""

    kind: Literal["spiking"] = "spiking"
    tick: Annotated[Duration, Field(gt=0)] = 10_000_000
    """Device tick: the rules compare spikes of one with a label, so it has to hold some."""
    hidden: tuple[Count, ...] = Field(default=(100,), min_length=1, max_length=8)
    """Neurons of each layer."""
    gain: Positive = 2.0
    """Length of a neuron's weights at the start: their standard deviation times the root of the
    lines."""
    neuron: EligibleNeuronSettings = EligibleNeuronSettings()
    rule: STllrSettings | TessSettings = Field(discriminator="kind")
    readout: EligibleReadoutSettings = EligibleReadoutSettings()
    shared_start: bool = True
    """All devices begin with the same weights and feedback."""

    @model_validator(mode="after")
    def _a_share_can_be_told(self) -> Self:
        gain = self.neuron.post_gain
        if self.rule.shares == "post-gain" and not -1.0 <= gain <= 1.0:
            raise ValueError(f"a share sets a post_gain in [-1, 1], it begins at {gain:g}")
        return self
