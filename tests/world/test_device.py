"""A device: one job at a time, calls before frames, the same with and without steps."""

import heapq
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.records import Order
from simedge.world.compute import Board
from simedge.world.device import Device, DeviceError
from simedge.world.jobs import Dropped, Job

MS = 1_000_000
BOARD = Board(
    conv=10**9, depthwise=10**9, dense=10**9, event=10**6, overhead_ns=0, idle_uw=0, busy_uw=0
)


class Piece:
    """Work of known cost; `log` sees what takes effect and what is undone."""

    def __init__(self, name, events, log, *, macs=0):
        self.name, self.log = name, log
        self.volleys, self._left = len(events), list(events)
        self.counts = {"synaptic_events": sum(events)}
        self._macs = macs

    @property
    def macs(self):
        assert not self._left
        return {"dense": self._macs} if self._macs else {}

    def advance(self, count=None):
        count = len(self._left) if count is None else count
        done, self._left = self._left[:count], self._left[count:]
        return np.array(done, np.int64)

    def commit(self):
        assert not self._left
        self.log.append(("commit", self.name))
        return self.name

    def discard(self):
        self.log.append(("discard", self.name))


class Bench:
    """A workshop; the subject of a job is (name, events of its volleys[, macs])."""

    def __init__(self):
        self.log = []

    def begin(self, job):
        return self._piece(job, job.subject[0])

    def rows(self, job, first, stop):
        return [self._piece(job, f"{job.subject[0]}.{row}") for row in range(first, stop)]

    def _piece(self, job, label):
        _, events, *rest = job.subject
        self.log.append(("begin", label))
        return Piece(label, events, self.log, macs=rest[0] if rest else 0)


class Bay:
    """Runs one device by hand."""

    def __init__(self, *, board=BOARD, **settings):
        self.bench = Bench()
        self.device = Device(board, self.bench, number=3, **settings)
        self.done, self.dropped, self.calls = [], [], count(1)
        self.on_done = lambda *_: None

    def frame(self, name, events):
        return lambda now: self.dropped.extend(self.device.frame((name, events), now))

    def call(self, name, events=(), *, rows=0, macs=0, kind="kl_step"):
        subject = (name, list(events), macs)
        return lambda now: self.device.request(
            Job(kind=kind, subject=subject, since_ns=now, call=next(self.calls), rows=rows)
        )

    def crash(self, now):
        self.caught(self.device.catch_up(now, fault=True), now)
        lost = self.device.crash(now)
        self.dropped.extend(lost)
        return lost

    def caught(self, done, now):
        if done is not None:
            self.done.append((now, done))

    def run(self, calls, faults=()):
        """Do what `calls` and `faults` say at their times; faults come before all else."""
        order = count()
        queue = [(at, Order.FRAME, next(order), call) for at, call in calls]
        queue += [(at, Order.FAULT, next(order), call) for at, call in faults]
        heapq.heapify(queue)
        self.records = 0
        while queue:
            now, _, _, what = heapq.heappop(queue)
            self.records += not callable(what)
            if callable(what):
                what(now)
                dues = ()
            else:
                dues, done = self.device.handle(what.kind, what.payload, now)
                if done is not None:
                    self.done.append((now, done))
                    self.on_done(done, now)
            for due in (*dues, *self.device.start(now)):
                assert due.at >= now
                assert due.target == 3
                heapq.heappush(queue, (due.at, due.order, next(order), due))
        return self

    def ends(self):
        return [(now, done.value) for now, done in self.done]


def test_a_job_takes_the_sum_of_its_volleys_each_rounded_up():
    board = Board(conv=1, depthwise=1, dense=10**9, event=3, overhead_ns=7, idle_uw=0, busy_uw=0)
    bay = Bay(board=board)
    bay.run([(10, bay.call("k", [1, 1, 0], macs=5))])
    assert bay.ends() == [(10 + 2 * 333_333_334 + 5 + 7, "k")]
    assert bay.device.busy_ns(10**10) == 2 * 333_333_334 + 12


def test_a_job_without_work_takes_no_time():
    bay = Bay()
    bay.run([(5, bay.call("lambda", kind="set_lambda")), (9, bay.frame("silent", []))])
    assert bay.ends() == [(5, "lambda"), (9, "silent")]
    assert bay.device.jobs == 2
    assert list(bay.device.update_ns) == [0]


def test_calls_go_before_frames_in_the_order_of_request():
    bay = Bay(queue=3)
    bay.run([
        (0, bay.frame("f1", [1000])), (1, bay.frame("f2", [1000])),
        (2, bay.call("c1", [1000])), (3, bay.call("c2", [1000])),
    ])  # fmt: skip
    assert [value for _, value in bay.ends()] == ["f1", "c1", "c2", "f2"]


def test_what_the_machine_asks_for_upon_a_frame_goes_before_the_next_frame():
    bay = Bay()
    bay.on_done = lambda done, now: done.value == "f1" and bay.call("c1", [1000])(now)
    bay.run([(0, bay.frame("f1", [1000])), (1, bay.frame("f2", [1000]))])
    assert [value for _, value in bay.ends()] == ["f1", "c1", "f2"]


def test_between_two_rows_of_a_pass_goes_one_frame():
    bay = Bay(queue=5)
    bay.run([
        (0, bay.call("p", [1000], rows=3, kind="proxy_pass")), (1, bay.call("k", [1000])),
        *[(2 + i, bay.frame(f"f{i}", [1000])) for i in range(4)],
    ])  # fmt: skip
    ended = [name for what, name in bay.bench.log if what == "commit"]
    assert ended == ["p.0", "f0", "p.1", "f1", "p.2", "k", "f2", "f3"]
    whole = [(done.value, done.whole) for _, done in bay.done if done.job.rows]
    assert whole == [(("p.0",), False), (("p.1",), False), (("p.0", "p.1", "p.2"), True)]


def test_a_full_queue_drops_the_newest_or_the_oldest():
    frames = [(i, f"f{i}") for i in range(5)]
    for drop, kept in (("newest", ["f0", "f1", "f2"]), ("oldest", ["f0", "f3", "f4"])):
        bay = Bay(queue=2, drop=drop)
        bay.run([(at, bay.frame(name, [1000])) for at, name in frames])
        assert [value for _, value in bay.ends()] == kept
        gone = [name for _, name in frames if name not in kept]
        assert bay.dropped == [Dropped((name, [1000]), "queue") for name in gone]
    none = Bay(queue=0, drop="oldest")
    none.run([(at, none.frame(name, [1000])) for at, name in frames])
    assert [value for _, value in none.ends()] == ["f0"]


def test_a_crash_undoes_the_running_job_and_forgets_the_rest():
    bay = Bay(queue=2)
    bay.run([
        (0, bay.frame("f1", [5000])), (1, bay.frame("f2", [5000])), (2, bay.call("c", [1000])),
        (2 * MS, bay.crash),
        (3 * MS, bay.frame("f3", [1000])),
        (4 * MS, bay.device.restart),
        (6 * MS, bay.frame("f4", [1000])),
    ])  # fmt: skip
    assert bay.dropped == [
        Dropped(("f1", [5000]), "crash"), Dropped(("f2", [5000]), "crash"),
        Dropped(("f3", [1000]), "down"),
    ]  # fmt: skip
    assert bay.bench.log[:2] == [("begin", "f1"), ("discard", "f1")]
    assert bay.ends() == [(7 * MS, "f4")]
    device = bay.device
    assert (device.boot, device.jobs) == (2, 1)
    assert (device.busy_ns(8 * MS), device.on_ns(8 * MS)) == (3 * MS, 6 * MS)


def test_a_crash_in_a_pass_forgets_its_rows():
    bay = Bay()
    bay.run([
        (0, bay.call("p", [1000], rows=3, kind="proxy_pass")),
        (int(1.5 * MS), bay.crash),
        (2 * MS, bay.device.restart),
        (3 * MS, bay.call("q", [1000], rows=1, kind="proxy_pass")),
    ])  # fmt: skip
    assert [done.value for _, done in bay.done] == [("p.0",), ("q.0",)]
    assert bay.device.jobs == 2


def test_rows_with_nothing_between_them_have_one_record():
    bay = Bay()
    bay.run([(0, bay.call("p", [1000], rows=16, kind="proxy_pass"))])
    assert (bay.records, bay.device.jobs) == (1, 16)
    assert bay.ends() == [(16 * MS, tuple(f"p.{row}" for row in range(16)))]


def test_a_frame_that_waits_cuts_a_pass_after_the_row_that_is_running():
    bay = Bay()
    bay.run([
        (0, bay.call("p", [1000], rows=6, kind="proxy_pass")), (2 * MS, bay.frame("f", [1000])),
    ])  # fmt: skip
    assert bay.ends() == [
        (3 * MS, ("p.0", "p.1", "p.2")), (4 * MS, "f"), (7 * MS, tuple(f"p.{i}" for i in range(6))),
    ]  # fmt: skip
    undone = [name for what, name in bay.bench.log if what == "discard"]
    assert undone == ["p.3", "p.4", "p.5"]


def test_time_goes_on_while_down():
    bay = Bay()
    bay.run([(MS, bay.frame("f", [5000])), (2 * MS, bay.crash)])
    assert bay.device.on_ns(9 * MS) == 2 * MS
    assert bay.device.frames_held() == 0


def test_what_waits_and_what_runs_is_held():
    bay = Bay(queue=2)
    held = []
    bay.run([
        (0, bay.frame("f1", [1000])), (0, bay.frame("f2", [1000])),
        (1, lambda now: held.append((bay.device.frames_held(), bay.device.busy_ns(now)))),
    ])  # fmt: skip
    assert held == [(2, 1)]
    assert bay.device.frames_held() == 0


def test_a_slower_pace_counts_from_the_start_of_the_next_job():
    bay = Bay()

    def slow(_):
        bay.device.pace_ppm = 2_000_000

    bay.run([(0, bay.frame("f1", [1000])), (1, slow), (2, bay.frame("f2", [1000]))])
    assert bay.ends() == [(MS, "f1"), (3 * MS, "f2")]


def test_a_device_refuses_what_makes_no_sense():
    for bad in ({"queue": -1}, {"drop": "all"}):
        with pytest.raises(DeviceError, match="must be sane"):
            Bay(**bad)
    bay = Bay()
    with pytest.raises(DeviceError, match="cannot restart"):
        bay.device.restart(0)
    bay.call("c", [1000])(0)
    (due,) = bay.device.start(0)
    with pytest.raises(DeviceError, match="no record 'tick'"):
        bay.device.handle("tick", due.payload, 0)
    bay.crash(0)
    assert bay.device.start(0) == ()
    assert bay.device.handle("job-done", due.payload, MS) == ((), None)
    with pytest.raises(DeviceError, match="cannot crash"):
        bay.crash(0)
    with pytest.raises(DeviceError, match="takes no call"):
        bay.call("c")(0)


jobs = st.lists(
    st.tuples(
        st.sampled_from(["frame", "call", "pass"]),
        st.integers(0, 4 * MS),
        st.lists(st.integers(0, 900), max_size=4),
        st.integers(0, 10**5),
    ),
    max_size=8,
)


def history(plan, *, queue, drop, crash=None, paces=(), looks=(), **way):
    """Return all that shows of a device whose volleys and rows are records in a certain way."""
    bay = Bay(queue=queue, drop=drop, **way)
    seen = []

    def look(now):
        bay.caught(bay.device.catch_up(now), now)
        seen.append((bay.device.busy_ns(now), bay.device.jobs, bay.device.frames_held()))

    doings = [(at, look) for at in looks]
    for i, (kind, at, events, macs) in enumerate(plan):
        if kind == "frame":
            doings.append((at, bay.frame(f"f{i}", events)))
        else:
            rows = 5 if kind == "pass" else 0
            doings.append((at, bay.call(f"c{i}", events, rows=rows, macs=macs)))

    def fall(now):
        bay.crash(now)
        bay.device.restart(now)

    faults = [] if crash is None else [(crash, fall)]
    faults += [(at, lambda _, p=pace: setattr(bay.device, "pace_ppm", p)) for at, pace in paces]
    bay.run(doings, faults)
    device = bay.device
    ended = [name for what, name in bay.bench.log if what == "commit"]
    whole = [(now, done.value) for now, done in bay.done if done.whole]
    jobs = sum(len(done.works) for _, done in bay.done)
    assert jobs == device.jobs == len(ended)
    return (whole, bay.dropped, ended, seen, device.busy_ns(10**9), list(device.update_ns),
            device.volleys, jobs)  # fmt: skip


@given(jobs, st.integers(0, 2), st.sampled_from(["newest", "oldest"]), st.integers(1, 3 * 10**6),
       st.none() | st.integers(0, 5 * MS))  # fmt: skip
def test_stepped_volleys_give_what_fused_ones_give(plan, queue, drop, pace, crash):
    # A fused job whose volleys all take no time is over before a second frame of its instant.
    plan = [(kind, at, [max(1, events) for events in volleys], d) for kind, at, volleys, d in plan]
    same = {"queue": queue, "drop": drop, "crash": crash, "paces": [(0, pace)]}
    assert history(plan, **same, stepped=True) == history(plan, **same)


ticks = st.integers(0, 12).map(MS.__mul__)
"""In whole milliseconds, as is what works take: so rows end just when other things happen."""
works = st.sampled_from([([], 0), ([1000], 0), ([500, 500], 0), ([1000], MS), ([], 2 * MS)])
plans = st.lists(
    st.tuples(st.sampled_from(["pass", "frame", "frame", "call"]), ticks, works).map(
        lambda job: (*job[:2], *job[2])
    ),
    max_size=8,
)
settings = {
    "queue": st.integers(0, 2),
    "drop": st.sampled_from(["newest", "oldest"]),
    "crash": st.none() | ticks,
    "paces": st.lists(st.tuples(ticks, st.sampled_from([10**6, 2 * 10**6])), max_size=2),
    "looks": st.lists(ticks, max_size=3),
}


@given(plans, st.fixed_dictionaries(settings))
def test_a_stretch_of_rows_gives_what_row_by_row_gives(plan, settings):
    assert history(plan, **settings) == history(plan, **settings, row_by_row=True)


@given(jobs)
def test_busy_time_is_what_the_jobs_took_and_never_more_than_time(jobs):
    bay = Bay(queue=9)
    bay.run([(at, bay.frame(f"f{i}", events)) for i, (_, at, events, _) in enumerate(jobs)])
    spans = [(done.began_ns, done.ended_ns) for _, done in bay.done]
    assert sum(end - begin for begin, end in spans) == bay.device.busy_ns(10**9)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert len(spans) == len(jobs)
