"""Learner calls that are not done yet, by what they ask for."""

from typing import cast

from simedge.protocol.asks import Asked, Op
from simedge.protocol.machine import LearnerCall

__all__ = ["Asking"]


class Asking:
    """Numbers calls and knows which are out."""

    def __init__(self) -> None:
        self._number = 0
        self._open: dict[int, Op] = {}

    def ask(self, op: Op, args: Asked) -> LearnerCall:
        """Ask the learner."""
        self._number += 1
        self._open[self._number] = op
        return LearnerCall(call=self._number, op=op, args=args)

    def close(self, call: int) -> Op | None:
        """Return what was asked in a call that is now done, once."""
        return self._open.pop(call, None)

    def clear(self) -> None:
        """Forget open calls: a crash took their jobs. Numbers go on."""
        self._open.clear()

    def dump(self) -> list[object]:
        """Return the state."""
        return [self._number, [[number, op] for number, op in self._open.items()]]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._number, opened = cast("tuple[int, list[tuple[int, Op]]]", state)
        self._open = dict(opened)
