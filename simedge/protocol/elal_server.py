"""The server of edge-localised asynchronous learning.

It keeps the newest rows of every device in a register, publishes priors read from it, tells
devices what arrived, and sends again what a device's have vector lacks. It waits for nobody.
"""

from typing import cast

from simedge.protocol.bookkeeping import Refusals, Timers
from simedge.protocol.door import Door, Terms
from simedge.protocol.elal_delivery import Deliveries, check_set
from simedge.protocol.elal_publishing import Outlet, Publisher
from simedge.protocol.errors import WireError
from simedge.protocol.machine import (
    Checkpoint,
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
from simedge.protocol.members import Member, Members
from simedge.protocol.post import Post
from simedge.protocol.publication import Shelf
from simedge.protocol.register import Register, Token, stamp_of
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground
from simedge.protocol.transport import GIVE
from simedge.protocol.wire import (
    X_MODES,
    Join,
    Kind,
    Message,
    Report,
    decode,
)

__all__ = ["ElalServer"]


class ElalServer:
    """The machine of the server.

    Parameters
    ----------
    settings
        The protocol's settings.
    ground
        What the machines of the run share.
    devices
        Greatest device number that may join.
    """

    def __init__(self, settings: ElalSettings, ground: Ground, *, devices: int) -> None:
        self._settings = settings
        self._ground = ground
        self._devices = devices
        self._shape = settings.shape(classes=ground.classes, blocks=ground.blocks, rows=ground.rows)
        self._publisher = Publisher(settings, ground)
        if settings.delivery == "transfer":
            check_set(ground)
        self._refusals = Refusals()
        self.counters = self._refusals.counters
        self._forget()
        self._handlers: dict[type, Handler] = {
            Started: self._on_started,
            Restarted: self._on_restarted,
            Received: self._on_received,
            TimerFired: self._on_timer,
            LinkStatus: self._on_nothing,
            Forgotten: self._on_forgotten,
            RolledBack: self._on_rolled_back,
            FrameLearned: self._on_late,
            LearnerDone: self._on_late,
            SendOutcome: lambda event, now: self._deliveries.ended(event.tag, now, ok=event.ok),
        }
        self._readers: dict[int, Handler] = {
            Kind.TOKEN: self._read_token,
            Kind.REPORT: self._read_have,
            Kind.JOIN: self._read_join,
        }
        self._timer_handlers: dict[str, Handler] = {
            "publish": self._publish,
            "report": self._report,
        }

    @property
    def register(self) -> Register:
        """The register of rows, to look at."""
        return self._register

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        return self._handlers[type(event)](event, now)

    def dump(self) -> Plain:
        """Return the whole state as plain data."""
        return {
            "counters": dict(self.counters),
            "post": self._post.dump(),
            "timers": self._timers.dump(),
            "register": self._register.dump(),
            "members": self._members.dump(),
            "shelf": self._shelf.dump(),
            "deliveries": self._deliveries.dump(),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self.counters.clear()
        self.counters.update(cast("dict[str, int]", state["counters"]))
        self._remember(state)

    # ----------------------------------------------------------------------------------- memory
    def _forget(self) -> None:
        self._post = Post(0)
        self._timers = Timers()
        self._register = Register(self._shape, self._devices)
        self._members = Members()
        terms = Terms(
            pset=self._ground.pset,
            classes=self._ground.classes,
            rows=self._ground.rows,
            blocks=self._ground.blocks,
            x_mode=X_MODES[self._settings.x_mode],
            parts=True,
            devices=self._devices,
        )
        self._door = Door(terms, self._post, members=self._members, refusals=self._refusals)
        self._shelf = Shelf(self._shape.blocks)
        self._deliveries = Deliveries(
            self._ground, self._post, timers=self._timers, refusals=self._refusals
        )

    def _remember(self, state: Plain) -> None:
        self._post.load(state["post"])
        self._timers.load(state["timers"])
        self._register.load(state["register"])
        self._members.load(state["members"])
        self._shelf.load(state["shelf"])
        self._deliveries.load(state["deliveries"])

    # ------------------------------------------------------------------------ start and restart
    def _on_started(self, event: Started, now: int) -> list[Effect]:
        self._post.sender.reboot(event.boot)
        return [
            self._timers.set("publish", now + self._settings.prior_period),
            self._timers.set("report", now + self._settings.report_period),
        ]

    def _on_restarted(self, event: Restarted, now: int) -> list[Effect]:
        boot = event.boot
        self._forget()
        if event.checkpoint is not None:
            self._remember(event.checkpoint)
            boot = max(boot, self._post.sender.boot + 1)
        self._timers.clear()
        self._shelf.restart(self._register.filled_blocks())
        effects = self._on_started(Started(boot=boot), now)
        return [*effects, *self._deliveries.restart(now)]

    def _on_nothing(self, event: Event, now: int) -> list[Effect]:
        del event, now
        return []

    def _on_forgotten(self, event: Forgotten, now: int) -> list[Effect]:
        del now
        self._members.forget(event.other)
        return []

    def _on_rolled_back(self, event: RolledBack, now: int) -> list[Effect]:
        del now
        self._shelf.roll_back(event.state["shelf"])
        return []

    def _on_late(self, event: Event, now: int) -> list[Effect]:
        del event, now
        return self._refusals.late()

    def _on_timer(self, event: TimerFired, now: int) -> list[Effect]:
        if not self._timers.fire(event.id, now):
            return self._refusals.late()
        if event.id.startswith(GIVE):
            return self._deliveries.send(int(event.id.removeprefix(GIVE)), now)
        return self._timer_handlers[event.id](now)

    # --------------------------------------------------------------------------------- messages
    def _on_received(self, event: Received, now: int) -> list[Effect]:
        try:
            message = decode(event.data, self._shape, self._shape.message_limit)
        except WireError as error:
            return self._door.unreadable(error, event.src, now)
        cause = self._objection(event.src, message, now)
        if cause is not None:
            return self._door.refuse(cause, message, src=event.src, now=now)
        return self._readers[message.kind](message, now)

    def _objection(self, src: int, message: Message, now: int) -> str | None:
        """Return why a message is not read, if it is not."""
        if self._door.strange(message, src):
            return "stranger"
        if message.t_us * 1_000 > now + self._ground.ahead_ns_max:
            return "future"
        if message.kind not in self._readers:
            return "refused"
        if message.kind != Kind.JOIN and self._door.stale(message):
            return "stale_boot"
        return None

    def _read_join(self, message: Message, now: int) -> list[Effect]:
        accepted, reply = self._door.read(message, now)
        wanted = accepted and Join.unpack(message.payload).wants_proxy
        if not wanted or self._settings.delivery != "transfer":
            return [reply]
        stamp = stamp_of(message.boot, message.seq)
        return [reply, *self._deliveries.owe(message.dev, stamp, now)]

    def _read_token(self, message: Message, now: int) -> list[Effect]:
        dev, member = message.dev, self._member(message)
        known = member.window.take(message.boot, message.seq, now)
        assert message.rows is not None
        captured_ns = message.t_us * 1_000 if self._ground.shared_clock else now
        token = Token(
            dev=dev,
            stamp=stamp_of(message.boot, message.seq),
            captured_ns=captured_ns,
            n=message.n,
            g=message.g,
            codes=message.rows,
        )
        merged = self._register.merge(token, message.blk)
        answer = [self._say(dev, member, now, answers=message.seq)] if self._settings.arq else []
        if merged.conflict:
            self._refusals.count("conflict")
        if not merged.changed:
            return [*self._refusals.refuse("duplicate" if known else "stale", dev), *answer]
        block = self._shape.span(message.blk)[0]
        self._shelf.changed[block] = True
        behind = max(0, int(self._shelf.versions[block]) - message.g)
        age_s = (now - captured_ns) / 1e9
        labels = (("device", dev), ("block", message.blk))
        return [
            Note(kind="merged", subject=dev, detail=(message.g,)),
            Sample(metric="token_latency_s", value=age_s, labels=labels),
            Sample(metric="staleness_versions", value=behind, labels=labels),
            *answer,
        ]

    def _read_have(self, message: Message, now: int) -> list[Effect]:
        del now
        member = self._member(message)
        stamp = stamp_of(message.boot, message.seq)
        if stamp <= member.have_stamp:
            cause = "duplicate" if stamp == member.have_stamp else "stale"
            return self._refusals.refuse(cause, message.dev)
        member.have_stamp = stamp
        kept = self._shelf.differing(
            message.payload,
            level=member.part_level,
            limit=self._settings.repair_max,
            reader=self._publisher.reader(message.dev),
        )
        if kept:
            self._refusals.count("repairs", len(kept))
        return [each.send(message.dev) for each in kept]

    def _member(self, message: Message) -> Member:
        """Return the sender, which has been found to be joined."""
        member = self._members.get(message.dev)
        assert member is not None
        return member

    # ----------------------------------------------------------------------------- in due course
    def _publish(self, now: int) -> list[Effect]:
        """Publish changed blocks to every joined device."""
        outlet = Outlet(self._register, self._shelf, self._post, self._members)
        return [
            Checkpoint(),
            self._timers.set("publish", now + self._settings.prior_period),
            *self._publisher.publish(outlet, now),
        ]

    def _report(self, now: int) -> list[Effect]:
        effects: list[Effect] = [self._timers.set("report", now + self._settings.report_period)]
        effects += [self._say(dev, member, now) for dev, member in self._members.ascending()]
        return effects

    def _say(self, dev: int, member: Member, now: int, *, answers: int = 0) -> Effect:
        """Report to a device; `answers` is the number of the token that this is the answer to."""
        window = member.window
        report = Report(
            boot=window.boot,
            max_seq=window.highest,
            received=window.received,
            hold_us=(now - window.arrived_ns) // 1_000,
        )
        message = self._post.write(Kind.REPORT, now, payload=report.pack(), g=answers)
        return self._post.send(message, dst=dev, cls="report")
