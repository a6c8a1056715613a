"""The driver of virtual time: turns machines, devices and links by the kernel's clock.

It is the only place where records enter the queue. A slice is a number of records, so that
progress, interrupts and writers may come between two slices without touching the result.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from simedge.core.records import Due, Order
from simedge.drivers.carrier import Carrier
from simedge.drivers.device_host import DeviceHost
from simedge.drivers.faults import Faults
from simedge.drivers.host import Host
from simedge.drivers.journal import Journal
from simedge.drivers.knowledge import Knowledge
from simedge.drivers.observer import EVALUATE, Observer
from simedge.drivers.reach import Reach
from simedge.drivers.server_host import ServerHost
from simedge.drivers.sides import Sides
from simedge.drivers.tally import Flow, LinkTally
from simedge.kernel import Kernel
from simedge.kernel.kernel import Record
from simedge.world.datagrams import Datagram
from simedge.world.links import Link
from simedge.world.shared_link import SharedLink

__all__ = ["KERNEL", "VirtualDriver"]

KERNEL: Final = "kernel"
"""Name of what dispatches records, in the log of a run in which it does so amiss."""
_NETWORK_KINDS = frozenset({"edges-lost", "edges-back"})
_ENDS = frozenset({"transfer-whole", "transfer-told", "transfer-stalled"})


class VirtualDriver:
    """One run in virtual time.

    Parameters
    ----------
    kernel
        Empty, at time 0.
    server, devices
        Hosts of the machines; the server has number 0.
    carrier
        Moves messages.
    observer
        Evaluates.
    faults
        Crashes and restarts.
    duration_ns
        End of the run, included.
    seconds, sides
        Servers that come up while a fault splits the world, and who hears them.
    reach
        Tells machines of ways that are lost or back; None: theirs have no use for it.
    """

    def __init__(  # noqa: PLR0913 -- the parts of a world
        self,
        kernel: Kernel,
        *,
        server: ServerHost | None,
        devices: Sequence[DeviceHost],
        carrier: Carrier,
        observer: Observer,
        faults: Faults,
        journal: Journal,
        knowledge: Knowledge,
        duration_ns: int,
        seconds: Sequence[ServerHost] = (),
        sides: Sides | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.kernel = kernel
        self.devices = tuple(devices)
        self.server = server
        self.carrier = carrier
        self.journal = journal
        self.duration_ns = duration_ns
        self._observer = observer
        self._faults = faults
        self._knowledge = knowledge
        self._hosts: Mapping[int, DeviceHost | ServerHost] = {
            host.number: host for host in ([server] if server else []) + list(devices)
        }
        if server is not None:
            server.checkpoints = faults.need_checkpoints
        for device in devices:
            device.server = server
        self._seconds = {second.number: second for second in seconds}
        self._twins = {device.number: device.twins for device in devices if device.twins}
        self._extras: dict[int, Host] = {
            **self._seconds,
            **{twin.number: twin for twins in self._twins.values() for twin in twins},
        }
        self._sides = sides
        self._reach = reach
        if reach is not None:
            carrier.on_route = reach.changed
        self._register()

    def _register(self) -> None:
        for number in self._hosts:
            doubled = number in self._twins
            self.kernel.register(number, self._twinned_record if doubled else self._host_record)
        for number in self._extras:
            self.kernel.register(number, self._extra_record)
        struck = self._faults.hit
        for number in self.carrier.network.by_number:
            handle = self._faults.handle_link if number in struck else self.carrier.handle
            self.kernel.register(number, handle)
        for number in struck & frozenset(range(len(self.journal.names))):
            if self.journal.names[number] == KERNEL:
                self.kernel.register(number, self._faults.announce)
        self._observer_number = len(self.journal.names)
        self.kernel.register(self._observer_number, self._evaluate)

    def start(self) -> None:
        """Put the beginning of everything into the queue."""
        for host in self._hosts.values():
            self.kernel.post((0, Order.STARTED, host.number, "start", None))
        for due in self._faults.dues():
            self.kernel.post(due)
        self._schedule_evaluation(0)
        for device in self.devices:
            device.begin()
        if self._reach is not None:
            self._reach.begin()

    def run_slice(self, count: int, until: int | None = None) -> int:
        """Dispatch at most `count` records up to `until` or the end of the run; return how many."""
        end = self.duration_ns if until is None else min(until, self.duration_ns)
        return self.kernel.run_slice(count, end)

    def rest(self) -> None:
        """Throw away what was computed ahead, so that nothing but state is left."""
        for device in self.devices:
            device.door.forget()

    @property
    def done(self) -> bool:
        """Return whether nothing is left before the end of the run."""
        return not self.kernel.has_before(self.duration_ns)

    def close(self, now: int) -> None:
        """Write the totals of the run as it stands at `now`."""
        tally = self.journal.tally
        tally.duration_ns = now
        self.carrier.desk.close(now)
        for device in self.devices:
            device.close(now)
        uncounted = sum(device.uncounted for device in self.devices)
        tally.counts.kernel_events = self.kernel.dispatched - uncounted + tally.counts.volleys
        tally.links = [_link_tally(link) for link in self.carrier.network.links]
        tally.refused = self._refused()
        tally.no_route = self.carrier.network.no_route
        self._knowledge.close(now)
        self.journal.sample(now, 0, metric="rounds", value=self._rounds())

    def _rounds(self) -> float:
        """Return the server's steps or publications; of peers the mean of their cycles."""
        server = self.server
        if server is not None and (server.steps or "rounds" in server.machine.counters):
            return float(server.machine.counters.get("rounds", server.steps))
        return sum(device.cycles for device in self.devices) / max(len(self.devices), 1)

    def _refused(self) -> dict[str, int]:
        causes: dict[str, int] = {}
        for host in [*self._hosts.values(), *self._extras.values()]:
            for cause, count in host.machine.counters.items():
                causes[cause] = causes.get(cause, 0) + count
        return dict(sorted(causes.items()))

    @property
    def servers(self) -> tuple[ServerHost, ...]:
        """Return the server, if there is one, and those that faults put beside it."""
        first = () if self.server is None else (self.server,)
        return *first, *self._seconds.values()

    def pending(self) -> list[Due]:
        """Return the whole future as data."""
        return self.kernel.pending()

    def _evaluate(self, record: Record, now: int) -> None:
        assert record[3] == EVALUATE
        self.carrier.desk.charge(now)  # bits so far are part of an evaluation
        self._observer.evaluate(now)
        self._schedule_evaluation(now + 1)

    def _schedule_evaluation(self, now: int) -> None:
        due = self._observer.next_due(self._observer_number, now)
        if due is not None:
            self.kernel.post(due)

    def _host_record(self, record: Record, now: int) -> None:
        kind = record[3]
        host = self._hosts[record[2]]
        if kind == "arrive":
            datagram = self.carrier.arrive(record, now)
            if datagram is not None:
                self._hearer(host, datagram).receive(datagram, now)
        elif kind in _NETWORK_KINDS:
            self.carrier.handle(record, now)
        elif record[1] is Order.FAULT:
            self._fault(record, now, host=host)
        elif kind in _ENDS:
            self._transfer(record, now, host=host)
        else:
            host.handle(record, now)
            if kind == "link-status" and host is self.server:
                self._tell_seconds(record, now)

    def _tell_seconds(self, record: Record, now: int) -> None:
        """Let other servers that are up hear of a way that is lost or back: it is theirs, too."""
        for second in self._seconds.values():
            if second.up:
                second.handle(record, now)

    def _fault(self, record: Record, now: int, *, host: DeviceHost | ServerHost) -> None:
        boot = host.boot
        self._faults.handle(record, now, host=host)
        if self._reach is not None and host.boot != boot:
            self._reach.remind(host.number, now)

    def _transfer(self, record: Record, now: int, *, host: DeviceHost | ServerHost) -> None:
        turn = self.carrier.transfer(record, now)
        if turn.arrived is not None:
            host.receive(turn.arrived, now)
        if turn.outcome is not None:
            host.end_send(now, tag=turn.outcome.tag, ok=turn.outcome.ok)

    def _hearer(self, host: DeviceHost | ServerHost, datagram: Datagram) -> Host:
        """Return who hears a datagram that has arrived: the copy of a server, if there is one."""
        if not self._seconds or host is not self.server or self._sides is None:
            return host
        taken = self._sides.of(self.journal.numbers[datagram.uid.source])
        return self._seconds[taken.number] if taken is not None else host

    def _extra_record(self, record: Record, now: int) -> None:
        extra = self._extras[record[2]]
        if extra.up:
            extra.handle(record, now)

    def _twinned_record(self, record: Record, now: int) -> None:
        """Take a record of a device of which there is more than one: all hear what arrives."""
        if record[3] != "arrive":
            self._host_record(record, now)
            return
        datagram = self.carrier.arrive(record, now)
        if datagram is not None:
            number = record[2]
            hearers = [twin for twin in self._twins[number] if twin.up]
            for host in [self._hosts[number], *hearers]:
                host.receive(datagram, now)


def _link_tally(link: Link) -> LinkTally:
    """Return what became of everything offered to a link."""
    ends = link.tally()
    counts = ends.counts()
    return LinkTally(
        name=link.name,
        fragments=Flow(**{name: count.datagrams for name, count in counts.items()}),
        octets=Flow(**{name: count.bytes for name, count in counts.items()}),
        datagrams=Flow(**ends.datagrams()),
        bulk_bytes=link.bulk_bytes if isinstance(link, SharedLink) else 0,
    )
