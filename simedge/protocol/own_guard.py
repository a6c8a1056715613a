"""A machine of the user's own behind a guard: what goes wrong in it is told, and where."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args

import numpy as np

from simedge.core.own_code import OwnFaultError, fault_text
from simedge.protocol.asks import SetParams
from simedge.protocol.errors import WireError
from simedge.protocol.machine import (
    Effect,
    Event,
    LearnerCall,
    Machine,
    Plain,
    Sample,
    Send,
    SetTimer,
)
from simedge.protocol.params import Code, read_message, shape_on
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Kind

__all__ = ["FLOWS", "Guarded"]

FLOWS: Final = frozenset(
    {"token", "prior", "report", "have", "join", "reply", "proxy"}
    | {code.name.lower() for code in Code}
)
"""Classes of flows that a message may belong to."""
_METHODS: Final = ("handle", "dump", "load")
_EFFECTS: Final = get_args(Effect)
_ASKING: Final = {
    "parameters": {"get_params", "set_params", "train", "gradient", "held_loss", "train_on"},
    "classes": {"class_table", "set_class_prior"},
}
_T = TypeVar("_T")


class Guarded:
    """A machine whose faults name its protocol and device, and whose effects are checked.

    Parameters
    ----------
    machine
        Any.
    kind, file
        Of its protocol.
    needs
        What that protocol said that it needs.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        kind: str,
        file: str,
        dev: int,
        ground: Ground,
        needs: frozenset[str],
    ) -> None:
        self._kind, self._file, self._dev, self._needs = kind, file, dev, needs
        self._shape = shape_on(ground)
        lacks = [name for name in _METHODS if not callable(getattr(machine, name, None))]
        if lacks or not isinstance(getattr(machine, "counters", None), dict):
            what = f"no method {lacks[0]}" if lacks else "no dict counters"
            raise self._fault(
                f"the machine that was opened, a {type(machine).__name__}, has {what}; "
                "a subclass of simedge.OwnMachine has them all"
            )
        self._machine = machine
        self.counters = machine.counters

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Return the effects of one event at `now`."""
        effects = self._tried(lambda: self._machine.handle(event, now))
        if not isinstance(effects, list):
            raise self._fault(f"handle must return a list of effects, got {_shown(effects)}")
        for effect in effects:
            self._check(effect, now)
        return effects

    def dump(self) -> Plain:
        """Return the machine's state."""
        return self._tried(self._machine.dump)

    def load(self, state: Plain) -> None:
        """Take over a state of the machine."""
        self._tried(lambda: self._machine.load(state))

    def _tried(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except Exception as error:
            raise self._fault(fault_text(error, self._file)) from error

    def _fault(self, text: str) -> OwnFaultError:
        return OwnFaultError(f"the protocol {self._kind}", self._dev, text)

    def _check(self, effect: object, now: int) -> None:
        match effect:
            case Send():
                self._check_send(effect)
            case SetTimer(id=name, at=at) if type(at) is not int or at <= now:
                raise self._fault(
                    f"the timer {name!r} must lie ahead of {now} ns in whole ns, got {at!r}"
                )
            case LearnerCall():
                self._check_call(effect)
            case Sample(metric=metric, value=value) if not np.isfinite(value):
                raise self._fault(f"the sample {metric!r} must be finite, got {value}")
            case _:
                if not isinstance(effect, _EFFECTS):
                    raise self._fault(f"{_shown(effect)} is no effect")

    def _check_send(self, send: Send) -> None:
        if not isinstance(send.data, bytes):
            raise self._fault(f"a message is bytes, got {_shown(send.data)}")
        if send.cls not in FLOWS:
            raise self._fault(f"no class of flows {send.cls!r} (known: {', '.join(sorted(FLOWS))})")
        try:
            message = read_message(send.data, self._shape)
        except WireError as error:
            raise self._fault(
                f"a message to {send.dst} is not what the wire takes ({error.cause}); "
                "simedge.OwnMachine.send writes sound ones"
            ) from None
        said = message.kind, message.dev, message.boot, message.seq
        if said[1:] != (self._dev, send.boot, send.seq):
            raise self._fault(
                f"the message {Kind(message.kind).name.lower()} says (sender, boot, seq) "
                f"{said[1:]}, its sending {(self._dev, send.boot, send.seq)}"
            )

    def _check_call(self, call: LearnerCall) -> None:
        for need, operations in _ASKING.items():
            if call.op in operations and need not in self._needs:
                raise self._fault(f"it asks for {call.op}: add needs = ({need!r},) to the protocol")
        asked: Any = call.args
        if isinstance(asked, SetParams) and not np.isfinite(asked.values).all():
            raise self._fault("set_params is given values that are not finite: NaN or overflow")


def _shown(value: object) -> str:
    return f"a {type(value).__name__}" if value is not None else "None"
