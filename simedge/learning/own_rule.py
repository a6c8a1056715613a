"""A rule of one's own for the synapses of one layer: one short method, the rest is here.

The layer is of feed-forward spiking neurons. When a presentation is over, the rule is handed what
its layer heard and fired, its weights, and what a teacher broadcasts to all layers alike; it
returns how its weights change. It sees no other layer, no other device and no clock.
"""

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.own_code import fault_text, made_settings
from simedge.core.streams import Streams
from simedge.learning.errors import LearnerFaultError
from simedge.learning.own_settings import OwnRuleSettings
from simedge.learning.own_state import (
    arrays_in,
    check_whole,
    feed,
    file_of,
    first_not_finite,
    own_state,
    put_back,
)

__all__ = ["LayerSeen", "OwnRule", "Taught", "check_own_rule"]

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
_GIVEN = frozenset({"classes", "lines", "neurons", "layer", "device", "settings"})
_MACS_MAX: Final = 2**53
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class LayerSeen:
    """One presentation as one layer saw it: all that a rule is handed. Arrays are read-only."""

    pre_ticks: Longs
    """Device tick of each arrival, ascending."""
    pre_lines: Longs
    """Its line, 0 .. lines - 1."""
    post_ticks: Longs
    """Device tick of each spike of the layer, ascending."""
    post_neurons: Longs
    """Its neuron, 0 .. neurons - 1."""
    ticks: int
    """Device ticks of a presentation."""
    target: Floats
    """y*: 1 for the class shown, 0 for all others."""
    error: Floats
    """What the readout said, its softmax, less y*: broadcast to all layers alike."""
    sizes: tuple[int, int]
    """Neurons and lines."""
    held: Callable[[], Floats]
    """Makes `weights`."""

    @cached_property
    def weights(self) -> Floats:
        """The layer's weights before any change, (neurons, lines); a copy."""
        return _frozen(self.held())

    @cached_property
    def heard(self) -> Floats:
        """Arrivals of each line, (lines,)."""
        return _frozen(np.bincount(self.pre_lines, minlength=self.sizes[1]).astype(float))

    @cached_property
    def fired(self) -> Floats:
        """Spikes of each neuron, (neurons,)."""
        return _frozen(np.bincount(self.post_neurons, minlength=self.sizes[0]).astype(float))


class Taught(NamedTuple):
    """What came of a presentation for one layer."""

    memory: dict[str, Any]
    """What the rule is to remember; it is as it was."""
    change: Floats
    """(neurons, lines), finite."""
    macs: int
    writes: int
    """Weights that change."""


class OwnRule(ABC):
    """Subclass it, and name it as ``learner: {kind: spiking, rule: {kind: my_module:MyRule}}``.

    Keys beside `kind` are `settings`, if the class declares them: ``Settings``, a dataclass or a
    pydantic model. Write `change`; what a rule remembers from frame to frame lives in attributes
    made in `begin`: arrays, numbers, text, and tuples, lists or dicts of those. There is one object
    a layer and device, and each knows its own layer alone.

    Examples
    --------
    >>> class Hebb(OwnRule):
    ...     def change(self, seen):
    ...         return 1e-4 * np.outer(seen.fired, seen.heard)
    """

    def __init__(  # noqa: PLR0913 -- what every rule is given, all by name
        self,
        *,
        classes: int,
        lines: int,
        neurons: int,
        layer: int,
        streams: Streams,
        device: str,
        settings: Any = None,  # noqa: ANN401 -- the user's own
    ) -> None:
        self.settings = made_settings(type(self), {}) if settings is None else settings
        """What the scenario says, or the defaults; None without a `Settings`."""
        self.classes, self.lines, self.neurons = classes, lines, neurons
        self.layer = layer
        """From 1, the lowest, on."""
        self.device = device
        self._tried(lambda: self.begin(streams))

    def begin(self, streams: Streams) -> None:  # noqa: B027 -- who remembers nothing needs none
        """Make the attributes that the rule remembers."""

    @abstractmethod
    def change(self, seen: LayerSeen) -> ArrayLike:
        """Return how the weights change, (neurons, lines); also change what you remember."""

    def macs(self, seen: LayerSeen, change: Floats) -> int:  # noqa: ARG002 -- for those who know
        """Return the multiply-accumulates that it took: by default one for each changed weight."""
        return int(np.count_nonzero(change))

    @property
    def name(self) -> str:
        """Name of the rule: that of the class."""
        return type(self).__name__

    def taught(self, seen: LayerSeen) -> Taught:
        """Return what a presentation changes; nothing has changed yet.

        Raises
        ------
        LearnerFaultError
            If the rule fails, or gives what is no change of its weights.
        """
        twin = self.twin()
        change = twin._tried(lambda: np.array(twin.change(seen), np.float64))  # noqa: SLF001
        if change.shape != (self.neurons, self.lines):
            raise self.fault(
                f"a change of {self.neurons} x {self.lines} weights is wanted, got an array of "
                f"shape {change.shape}"
            )
        if not np.isfinite(change).all():
            raise self.fault("the change of weights is not finite (NaN or overflow)")
        broken = first_not_finite(twin.memory())
        if broken is not None:
            raise self.fault(f"{broken} is not finite (NaN or overflow)")
        macs: object = twin._tried(lambda: twin.macs(seen, change))  # noqa: SLF001
        if not (isinstance(macs, int | np.integer) and 0 <= macs <= _MACS_MAX):
            raise self.fault(
                f"macs must be a whole number from 0 to {_MACS_MAX}, got {repr(macs)[:60]}"
            )
        return Taught(twin.memory(), change, int(macs), int(np.count_nonzero(change)))

    def twin(self) -> Self:
        """Return an equal rule that remembers by itself."""
        twin = copy.copy(self)
        put_back(twin, _GIVEN, self.memory())
        return twin

    def memory(self) -> dict[str, Any]:
        """Return what the rule remembers, by attribute; not copied."""
        return own_state(self, _GIVEN)

    def remember(self, state: Mapping[str, Any]) -> None:
        """Take over what an equal rule remembered; copied."""
        put_back(self, _GIVEN, state)

    @property
    def words(self) -> int:
        """How many numbers the rule remembers."""
        return sum(array.size for array in arrays_in(self.memory()))

    def digest(self) -> bytes:
        """Return the SHA-256 of what the rule remembers."""
        sha = hashlib.sha256()
        for name, value in sorted(self.memory().items()):
            sha.update(name.encode())
            feed(sha, value, name)
        return sha.digest()

    def fault(self, text: str) -> LearnerFaultError:
        """Return the error that stops a run."""
        return LearnerFaultError(f"the rule {self.name}, layer {self.layer},", self.device, text)

    def _tried(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except Exception as error:
            raise self.fault(fault_text(error, file_of(type(self)))) from error


def check_own_rule(settings: OwnRuleSettings) -> None:
    """See that a class is a rule.

    Raises
    ------
    OwnCodeError
        If it is none, or lacks a method.
    """
    check_whole(settings.owner(), OwnRule, kind=settings.kind)


def _frozen(array: Floats) -> Floats:
    array.flags.writeable = False
    return array
