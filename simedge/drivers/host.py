"""Hosts: what stands around a machine and carries out its effects.

A host hands events to its machine and does what the machine answers: it sends, sets timers, logs,
keeps samples. `DeviceHost` adds the device's processor, learner and camera.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol

import numpy as np

from simedge.core.records import Order
from simedge.drivers.journal import Journal, uid_text
from simedge.drivers.knowledge import Knowledge
from simedge.kernel.kernel import Record
from simedge.protocol.machine import (
    CancelTimer,
    Checkpoint,
    Event,
    LearnerCall,
    LinkStatus,
    Machine,
    Note,
    Plain,
    Received,
    Restarted,
    Sample,
    Send,
    SendOutcome,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.sensors.frames import Frame
from simedge.world.datagrams import Datagram
from simedge.world.fault_settings import PauseFault, State
from simedge.world.faults import Strike

__all__ = ["INBOX_MAX", "Host", "Mover", "Place", "Saved", "digest_of"]

INBOX_MAX: Final = 10_000
"""What a paused host keeps for later; datagrams beyond that are refused."""
_NO_TIMER: Final = (0, 0)
_NO_VALUE: Final = sha256(b"").digest()


def digest_of(value: object) -> bytes:
    """Return the SHA-256 of a learner's value: floats enter the log in no other form."""
    if value is None:
        return _NO_VALUE
    if isinstance(value, tuple):
        return sha256(b"".join(digest_of(part) for part in value)).digest()
    if isinstance(value, bytes):
        return sha256(value).digest()
    return sha256(np.ascontiguousarray(value).tobytes()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What survives a crash: states as plain data, and the priors that were held."""

    machine: Plain
    learner: dict[str, Any] = field(default_factory=dict)
    priors: dict[int, int] = field(default_factory=dict)
    held: tuple[Frame, ...] = ()
    """Frames set aside."""


class Mover(Protocol):
    """What moves the messages of a host: links of the world, or sockets."""

    def send(self, message: Send, source: int, now: int) -> None:
        """Send one message of a machine."""

    def lose(self, message: Send, source: int, now: int) -> None:
        """Take note that a message has no way to its receiver."""

    def set_device_up(self, number: int, now: int, *, up: bool) -> None:
        """Take note that a device went down, or is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a host stands: its number and machine, and the run around it.

    Parameters
    ----------
    number
        Number of the target: 0 server, devices from 1.
    machine
        The protocol's state machine.
    post
        Puts a record into the kernel's queue.
    """

    number: int
    machine: Machine
    carrier: Mover
    post: Callable[[Record], None]
    journal: Journal
    knowledge: Knowledge


class Host:
    """Runs one machine in virtual time."""

    _unpaused: frozenset[str] = frozenset()
    """Kinds of records that are handled also in a pause."""
    checkpoints = True
    """Whether local checkpoints are taken: only a fault can ask for one."""

    def __init__(self, place: Place) -> None:
        self.number = place.number
        self.name = place.journal.names[place.number]
        self.machine = place.machine
        self.up = True
        self.boot = 1
        self._carrier = place.carrier
        self._post = place.post
        self._journal = place.journal
        self._knowledge = place.knowledge
        self._timers: dict[str, tuple[int, int]] = {}
        self._timer_count = 0
        self._reading: Datagram | None = None
        self._saved: Saved | None = None
        self._order = Order.STARTED
        self._pauses: set[str] = set()
        self._inbox: list[Record | Datagram] = []
        self.cycles = 0.0
        """How far the machine says that it has come."""
        self.steps = 0
        """Local checkpoints that it asked for: a server does with each of its versions."""
        self._ways: dict[type, Callable[..., None]] = {
            Send: self._send,
            SetTimer: self._set_timer,
            CancelTimer: self._cancel_timer,
            LearnerCall: self._call,
            Sample: self._sample,
            Checkpoint: self._checkpoint,
            Note: self._note,
        }

    def handle(self, record: Record, now: int) -> None:
        """Take a record of this target."""
        if self._pauses and record[3] not in self._unpaused:
            self._inbox.append(record)
            return
        _, self._order, _, kind, payload = record
        if kind == "timer":
            self._fire(payload, now)
        elif kind == "start":
            if not self.up:
                return  # a fault came first; it will be restarted, or never
            self._tell(Started(boot=self.boot), now)
        elif kind == "link-status":
            self._hear_of_link(payload, now)
        else:
            self._own_record(record, now)
        self._settle(now)

    def receive(self, datagram: Datagram, now: int) -> None:
        """Hand a datagram that has arrived to the machine."""
        if self._pauses:
            self._put_aside(datagram, now)
            return
        self._order = Order.RECEIVED
        self._reading = datagram
        source = self._journal.numbers.get(datagram.uid.source, 0)
        self._tell(Received(data=datagram.data, src=source), now)
        self._reading = None
        self._settle(now)

    def end_send(self, now: int, *, tag: int, ok: bool) -> None:
        """Tell the machine how a reliable send of this life ended."""
        self._order = Order.OUTCOME
        self._tell(SendOutcome(tag=tag, ok=ok), now)
        self._settle(now)

    def _hear_of_link(self, payload: object, now: int) -> None:
        """Tell the machine that the way to another is up or down, if it runs."""
        assert isinstance(payload, tuple)
        other, up = payload
        if self.up:
            self._tell(LinkStatus(other=other, up=up), now)

    def hear(self, event: Event, now: int) -> None:
        """Tell the machine something that a fault did to it."""
        self._order = Order.FAULT
        self._tell(event, now)
        self._settle(now)

    def crash(self, now: int, *, state: str) -> None:
        """Stop at once; what `state` names survives: kept, checkpoint or wiped."""
        self._order = Order.FAULT
        self.up = False
        self._timers.clear()
        self._pauses.clear()
        self._inbox.clear()
        if state == "kept":
            self._saved = self._dump(now)
        elif state == "wiped":
            self._saved = None
        self._journal.log(
            now, Order.FAULT, self.number, kind="crashed", subject=self.boot, detail=(state,)
        )
        self._carrier.set_device_up(self.number, now, up=False)

    def restart(self, now: int) -> None:
        """Come back with the next boot and what survived."""
        self._order = Order.FAULT
        self.up = True
        self.boot += 1
        self._journal.log(
            now, Order.FAULT, self.number, kind="restarted", subject=self.boot, detail=()
        )
        self._carrier.set_device_up(self.number, now, up=True)
        self._restore(self._saved, now)
        checkpoint = None if self._saved is None else self._saved.machine
        self._tell(Restarted(boot=self.boot, checkpoint=checkpoint), now)
        self._settle(now)

    def strike(self, strike: Strike, now: int) -> State | None:
        """Let a fault begin; return what survives if that is a crash."""
        del now
        if isinstance(strike.fault, PauseFault) and self.up:
            self._pauses.add(strike.name)
        return None

    def relieve(self, strike: Strike, now: int) -> None:
        """Let a fault end; when the last pause has, what came in it is handled now, in order."""
        if strike.name not in self._pauses:
            return
        self._pauses.remove(strike.name)
        if self._pauses:
            return
        inbox, self._inbox = self._inbox, []
        for late in inbox:
            if isinstance(late, Datagram):
                self.receive(late, now)
            else:
                self.handle(late, now)

    @property
    def answers(self) -> bool:
        """Whether it runs, and is not in a pause."""
        return self.up and not self._pauses

    def timers(self) -> dict[str, int]:
        """Return the timers that are set, and for when."""
        return {name: at for name, (_, at) in self._timers.items()}

    def keep(self, name: str, due_ns: int) -> None:
        """Keep the present state for what a fault will do at a time."""

    def stand_in(self, name: str, now: int) -> None:
        """Let what was kept for a fault at this time be what comes back."""

    def _put_aside(self, datagram: Datagram, now: int) -> None:
        if len(self._inbox) < INBOX_MAX:
            self._inbox.append(datagram)
        else:
            self._refuse(datagram, now)

    def _refuse(self, datagram: Datagram, now: int) -> None:
        self._journal.log(
            now,
            Order.RECEIVED,
            self.number,
            kind="refused",
            subject=uid_text(datagram.uid),
            detail=("inbox",),
        )

    def drained(self, now: int) -> bool:
        """Whether it is down for good."""
        del now
        return False

    def watch(self, name: str, now: int) -> None:
        """Look at the battery of a name again when it may be empty."""
        raise NotImplementedError(f"{self.name} has no battery {name!r} at {now}")

    def _own_record(self, record: Record, now: int) -> None:
        raise NotImplementedError(f"{self.name} knows no record {record[3]!r} at {now}")

    def _settle(self, now: int) -> None:
        """Do what comes after every record."""

    def _dump(self, now: int) -> Saved:
        del now
        return Saved(machine=self.machine.dump())

    def _restore(self, saved: Saved | None, now: int) -> None:
        """Take over what survived, apart from the machine's own state."""

    def _tell(self, event: Event, now: int) -> None:
        for effect in self.machine.handle(event, now):
            self._ways[type(effect)](effect, now)

    def _send(self, effect: Send, now: int) -> None:
        self._carrier.send(effect, self.number, now)

    def _set_timer(self, effect: SetTimer, now: int) -> None:
        assert effect.at > now, f"{self.name} sets timer {effect.id} at {effect.at}, now is {now}"
        self._timer_count += 1
        self._timers[effect.id] = self._timer_count, effect.at
        payload = (effect.id, self._timer_count)
        self._post((effect.at, Order.TIMER, self.number, "timer", payload))

    def _cancel_timer(self, effect: CancelTimer, now: int) -> None:
        del now
        self._timers.pop(effect.id, None)

    def _fire(self, payload: object, now: int) -> None:
        """Raise a timer, unless it was set anew or cancelled, or a crash took it."""
        assert isinstance(payload, tuple)
        name, count = payload
        if self._timers.get(name, _NO_TIMER)[0] == count:
            del self._timers[name]
            self._tell(TimerFired(id=name), now)

    def _call(self, effect: LearnerCall, now: int) -> None:
        raise NotImplementedError(f"{self.name} has no learner for {effect.op} at {now}")

    def _sample(self, effect: Sample, now: int) -> None:
        self._journal.sample(now, self.number, metric=effect.metric, value=effect.value)
        if effect.metric == "cycles":
            self.cycles = effect.value
        self._knowledge.sampled(self.number, effect, now)

    def _checkpoint(self, effect: Checkpoint, now: int) -> None:
        del effect
        self.steps += 1
        if self.checkpoints:
            self._saved = self._dump(now)

    def _shared(self, took_ns: int, now: int) -> None:
        self._journal.tally.share_latencies_ns.append(took_ns)
        self._journal.sample(now, self.number, metric="share_latency_ms", value=took_ns / 1e6)

    def _note(self, effect: Note, now: int) -> None:
        subject: int | str = int(effect.subject)
        read, counts = self._reading, self._journal.tally.counts
        if effect.kind in {"merged", "refused"} and read is not None:
            subject = uid_text(read.uid)
        if effect.kind == "merged":
            counts.tokens_accepted += read is not None and read.uid.cls == "token"
            if read is not None and read.sent_ns >= 0:
                self._shared(now - read.sent_ns, now)
        elif effect.kind == "applied":
            counts.priors_applied += 1
        self._journal.log(
            now, self._order, self.number, kind=effect.kind, subject=subject, detail=effect.detail
        )
