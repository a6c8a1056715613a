"""What a policy is told at the end of a period, and what it answers."""

from dataclasses import dataclass
from typing import Protocol

from simedge.protocol.machine import Effect, Plain

__all__ = ["Decision", "Outlook", "Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a device knows at the end of a token period; means over the period."""

    loss: float
    kl_reverse: float = 0.0
    """0 without a prior."""
    srtt_s: float = 0.0
    fail: float = 0.0
    """Estimated share of tokens that are lost."""
    has_prior: bool = False
    bits: int = 0
    """On the wire, sent and received in the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The shares to set and what there is to say about them."""

    values: tuple[float, ...]
    effects: tuple[Effect, ...]


class Policy(Protocol):
    """Chooses a Hebbian share in [0, 1] for each hidden plastic layer."""

    def begin(self) -> tuple[float, ...]:
        """Return the shares to start with, also after a restart."""

    def decide(self, outlook: Outlook) -> Decision | None:
        """Return new shares at the end of a period, or nothing to change."""

    def dump(self) -> Plain:
        """Return the state as plain data."""

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
