"""No messages at all: the floor that every protocol must beat."""

from typing import cast

from simedge.protocol.bookkeeping import Calls, Period, Refusals
from simedge.protocol.machine import (
    Checkpoint,
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
from simedge.protocol.policy import Outlook, Policy
from simedge.protocol.settings import IsolatedSettings

__all__ = ["IsolatedDevice", "IsolatedServer"]


class IsolatedDevice:
    """A device on its own; its policy sees its loss alone.

    Parameters
    ----------
    settings
        The protocol's settings.
    policy
        Chooses the Hebbian shares.
    """

    def __init__(self, settings: IsolatedSettings, policy: Policy) -> None:
        self._settings = settings
        self._policy = policy
        self._unlearned = policy.dump()
        self._refusals = Refusals()
        self.counters = self._refusals.counters
        self._calls = Calls()
        self._period = Period(settings.interval)
        self._handlers: dict[type, Handler] = {
            Started: self._on_started,
            Restarted: self._on_restarted,
            FrameLearned: self._on_frame_learned,
            LearnerDone: self._on_learner_done,
            LinkStatus: self._on_nothing,
            Forgotten: self._on_nothing,
            Received: self._on_received,
            SendOutcome: self._on_late,
            TimerFired: self._on_late,
        }

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        return self._handlers[type(event)](event, now)

    def dump(self) -> Plain:
        """Return the whole state as plain data."""
        return {
            "calls": self._calls.dump(),
            "counters": dict(self.counters),
            "period": self._period.dump(),
            "policy": self._policy.dump(),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._calls.load(state["calls"])
        self.counters.clear()
        self.counters.update(cast("dict[str, int]", state["counters"]))
        self._remember(state)

    def _remember(self, state: Plain) -> None:
        self._period.load(state["period"])
        self._policy.load(cast("Plain", state["policy"]))

    def _on_started(self, event: Started, now: int) -> list[Effect]:
        del event, now
        return self._calls.set_lambda(self._policy.begin())

    def _on_restarted(self, event: Restarted, now: int) -> list[Effect]:
        self._calls.clear()
        self._period = Period(self._settings.interval)
        self._policy.load(self._unlearned)
        if event.checkpoint is not None:
            self._remember(event.checkpoint)
        return self._on_started(Started(boot=event.boot), now)

    def _on_frame_learned(self, event: FrameLearned, now: int) -> list[Effect]:
        del now
        if not self._period.add(event, self._refusals):
            return []
        effects: list[Effect] = [Checkpoint()]
        decision = self._policy.decide(Outlook(loss=self._period.loss))
        if decision is not None:
            effects += self._calls.set_lambda(decision.values)
            effects += decision.effects
        return effects

    def _on_learner_done(self, event: LearnerDone, now: int) -> list[Effect]:
        del now
        return [] if self._calls.close(event.call) else self._refusals.late()

    def _on_received(self, event: Received, now: int) -> list[Effect]:
        del now
        return self._refusals.refuse("refused", event.src)

    def _on_nothing(self, event: Event, now: int) -> list[Effect]:
        del event, now
        return []

    def _on_late(self, event: Event, now: int) -> list[Effect]:
        del event, now
        return self._refusals.late()


class IsolatedServer:
    """A server that nobody talks to."""

    def __init__(self) -> None:
        self._refusals = Refusals()
        self.counters = self._refusals.counters

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return nothing; whatever is received is refused."""
        del now
        if isinstance(event, Received):
            return self._refusals.refuse("refused", event.src)
        return []

    def dump(self) -> Plain:
        """Return the tallies."""
        return {"counters": dict(self.counters)}

    def load(self, state: Plain) -> None:
        """Take over tallies that ``dump`` returned."""
        self.counters.clear()
        self.counters.update(cast("dict[str, int]", state["counters"]))
