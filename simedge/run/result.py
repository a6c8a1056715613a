"""What a run hands to whoever asked for it: progress as it goes, a result at the end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from simedge.drivers.tally import Sample, Tally
from simedge.drivers.virtual import VirtualDriver
from simedge.run.eventlog import LogRecord
from simedge.run.summary import mean_accuracy

__all__ = ["Progress", "Result", "progress_of"]


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


def progress_of(driver: VirtualDriver, tally: Tally, *, wall_s: float, records: int) -> Progress:
    """Return where a run stands by its books."""
    newest = tally.evaluations[-1] if tally.evaluations else None
    accuracy = None if newest is None else mean_accuracy(newest)
    return Progress(
        now_ns=driver.kernel.now_ns,
        duration_ns=driver.duration_ns,
        wall_s=wall_s,
        records=records,
        accuracy=None if accuracy is None else float(accuracy),
        bits_up=tally.bits_up,
        bits_down=tally.bits_down,
        devices_up=sum(device.up for device in driver.devices),
        devices=len(driver.devices),
    )


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
