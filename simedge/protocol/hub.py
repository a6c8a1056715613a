"""A server that devices work for: who is there, what came, and where it goes.

What it makes of what came is its scheme. It asks its own learner for the first model, lets devices
join, reads each of their messages once, and owes models to devices until they have them.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, cast

from simedge.protocol.asking import Asking
from simedge.protocol.asks import GetParams, Value
from simedge.protocol.bookkeeping import Refusals, Timers
from simedge.protocol.door import Door, Terms
from simedge.protocol.errors import WireError
from simedge.protocol.machine import (
    Effect,
    Event,
    Forgotten,
    FrameLearned,
    Handler,
    LearnerDone,
    LinkStatus,
    Note,
    Plain,
    Received,
    Restarted,
    RolledBack,
    Sample,
    SendOutcome,
    Started,
    TimerFired,
)
from simedge.protocol.members import Members
from simedge.protocol.params import Once, read_message, shape_on
from simedge.protocol.post import Post
from simedge.protocol.register import stamp_of
from simedge.protocol.shape import Ground
from simedge.protocol.supply import Supply
from simedge.protocol.transport import GIVE
from simedge.protocol.wire import Kind, Message

__all__ = ["Arrival", "House", "Hub", "Scheme"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A sound message of kind 6 from a member."""

    dev: int
    code: int
    g: int
    n: int
    captured_ns: int
    message: Message


class House:
    """What a scheme works with.

    Parameters
    ----------
    ground
        What the machines of the run share.
    devices
        Greatest device number that may join.
    """

    def __init__(self, ground: Ground, *, devices: int) -> None:
        self.ground = ground
        self.devices = devices
        self.refusals = Refusals()
        self.asking = Asking()
        self.forget()

    def forget(self) -> None:
        """Be as new, but for the observer's counters and the numbers of calls."""
        self.post = Post(0)
        self.timers = Timers()
        self.members = Members()
        self.once = Once()
        self.down: set[int] = set()
        self._live: set[int] = set()
        self._ascending: list[int] | None = None
        shape = shape_on(self.ground)
        terms = Terms(
            pset=self.ground.pset,
            classes=shape.classes,
            rows=shape.rows,
            blocks=shape.blocks,
            devices=self.devices,
        )
        self.door = Door(terms, self.post, members=self.members, refusals=self.refusals)
        self.supply = Supply(self.post, self.timers, refusals=self.refusals, is_live=self.is_live)

    def is_live(self, dev: int) -> bool:
        """Return whether a device has joined and its link is not known to be down."""
        return dev in self._live

    def live(self) -> list[int]:
        """Return the numbers of all live devices, ascending."""
        if self._ascending is None:
            self._ascending = sorted(self._live)
        return list(self._ascending)

    @property
    def live_count(self) -> int:
        """How many devices are live."""
        return len(self._live)

    def all_live_in(self, devices: AbstractSet[int]) -> bool:
        """Return whether no live device is missing."""
        return len(self._live) <= len(devices) and self._live <= devices

    def see(self, dev: int, *, up: bool | None = None) -> None:
        """Take note that a device joined or was forgotten, or that its link went up or down."""
        if up is not None:
            (self.down.discard if up else self.down.add)(dev)
        live = self.members.get(dev) is not None and dev not in self.down
        if live != (dev in self._live):
            (self._live.add if live else self._live.discard)(dev)
            self._ascending = None

    def see_all(self) -> None:
        """Count who is live anew."""
        self._live = {dev for dev, _ in self.members.ascending() if dev not in self.down}
        self._ascending = None

    def merged(self, arrival: Arrival, now: int) -> list[Effect]:
        """Say that what came was used, and how stale it was."""
        labels = (("device", arrival.dev), ("block", arrival.code))
        behind = max(0, self.supply.version - arrival.g)
        return [
            Note(kind="merged", subject=arrival.dev, detail=(arrival.g,)),
            Sample(
                metric="token_latency_s", value=(now - arrival.captured_ns) / 1e9, labels=labels
            ),
            Sample(metric="staleness_versions", value=behind, labels=labels),
        ]

    def drop(self, cause: str, arrival: Arrival) -> list[Effect]:
        """Say that what came was not used."""
        return self.refusals.refuse(cause, arrival.dev)

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "asking": self.asking.dump(),
            "counters": dict(self.refusals.counters),
            "post": self.post.dump(),
            "timers": self.timers.dump(),
            "members": self.members.dump(),
            "once": self.once.dump(),
            "down": sorted(self.down),
            "supply": self.supply.dump(),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self.asking.load(state["asking"])
        self.refusals.counters.clear()
        self.refusals.counters.update(cast("dict[str, int]", state["counters"]))
        self.remember(state)

    def remember(self, state: Plain) -> None:
        """Take over what a crash can leave behind."""
        self.post.load(state["post"])
        self.timers.load(state["timers"])
        self.members.load(state["members"])
        self.once.load(state["once"])
        self.down = set(cast("list[int]", state["down"]))
        self.supply.load(state["supply"])
        self.see_all()


class Scheme(Protocol):
    """What a server makes of what devices send."""

    def begin(self, now: int) -> list[Effect]:
        """Start anew, after a start or a crash: the model is there, nothing is under way."""

    def admit(self, dev: int, now: int) -> list[Effect]:
        """Take a device that joined, perhaps again: it has no work."""

    def back(self, dev: int, now: int) -> list[Effect]:
        """Take note that the link of a member is up again."""

    def leave(self, dev: int, now: int, *, forgotten: bool) -> list[Effect]:
        """Take note that a member's link is down, or that it is no member any more."""

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if a message of kind 6 is not sound for this scheme."""

    def take(self, arrival: Arrival, now: int) -> list[Effect]:
        """Take what came of a member, once."""

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Take what the learner answered."""

    def timer(self, name: str, now: int) -> list[Effect]:
        """Take a timer of its own."""

    def forget(self) -> None:
        """Be as new."""

    def dump(self) -> Plain:
        """Return the state as plain data."""

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""


class Hub:
    """The machine of a server that devices work for.

    Parameters
    ----------
    house
        Shared with the scheme.
    scheme
        What it makes of what comes.
    """

    def __init__(self, house: House, scheme: Scheme) -> None:
        self._house = house
        self._scheme = scheme
        self._shape = shape_on(house.ground)
        self.counters = house.refusals.counters
        self._handlers: dict[type, Handler] = {
            Started: self._on_started,
            Restarted: self._on_restarted,
            Received: self._on_received,
            SendOutcome: lambda e, now: self._house.supply.ended(e.tag, now, ok=e.ok),
            TimerFired: self._on_timer,
            LearnerDone: self._on_learner_done,
            LinkStatus: self._on_link_status,
            Forgotten: self._on_forgotten,
            RolledBack: self._on_rolled_back,
            FrameLearned: lambda _event, _now: house.refusals.late(),
        }

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        return self._handlers[type(event)](event, now)

    def dump(self) -> Plain:
        """Return the whole state as plain data."""
        return {"house": self._house.dump(), "scheme": self._scheme.dump()}

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._house.load(cast("Plain", state["house"]))
        self._scheme.load(cast("Plain", state["scheme"]))

    # ------------------------------------------------------------------------ start and restart
    def _on_started(self, event: Started, now: int) -> list[Effect]:
        self._house.post.sender.reboot(event.boot)
        if self._house.supply.known:
            return self._scheme.begin(now)
        return [self._house.asking.ask("get_params", GetParams())]

    def _on_restarted(self, event: Restarted, now: int) -> list[Effect]:
        house, boot = self._house, event.boot
        house.forget()
        self._scheme.forget()
        if event.checkpoint is not None:
            house.remember(cast("Plain", event.checkpoint["house"]))
            self._scheme.load(cast("Plain", event.checkpoint["scheme"]))
            boot = max(boot, house.post.sender.boot + 1)
        # Timers and what was on its way are gone, whatever else is left.
        house.asking.clear()
        house.timers.clear()
        house.supply.restart()
        house.down.clear()
        house.see_all()
        return self._on_started(Started(boot=boot), now)

    # ------------------------------------------------------------------------------------ events
    def _on_timer(self, event: TimerFired, now: int) -> list[Effect]:
        house = self._house
        if not house.timers.fire(event.id, now):
            return house.refusals.late()
        if event.id.startswith(GIVE):
            return house.supply.flush(int(event.id.removeprefix(GIVE)), now)
        return self._scheme.timer(event.id, now)

    def _on_learner_done(self, event: LearnerDone, now: int) -> list[Effect]:
        house = self._house
        op = house.asking.close(event.call)
        if op is None:
            return house.refusals.late()
        if not house.supply.known:
            house.supply.take_first(event.value, house.ground.params)
            return self._scheme.begin(now)
        return self._scheme.done(op, event.value, now)

    def _on_link_status(self, event: LinkStatus, now: int) -> list[Effect]:
        house, dev = self._house, event.other
        before = house.is_live(dev)
        house.see(dev, up=event.up)
        if before == house.is_live(dev):
            return []
        if before:
            return self._scheme.leave(dev, now, forgotten=False)
        return [*house.supply.flush(dev, now), *self._scheme.back(dev, now)]

    def _on_forgotten(self, event: Forgotten, now: int) -> list[Effect]:
        house, dev = self._house, event.other
        if house.members.get(dev) is None:
            return []
        house.members.forget(dev)
        house.see(dev)
        return [*house.supply.drop(dev), *self._scheme.leave(dev, now, forgotten=True)]

    def _on_rolled_back(self, event: RolledBack, now: int) -> list[Effect]:
        del now
        self._house.supply.roll_back(cast("Plain", event.state["house"])["supply"])
        return []

    # ---------------------------------------------------------------------------------- messages
    def _on_received(self, event: Received, now: int) -> list[Effect]:
        door = self._house.door
        try:
            message = read_message(event.data, self._shape)
            if message.kind == Kind.PARAMS:
                self._scheme.check(message)
        except WireError as error:
            return door.unreadable(error, event.src, now)
        cause = self._objection(event.src, message, now)
        if cause is not None:
            return door.refuse(cause, message, src=event.src, now=now)
        if message.kind == Kind.JOIN:
            return self._read_join(message, now)
        shared = self._house.ground.shared_clock
        arrival = Arrival(
            dev=message.dev,
            code=message.blk,
            g=message.g,
            n=message.n,
            captured_ns=1_000 * message.t_us if shared else now,
            message=message,
        )
        return self._scheme.take(arrival, now)

    def _objection(self, src: int, message: Message, now: int) -> str | None:
        """Return why a message is not read, if it is not."""
        house = self._house
        if house.door.strange(message, src):
            return "stranger"
        if message.t_us * 1_000 > now + house.ground.ahead_ns_max:
            return "future"
        if message.kind == Kind.JOIN:
            return None
        if message.kind != Kind.PARAMS or not house.supply.known:
            return "refused"
        if house.door.stale(message):
            return "stale_boot"
        return None if house.once.take(message) else "duplicate"

    def _read_join(self, message: Message, now: int) -> list[Effect]:
        house, dev = self._house, message.dev
        accepted, reply = house.door.read(message, now)
        if not accepted:
            return [reply]
        house.see(dev)
        if self._is_new(message) and house.supply.known and house.is_live(dev):
            return [reply, *self._scheme.admit(dev, now)]
        return [reply]

    def _is_new(self, message: Message) -> bool:
        """Return whether a join is no retry of one that was read before."""
        member = self._house.members.get(message.dev)
        stamp = stamp_of(message.boot, message.seq)
        if member is None or stamp <= member.have_stamp:
            return False
        member.have_stamp = stamp  # there are no have vectors here
        return True
