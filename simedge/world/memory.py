"""Memory: the terms that a device must hold, against 70 % of what it has.

Nothing is shrunk silently: a model that does not fit is refused, with every term.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simedge.core.errors import SimedgeError
from simedge.core.units import format_bytes

__all__ = ["MemoryBook", "MemoryLimitError", "check_memory", "limit_bytes", "state_bytes"]

_USABLE_PERCENT: Final = 70
_VALUE_BYTES: Final = 4
_VALUES: Final = MappingProxyType(
    {
        "bptt-adam": (4, 2),  # times parameters, times neurons and steps
        "eligibilities": (2, 2),
        "traces": (1, 4),
    }
)


class MemoryLimitError(SimedgeError, ValueError):
    """What a device is to hold does not fit."""


def limit_bytes(memory_bytes: int) -> int:
    """Return the part of a memory that may be used.

    Examples
    --------
    >>> limit_bytes(512 * 2**20)
    375809638
    """
    return memory_bytes * _USABLE_PERCENT // 100


def check_memory(terms: Mapping[str, int], memory_bytes: int, *, device: str) -> int:
    """Return the peak of the terms, in bytes.

    Raises
    ------
    MemoryLimitError
        If it is above the limit; the message names each term.
    """
    peak, limit = sum(terms.values()), limit_bytes(memory_bytes)
    if peak > limit:
        parts = ", ".join(f"{name} {format_bytes(size)}" for name, size in terms.items())
        raise MemoryLimitError(
            f"{device} must hold {format_bytes(peak)} ({parts}), more than {_USABLE_PERCENT} % "
            f"of its {format_bytes(memory_bytes)}"
        )
    return peak


def state_bytes(method: str, *, parameters: int, neurons: int, steps: int = 1) -> int:
    """Return the bytes of parameters and learner state with 4-byte values.

    ``bptt-adam``: back-propagation through time, 4 (4P + 2TN). ``eligibilities``: a local rule
    with one a synapse, 4 (2P + 2N). ``traces``: a local rule with pre_trace and post_trace a
    neuron, 4 (P + 4N).

    Examples
    --------
    >>> state_bytes("traces", parameters=500_000, neurons=20_000)
    2320000
    """
    by_parameter, by_neuron = _VALUES[method]
    over_time = steps if method == "bptt-adam" else 1
    return _VALUE_BYTES * (by_parameter * parameters + by_neuron * over_time * neurons)


class MemoryBook:
    """What a device holds now, term by term, and the most it ever held."""

    __slots__ = ("_terms", "limit_bytes", "peak_bytes")

    def __init__(self, limit: int) -> None:
        self.limit_bytes = limit
        self.peak_bytes = 0
        self._terms: dict[str, int] = {}

    def hold(self, term: str, size: int) -> bool:
        """Set the size of a term in bytes; return whether everything still fits."""
        self._terms[term] = size
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)
        return self.now_bytes <= self.limit_bytes

    @property
    def now_bytes(self) -> int:
        """Bytes held now, all terms together."""
        return sum(self._terms.values())

    @property
    def terms(self) -> Mapping[str, int]:
        """Bytes held now by term."""
        return MappingProxyType(self._terms)
