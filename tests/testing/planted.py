"""Ten bugs to be planted, each one line of a real slip, with the search that must find it."""

# ruff: noqa: SLF001 -- to plant a bug is to reach inside

import time
from collections import deque

from simedge.protocol.elal_device import ElalDevice
from simedge.protocol.elal_server import ElalServer
from simedge.protocol.machine import Sample, SetTimer
from simedge.protocol.publication import Shelf
from simedge.protocol.register import Register
from simedge.world.books import Books
from simedge.world.device import Device, Job
from simedge.world.energy import Meter

__all__ = ["MACHINE_BUGS", "RUN_BUGS"]


def dedup_lost_on_restart(patch):
    """A server that restarts forgets which tokens it has merged, though it knows its members."""
    restarted = ElalServer._on_restarted

    def forgetful(self, event, now):
        effects = restarted(self, event, now)
        self._register = Register(self._shape, self._devices)
        return effects

    patch.setattr(ElalServer, "_on_restarted", forgetful)


def prior_version_rolled_back(patch):
    """A block is published under the version before whenever its turn comes a third time."""
    choose = Shelf.choose

    def older(self, budget):
        chosen = choose(self, budget)
        self.versions[chosen] -= 2 * (self.versions[chosen] == 3)
        return chosen

    patch.setattr(Shelf, "choose", older)


def staleness_sign(patch):
    """Versions behind are counted as base less version."""
    read = ElalServer._read_token

    def flipped(self, message, now):
        effects = read(self, message, now)
        return [
            Sample(metric=e.metric, value=-e.value, labels=e.labels)
            if isinstance(e, Sample) and e.metric == "staleness_versions"
            else e
            for e in effects
        ]

    patch.setattr(ElalServer, "_read_token", flipped)


def loss_counted_as_delivered(patch):
    """What a link loses stands in the column of what it delivered."""
    lost = Books.lost

    def glad(self, datagram, cause, fates):
        before = list(self.counts)
        lost(self, datagram, cause, fates)
        self.counts[:] = before
        if datagram.whole is None:
            self.counts[2] += 1
            self.counts[9] += datagram.wire_bytes

    patch.setattr(Books, "lost", glad)


def energy_counted_twice(patch):
    """A device that was off pays for idling through it."""
    read = Meter.read

    def twice(self, now, *, on_ns, busy_ns):
        return (
            read(self, now, on_ns=now, busy_ns=busy_ns)
            if on_ns < now
            else read(self, now, on_ns=on_ns, busy_ns=busy_ns)
        )

    patch.setattr(Meter, "read", twice)


def weight_above_the_cap(patch):
    """Rows weigh something beyond their greatest age."""
    read = Register.read

    def eternal(self, blocks, now, *, weights, versions, without=0):
        object.__setattr__(weights, "age_max_ns", 2**62)
        return read(self, blocks, now, weights=weights, versions=versions, without=without)

    patch.setattr(Register, "read", eternal)


def queue_unbounded(patch):
    """A busy device keeps every frame."""

    def greedy(self, frame, now):
        if self.up:
            self._frames = deque([*self._frames, Job(kind="frame", subject=frame, since_ns=now)])
            return ()
        return frame_of(self, frame, now)

    frame_of = Device.frame
    patch.setattr(Device, "frame", greedy)


def merge_depends_on_order(patch):
    """The row that came last stays, however old it is."""
    merge = Register.merge

    def last_wins(self, token, address):
        block, first, count = self.shape.span(address)
        self._stamp[block, token.dev - 1, first : first + count] = 0
        return merge(self, token, address)

    patch.setattr(Register, "merge", last_wins)


def timer_leak(patch):
    """Each period sets a timer of its own name, and none is ever cancelled."""
    handle = ElalDevice.handle

    def leaking(self, event, now):
        effects = handle(self, event, now)
        if not effects:
            return effects
        name = f"watch-{sum(self.counters.values())}-{now}"
        return [*effects, SetTimer(id=name, at=now + 10**12)]

    patch.setattr(ElalDevice, "handle", leaking)


def clock_read(patch):
    """A machine looks at the clock on the wall."""
    handle = ElalDevice.handle

    def looking(self, event, now):
        effects = handle(self, event, now)
        return [*effects, Sample(metric="waited_s", value=time.perf_counter_ns() / 1e9)]

    patch.setattr(ElalDevice, "handle", looking)


RUN_BUGS = {
    "prior version rolled back": (prior_version_rolled_back, "versions_never_fall", "loss"),
    "staleness sign": (staleness_sign, "nothing_measured_is_negative", "reorder"),
    "loss counted as delivered": (loss_counted_as_delivered, "losses_are_counted", "isolate"),
    "energy counted twice": (energy_counted_twice, "idle_energy_is_that_of_the_time_on", "crash"),
    "weight above the cap": (weight_above_the_cap, "priors_are_within_their_age", "split-brain"),
    "queue unbounded": (queue_unbounded, "queues_keep_their_limits", "frame-burst"),
}
"""Bugs that a search through runs finds, the law that they break, and a fault that shows it."""

MERGES = {"newest_row_stays", "messages_count_once"}
MACHINE_BUGS = {
    "dedup table lost on restart": (
        dedup_lost_on_restart,
        {"newest_row_stays", "messages_count_once"},
    ),
    "aggregation depends on order": (
        merge_depends_on_order,
        {"newest_row_stays", "messages_count_once"},
    ),
    "timer leak": (timer_leak, {"timers_are_few"}),
    "clock read": (clock_read, {"equal_states_do_equal_things"}),
}
"""Bugs that machines driven by hand show, and the law that they break."""
