"""A bench for machines: a few of them, what flies between them, and the laws of every step.

No simulator is at work here. Whoever holds the bench says what happens next: which message
arrives, which one is lost, who crashes, how much time passes. After each event the bench checks
what every machine owes its driver, and raises `BrokenInvariant` with the law's name otherwise:

- `never_raises`: `handle` survives whatever a message contains, and all else that happens;
- `answers_are_effects`: it returns a list of effects, which may be empty;
- `dump_and_load_are_exact`: a state survives msgpack, and loading it restores it;
- `equal_states_do_equal_things`: no clock, no chance, no memory outside the state;
- `boots_are_new`, `sequence_numbers_rise`, `a_number_means_the_same_bytes`: of what is sent;
- `timers_lie_ahead`, `timers_are_few`: of what is set;
- `late_events_do_nothing`: unknown timers, calls and tags;
- `counters_never_fall`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

import msgpack

from simedge.protocol.asks import Value
from simedge.protocol.machine import (
    CancelTimer,
    Checkpoint,
    Effect,
    Event,
    LearnerCall,
    LearnerDone,
    Machine,
    Plain,
    Received,
    Restarted,
    Send,
    SendOutcome,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.testing.compare import packed, plain
from simedge.testing.errors import BrokenInvariant

__all__ = ["Bench", "Flying"]

Open = Callable[[int], Machine]

_EFFECTS: Final = get_args(Effect)
_UNKNOWN: Final = 2**31 - 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Flying:
    """A message on its way."""

    src: int
    boot: int
    """Of the sender, when it was sent."""
    send: Send


class Bench:
    """Machines by number, and all that is between them.

    Parameters
    ----------
    open_machine
        Makes the machine of a number, always in the same state.
    numbers
        Who there is; 0 is a server.
    timers_max
        Most timers that one machine may have set.
    learned
        Answers the calls of the server, 0, at once; all others wait for `answer`.
    """

    def __init__(
        self,
        open_machine: Open,
        numbers: Sequence[int],
        *,
        timers_max: int = 16,
        learned: Callable[[LearnerCall], Value] | None = None,
    ) -> None:
        self._open, self._timers_max, self._learned = open_machine, timers_max, learned
        self.numbers = tuple(numbers)
        self.now = 0
        self.machines: dict[int, Machine] = {n: open_machine(n) for n in self.numbers}
        self.boots = dict.fromkeys(self.numbers, 1)
        self.down: set[int] = set()
        self.flying: list[Flying] = []
        self.timers: dict[tuple[int, str], int] = {}
        self.calls: list[tuple[int, int, LearnerCall]] = []
        self.checkpoints: dict[int, Plain] = {}
        self.cut: set[frozenset[int]] = set()
        """Pairs that cannot reach each other."""
        self.heard: list[tuple[int, Event, list[Effect]]] = []
        """Every event with what came of it, in order."""
        self._highest: dict[tuple[int, str, int], int] = {}
        self._bytes: dict[tuple[int, str, int, int], bytes] = {}

    def start(self) -> None:
        """Start all machines."""
        for number in self.numbers:
            self.tell(number, Started(boot=1))

    # ---------------------------------------------------------------------------- what is told
    def tell(self, number: int, event: Event) -> list[Effect]:
        """Hand an event to a machine, check what it does, and carry that out."""
        machine = self.machines[number]
        before, counters = packed(machine.dump()), dict(machine.counters)
        twin = self._twin(number, before)
        effects = self._handle(machine, number, event)
        after = packed(machine.dump())
        self._same(number, event, twin=twin, effects=effects, after=after)
        self._counted(number, counters, machine.counters)
        self.heard.append((number, event, effects))
        for effect in effects:
            self._carry_out(number, effect)
        few = sum(owner == number for owner, _ in self.timers) <= self._timers_max
        self._law("timers_are_few", number, few, f"more than {self._timers_max} are set")
        return effects

    def _twin(self, number: int, state: bytes) -> Machine:
        twin = self._open(number)
        twin.load(msgpack.unpackb(state))
        exact = packed(twin.dump()) == state
        self._law("dump_and_load_are_exact", number, exact, "a loaded state dumps as another")
        return twin

    def _same(
        self, number: int, event: Event, *, twin: Machine, effects: list[Effect], after: bytes
    ) -> None:
        again = self._handle(twin, number, event)
        name = type(event).__name__
        same = plain(again) == plain(effects)
        text = f"two machines of one state answer {name} in two ways"
        self._law("equal_states_do_equal_things", number, same, text)
        text = f"two machines of one state differ after {name}"
        self._law("equal_states_do_equal_things", number, packed(twin.dump()) == after, text)

    def _handle(self, machine: Machine, number: int, event: Event) -> list[Effect]:
        try:
            effects: Any = machine.handle(event, self.now)
        except Exception as error:
            told = event.data[:40].hex() if isinstance(event, Received) else repr(event)[:80]
            text = f"{type(error).__name__}: {error} on {told}"
            raise self._error("never_raises", number, text) from error
        answers = list(effects) if isinstance(effects, Sequence) else [effects]
        text = f"{type(event).__name__} is answered by {repr(effects)[:80]}"
        sound = all(isinstance(answer, _EFFECTS) for answer in answers)
        self._law("answers_are_effects", number, sound, text)
        return answers

    def _counted(self, number: int, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        for name, count in before.items():
            text = f"{name} was {count}, is {after.get(name, 0)}"
            self._law("counters_never_fall", number, after.get(name, 0) >= count, text)

    # ------------------------------------------------------------------------ what comes of it
    def _carry_out(self, number: int, effect: Effect) -> None:
        match effect:
            case Send():
                self._sent(number, effect)
            case SetTimer(id=name, at=at):
                text = f"{name} is set for {at}"
                self._law("timers_lie_ahead", number, at > self.now, text)
                self.timers[number, name] = at
            case CancelTimer(id=name):
                self.timers.pop((number, name), None)
            case LearnerCall() if number == 0 and self._learned is not None:
                value = self._learned(effect)
                self.tell(number, LearnerDone(call=effect.call, value=value))
            case LearnerCall():
                self.calls.append((number, self.boots[number], effect))
            case Checkpoint():
                self.checkpoints[number] = self._dump(number)
            case _:
                pass

    def _sent(self, number: int, send: Send) -> None:
        boot = self.boots[number]
        text = f"{send.cls} {send.seq} bears boot {send.boot}, it is {boot}"
        self._law("boots_are_new", number, send.boot >= boot, text)
        name = (number, send.cls, send.boot, send.seq)
        known = self._bytes.get(name)
        if known is None:
            self._bytes[name] = send.data
            flow = (number, send.cls, send.boot)
            highest = self._highest.get(flow, -1)
            text = f"{send.cls} {send.seq} after {highest}"
            self._law("sequence_numbers_rise", number, send.seq > highest, text)
            self._highest[flow] = send.seq
        text = f"{send.cls} {send.seq} was something else before"
        self._law("a_number_means_the_same_bytes", number, known in {None, send.data}, text)
        self.flying.append(Flying(src=number, boot=boot, send=send))

    # ------------------------------------------------------------------------- what may happen
    def deliver(self, place: int) -> list[Effect]:
        """Let the message at a place arrive, if it can; reliable ones of a pair keep order."""
        place = self._first_of_pair(place)
        flying = self.flying.pop(place)
        if not self._passes(flying):
            self._outcome(flying, ok=False)
            return []
        effects = self.tell(flying.send.dst, Received(data=flying.send.data, src=flying.src))
        self._outcome(flying, ok=True)
        return effects

    def drop(self, place: int) -> None:
        """Lose the message at a place."""
        self._outcome(self.flying.pop(self._first_of_pair(place)), ok=False)

    def duplicate(self, place: int) -> None:
        """Let the datagram at a place arrive once more, later."""
        flying = self.flying[place]
        if flying.send.reliability == "datagram":
            self.flying.append(flying)

    def corrupt(self, place: int, bit: int) -> None:
        """Flip a bit of the datagram at a place."""
        flying = self.flying[place]
        data = bytearray(flying.send.data)
        if flying.send.reliability == "datagram" and data:
            data[bit // 8 % len(data)] ^= 1 << bit % 8
            self.flying[place] = replace(flying, send=replace(flying.send, data=bytes(data)))

    def forge(self, src: int, dst: int, data: bytes) -> None:
        """Let any bytes arrive."""
        if dst not in self.down:
            self.tell(dst, Received(data=data, src=src))

    def crash(self, number: int) -> None:
        """Stop a machine at once: timers and open calls are gone."""
        self.down.add(number)
        self.timers = {key: at for key, at in self.timers.items() if key[0] != number}
        self.calls = [call for call in self.calls if call[0] != number]

    def restart(self, number: int, state: str) -> None:
        """Bring a machine back: `kept`, `checkpoint` or `wiped` is what is left of its state."""
        left = {"kept": self._dump(number), "checkpoint": self.checkpoints.get(number)}.get(state)
        self.down.discard(number)
        self.boots[number] += 1
        self.tell(number, Restarted(boot=self.boots[number], checkpoint=left))

    def tick(self, wait_ns: int) -> None:
        """Let time pass, and raise the timers that are due, in their order."""
        end = self.now + wait_ns
        while due := sorted((at, key) for key, at in self.timers.items() if at <= end):
            at, (number, name) = due[0]
            self.now = max(self.now, at)
            del self.timers[number, name]
            self.tell(number, TimerFired(id=name))
        self.now = end

    def answer(self, place: int, value: Value) -> None:
        """Let the learner answer a call."""
        number, _, call = self.calls.pop(place)
        self.tell(number, LearnerDone(call=call.call, value=value))

    def haunt(self, number: int) -> None:
        """Tell a machine of a timer, a call and a tag that it does not know."""
        late: tuple[Event, ...] = (
            TimerFired(id="no-such-timer"),
            LearnerDone(call=_UNKNOWN, value=None),
            SendOutcome(tag=_UNKNOWN, ok=False),
        )
        for event in late:
            text = f"an unknown {type(event).__name__} has effects"
            self._law("late_events_do_nothing", number, not self.tell(number, event), text)

    # ----------------------------------------------------------------------------------- below
    def _first_of_pair(self, place: int) -> int:
        flying = self.flying[place]
        if flying.send.reliability == "datagram":
            return place
        pair = (flying.src, flying.send.dst)
        return next(
            i
            for i, each in enumerate(self.flying)
            if each.send.reliability == "reliable" and (each.src, each.send.dst) == pair
        )

    def _passes(self, flying: Flying) -> bool:
        src, dst = flying.src, flying.send.dst
        stands = dst in self.machines and dst not in self.down
        whole = flying.send.reliability == "datagram" or flying.boot == self.boots[src]
        return stands and whole and frozenset({src, dst}) not in self.cut

    def _outcome(self, flying: Flying, *, ok: bool) -> None:
        alive = flying.src not in self.down and flying.boot == self.boots[flying.src]
        if flying.send.reliability == "reliable" and alive:
            self.tell(flying.src, SendOutcome(tag=flying.send.tag, ok=ok))

    def _dump(self, number: int) -> Plain:
        state: Plain = msgpack.unpackb(packed(self.machines[number].dump()))
        return state

    def _law(self, name: str, number: int, holds: bool, text: str) -> None:  # noqa: PLR0917, FBT001 -- law, who, whether, why
        if not holds:
            raise self._error(name, number, text)

    def _error(self, name: str, number: int, text: str) -> BrokenInvariant:
        entity = f"machine {number}"
        return BrokenInvariant(name, at_ns=self.now, entity=entity, finding=text)
