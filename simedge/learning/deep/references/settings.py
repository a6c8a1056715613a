"""What a training needs to know: rule, neurons, steps. Checked when they are made."""

from dataclasses import dataclass, field, replace
from typing import Final

from simedge.learning.deep.references.shapes import NETS
from simedge.learning.deep.references.surrogates import LETTERS
from simedge.learning.errors import LearnerError

__all__ = ["FRAME_RULES", "PUBLISHED", "RULES", "Neurons", "Rule", "Steps", "Training", "rule_of"]

FRAME_RULES: Final = frozenset({"bp", "dfa", "lls", "lls-m", "lls-mxm"})
"""Rules of layers without spikes: they see a recording's mean over its device ticks."""


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise LearnerError(f"{what} must be one of {', '.join(allowed)}, got {value!r}")


def _share(what: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise LearnerError(f"{what} must be in [0, 1], got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A learning rule and its constants; those of other rules do nothing.

    Attributes
    ----------
    name
        bptt, s-tllr, tess or e-prop (spikes); bp, dfa, lls, lls-m or lls-mxm (frames).
    psi
        Pseudo-derivative, a letter of `surrogates`.
    modulator
        s-tllr: bp (same device tick), dfa (fixed random feedback) or sdfa (of the error's sign).
    alpha_pre, alpha_post, lambda_pre, lambda_post
        Weights of the causal and the other term, decays a device tick of pre and post trace.
    lag
        Post trace of the other term: `code` c[n-1] or `paper` λ_post·c[n-1].
    idle
        First device ticks of a window without a modulator: T_l.
    commit
        Parameters step at the `window`'s end or at each active `tick`.
    loss
        bptt: cross entropy of the `sum` of all logits, or of each `tick`'s logits, summed.
    reset_grad
        bptt: whether the reset passes gradient.
    answer
        tess: f of the local scores, `softmax` or `identity`.
    feedback
        e-prop: of the highest layer, `symmetric` or `random`; always random below it.
    filter
        e-prop: decay κ of the filtered eligibility, dense layers only.
    temperature
        lls: what local scores are divided by.
    """

    name: str
    psi: str = "b"
    modulator: str = "bp"
    alpha_pre: float = 1.0
    alpha_post: float = -1.0
    lambda_pre: float = 0.75
    lambda_post: float = 0.2
    lag: str = "code"
    idle: int = 0
    commit: str = "window"
    loss: str = "sum"
    reset_grad: bool = False
    answer: str = "softmax"
    feedback: str = "symmetric"
    filter: float = 0.0
    temperature: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what no rule knows."""
        choices = {
            "name": ("bptt", "s-tllr", "tess", "e-prop", *sorted(FRAME_RULES)),
            "psi": LETTERS,
            "modulator": ("bp", "dfa", "sdfa"),
            "lag": ("code", "paper"),
            "commit": ("window", "tick"),
            "loss": ("sum", "tick"),
            "answer": ("softmax", "identity"),
            "feedback": ("symmetric", "random"),
        }
        for what, allowed in choices.items():
            _one_of(what, getattr(self, what), allowed)
        for what in ("lambda_pre", "lambda_post", "filter"):
            _share(what, getattr(self, what))
        if self.idle < 0:
            raise LearnerError(f"idle must be 0 or more, got {self.idle}")
        if not self.temperature > 0:
            raise LearnerError(f"temperature must be above 0, got {self.temperature}")

    @property
    def frames(self) -> bool:
        """Whether the rule is for layers without spikes."""
        return self.name in FRAME_RULES


RULES: Final[dict[str, Rule]] = {
    "bptt": Rule(name="bptt"),
    "s-tllr": Rule(name="s-tllr"),
    "s-tllr-dfa": Rule(name="s-tllr", modulator="dfa"),
    "s-tllr-sdfa": Rule(name="s-tllr", modulator="sdfa"),
    "tess": Rule(name="tess", alpha_post=1.0, lambda_pre=0.5),
    "e-prop": Rule(name="e-prop", psi="e"),
    **{name: Rule(name=name) for name in sorted(FRAME_RULES)},
}
"""Rules by the name that `train` and the command line know, at their defaults."""

_TRACED: Final = ("alpha_pre", "alpha_post", "lambda_pre", "lambda_post", "lag", "idle", "commit")
_CONSTANTS: Final = {
    "bptt": ("psi", "loss", "reset_grad"),
    "s-tllr": ("psi", "modulator", *_TRACED),
    "tess": ("psi", *_TRACED, "answer"),
    "e-prop": ("psi", "idle", "commit", "feedback", "filter"),
    **dict.fromkeys(("lls", "lls-m", "lls-mxm"), ("temperature",)),
}
"""What each rule reads of a `Rule`; nothing, where it is not there."""


def rule_of(name: str, **changes: object) -> Rule:
    """Return a rule by name, with changes.

    Raises
    ------
    LearnerError
        If there is no such rule, or it has no such constant.

    >>> rule_of("tess", alpha_post=0.0).lambda_pre
    0.5
    """
    if name not in RULES:
        raise LearnerError(f"the rule must be one of {', '.join(RULES)}, got {name!r}")
    own = _CONSTANTS.get(RULES[name].name, ())
    known = f"the constants of {name} are {', '.join(own)}" if own else f"{name} has no constants"
    for change, value in changes.items():
        if change not in own:
            raise LearnerError(f"{known}, got {change!r}")
        kind = type(getattr(RULES[name], change))
        if not (type(value) is kind or (kind is float and type(value) is int)):
            raise LearnerError(f"{change} must be of kind {kind.__name__}, got {value!r}")
    return replace(RULES[name], **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neurons:
    """Leaky neurons with soft reset: u = γ(u - v·o) + input, o = 1 if u > v.

    Attributes
    ----------
    leak
        γ a device tick.
    threshold
        v.
    bias
        Whether hidden layers have one.
    standardise
        Whether weights of hidden layers are brought to mean 0 and a learned length, row by row.
    readout_leak
        None: linear scores of each device tick; else leaky scores U = γ_o·U + O·o + b.
    readout_trace
        Decay of the trace that stands for U's memory in rules that are local in time.
    """

    leak: float = 0.5
    threshold: float = 0.6
    bias: bool = False
    standardise: bool = True
    readout_leak: float | None = None
    readout_trace: float = 0.99

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        _share("leak", self.leak)
        _share("readout_trace", self.readout_trace)
        if self.readout_leak is not None:
            _share("readout_leak", self.readout_leak)
        if not self.threshold > 0:
            raise LearnerError(f"threshold must be above 0, got {self.threshold}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """How parameters step: optimiser, rate, schedule."""

    optimiser: str = "adam"
    rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "none"
    """none, cosine (to 0 at the last epoch) or plateau (halves after 5 epochs without progress)."""

    def __post_init__(self) -> None:
        """Refuse what is unknown or out of range."""
        _one_of("optimiser", self.optimiser, ("sgd", "adam", "adamw"))
        _one_of("schedule", self.schedule, ("none", "cosine", "plateau"))
        _share("momentum", self.momentum)
        if not self.rate > 0:
            raise LearnerError(f"rate must be above 0, got {self.rate}")
        if self.weight_decay < 0:
            raise LearnerError(f"weight_decay must be 0 or more, got {self.weight_decay}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A whole training.

    Attributes
    ----------
    net, width
        Name in `shapes.NETS`, and what its numbers of maps are multiplied by.
    average
        Whether layers pool by the mean; else by the maximum, of spikes a logical or.
    ticks
        Device ticks that a picture is shown for; recordings bring their own.
    validation, test
        Shares of the data that are held out; `test` is not used if test data are given.
    precision
        single or double.
    """

    rule: Rule
    net: str = "mlp"
    width: float = 1.0
    average: bool = False
    neurons: Neurons = field(default_factory=Neurons)
    steps: Steps = field(default_factory=Steps)
    epochs: int = 10
    batch: int = 32
    ticks: int = 10
    validation: float = 0.1
    test: float = 0.2
    seed: int = 1
    precision: str = "single"

    def __post_init__(self) -> None:
        """Refuse what is unknown or out of range."""
        _one_of("net", self.net, tuple(NETS))
        _one_of("precision", self.precision, ("single", "double"))
        for what in ("epochs", "batch", "ticks"):
            if getattr(self, what) < 1:
                raise LearnerError(f"{what} must be 1 or more, got {getattr(self, what)}")
        for what in ("validation", "test"):
            if not 0 < getattr(self, what) < 1:
                raise LearnerError(f"{what} must be in (0, 1), got {getattr(self, what)}")


_VGG9: Final = Steps(optimiser="adam", rate=1e-3, schedule="cosine")
_SHD: Final = Neurons(leak=0.9933, readout_leak=0.99, bias=True)
PUBLISHED: Final[dict[str, Training]] = {
    "dvs-gesture": Training(
        rule=Rule(name="s-tllr", idle=15),
        net="vgg9",
        steps=_VGG9,
        epochs=300,
        batch=16,
        ticks=20,
    ),
    "cifar10-dvs": Training(
        rule=Rule(name="s-tllr", psi="c", lambda_pre=0.5, idle=5),
        net="vgg9",
        average=True,
        steps=_VGG9,
        epochs=300,
        batch=48,
        ticks=10,
    ),
    "shd": Training(
        rule=Rule(name="s-tllr", psi="a", alpha_post=1.0, lambda_pre=1.0, lambda_post=0.5, idle=10),
        net="shd",
        neurons=_SHD,
        steps=Steps(optimiser="adam", rate=2e-4),
        epochs=200,
        batch=128,
        ticks=100,
    ),
}
"""What S-TLLR's authors trained with (arXiv 2306.15220, released code), by data set."""
