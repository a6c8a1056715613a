"""Learner calls that are not done yet, each under the purpose that it serves."""

from typing import cast

from simedge.protocol.asks import Asked, Op
from simedge.protocol.machine import LearnerCall

__all__ = ["Asking"]

_VOID = ""


class Asking:
    """Numbers calls and remembers, for each that is open, what its answer is for."""

    def __init__(self) -> None:
        self._number = 0
        self._open: dict[int, str] = {}

    def ask(self, op: Op, args: Asked, *, purpose: str | None = None) -> LearnerCall:
        """Ask the learner, for a purpose; by default it has the name of what is asked."""
        self._number += 1
        self._open[self._number] = op if purpose is None else purpose
        return LearnerCall(call=self._number, op=op, args=args)

    def awaits(self, purpose: str) -> bool:
        """Return whether an answer for this purpose is still out."""
        return purpose in self._open.values()

    def close(self, call: int) -> str | None:
        """Return what a call that is now done was for, once; an empty text if for nothing more."""
        return self._open.pop(call, None)

    def void(self, purpose: str) -> None:
        """Let the open answers for a purpose be for nothing."""
        for number, open_purpose in self._open.items():
            if open_purpose == purpose:
                self._open[number] = _VOID

    def clear(self) -> None:
        """Forget open calls: a crash took their jobs. Numbers go on."""
        self._open.clear()

    def dump(self) -> list[object]:
        """Return the state."""
        return [self._number, [[number, purpose] for number, purpose in self._open.items()]]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._number, opened = cast("tuple[int, list[tuple[int, str]]]", state)
        self._open = dict(opened)
