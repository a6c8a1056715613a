"""What a training step cost: multiply-accumulates and words, counted as the work is done.

`forward`, `signal` (error on its way to the neurons) and `weight` (products that become changes of
weights) are multiply-accumulates of one sample; `state` is words of one sample that are kept for
learning alone: what back-propagation keeps of every layer, or traces.
"""

from dataclasses import dataclass

from simedge.learning.deep.references.shapes import Plan

__all__ = ["Costs", "Ledger", "nominal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Costs of one sample in one step."""

    forward: int
    signal: int
    weight: int
    state: int


class Ledger:
    """Counts; a step begins with `begin`."""

    __slots__ = ("_macs", "_state")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what was counted."""
        self._macs = {"forward": 0, "signal": 0, "weight": 0}
        self._state = 0

    def count(self, kind: str, macs: int) -> None:
        """Add multiply-accumulates of one sample."""
        self._macs[kind] += macs

    def keep(self, words: int) -> None:
        """Add words of one sample that are kept."""
        self._state += words

    def hold(self, words: int) -> None:
        """Note words that are held and given back: the most counts."""
        self._state = max(self._state, words)

    @property
    def costs(self) -> Costs:
        """What the step cost so far."""
        return Costs(state=self._state, **self._macs)


def nominal(plan: Plan, rule: str, *, ticks: int = 1, active: int = 1, post: bool = True) -> Costs:
    """Return what a step of a rule costs by formula.

    Parameters
    ----------
    plan
        The network.
    rule
        bptt, s-tllr-bp, s-tllr-dfa, tess, e-prop, bp, dfa, lls, lls-m or lls-mxm.
    ticks
        Device ticks of a window.
    active
        Device ticks with a modulator.
    post
        Whether the term of the post trace takes part.

    >>> from simedge.learning.deep.references.shapes import plan
    >>> vgg9 = plan("vgg9", (3, 32, 32), 10)
    >>> nominal(vgg9, "bptt", ticks=6).signal, nominal(vgg9, "tess", active=6).signal
    (3623909376, 1228800)
    """
    layers, classes = plan.layers, plan.classes
    inner = sum(layer.macs for layer in layers)
    beside = sum(layer.recurrent_macs for layer in layers)
    every = inner + beside
    readout = plan.readout_macs
    back = every - layers[0].macs + readout
    neurons, traces = (sum(getattr(la, n) for la in layers) for n in ("neurons", "inputs"))
    local = sum(layer.local for layer in layers)
    if rule == "bptt":
        signal = ticks * back - beside  # the first device tick has no spikes before it
        return Costs(
            forward=ticks * (every + readout),
            signal=signal,
            weight=ticks * (every + readout),
            state=ticks * neurons,
        )
    if rule in {"bp", "dfa", "lls", "lls-m", "lls-mxm"}:
        extra = {"lls-m": classes, "lls-mxm": 3 * classes**2}.get(rule, 0) * len(layers)
        passed = sum(layer.passed for layer in layers)
        signal = {"bp": back, "dfa": classes * passed}.get(rule, 2 * classes * local + extra)
        widest = max(layer.inputs + layer.neurons for layer in layers)
        kept = neurons + layers[0].inputs if rule == "bp" else widest
        return Costs(forward=every + readout, signal=signal, weight=every + readout, state=kept)
    passed = sum(layer.passed for layer in layers)
    signal = {
        "s-tllr-bp": inner - layers[0].macs + readout,
        "tess": 2 * classes * local,
    }.get(rule, classes * passed)
    recurrent = sum(layer.neurons for layer in layers if layer.recurrent)
    return Costs(
        forward=ticks * (every + readout),
        signal=active * signal,
        weight=active * ((2 if post else 1) * every + readout),
        state=traces + recurrent + (neurons if post else 0),
    )
