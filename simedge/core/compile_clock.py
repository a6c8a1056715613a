"""How long native code is compiled: once on a machine, and no measure of what runs."""

from typing import Any

from numba.core import event

__all__ = ["CompileClock"]

_EVENTS: Any = event  # has no types


class CompileClock:
    """Counts the seconds in which native code is compiled while it is entered."""

    def __init__(self) -> None:
        self._listener = _EVENTS.TimingListener()

    @property
    def seconds(self) -> float:
        """Seconds so far; loading what is kept on disk is not compiling."""
        return float(self._listener.duration) if self._listener.done else 0.0

    def __enter__(self) -> None:
        """Begin to listen."""
        _EVENTS.register("numba:compile", self._listener)

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        _EVENTS.unregister("numba:compile", self._listener)
