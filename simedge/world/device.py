"""A device as a server of jobs: one at a time, learner calls before frames, as a pure object.

What a driver needs, after any record of a device and whatever else it leads to::

    dropped = device.frame(frame, now)  # a frame arrived: which frames are dropped
    device.request(job)  # a call of the machine
    dues, done = device.handle(kind, payload, now)  # its records: "volley", "job-done"
    dues = device.start(now)  # always last: starts the next job if idle
    lost = device.crash(now)
    device.restart(now)

`handle` ends a job and starts none, so that what the machine asks for upon `Done` comes before
the frames that wait. A proxy pass is cut into jobs of a row; between two rows one frame goes.
A job's numbers are computed when it starts, or volley by volley when `stepped`, and take effect
when it ends; a crash before that discards them.
"""

from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from simedge.core.errors import SimedgeError
from simedge.core.records import Due, Order
from simedge.world.compute import Board, paced_ns

__all__ = ["Device", "DeviceError", "Done", "Dropped", "Job", "Work", "Workshop"]


class DeviceError(SimedgeError, RuntimeError):
    """A device was asked for something that it cannot do in its state."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
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

    def begin(self, job: Job, row: int) -> Work:
        """Return the work of a job, or of one row of it."""
        ...


class Done(NamedTuple):
    """A job has ended, or a row of one (`whole` is false until the last).

    `value` is what the work returned; for a whole proxy pass the tuple of its rows' values.
    """

    job: Job
    value: object
    work: Work
    began_ns: int
    ended_ns: int
    whole: bool


class Dropped(NamedTuple):
    """A frame that will not be learned: ``queue``, ``down`` or ``crash``."""

    frame: object
    cause: str


class _Running(NamedTuple):
    job: Job
    row: int
    work: Work
    began_ns: int
    pace_ppm: int


class Device:
    """One device's processor.

    Parameters
    ----------
    board
        Speeds and powers.
    workshop
        Makes the work of a job.
    number
        Number as a target of the kernel.
    queue
        Frames that may wait.
    drop
        Which goes when they are too many: ``newest`` or ``oldest``.
    stepped
        Whether every volley is a record of its own; the times are the same.
    """

    __slots__ = (
        "_busy_ns",
        "_calls",
        "_down_ns",
        "_down_since",
        "_drop_oldest",
        "_frame_turn",
        "_frames",
        "_nominal_ns",
        "_queue",
        "_rows",
        "_run",
        "_running",
        "_stepped",
        "_ticket",
        "_workshop",
        "board",
        "boot",
        "jobs",
        "number",
        "pace_ppm",
        "up",
        "update_ns",
        "volleys",
    )

    def __init__(
        self,
        board: Board,
        workshop: Workshop,
        *,
        number: int,
        queue: int = 1,
        drop: str = "newest",
        stepped: bool = False,
    ) -> None:
        if queue < 0 or drop not in {"newest", "oldest"}:
            raise DeviceError(f"queue and drop must be sane, got {queue}, {drop!r} ({number})")
        self.board = board
        self.number = number
        self.up = True
        self.boot = 1
        self.jobs = 0
        self.volleys = 0
        self.pace_ppm = 1_000_000
        self.update_ns = array("q")
        self._workshop = workshop
        self._queue = queue
        self._drop_oldest = drop == "oldest"
        self._stepped = stepped
        self._frames: deque[Job] = deque()
        self._calls: deque[Job] = deque()
        self._rows: list[object] = []
        self._frame_turn = False
        self._running: _Running | None = None
        self._nominal_ns = 0
        self._run = 0
        self._ticket = 0
        self._busy_ns = 0
        self._down_ns = 0
        self._down_since = 0

    def frame(self, frame: object, now: int) -> tuple[Dropped, ...]:
        """Take a frame that arrives now; return what is dropped for it, perhaps itself."""
        if not self.up:
            return (Dropped(frame, "down"),)
        idle = self._running is None and not self._calls and not self._frames
        if idle or len(self._frames) < self._queue:
            self._frames.append(Job(kind="frame", subject=frame, since_ns=now))
            return ()
        if not self._drop_oldest or not self._frames:
            return (Dropped(frame, "queue"),)
        oldest = self._frames.popleft()
        self._frames.append(Job(kind="frame", subject=frame, since_ns=now))
        return (Dropped(oldest.subject, "queue"),)

    def request(self, job: Job) -> None:
        """Take a call of the machine; calls run in order of request, before frames."""
        if not self.up:
            raise DeviceError(f"a device that is down takes no call, got {job.kind!r}")
        self._calls.append(job)

    def start(self, now: int) -> tuple[Due, ...]:
        """Start the next job if there is one and none runs."""
        if self._running is not None or not self.up:
            return ()
        picked = self._pick()
        if picked is None:
            return ()
        job, row = picked
        work = self._workshop.begin(job, row)
        self._running = _Running(job, row, work, now, self.pace_ppm)
        self._nominal_ns = self._run = 0
        self._ticket += 1
        if self._stepped and work.volleys:
            return (Due(now, Order.VOLLEY, self.number, "volley", self._ticket),)
        self._take(self._running, None)
        return (self._end(self._running),)

    def handle(self, kind: str, payload: object, now: int) -> tuple[tuple[Due, ...], Done | None]:
        """Take a record of one's own: ``volley`` or ``job-done``."""
        running = self._running
        if running is None or payload != self._ticket:
            return (), None  # of a job that a crash discarded
        match kind:
            case "volley":
                return self._volley(running), None
            case "job-done":
                return (), self._finish(running, now)
            case _:
                raise DeviceError(f"a device knows no record {kind!r} ({self.number})")

    def crash(self, now: int) -> tuple[Dropped, ...]:
        """Stop at once: the running job is undone, all that waits is gone; return lost frames."""
        if not self.up:
            raise DeviceError(f"a device that is down cannot crash ({self.number})")
        lost = [job.subject for job in self._frames]
        if self._running is not None:
            self._running.work.discard()
            self._busy_ns += now - self._running.began_ns
            if self._running.job.kind == "frame":
                lost.insert(0, self._running.job.subject)
        self._running = None
        self._frames.clear()
        self._calls.clear()
        self._rows = []
        self._frame_turn = False
        self.up = False
        self._down_since = now
        return tuple(Dropped(frame, "crash") for frame in lost)

    def restart(self, now: int) -> int:
        """Come back with the next boot, and return it."""
        if self.up:
            raise DeviceError(f"a device that is up cannot restart ({self.number})")
        self.up = True
        self.boot += 1
        self._down_ns += now - self._down_since
        return self.boot

    def busy_ns(self, now: int) -> int:
        """Return the time spent on jobs so far, whether or not they came to an end."""
        since = 0 if self._running is None else now - self._running.began_ns
        return self._busy_ns + since

    def on_ns(self, now: int) -> int:
        """Return the time that the device has been up."""
        return now - self._down_ns - (0 if self.up else now - self._down_since)

    @property
    def idle(self) -> bool:
        """Whether it is up, runs no job and has none waiting."""
        return self.up and self._running is None and not self._calls and not self._frames

    def frames_held(self) -> int:
        """Return how many frames wait or are being learned."""
        running = self._running is not None and self._running.job.kind == "frame"
        return len(self._frames) + running

    def _pick(self) -> tuple[Job, int] | None:
        """Return the next job and its row: calls first, one frame between two rows."""
        if self._frames and (self._frame_turn or not self._calls):
            self._frame_turn = False
            return self._frames.popleft(), 0
        if not self._calls:
            return None
        self._frame_turn = False
        if self._calls[0].rows:
            return self._calls[0], len(self._rows)
        return self._calls.popleft(), 0

    def _volley(self, running: _Running) -> tuple[Due, ...]:
        self._take(running, 1)
        self._ticket += 1
        if self._run == running.work.volleys:
            return (self._end(running),)
        at = running.began_ns + paced_ns(self._nominal_ns, running.pace_ppm)
        return (Due(at, Order.VOLLEY, self.number, "volley", self._ticket),)

    def _take(self, running: _Running, count: int | None) -> None:
        events = running.work.advance(count)
        self._run += len(events)
        self._nominal_ns += self.board.volleys_ns(events)

    def _end(self, running: _Running) -> Due:
        nominal_ns = self._nominal_ns + self.board.layers_ns(running.work.macs)
        at = running.began_ns + self.board.job_ns(nominal_ns, pace_ppm=running.pace_ppm)
        return Due(at, Order.LEARNED, self.number, "job-done", self._ticket)

    def _finish(self, running: _Running, now: int) -> Done:
        job, row, work, began_ns, _ = running
        value = work.commit()
        self._running = None
        self._busy_ns += now - began_ns
        self.jobs += 1
        self.volleys += work.volleys
        if job.kind == "frame":
            self.update_ns.append(now - job.since_ns)
        if not job.rows:
            return Done(job, value, work, began_ns, now, whole=True)
        self._rows.append(value)
        self._frame_turn = row + 1 < job.rows
        if self._frame_turn:
            return Done(job, value, work, began_ns, now, whole=False)
        self._calls.popleft()
        values, self._rows = tuple(self._rows), []
        return Done(job, values, work, began_ns, now, whole=True)
