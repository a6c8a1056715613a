"""The server as the driver sees it, and what faults make of it."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from typing_extensions import override

from simedge.core.records import SECOND_NS, Order
from simedge.drivers.carrier import HEADER_BYTES
from simedge.drivers.frame_calls import OfFrames
from simedge.drivers.host import INBOX_MAX, Host, Place, Saved
from simedge.drivers.questions import TELLING, work_of
from simedge.drivers.sides import Sides
from simedge.kernel.kernel import Record
from simedge.learning.finite import check_finite
from simedge.learning.ports import DeviceLearner
from simedge.protocol.asks import ProxyPass
from simedge.protocol.crowd import Crowd
from simedge.protocol.machine import (
    Checkpoint,
    Event,
    LearnerCall,
    LearnerDone,
    RolledBack,
    Send,
)
from simedge.sensors.frames import Sensor
from simedge.world.datagrams import UNKNOWN_NS, Datagram, Uid
from simedge.world.fault_settings import SlowFault, State
from simedge.world.faults import Strike
from simedge.world.server_fault_settings import OverloadFault, RollbackFault, SplitBrainFault

__all__ = ["ServerHost"]

_TURN: Final = "turn"
_CROWD: Final = "crowd"


class ServerHost(Host):
    """The aggregator: a machine, and a learner if its protocol needs one.

    Parameters
    ----------
    learner, sensor
        Answer what the machine asks, at once and free of charge; None: it asks nothing.
    sides
        Which server each device hears.
    first
        The server, if this one is a copy of it.
    crowds
        Made-up devices, by the name of the fault that lets them speak.
    history
        Publications that can be rolled back.
    """

    _unpaused = frozenset({_TURN, _CROWD})

    def __init__(  # noqa: PLR0913 -- all but the place by name
        self,
        place: Place,
        *,
        sides: Sides,
        first: Host | None = None,
        crowds: Mapping[str, Crowd] | None = None,
        history: int = 0,
        learner: DeviceLearner | None = None,
        sensor: Sensor | None = None,
    ) -> None:
        super().__init__(place)
        self.learner = learner
        self._sensor = sensor
        self._newborn = {} if learner is None else learner.dump()
        self._asked: deque[LearnerCall] = deque()
        self._first = first or self
        self._sides = sides
        self._crowds = dict(crowds or {})
        made_up = [crowd.numbers for crowd in self._crowds.values()]
        self.made_up: Sequence[range] = getattr(first, "made_up", made_up)
        self._past: deque[Saved] = deque(maxlen=history + 1 if history else 0)
        self._standby: dict[tuple[str, int], Saved] = {}
        self._slow_ns: dict[str, int] = {}
        self._line: deque[Record | Datagram] = deque()
        self._ticket = 0

    @override
    def handle(self, record: Record, now: int) -> None:
        """Take a record of the server; one that is slow takes it when its turn has come."""
        if self._slow_ns and self.up and not self._pauses and record[3] not in self._unpaused:
            self._queue(record, now)
        else:
            super().handle(record, now)

    @override
    def receive(self, datagram: Datagram, now: int) -> None:
        """Hand a datagram to the machine; one that is slow does so when its turn has come."""
        if not self._slow_ns or self._pauses:
            super().receive(datagram, now)
        elif len(self._line) < INBOX_MAX:
            self._queue(datagram, now)
        else:
            self._refuse(datagram, now)

    @override
    def crash(self, now: int, *, state: str) -> None:
        """Stop at once."""
        self._journal.tally.server_crashes += 1
        self._line.clear()
        self._ticket += 1
        super().crash(now, state=state)

    @override
    def restart(self, now: int) -> None:
        """Come back with the next boot."""
        for crowd in self._crowds.values():
            crowd.forgotten()
        super().restart(now)

    @override
    def keep(self, name: str, due_ns: int) -> None:
        """Keep the present state for the standby that a fault will need."""
        self._standby[name, due_ns] = self._dump(now=due_ns)

    @override
    def stand_in(self, name: str, now: int) -> None:
        """Let the standby's state be what comes back."""
        self._saved = self._standby.pop((name, now), None)

    @override
    def strike(self, strike: Strike, now: int) -> State | None:
        """Let a fault begin."""
        match strike.fault:
            case SlowFault(factor=factor, each=each):
                self._slow_ns[strike.name] = max(1, round(factor * each))
            case RollbackFault(versions=versions):
                self._roll_back(versions, now)
            case SplitBrainFault():
                second = self._sides.split(strike.name)
                assert isinstance(second, ServerHost)
                second.copy(self, now)
            case OverloadFault() if strike.name in self._crowds:
                self._post((now, Order.RECEIVED, self.number, _CROWD, (strike, now, 0)))
            case _:
                pass
        return super().strike(strike, now)

    @override
    def relieve(self, strike: Strike, now: int) -> None:
        """Let it end; what waits in line for a server that was slow is handled now."""
        if self._slow_ns.pop(strike.name, None) is not None and not self._slow_ns:
            self._ticket += 1
            line, self._line = self._line, deque()
            for late in line:
                self._take(late, now)
        self._sides.heal(strike.name)
        super().relieve(strike, now)

    def copy(self, other: "ServerHost", now: int) -> None:
        """Be another server, as it is now, with its timers; count from here.

        Those that are overdue, as the other is in a pause, are due at once: this one is in none.
        """
        self.machine.load(other.machine.dump())
        if self.learner is not None and other.learner is not None:
            self.learner.load(other.learner.dump())
        self.machine.counters.clear()
        self.up, self.boot = other.up, other.boot
        for name, due in other.timers().items():
            at = max(due, now)
            self._timer_count += 1
            self._timers[name] = self._timer_count, at
            self._post((at, Order.TIMER, self.number, "timer", (name, self._timer_count)))

    def retire(self) -> None:
        """Do nothing any more."""
        self.up = False
        self._timers.clear()

    @override
    def _tell(self, event: Event, now: int) -> None:
        """Tell the machine; what it then asks of its learner is answered after all effects."""
        super()._tell(event, now)
        while self._asked:
            effect = self._asked.popleft()
            super()._tell(LearnerDone(call=effect.call, value=self._answer(effect)), now)

    @override
    def _call(self, effect: LearnerCall, now: int) -> None:
        if self.learner is None or isinstance(effect.args, OfFrames | ProxyPass):
            super()._call(effect, now)
        self._asked.append(effect)

    def _answer(self, effect: LearnerCall) -> Any:  # noqa: ANN401 -- what the learner returns
        assert self.learner is not None
        assert self._sensor is not None
        value = work_of(self.learner, effect.args, sensor=self._sensor).commit()
        check_finite(self.learner, value, self.number)
        return value if effect.op in TELLING else None

    @override
    def _dump(self, now: int) -> Saved:
        del now
        learner = {} if self.learner is None else self.learner.dump()
        return Saved(machine=self.machine.dump(), learner=learner)

    @override
    def _restore(self, saved: Saved | None, now: int) -> None:
        if self.learner is not None:
            self.learner.load(self._newborn if saved is None else saved.learner)

    @override
    def _own_record(self, record: Record, now: int) -> None:
        kind, payload = record[3], record[4]
        if kind == _TURN:
            if payload == self._ticket and self._line:
                self._take(self._line.popleft(), now)
                self._next_turn(now)
        elif kind == _CROWD:
            assert isinstance(payload, tuple)
            self._hear_crowd(*payload, now=now)
        else:
            super()._own_record(record, now)

    @override
    def _send(self, effect: Send, now: int) -> None:
        if any(effect.dst in numbers for numbers in self.made_up):
            return  # nobody is there
        if (self._sides.of(effect.dst) or self._first) is not self:
            self._carrier.lose(effect, self.number, now)
            return
        super()._send(effect, now)

    @override
    def _checkpoint(self, effect: Checkpoint, now: int) -> None:
        super()._checkpoint(effect, now)
        if self._past.maxlen:
            self._past.append(self._dump(now))

    def _roll_back(self, versions: int, now: int) -> None:
        for _ in range(min(versions, len(self._past) - 1)):
            self._past.pop()
        if self._past and self.up:
            self._restore(self._past[-1], now)
            self.hear(RolledBack(state=self._past[-1].machine), now)

    def _queue(self, late: Record | Datagram, now: int) -> None:
        self._line.append(late)
        if len(self._line) == 1:
            self._next_turn(now)

    def _next_turn(self, now: int) -> None:
        if self._line:
            self._ticket += 1
            at = now + sum(self._slow_ns.values())
            self._post((at, Order.RECEIVED, self.number, _TURN, self._ticket))

    def _take(self, late: Record | Datagram, now: int) -> None:
        if isinstance(late, Datagram):
            super().receive(late, now)
        else:
            super().handle(late, now)

    def _hear_crowd(self, strike: Strike, began_ns: int, count: int, *, now: int) -> None:
        fault, crowd = strike.fault, self._crowds[strike.name]
        assert isinstance(fault, OverloadFault)
        due = began_ns + (count + 1) * SECOND_NS * fault.rate.denominator // fault.rate.numerator
        if due < strike.until_ns:
            payload = (strike, began_ns, count + 1)
            self._post((max(due, now), Order.RECEIVED, self.number, _CROWD, payload))
        for dev, cls, seq, data in crowd.say(count, now) if self.up else ():
            if cls == "token":
                self._journal.tally.counts.tokens_sent += 1
            source = f"~{strike.name}-{dev}"
            self._journal.numbers[source] = dev
            uid = Uid(source, self.name, cls, 1, seq, 0, 0)
            wire_bytes = len(data) + HEADER_BYTES
            self.receive(
                Datagram(
                    uid=uid,
                    data=data,
                    wire_bytes=wire_bytes,
                    path=(self.number,),
                    sent_ns=UNKNOWN_NS,
                ),
                now,
            )
