"""A device as a server of jobs: one at a time, learner calls before frames, as a pure object.

What a driver needs, after any record of a device and whatever else it leads to::

    dropped = device.frame(frame, now)  # a frame arrived: which frames are dropped
    device.request(job)  # a call of the machine
    dues, done = device.handle(kind, payload, now)  # its records: "volley", "job-done"
    dues = device.start(now)  # always last: starts the next job if idle
    done = device.catch_up(now)  # before a crash, or whenever else the learner is looked at
    lost = device.crash(now)
    device.restart(now)

`handle` ends a job and starts none, so that what the machine asks for upon `Done` comes before
the frames that wait. A job's numbers are computed when it starts, or volley by volley when
`stepped`, and take effect when it ends; a crash before that discards them.

A proxy pass is cut into jobs of a row; between two rows one frame goes. While no frame waits,
rows run in a stretch: they end one after another, but one record tells of them all. A frame that
comes makes `start` cut the stretch after the row that is running, as does a change of pace.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from typing import NamedTuple

from simedge.core.errors import SimedgeError
from simedge.core.records import Due, Order
from simedge.world.compute import Board, paced_ns
from simedge.world.jobs import Done, Dropped, Job, Work, Workshop

__all__ = ["Device", "DeviceError"]


class DeviceError(SimedgeError, RuntimeError):
    """A device was asked for something that it cannot do in its state."""


class _Running(NamedTuple):
    """A job, or a stretch of rows: their works, and when each ends (unknown while stepped)."""

    job: Job
    works: list[Work]
    ends: list[int]
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
    row_by_row
        Whether every row of a pass is a record of its own; the times are the same.
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
        "_row_by_row",
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
        "paused",
        "up",
        "update_ns",
        "volleys",
    )

    def __init__(  # noqa: PLR0913 -- all but the parts go by name
        self,
        board: Board,
        workshop: Workshop,
        *,
        number: int,
        queue: int = 1,
        drop: str = "newest",
        stepped: bool = False,
        row_by_row: bool = False,
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
        self.paused = False
        self.update_ns = array("q")
        self._workshop = workshop
        self._queue = queue
        self._drop_oldest = drop == "oldest"
        self._stepped = stepped
        self._row_by_row = row_by_row or stepped
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
        """Start the next job if there is one and none runs; cut a stretch that is in the way.

        One that is `paused` starts none.
        """
        running = self._running
        if running is not None:
            return self._cut(running, now) if len(running.works) > 1 else ()
        job = self._pick() if self.up and not self.paused else None
        if job is None:
            return ()
        self._running = running = _Running(job, self._works(job), [], now, self.pace_ppm)
        self._nominal_ns = self._run = 0
        self._ticket += 1
        if self._stepped and running.works[0].volleys:
            return (Due(now, Order.VOLLEY, self.number, "volley", self._ticket),)
        self._compute(running)
        return (self._end(running),)

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

    def catch_up(self, now: int, *, fault: bool = False) -> Done | None:
        """Let those rows of a running stretch take effect that have ended by now, if any has.

        A `fault` comes before the jobs that end at the same instant, all else after them.
        """
        running = self._running
        if running is None:
            return None
        past = bisect_left if fault else bisect_right
        ended = min(past(running.ends, now), len(running.works) - 1)
        if not ended:
            return None
        works, ends = running.works, running.ends
        at = ends[ended - 1]
        done = self._finish(running._replace(works=works[:ended]), at)
        self._running = running._replace(works=works[ended:], ends=ends[ended:], began_ns=at)
        return done

    def crash(self, now: int) -> tuple[Dropped, ...]:
        """Stop at once: the running job is undone, all that waits is gone; return lost frames.

        Rows of a stretch that have ended are undone too, unless one caught up with them.
        """
        if not self.up:
            raise DeviceError(f"a device that is down cannot crash ({self.number})")
        lost = [job.subject for job in self._frames]
        if self._running is not None:
            for work in self._running.works:
                work.discard()
            self._busy_ns += now - self._running.began_ns
            if self._running.job.kind == "frame":
                lost.insert(0, self._running.job.subject)
        self._running = None
        self._frames.clear()
        self._calls.clear()
        self._rows = []
        self._frame_turn = False
        self.up = self.paused = False
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

    def frames_kept(self) -> list[object]:
        """Return the frames that wait or are being learned."""
        running = [] if self._running is None else [self._running.job]
        return [job.subject for job in (*running, *self._frames) if job.kind == "frame"]

    def frames_held(self) -> int:
        """Return how many frames wait or are being learned."""
        running = self._running is not None and self._running.job.kind == "frame"
        return len(self._frames) + running

    def _pick(self) -> Job | None:
        """Return the next job, or the pass that goes on: calls first, one frame between rows."""
        if self._frames and (self._frame_turn or not self._calls):
            self._frame_turn = False
            return self._frames.popleft()
        if not self._calls:
            return None
        self._frame_turn = False
        return self._calls[0] if self._calls[0].rows else self._calls.popleft()

    def _works(self, job: Job) -> list[Work]:
        """Return the work of a job: of all rows that are left, unless a frame comes between."""
        if not job.rows:
            return [self._workshop.begin(job)]
        first = len(self._rows)
        alone = self._row_by_row or self._frames
        return list(self._workshop.rows(job, first, first + 1 if alone else job.rows))

    def _compute(self, running: _Running) -> None:
        """Run all volleys; note when each work ends."""
        board, at = self.board, running.began_ns
        nominals = board.parts_ns([work.advance() for work in running.works])
        for work, volleys_ns in zip(running.works, nominals, strict=True):
            nominal_ns = volleys_ns + board.layers_ns(work.macs)
            at += board.job_ns(nominal_ns, pace_ppm=running.pace_ppm)
            running.ends.append(at)

    def _volley(self, running: _Running) -> tuple[Due, ...]:
        """Run the next volley of a job that is stepped."""
        (work,) = running.works
        events = work.advance(1)
        self._run += len(events)
        self._nominal_ns += self.board.volleys_ns(events)
        self._ticket += 1
        if self._run < work.volleys:
            at = running.began_ns + paced_ns(self._nominal_ns, running.pace_ppm)
            return (Due(at, Order.VOLLEY, self.number, "volley", self._ticket),)
        nominal_ns = self._nominal_ns + self.board.layers_ns(work.macs)
        taken_ns = self.board.job_ns(nominal_ns, pace_ppm=running.pace_ppm)
        running.ends.append(running.began_ns + taken_ns)
        return (self._end(running),)

    def _end(self, running: _Running) -> Due:
        return Due(running.ends[-1], Order.LEARNED, self.number, "job-done", self._ticket)

    def _cut(self, running: _Running, now: int) -> tuple[Due, ...]:
        """End a stretch with the row that is running, if the next ones must wait or change."""
        works, ends = running.works, running.ends
        if self.paused or running.pace_ppm != self.pace_ppm:
            left = bisect_left(ends, now) + 1  # a fault: it comes before rows that end now
        elif self._frames:
            left = bisect_right(ends, now) + 1
        else:
            return ()
        if left >= len(works):
            return ()
        for work in works[left:]:
            work.discard()
        del works[left:], ends[left:]
        self._ticket += 1
        return (self._end(running),)

    def _finish(self, running: _Running, now: int) -> Done:
        job, works, _, began_ns, _ = running
        values = [work.commit() for work in works]
        self._running = None
        self._busy_ns += now - began_ns
        self.jobs += len(works)
        for work in works:
            self.volleys += work.volleys
        if not job.rows:
            if job.kind == "frame":
                self.update_ns.append(now - job.since_ns)
            return Done(job, values[0], works, began_ns, now, whole=True)
        self._rows += values
        self._frame_turn = len(self._rows) < job.rows
        if not self._frame_turn:
            self._calls.popleft()
            values, self._rows = self._rows, []
        return Done(job, tuple(values), works, began_ns, now, whole=not self._frame_turn)
