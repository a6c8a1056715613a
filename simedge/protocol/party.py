"""What all machines that exchange models have in common: their life, their post, their questions.

A machine of a protocol says what is its own: how it begins, what it reads, what it does with an
answer of its learner, when a timer fires or a period of frames is over.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from simedge.core.streams import Stream
from simedge.protocol.asking import Asking
from simedge.protocol.asks import Asked, GetParams, Op, Params, SetLambda, Value
from simedge.protocol.bookkeeping import Period, Refusals, Timers
from simedge.protocol.draws import ASIDE, Draws
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
    Send,
    SendOutcome,
    Started,
    TimerFired,
)
from simedge.protocol.params import Code, Once, Parcel, read_message, send_params, shape_on
from simedge.protocol.policy import Fixed, Outlook, Policy
from simedge.protocol.post import Post
from simedge.protocol.shape import Ground
from simedge.protocol.wire import U32_MAX, Kind, Message

__all__ = ["MODEL", "Party", "Seat"]

MODEL: Final = "model"
"""Purpose of an answer that is the learner's model."""
_LAMBDA: Final = "lambda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What a machine is given besides the settings of its protocol."""

    dev: int
    """Its number; 0 is the server."""
    ground: Ground
    neighbours: tuple[int, ...]
    """Whom it may send to, ascending."""
    policy: Policy = field(default_factory=lambda: Fixed(()))
    """Chooses the Hebbian shares; by default there are none."""
    stream: Stream | None = None
    """Where its draws come from, if it leaves anything to chance."""


class Party(ABC):
    """One of those who exchange models or tables.

    Parameters
    ----------
    seat
        Its place in the run.
    interval
        Frames between two periods.
    """

    def __init__(self, seat: Seat, *, interval: int) -> None:
        self._seat = seat
        self._ground = seat.ground
        self._dev = seat.dev
        self._interval = interval
        self._shape = shape_on(seat.ground)
        self._policy = seat.policy
        self._unlearned = seat.policy.dump()
        self._refusals = Refusals()
        self.counters = self._refusals.counters
        self._asking = Asking()
        self._draws = Draws(seat.stream)
        self._side = Draws(seat.stream, lane=ASIDE)
        self._clear()
        self._handlers: dict[type, Handler] = {
            Started: self._on_started,
            Restarted: self._on_restarted,
            FrameLearned: self._on_frame_learned,
            LearnerDone: self._on_learner_done,
            Received: self._on_received,
            SendOutcome: self._on_send_outcome,
            TimerFired: self._on_timer,
            LinkStatus: self._on_link_status,
            Forgotten: lambda _event, _now: [],
            RolledBack: self._on_rolled_back,
        }

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        return self._handlers[type(event)](event, now)

    def dump(self) -> Plain:
        """Return the whole state as plain data."""
        return {
            "asking": self._asking.dump(),
            "counters": dict(self.counters),
            "post": self._post.dump(),
            "once": self._once.dump(),
            "timers": self._timers.dump(),
            "period": self._period.dump(),
            "policy": self._policy.dump(),
            "draws": [self._draws.boot, self._draws.position, self._side.position],
            "outbox": [self._tag, [[tag, *way] for tag, way in self._outbox.items()]],
            "down": sorted(self._down),
            "frames": [self._frames, self._captured_ns],
            "own": self._dump_own(),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._asking.load(state["asking"])
        self.counters.clear()
        self.counters.update(cast("dict[str, int]", state["counters"]))
        self._remember(state)

    # ------------------------------------------------------------------------- what is its own
    @abstractmethod
    def _begin(self, now: int) -> list[Effect]:
        """Start or go on after a restart, with no call, timer or sending open."""

    @abstractmethod
    def _forget_own(self) -> None:
        """Be as new."""

    @abstractmethod
    def _dump_own(self) -> Plain:
        """Return the state that is its own."""

    @abstractmethod
    def _load_own(self, state: Plain) -> None:
        """Take over the state that is its own."""

    @abstractmethod
    def _open(self, message: Message) -> Params | None:
        """Return what a message contains.

        Raises
        ------
        WireError
            ``refused`` if the protocol knows no such message, ``malformed`` if it is not sound.
        """

    @abstractmethod
    def _take(self, message: Message, content: Params | None, now: int) -> list[Effect]:
        """Use a message that is sound and new."""

    def _answered(self, purpose: str, value: Value, now: int) -> list[Effect]:
        """Use an answer of the learner."""
        raise NotImplementedError(f"{self._dev} asked for no {purpose!r}, got {value} at {now}")

    def _frame(self, event: FrameLearned) -> None:  # noqa: B027 -- there may be nothing to do
        """Count frames."""

    def _period_over(self, now: int) -> list[Effect]:
        """Return what is done every `interval` frames."""
        del now
        return []

    def _fired(self, timer: str, now: int) -> list[Effect]:
        """Return what is done when a timer fires."""
        raise NotImplementedError(f"{self._dev} set no timer {timer!r}, which fired at {now}")

    def _unreachable(self, dev: int, code: Code | None, now: int) -> list[Effect]:
        """Return what is done when a sending failed, or (no code) the way to another is down."""
        del dev, code, now
        return []

    def _strange(self, message: Message, src: int) -> bool:
        """Return whether the sender has no business here."""
        return message.dev != src or src in {0, self._dev}

    # ------------------------------------------------------------------------------ for its use
    def _up(self) -> list[int]:
        """Return the neighbours that are not known to be out of reach."""
        return [other for other in self._seat.neighbours if other not in self._down]

    def _ask(self, purpose: str, op: Op, args: Asked) -> Effect:
        return self._asking.ask(op, args, purpose=purpose)

    def _read_model(self) -> list[Effect]:
        """Ask the learner for its model, unless it is on its way already."""
        if self._asking.awaits(MODEL):
            return []
        return [self._ask(MODEL, "get_params", GetParams())]

    def _send(self, parcel: Parcel, others: Sequence[int]) -> list[Send]:
        """Return the sendings of one message to others."""
        sends: list[Send] = []
        for other in others:
            self._tag += 1
            self._outbox[self._tag] = other, parcel.code
            if sends:
                sends.append(self._post.copy(sends[0], dst=other, tag=self._tag))
            else:
                sends.append(send_params(self._post, parcel, dst=other, tag=self._tag))
        return sends

    def _captured(self, message: Message, now: int) -> int:
        """Return when the newest frame behind a message was captured, as far as can be known."""
        return message.t_us * 1_000 if self._ground.shared_clock else now

    def _merged(self, message: Message, now: int, *, version: int) -> list[Effect]:
        """Say that something was taken over, and how old it is: in versions and in seconds.

        The record has the base version, the versions behind and the microsecond of capture.
        """
        behind = max(0, version - message.g)
        age_s = (now - self._captured(message, now)) / 1e9
        labels = (("device", message.dev), ("version", message.g))
        # What a device takes over it holds from now on; what the server does is on its way.
        metric = "model_age_s" if self._dev else "token_latency_s"
        return [
            Note(
                kind="merged",
                subject=message.dev,
                detail=(message.g, behind, self._captured(message, now) // 1_000),
            ),
            Sample(metric=metric, value=age_s, labels=labels),
            Sample(metric="staleness_versions", value=behind, labels=labels),
        ]

    # -------------------------------------------------------------------------------- life
    def _clear(self) -> None:
        """Be as new, but for the observer's counters and the numbers of calls."""
        self._post = Post(self._dev)
        self._once = Once()
        self._timers = Timers()
        self._period = Period(self._interval)
        self._policy.load(self._unlearned)
        self._draws.position = self._side.position = 0
        self._tag = 0
        self._outbox: dict[int, tuple[int, Code]] = {}
        self._down: set[int] = set()
        self._frames = 0
        self._captured_ns = 0
        self._forget_own()

    def _remember(self, state: Plain) -> None:
        """Take over what a crash can leave behind."""
        self._post.load(state["post"])
        self._once.load(state["once"])
        self._timers.load(state["timers"])
        self._period.load(state["period"])
        self._policy.load(cast("Plain", state["policy"]))
        boot, *positions = cast("list[int]", state["draws"])
        self._draws.boot = self._side.boot = boot
        self._draws.position, self._side.position = positions
        self._tag, outbox = cast("tuple[int, list[tuple[int, int, int]]]", state["outbox"])
        self._outbox = {tag: (other, Code(code)) for tag, other, code in outbox}
        self._down = set(cast("list[int]", state["down"]))
        self._frames, self._captured_ns = cast("tuple[int, int]", state["frames"])
        self._load_own(cast("Plain", state["own"]))

    def _on_started(self, event: Started, now: int) -> list[Effect]:
        self._post.sender.reboot(event.boot)
        self._draws.boot = self._side.boot = event.boot
        return [*self._set_lambda(self._policy.begin()), *self._begin(now)]

    def _on_restarted(self, event: Restarted, now: int) -> list[Effect]:
        boot = event.boot
        self._clear()
        if event.checkpoint is not None:
            self._remember(event.checkpoint)
            boot = max(boot, self._post.sender.boot + 1)
        # Jobs, timers and what was on its way are gone, whatever else is left.
        self._asking.clear()
        self._timers.clear()
        self._outbox.clear()
        self._down.clear()
        return self._on_started(Started(boot=boot), now)

    def _on_rolled_back(self, event: RolledBack, now: int) -> list[Effect]:
        del event, now
        return []

    def _on_link_status(self, event: LinkStatus, now: int) -> list[Effect]:
        if event.up:
            self._down.discard(event.other)
            return []
        self._down.add(event.other)
        return self._unreachable(event.other, None, now)

    # ----------------------------------------------------------------------------- what befalls
    def _on_frame_learned(self, event: FrameLearned, now: int) -> list[Effect]:
        self._frames = min(self._frames + event.n, U32_MAX)
        self._captured_ns = now
        self._frame(event)
        if not self._period.add(event, self._refusals):
            return []
        effects: list[Effect] = [Checkpoint()]
        decision = self._policy.decide(Outlook(loss=self._period.loss, bits=self._post.bits))
        self._post.bits = 0
        if decision is not None:
            effects += [*self._set_lambda(decision.values), *decision.effects]
        return effects + self._period_over(now)

    def _set_lambda(self, values: tuple[float, ...]) -> list[Effect]:
        return [self._ask(_LAMBDA, "set_lambda", SetLambda(values=values))] if values else []

    def _on_learner_done(self, event: LearnerDone, now: int) -> list[Effect]:
        purpose = self._asking.close(event.call)
        if purpose is None:
            return self._refusals.late()
        if purpose in {"", _LAMBDA}:
            return []
        return self._answered(purpose, event.value, now)

    def _on_timer(self, event: TimerFired, now: int) -> list[Effect]:
        if not self._timers.fire(event.id, now):
            return self._refusals.late()
        return self._fired(event.id, now)

    def _on_send_outcome(self, event: SendOutcome, now: int) -> list[Effect]:
        way = self._outbox.pop(event.tag, None)
        if way is None:
            return self._refusals.late()
        if event.ok:
            return []
        self._refusals.count("send_failed")
        return self._unreachable(*way, now)

    def _on_received(self, event: Received, now: int) -> list[Effect]:
        self._post.got(event.data, whole=True)
        try:
            message, content = self._unwrap(event.data)
        except WireError as error:
            return self._refusals.refuse(error.cause, event.src)
        if self._strange(message, event.src):
            return self._refusals.refuse("stranger", event.src)
        if message.t_us * 1_000 > now + self._ground.ahead_ns_max:
            return self._refusals.refuse("future", event.src)
        if not self._once.take(message):
            return self._refusals.refuse("duplicate", event.src)
        return self._take(message, content, now)

    def _unwrap(self, data: bytes) -> tuple[Message, Params | None]:
        message = read_message(data, self._shape)
        if message.kind != Kind.PARAMS:
            raise WireError("refused")
        return message, self._open(message)
