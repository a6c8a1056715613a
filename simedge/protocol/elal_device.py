"""A device of edge-localised asynchronous learning.

It learns whether or not anyone answers. Every token period it passes one block of the proxy set,
sends what it thinks of it as a token, steps towards the prior it holds for that block, and lets
its policy choose new Hebbian shares. Nothing it does waits for the network. By class, a token says
what it thought of its own frames of each label, and each frame is pulled to the prior of its label.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.bookkeeping import ROW_OPS, OpenCall, Period
from simedge.protocol.elal_hearing import Hearing
from simedge.protocol.elal_kit import SERVER, Kit
from simedge.protocol.elal_rows import open_rows
from simedge.protocol.elal_tokens import Tokens
from simedge.protocol.kl import kl_terms
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
    Sample,
    SendOutcome,
    Started,
    TimerFired,
)
from simedge.protocol.policy import Outlook, Policy
from simedge.protocol.quantiser import quantise
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground

__all__ = ["ElalDevice"]


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
        self._kit = kit = Kit(settings, ground, dev=dev)
        self.counters = kit.refusals.counters
        self._rows = open_rows(kit)
        self._tokens = Tokens(kit)
        self._hearing = Hearing(kit, self._tokens, self._rows)
        self._policy = policy
        self._unlearned = policy.dump()
        self._forget()
        self._handlers: dict[type, Handler] = {
            Started: self._on_started,
            Restarted: self._on_restarted,
            FrameLearned: self._on_frame_learned,
            LearnerDone: self._on_learner_done,
            Received: self._hearing.hear,
            SendOutcome: lambda _event, _now: kit.refusals.late(),
            TimerFired: self._on_timer,
            LinkStatus: self._on_link_status,
            Forgotten: lambda _, now: self._join(now),
        }
        self._timer_handlers: dict[str, Handler] = {
            "join": self._retry_join,
            "have": self._hearing.send_have,
            "report": self._hearing.miss_report,
        }

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        return self._handlers[type(event)](event, now)

    def dump(self) -> Plain:
        """Return the whole state as plain data."""
        return {
            **self._kit.dump(),
            "period": self._period.dump(),
            "policy": self._policy.dump(),
            "passes": self._passes,
            "tokens": self._tokens.dump(),
            "rows": self._rows.dump(),
            "hearing": self._hearing.dump(),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._kit.load(state)
        self._remember_own(state)

    # ----------------------------------------------------------------------------------- memory
    def _forget(self) -> None:
        """Be as new, but for the observer's counters and the numbers of calls."""
        self._kit.forget()
        self._period = Period(self._kit.settings.interval)
        self._policy.load(self._unlearned)
        self._passes = 0
        self._tokens.forget()
        self._rows.forget()
        self._hearing.forget()

    def _remember_own(self, state: Plain) -> None:
        """Take over what a crash can leave behind, but for the kit."""
        self._period.load(state["period"])
        self._policy.load(cast("Plain", state["policy"]))
        self._passes = cast("int", state["passes"])
        self._tokens.load(state["tokens"])
        self._rows.load(state["rows"])
        self._hearing.load(state["hearing"])

    # ------------------------------------------------------------------------ start and restart
    def _on_started(self, event: Started, now: int) -> list[Effect]:
        self._kit.post.sender.reboot(event.boot)
        shares = self._kit.calls.set_lambda(self._policy.begin())
        return [*shares, *self._rows.watch(now), *self._join(now)]

    def _on_restarted(self, event: Restarted, now: int) -> list[Effect]:
        kit, boot = self._kit, event.boot
        self._forget()
        if event.checkpoint is not None:
            kit.remember(event.checkpoint)
            self._remember_own(event.checkpoint)
            boot = max(boot, kit.post.sender.boot + 1)
            self._rows.restart()
        kit.restart()
        self._tokens.restart()
        return self._on_started(Started(boot=boot), now)

    def _on_link_status(self, event: LinkStatus, now: int) -> list[Effect]:
        del now
        if event.other == SERVER:
            self._kit.link_up = event.up
        return []

    def _on_timer(self, event: TimerFired, now: int) -> list[Effect]:
        if not self._kit.timers.fire(event.id, now):
            return self._kit.refusals.late()
        handler = self._timer_handlers.get(event.id)
        return self._tokens.retry(event.id, now) if handler is None else handler(now)

    def _join(self, now: int) -> list[Effect]:
        return self._kit.joining.begin(self._kit.join(), now)

    def _retry_join(self, now: int) -> list[Effect]:
        return self._kit.joining.retry(now)

    # -------------------------------------------------------------------------- frames and calls
    def _on_frame_learned(self, event: FrameLearned, now: int) -> list[Effect]:
        kit = self._kit
        self._tokens.learned(event.n)
        effects = self._rows.watch(now)
        if not self._period.add(event, kit.refusals):
            return effects
        effects.append(Checkpoint())
        if not (kit.joining.joined and kit.has_set):
            return effects
        if kit.calls.passing():
            kit.refusals.count("pass_overrun")
            return effects
        # Devices start at different addresses.
        turn = kit.dev + self._passes
        self._passes += 1
        return [*effects, self._rows.ask(turn, now)]

    def _on_learner_done(self, event: LearnerDone, now: int) -> list[Effect]:
        call = self._kit.calls.close(event.call)
        if call is None:
            return self._kit.refusals.late()
        if call.op in ROW_OPS:
            return self._use_rows(call, self._rows.take(call, event.value), now)
        if call.op != "set_lambda":
            detail = (call.steps,)
            return [Note(kind="applied", subject=each, detail=detail) for each in call.addresses]
        return []

    def _use_rows(self, call: OpenCall, value: NDArray[np.float32], now: int) -> list[Effect]:
        kit = self._kit
        codes = quantise(value, kit.shape)
        (address,) = call.addresses
        effects: list[Effect] = []
        if kit.ready:
            effects += self._tokens.send(call, codes, now)
        else:
            kit.refusals.count("token_unsent")
        held = kit.priors.held(address, now - kit.age_ns_max)
        known = value.any(axis=1) if held is None else held.mask & value.any(axis=1)
        has_prior = held is not None and bool(known.any())
        reverse = 0.0
        if held is not None and has_prior:
            forward, reverse = kl_terms(held.rows[known], value[known])
            effects.append(Sample(metric="kl_forward", value=forward))
            effects.append(Sample(metric="kl_reverse", value=reverse))
        effects += self._rows.pull(address, now)
        return effects + self._decide(reverse, has_prior=has_prior)

    def _decide(self, kl_reverse: float, *, has_prior: bool) -> list[Effect]:
        kit = self._kit
        outlook = Outlook(
            loss=self._period.loss,
            kl_reverse=kl_reverse,
            srtt_s=kit.feedback.trip.smoothed_ns / 1e9,
            fail=kit.feedback.fail,
            has_prior=has_prior,
            bits=kit.post.bits,
        )
        kit.post.bits = 0
        decision = self._policy.decide(outlook)
        if decision is None:
            return []
        return [*kit.calls.set_lambda(decision.values), *decision.effects]
