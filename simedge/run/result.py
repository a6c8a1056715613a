"""What a run hands to whoever asked for it: progress as it goes, a result at the end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from simedge.drivers.tally import Sample
from simedge.run.eventlog import LogRecord

__all__ = ["Progress", "Result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands.

    Parameters
    ----------
    now_ns, duration_ns
        Virtual time reached and asked for.
    wall_s
        Seconds since the first record.
    accuracy
        Mean held-out accuracy at the newest evaluation, if there was one.
    """

    now_ns: int
    duration_ns: int
    wall_s: float
    records: int
    accuracy: float | None
    bits_up: int
    bits_down: int
    devices_up: int
    devices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished or interrupted run.

    ``summary`` has the content of ``summary.json``; ``records`` iterates over the event log, which
    is empty if only the summary is kept; ``path`` is the run directory, if there is one;
    ``compile_s`` is how much of ``wall_s`` native code was compiled, which a first run does;
    ``target`` is the accuracy whose price in bits is reported, if one is set.
    """

    summary: dict[str, Any]
    path: Path | None = None
    interrupted: bool = False
    records: Iterable[LogRecord] = ()
    samples: tuple[Sample, ...] = field(default=(), repr=False)
    compile_s: float = 0.0
    target: Fraction | None = None

    def metrics(self) -> tuple[Sample, ...]:
        """Return the samples over virtual time, in the order in which they were taken."""
        return self.samples
