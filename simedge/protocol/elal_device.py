"""A device of edge-localised asynchronous learning.

It learns whether or not anyone answers. Every token period it passes one block of the proxy set,
sends what it thinks of it as a token, steps towards the prior it holds for that block, and lets
its policy choose new Hebbian shares. Nothing it does waits for the network.
"""

from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.bookkeeping import Calls, OpenCall, Period, Refusals, Timers
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.feedback import Feedback
from simedge.protocol.joining import Joining
from simedge.protocol.kl import kl_terms
from simedge.protocol.machine import (
    Checkpoint,
    Effect,
    Event,
    Forgotten,
    FrameLearned,
    Handler,
    KlPart,
    KlStep,
    LearnerDone,
    LinkStatus,
    Note,
    Plain,
    ProxyPass,
    Received,
    Restarted,
    Sample,
    SendOutcome,
    Started,
    TimerFired,
)
from simedge.protocol.policy import Outlook, Policy
from simedge.protocol.post import Post
from simedge.protocol.prior_store import PriorStore
from simedge.protocol.quantiser import Codes, pack_rows, quantise
from simedge.protocol.register import stamp_of
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground, address_of
from simedge.protocol.wire import (
    U32_MAX,
    Join,
    Kind,
    Message,
    Report,
    decode,
)

__all__ = ["ElalDevice"]

_SERVER: Final = 0
_REPORTS_MISSED: Final = 3


class ElalDevice:
    """The machine of one device.

    Parameters
    ----------
    settings
        The protocol's settings.
    ground
        What the machines of the run share.
    dev
        The device's number, from 1.
    policy
        Chooses the Hebbian shares.
    """

    def __init__(self, settings: ElalSettings, ground: Ground, *, dev: int, policy: Policy) -> None:
        self._settings = settings
        self._ground = ground
        self._dev = dev
        self._shape = settings.shape(classes=ground.classes, blocks=ground.blocks, rows=ground.rows)
        self._age_ns_max = settings.age_max_ns(ground)
        self._refusals = Refusals()
        self.counters = self._refusals.counters
        self._calls = Calls()
        self._policy = policy
        self._unlearned = policy.dump()
        self._forget()
        self._handlers: dict[type, Handler] = {
            Started: self._on_started,
            Restarted: self._on_restarted,
            FrameLearned: self._on_frame_learned,
            LearnerDone: self._on_learner_done,
            Received: self._on_received,
            SendOutcome: self._on_send_outcome,
            TimerFired: self._on_timer,
            LinkStatus: self._on_link_status,
            Forgotten: lambda _, now: self._join(now),
        }
        self._readers: dict[int, Handler] = {
            Kind.PRIOR: self._read_prior,
            Kind.REPORT: self._read_report,
            Kind.JOIN: self._read_reply,
        }
        self._timer_handlers: dict[str, Handler] = {
            "join": self._retry_join,
            "have": self._send_have,
            "report": self._miss_report,
        }

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        return self._handlers[type(event)](event, now)

    def dump(self) -> Plain:
        """Return the whole state as plain data."""
        return {
            "calls": self._calls.dump(),
            "counters": dict(self.counters),
            "post": self._post.dump(),
            "timers": self._timers.dump(),
            "period": self._period.dump(),
            "feedback": self._feedback.dump(),
            "joining": self._joining.dump(),
            "priors": self._priors.dump(),
            "policy": self._policy.dump(),
            **{name: getattr(self, f"_{name}") for name in _SCALARS},
            "passed": sorted(self._passed),
            "newest": [[kind, stamp] for kind, stamp in self._newest.items()],
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._calls.load(state["calls"])
        self.counters.clear()
        self.counters.update(cast("dict[str, int]", state["counters"]))
        self._remember(state)

    # ----------------------------------------------------------------------------------- memory
    def _forget(self) -> None:
        """Be as new, but for the observer's counters and the numbers of calls."""
        self._post = Post(self._dev)
        self._timers = Timers()
        self._period = Period(self._settings.interval)
        self._feedback = Feedback()
        self._priors = PriorStore(self._shape)
        self._policy.load(self._unlearned)
        self._joining = Joining(
            self._post, self._timers, feedback=self._feedback, refusals=self._refusals
        )
        self._link_up = True
        self._passes = 0
        self._frames = 0
        self._passed: set[int] = set()
        self._newest: dict[int, int] = {}

    def _remember(self, state: Plain) -> None:
        """Take over what a crash can leave behind."""
        self._post.load(state["post"])
        self._timers.load(state["timers"])
        self._period.load(state["period"])
        self._feedback.load(state["feedback"])
        self._joining.load(state["joining"])
        self._priors.load(state["priors"])
        self._policy.load(cast("Plain", state["policy"]))
        for name in _SCALARS:
            setattr(self, f"_{name}", state[name])
        self._passed = set(cast("list[int]", state["passed"]))
        self._newest = dict(cast("list[tuple[int, int]]", state["newest"]))

    # ------------------------------------------------------------------------ start and restart
    def _on_started(self, event: Started, now: int) -> list[Effect]:
        self._post.sender.reboot(event.boot)
        return [*self._calls.set_lambda(self._policy.begin()), *self._join(now)]

    def _on_restarted(self, event: Restarted, now: int) -> list[Effect]:
        boot = event.boot
        self._forget()
        if event.checkpoint is not None:
            self._remember(event.checkpoint)
            boot = max(boot, self._post.sender.boot + 1)
        # Jobs, timers and what was on its way are gone, whatever else is left.
        self._calls.clear()
        self._timers.clear()
        self._feedback.restart()
        self._link_up = True
        return self._on_started(Started(boot=boot), now)

    def _on_link_status(self, event: LinkStatus, now: int) -> list[Effect]:
        del now
        if event.other == _SERVER:
            self._link_up = event.up
        return []

    def _on_send_outcome(self, event: SendOutcome, now: int) -> list[Effect]:
        del event, now
        return self._refusals.late()

    def _on_timer(self, event: TimerFired, now: int) -> list[Effect]:
        if not self._timers.fire(event.id, now):
            return self._refusals.late()
        return self._timer_handlers[event.id](now)

    def _join(self, now: int) -> list[Effect]:
        ground = self._ground
        join = Join(
            pset=ground.pset,
            classes=ground.classes,
            rows=ground.rows,
            blocks=ground.blocks,
            part_level=self._settings.part_level,
        )
        return self._joining.begin(join.pack(), now)

    def _retry_join(self, now: int) -> list[Effect]:
        return self._joining.retry(now)

    def _read_reply(self, message: Message, now: int) -> list[Effect]:
        before = self._joining.joined
        effects = self._joining.read(message, now)
        if self._joining.joined and not before:
            missed = now + _REPORTS_MISSED * self._settings.report_period
            effects.append(self._timers.set("report", missed))
            effects.append(self._timers.set("have", now + self._settings.have_period))
        return effects

    # -------------------------------------------------------------------------- frames and calls
    def _on_frame_learned(self, event: FrameLearned, now: int) -> list[Effect]:
        self._frames += event.n
        if not self._period.add(event, self._refusals):
            return []
        effects: list[Effect] = [Checkpoint()]
        if not self._joining.joined:
            return effects
        if self._calls.passing():
            self._refusals.count("pass_overrun")
            return effects
        return [*effects, self._pass(now)]

    def _pass(self, now: int) -> Effect:
        """Ask for the pass whose turn it is: devices start at different addresses."""
        level = self._settings.part_level
        turn = (self._dev + self._passes) % (self._shape.blocks << level)
        self._passes += 1
        address = address_of(turn >> level, level=level, part=turn & ((1 << level) - 1))
        block, first, count = self._shape.span(address)
        start = block * self._shape.rows + first
        return self._calls.proxy_pass(ProxyPass(address=address, first=start, count=count), now)

    def _on_learner_done(self, event: LearnerDone, now: int) -> list[Effect]:
        call = self._calls.close(event.call)
        if call is None:
            return self._refusals.late()
        if call.op == "proxy_pass":
            (address,) = call.addresses
            rows = self._shape.span(address)[2]
            if not isinstance(event.value, np.ndarray) or len(event.value) != rows:
                raise ProtocolError(f"a proxy pass must return {rows} rows of probabilities")
            return self._use_pass(call, event.value, now)
        if call.op == "kl_step":
            detail = (call.steps,)
            return [Note(kind="applied", subject=each, detail=detail) for each in call.addresses]
        return []

    def _use_pass(self, call: OpenCall, value: NDArray[np.float32], now: int) -> list[Effect]:
        codes = quantise(value, self._shape)
        (address,) = call.addresses
        self._passed.add(address)
        effects: list[Effect] = []
        if self._joining.joined and self._link_up:
            effects.append(self._send_token(call, codes, now))
        held = self._priors.held(address, now - self._age_ns_max)
        reverse = 0.0
        if held is not None:
            forward, reverse = kl_terms(held.rows[held.mask], value[held.mask])
            effects.append(Sample(metric="kl_forward", value=forward))
            effects.append(Sample(metric="kl_reverse", value=reverse))
        effects += self._kl_steps(address, now)
        return effects + self._decide(reverse, has_prior=held is not None)

    def _send_token(self, call: OpenCall, codes: Codes, now: int) -> Effect:
        number = self._post.sender.number(Kind.TOKEN)
        (address,) = call.addresses
        message = Message(
            kind=Kind.TOKEN,
            dev=self._dev,
            boot=self._post.sender.boot,
            seq=number,
            blk=address,
            g=self._priors.version(address),
            t_us=call.called_ns // 1_000,
            n=min(self._frames, U32_MAX),
            enc=self._shape.coding.enc,
            payload=pack_rows(codes, self._shape),
        )
        self._frames = 0
        self._feedback.sent(number, now)
        return self._post.send(message, dst=_SERVER, cls="token")

    def _kl_steps(self, address: int, now: int) -> list[Effect]:
        settings = self._settings
        if settings.kl == 0:
            return []
        addresses = sorted(self._passed) if settings.kl_blocks == "held" else [address]
        parts = []
        for each in addresses:
            held = self._priors.held(each, now - self._age_ns_max)
            if held is not None:
                parts.append(KlPart(each, held.rows, held.mask))
        if not parts:
            return []
        step = KlStep(parts=tuple(parts), alpha=settings.kl, steps=settings.kl_steps)
        return [self._calls.kl_step(step)]

    def _decide(self, kl_reverse: float, *, has_prior: bool) -> list[Effect]:
        outlook = Outlook(
            loss=self._period.loss,
            kl_reverse=kl_reverse,
            srtt_s=self._feedback.trip.smoothed_ns / 1e9,
            fail=self._feedback.fail,
            has_prior=has_prior,
            bits=self._post.bits,
        )
        self._post.bits = 0
        decision = self._policy.decide(outlook)
        if decision is None:
            return []
        return [*self._calls.set_lambda(decision.values), *decision.effects]

    # --------------------------------------------------------------------------------- messages
    def _on_received(self, event: Received, now: int) -> list[Effect]:
        self._post.got(event.data)
        try:
            message = decode(event.data, self._shape, self._shape.message_limit)
        except WireError as error:
            return self._refusals.refuse(error.cause, event.src)
        reader = self._readers.get(message.kind)
        cause = self._objection(event.src, message, now)
        if cause is None and reader is None:
            cause = "refused"
        if cause is not None or reader is None:
            return self._refusals.refuse(cause or "refused", event.src)
        return reader(message, now)

    def _objection(self, src: int, message: Message, now: int) -> str | None:
        """Return why a message is not read, if it is not."""
        if src != _SERVER or message.dev != _SERVER:
            return "stranger"
        if message.t_us * 1_000 > now + self._ground.ahead_ns_max:
            return "future"
        if message.kind == Kind.PRIOR:
            return None
        # Of reports and replies only the newest counts; priors are ordered by their versions.
        stamp = stamp_of(message.boot, message.seq)
        newest = self._newest.get(message.kind, 0)
        if stamp <= newest:
            return "duplicate" if stamp == newest else "stale"
        self._newest[message.kind] = stamp
        return None

    def _read_prior(self, message: Message, now: int) -> list[Effect]:
        published_ns = message.t_us * 1_000 if self._ground.shared_clock else now
        assert message.rows is not None
        if not self._priors.accept(
            message.blk,
            (message.boot, message.g),
            published_ns=published_ns,
            codes=message.rows,
        ):
            return self._refusals.refuse("stale_prior", _SERVER)
        labels = (("block", message.blk), ("boot", message.boot), ("version", message.g))
        age_s = (now - published_ns) / 1e9
        return [Sample(metric="prior_age_s", value=age_s, labels=labels)]

    def _read_report(self, message: Message, now: int) -> list[Effect]:
        report = Report.unpack(message.payload)
        if report.boot != self._post.sender.boot:
            return self._refusals.refuse("stale_boot", _SERVER)
        rtt_ns = self._feedback.heard(report, now)
        missed = now + _REPORTS_MISSED * self._settings.report_period
        effects = [self._timers.set("report", missed)]
        if rtt_ns is not None:
            effects.append(Sample(metric="rtt_s", value=rtt_ns / 1e9))
        return [*effects, Sample(metric="fail", value=self._feedback.fail)]

    def _miss_report(self, now: int) -> list[Effect]:
        self._feedback.missed()
        again = self._timers.set("report", now + self._settings.report_period)
        return [again, Sample(metric="fail", value=self._feedback.fail)]

    def _send_have(self, now: int) -> list[Effect]:
        again = self._timers.set("have", now + self._settings.have_period)
        if not (self._joining.joined and self._link_up):
            return [again]
        message = self._post.write(Kind.REPORT, now, payload=self._priors.have_vector())
        return [self._post.send(message, dst=_SERVER, cls="have"), again]


_SCALARS = ("link_up", "passes", "frames")
