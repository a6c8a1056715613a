"""Jobs of a device: what it is to do, the work in it, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Done", "Dropped", "Job", "Work", "Workshop"]


class Work(Protocol):
    """The computation of one job, made by a learner; nothing outside sees it until `commit`."""

    @property
    def volleys(self) -> int:
        """How many volleys in all; 0 for dense work."""
        ...

    @property
    def counts(self) -> Any:  # noqa: ANN401  the learner's own, for whoever sums them
        """Operations by kind."""
        ...

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        """Run the next volleys (None: all that are left); return the events of each."""
        ...

    @property
    def macs(self) -> Mapping[str, int]:
        """Multiply-accumulates by layer type, known when all volleys have run."""
        ...

    def commit(self) -> object:
        """Take effect now; return the value."""
        ...

    def discard(self) -> None:
        """Leave everything as if the job had never begun."""
        ...


class Job(NamedTuple):
    """What a device is to do.

    Parameters
    ----------
    kind
        ``frame``, or the operation of a call: ``proxy_pass``, ``kl_step``, ``set_lambda``, ...
    subject
        The frame, or the arguments of the call.
    since_ns
        When it arrived or was asked for.
    call
        Id of the call; 0 for a frame.
    rows
        Rows of a proxy pass, each a job of its own; 0 for anything else.
    """

    kind: str
    subject: object
    since_ns: int
    call: int = 0
    rows: int = 0


class Workshop(Protocol):
    """Turns jobs into work: the driver's door to the learner of one device."""

    def begin(self, job: Job) -> Work:
        """Return the work of a frame or of a call that is one job."""
        ...

    def rows(self, job: Job, first: int, stop: int) -> Sequence[Work]:
        """Return the work of the rows first .. stop - 1 of a pass: with nothing between them."""
        ...


class Done(NamedTuple):
    """A job has ended, or rows of one (`whole` is false until the last).

    `value` is what the work returned; for rows the tuple of their values, for the last rows of a
    pass that of all its rows.
    """

    job: Job
    value: Any
    works: Sequence[Work]
    began_ns: int
    ended_ns: int
    whole: bool


class Dropped(NamedTuple):
    """A frame that will not be learned: ``queue``, ``down`` or ``crash``."""

    frame: object
    cause: str
