"""What a device does besides its work, when its work is to train or watch for a server.

It joins, reads what the server says, once each, and joins again when it has been idle and has
heard nothing for long: the server may have forgotten it, and an idle device says nothing else.
"""

from typing import Final, Protocol, cast

from simedge.protocol.asking import Asking
from simedge.protocol.asks import SetLambda, Value
from simedge.protocol.bookkeeping import Refusals, Timers
from simedge.protocol.errors import WireError
from simedge.protocol.feedback import Feedback
from simedge.protocol.joining import Joining
from simedge.protocol.machine import (
    Effect,
    Event,
    Forgotten,
    FrameLearned,
    Handler,
    LearnerDone,
    LinkStatus,
    Plain,
    Received,
    Restarted,
    SendOutcome,
    Started,
    TimerFired,
)
from simedge.protocol.params import Once, read_message, shape_on
from simedge.protocol.policy import Policy
from simedge.protocol.post import Post
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Join, Kind, Message

__all__ = ["SERVER", "Station", "Tools", "Work"]

SERVER: Final = 0


class Tools:
    """What a device's work is done with."""

    def __init__(self, ground: Ground, *, dev: int) -> None:
        self.ground = ground
        self.refusals = Refusals()
        self.asking = Asking()
        self._dev = dev
        self.forget()

    def forget(self) -> None:
        """Be as new, but for the observer's counters and the numbers of calls."""
        self.post = Post(self._dev)
        self.timers = Timers()
        self.once = Once()
        self.feedback = Feedback()
        self.joining = Joining(
            self.post, self.timers, feedback=self.feedback, refusals=self.refusals
        )
        self.link_up = True

    @property
    def ready(self) -> bool:
        """Whether it makes sense to send."""
        return self.joining.joined and self.link_up

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "asking": self.asking.dump(),
            "counters": dict(self.refusals.counters),
            "post": self.post.dump(),
            "timers": self.timers.dump(),
            "once": self.once.dump(),
            "feedback": self.feedback.dump(),
            "joining": self.joining.dump(),
            "link_up": self.link_up,
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
        self.once.load(state["once"])
        self.feedback.load(state["feedback"])
        self.joining.load(state["joining"])
        self.link_up = cast("bool", state["link_up"])


class Work(Protocol):
    """What a device does for a server."""

    @property
    def idle(self) -> bool:
        """Whether nothing will happen unless the server says something."""

    def begin(self, now: int) -> list[Effect]:
        """Start anew, after a start or a crash: nothing is under way."""

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if a message of kind 6 is not sound for this work."""

    def read(self, message: Message, now: int) -> list[Effect]:
        """Take a sound message of kind 6 that is new."""

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Take what the learner answered."""

    def push(self, now: int) -> list[Effect]:
        """Send what waits to be sent: the device has joined, or the link is up again."""

    def ended(self, tag: int, now: int, *, ok: bool) -> list[Effect]:
        """Take the outcome of a reliable send."""

    def timer(self, name: str, now: int) -> list[Effect]:
        """Take a timer of its own."""

    def dump(self) -> Plain:
        """Return the state as plain data."""

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""


class Station:
    """The machine of a device that works for a server.

    Parameters
    ----------
    tools
        Shared with the work.
    work
        What it does for the server.
    policy
        Says which Hebbian shares to start with.
    hail_ns
        How long it is idle and hears nothing before it joins again.
    """

    def __init__(self, tools: Tools, work: Work, *, policy: Policy, hail_ns: int) -> None:
        self._tools = tools
        self._work = work
        self._policy = policy
        self._hail_ns = hail_ns
        self._shape = shape_on(tools.ground)
        self.counters = tools.refusals.counters
        self._handlers: dict[type, Handler] = {
            Started: self._on_started,
            Restarted: self._on_restarted,
            FrameLearned: lambda _event, _now: [],
            LearnerDone: self._on_learner_done,
            Received: self._on_received,
            SendOutcome: lambda event, now: work.ended(event.tag, now, ok=event.ok),
            TimerFired: self._on_timer,
            LinkStatus: self._on_link_status,
            Forgotten: lambda _, now: self._join(now),
        }
        self._timers: dict[str, Handler] = {
            "join": self._retry_join,
            "hail": self._hail,
        }

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        return self._handlers[type(event)](event, now)

    def dump(self) -> Plain:
        """Return the whole state as plain data."""
        return {"tools": self._tools.dump(), "work": self._work.dump()}

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._tools.load(cast("Plain", state["tools"]))
        self._work.load(cast("Plain", state["work"]))

    # ------------------------------------------------------------------------ start and restart
    def _on_started(self, event: Started, now: int) -> list[Effect]:
        self._tools.post.sender.reboot(event.boot)
        effects: list[Effect] = []
        shares = self._policy.begin()
        if shares:
            effects.append(self._tools.asking.ask("set_lambda", SetLambda(values=shares)))
        return [*effects, *self._work.begin(now), *self._join(now)]

    def _on_restarted(self, event: Restarted, now: int) -> list[Effect]:
        tools, boot = self._tools, event.boot
        tools.forget()
        if event.checkpoint is not None:
            tools.remember(cast("Plain", event.checkpoint["tools"]))
            boot = max(boot, tools.post.sender.boot + 1)
        # Jobs, timers and what was on its way are gone, whatever else is left.
        tools.asking.clear()
        tools.timers.clear()
        tools.feedback.restart()
        tools.link_up = True
        return self._on_started(Started(boot=boot), now)

    def _join(self, now: int) -> list[Effect]:
        shape, ground = self._shape, self._tools.ground
        join = Join(pset=ground.pset, classes=shape.classes, rows=shape.rows, blocks=shape.blocks)
        return [
            *self._tools.timers.cancel("hail"),
            *self._tools.joining.begin(join.pack(), now),
        ]

    def _retry_join(self, now: int) -> list[Effect]:
        return self._tools.joining.retry(now)

    def _hail(self, now: int) -> list[Effect]:
        if not self._tools.joining.joined:
            return []
        if self._work.idle:
            return self._join(now)
        return [self._tools.timers.set("hail", now + self._hail_ns)]

    # ------------------------------------------------------------------------------------ events
    def _on_timer(self, event: TimerFired, now: int) -> list[Effect]:
        if not self._tools.timers.fire(event.id, now):
            return self._tools.refusals.late()
        handler = self._timers.get(event.id)
        return self._work.timer(event.id, now) if handler is None else handler(now)

    def _on_link_status(self, event: LinkStatus, now: int) -> list[Effect]:
        if event.other != SERVER:
            return []
        self._tools.link_up = event.up
        return self._work.push(now) if self._tools.ready else []

    def _on_learner_done(self, event: LearnerDone, now: int) -> list[Effect]:
        op = self._tools.asking.close(event.call)
        if op is None:
            return self._tools.refusals.late()
        return [] if op == "set_lambda" else self._work.done(op, event.value, now)

    # ---------------------------------------------------------------------------------- messages
    def _on_received(self, event: Received, now: int) -> list[Effect]:
        tools = self._tools
        tools.post.got(event.data)
        try:
            message = read_message(event.data, self._shape)
            if message.kind == Kind.PARAMS:
                self._work.check(message)
        except WireError as error:
            return tools.refusals.refuse(error.cause, event.src)
        cause = self._objection(event.src, message, now)
        if cause is not None:
            return tools.refusals.refuse(cause, event.src)
        if message.kind == Kind.JOIN:
            return self._read_reply(message, now)
        effects = self._work.read(message, now)
        if tools.joining.joined:
            effects.append(tools.timers.set("hail", now + self._hail_ns))
        return effects

    def _objection(self, src: int, message: Message, now: int) -> str | None:
        """Return why a message is not read, if it is not."""
        if src != SERVER or message.dev != SERVER:
            return "stranger"
        if message.t_us * 1_000 > now + self._tools.ground.ahead_ns_max:
            return "future"
        if message.kind not in {Kind.PARAMS, Kind.JOIN}:
            return "refused"
        return None if self._tools.once.take(message) else "duplicate"

    def _read_reply(self, message: Message, now: int) -> list[Effect]:
        tools = self._tools
        before = tools.joining.joined
        effects = tools.joining.read(message, now)
        if tools.joining.joined and not before:
            effects.append(tools.timers.set("hail", now + self._hail_ns))
            effects += self._work.push(now)
        return effects
