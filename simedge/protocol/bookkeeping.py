"""The books every machine keeps: timers, open calls, refusals, the token period."""

import math
from dataclasses import dataclass
from typing import Final, cast

from simedge.protocol.asks import ClassTable, SetClassPrior
from simedge.protocol.machine import (
    CancelTimer,
    Effect,
    FrameLearned,
    KlStep,
    LearnerCall,
    Note,
    ProxyPass,
    SetLambda,
    SetTimer,
)

__all__ = ["ROW_OPS", "Calls", "OpenCall", "Period", "Refusals", "Timers"]

ROW_OPS: Final = frozenset({"proxy_pass", "class_table"})
"""Operations that give rows for a token."""


class Refusals:
    """Tallies by cause; what is refused changes nothing else."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}

    def count(self, cause: str, by: int = 1) -> None:
        """Raise a counter."""
        self.counters[cause] = self.counters.get(cause, 0) + by

    def late(self) -> list[Effect]:
        """Count a timer, call or tag that is unknown or comes too late."""
        self.count("late_event")
        return []

    def refuse(self, cause: str, sender: int) -> list[Effect]:
        """Count a message that is dropped, and say so."""
        self.count(cause)
        return [Note(kind="refused", subject=sender, detail=(cause,))]


class Timers:
    """Which timers are set, and for when."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}

    def set(self, name: str, at: int) -> Effect:
        """Set a timer, in place of one of the same name."""
        self._due[name] = at
        return SetTimer(id=name, at=at)

    def cancel(self, name: str) -> list[Effect]:
        """Cancel a timer if it is set."""
        return [CancelTimer(id=name)] if self._due.pop(name, None) is not None else []

    def fire(self, name: str, now: int) -> bool:
        """Return whether this timer was due; it fires once a setting."""
        if self._due.get(name, now + 1) > now:
            return False
        del self._due[name]
        return True

    def clear(self) -> None:
        """Forget all timers: a crash took them."""
        self._due.clear()

    def dump(self) -> list[object]:
        """Return the state."""
        return [[name, at] for name, at in self._due.items()]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._due = dict(cast("list[tuple[str, int]]", state))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """What is to be remembered of a learner call until it is done."""

    op: str
    addresses: tuple[int, ...] = ()
    steps: int = 0
    called_ns: int = 0


_OpenPlain = tuple[int, str, list[int], int, int]


class Calls:
    """Learner calls that are not done yet."""

    def __init__(self) -> None:
        self._number = 0
        self._open: dict[int, OpenCall] = {}

    def set_lambda(self, values: tuple[float, ...]) -> list[Effect]:
        """Ask for Hebbian shares, unless there is no layer to set."""
        if not values:
            return []
        number = self._enter(OpenCall(op="set_lambda"))
        return [LearnerCall(call=number, op="set_lambda", args=SetLambda(values=values))]

    def proxy_pass(self, args: ProxyPass, now: int) -> Effect:
        """Ask for a pass over proxy rows."""
        number = self._enter(OpenCall(op="proxy_pass", addresses=(args.address,), called_ns=now))
        return LearnerCall(call=number, op="proxy_pass", args=args)

    def kl_step(self, args: KlStep) -> Effect:
        """Ask for steps towards priors."""
        addresses = tuple(part.address for part in args.parts)
        number = self._enter(OpenCall(op="kl_step", addresses=addresses, steps=args.steps))
        return LearnerCall(call=number, op="kl_step", args=args)

    def class_table(self, args: ClassTable, address: int, now: int) -> Effect:
        """Ask for what was said of the labels of an address."""
        number = self._enter(OpenCall(op="class_table", addresses=(address,), called_ns=now))
        return LearnerCall(call=number, op="class_table", args=args)

    def set_class_prior(self, args: SetClassPrior, blocks: tuple[int, ...]) -> Effect:
        """Ask for every frame to be pulled from now on."""
        number = self._enter(OpenCall(op="set_class_prior", addresses=blocks, steps=args.steps))
        return LearnerCall(call=number, op="set_class_prior", args=args)

    def close(self, call: int) -> OpenCall | None:
        """Return what was asked in a call that is now done, once."""
        return self._open.pop(call, None)

    def passing(self) -> bool:
        """Return whether rows that were asked for are still out."""
        return any(call.op in ROW_OPS for call in self._open.values())

    def clear(self) -> None:
        """Forget open calls: a crash took their jobs. Numbers go on."""
        self._open.clear()

    def dump(self) -> list[object]:
        """Return the state."""
        return [
            self._number,
            [[n, c.op, list(c.addresses), c.steps, c.called_ns] for n, c in self._open.items()],
        ]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._number, opened = cast("tuple[int, list[_OpenPlain]]", state)
        self._open = {
            number: OpenCall(op=op, addresses=tuple(at), steps=steps, called_ns=called_ns)
            for number, op, at, steps, called_ns in opened
        }

    def _enter(self, call: OpenCall) -> int:
        self._number += 1
        self._open[self._number] = call
        return self._number


class Period:
    """Frames and mean loss of a token period of `interval` frames."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._frames = 0
        self._losses: list[float] = []
        self._weights: list[int] = []
        self.loss = 0.0
        """Mean task loss of the last whole period with a known loss."""

    def add(self, event: FrameLearned, refusals: Refusals) -> bool:
        """Count frames; return whether the period is over, and begin the next if it is."""
        self._frames += event.n
        if math.isnan(event.loss):
            refusals.count("loss_nan")
        else:
            self._losses.append(event.loss * event.n)
            self._weights.append(event.n)
        if self._frames < self._interval:
            return False
        if self._weights:
            self.loss = math.fsum(self._losses) / sum(self._weights)
        self._frames = 0
        self._losses.clear()
        self._weights.clear()
        return True

    def dump(self) -> list[object]:
        """Return the state."""
        return [self._frames, list(self._losses), list(self._weights), self.loss]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        frames, losses, weights, loss = cast("tuple[int, list[float], list[int], float]", state)
        self._frames, self.loss = frames, loss
        self._losses, self._weights = list(losses), list(weights)
