"""A protocol of one's own: its machines opened from settings, and a base to write them on."""

import inspect
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, cast

import numpy as np
from typing_extensions import override

from simedge.core.own_code import OwnCodeError, OwnFaultError, fault_text
from simedge.core.streams import Stream
from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import (
    Asked,
    GetParams,
    Gradient,
    HeldLoss,
    Op,
    Params,
    SetParams,
    TakeFrame,
    Train,
    Value,
)
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.isolated import IsolatedServer
from simedge.protocol.machine import Effect, Machine, Note, Plain, Sample
from simedge.protocol.own_guard import Guarded
from simedge.protocol.own_settings import OwnProtocolSettings
from simedge.protocol.params import FLOAT32, OPAQUE, Code, Parcel, bytes_of, values_of
from simedge.protocol.party import Party, Seat
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Message

__all__ = ["OwnMachine", "check_own", "open_own_device", "open_own_server"]

_OPS: Final[Mapping[str, tuple[Op, Any]]] = {
    "get_params": ("get_params", GetParams),
    "set_params": ("set_params", SetParams),
    "train": ("train", Train),
    "gradient": ("gradient", Gradient),
    "held_loss": ("held_loss", HeldLoss),
    "take_frame": ("take_frame", TakeFrame),
}
_NUMBERS: Final = frozenset({Code.MODEL, Code.DELTA, Code.GRADIENT})
_GIVEN: Final = frozenset({"settings", "ground", "dev", "neighbours", "counters"})
_LATE: Final = frozenset({"_handlers"})
_DEVICE: Final = ("dev", "layers", "stream", "neighbours")
_SERVER: Final = ("devices", "stream")


class OwnMachine(Party):
    """Subclass it, and write what is your own; numbering, losses, crashes and dumps are here.

    Write `begin` and what you need of `period`, `received`, `answered`, `fired` and `unreachable`;
    in them call `ask`, `send`, `wake`, `note` and `sample`. What it remembers lives in attributes:
    numbers, text, bytes, arrays, and lists, tuples or dicts of those. Chance is `draw` alone.

    Parameters
    ----------
    settings
        Of the protocol, as its class declares them; `interval`, if they have it, is the period.
    ground
        What all machines of the run share.
    dev
        Its number; 0 is the server.
    neighbours
        Whom it has a link to, where there is no server; then it listens to nobody else.
    stream
        What `draw` draws from.
    """

    takes: ClassVar[tuple[Code, ...]] = (Code.MODEL,)
    """Kinds of messages that it takes; others are refused."""

    def __init__(
        self,
        settings: Any,  # noqa: ANN401 -- the user's own
        ground: Ground,
        *,
        dev: int = 0,
        neighbours: Sequence[int] = (),
        stream: Stream | None = None,
    ) -> None:
        self.settings, self.ground, self.dev = settings, ground, dev
        self.neighbours = tuple(neighbours)
        self._effects: list[Effect] = []
        self._private = frozenset[str]()
        seat = Seat(dev=dev, ground=ground, neighbours=self.neighbours, stream=stream)
        interval = getattr(settings, "interval", 0) or ground.tau_ns // max(ground.frame_ns, 1)
        super().__init__(seat, interval=max(1, int(interval)))

    # ------------------------------------------------------------------------- what is your own
    @abstractmethod
    def begin(self) -> None:
        """Make the attributes that it remembers; it knows nothing yet."""

    def started(self, now: int) -> None:
        """Start, or go on after a crash: no question, timer or sending is open."""

    def period(self, now: int) -> None:
        """Do what is done every `interval` frames that were learned."""

    def received(self, message: Message, values: Params | None, now: int) -> None:
        """Use a message that is sound and new.

        `message` has the sender `dev`, and `g`, `n`, `blk` (its code) and `payload` as they were
        sent; `values` are the float32 of a model, delta or gradient.
        """

    def answered(self, op: str, value: Any, now: int) -> None:  # noqa: ANN401 -- see `asks`
        """Use what the learner answered to `ask`."""

    def fired(self, timer: str, now: int) -> None:
        """Do what is done when a timer of `wake` is due."""

    def unreachable(self, dev: int, now: int) -> None:
        """Do what is done when a sending failed, or the way to another is down."""

    # ------------------------------------------------------------------------------- for your use
    @property
    def reachable(self) -> list[int]:
        """Neighbours that are not known to be out of reach."""
        return self._up()

    def awaits(self, op: str) -> bool:
        """Return whether an answer to this question is still out."""
        return self._asking.awaits(op)

    def ask(self, op: str, *args: Any, **named: Any) -> None:  # noqa: ANN401 -- those of `asks`
        """Ask the learner: get_params, set_params (values), train (frames), gradient (frames), ...

        One question at a time: who asks again for what is on its way asks once.
        """
        if op not in _OPS:
            raise ProtocolError(f"no question {op!r} (known: {', '.join(_OPS)})")
        name, kind = _OPS[op]
        if op == "set_params":
            named = {"values": np.asarray(args[0] if args else named["values"], np.float32)}
        elif args:
            named = {"frames": args[0], **named}
        elif self.awaits(op):
            return
        asked: Asked = kind(**named)
        self._effects.append(self._ask(op, name, asked))

    def send(
        self,
        content: Any,  # noqa: ANN401 -- numbers or bytes
        to: int | Sequence[int],
        *,
        code: Code = Code.MODEL,
        g: int = 0,
        n: int = 0,
    ) -> None:
        """Send numbers (written as float32) or bytes, reliably, to one or several.

        `g` and `n` are two whole numbers that go with it: a version or age, and samples.
        """
        raw = isinstance(content, bytes)
        parcel = Parcel(
            code=code,
            payload=content if raw else bytes_of(np.asarray(content, np.float32)),
            enc=OPAQUE if raw else FLOAT32,
            g=g,
            n=n,
            captured_ns=self._captured_ns,
        )
        self._effects += self._send(parcel, [to] if isinstance(to, int) else list(to))

    def wake(self, timer: str, at: int) -> None:
        """Set a timer to a virtual time, in whole ns, in place of one of the same name."""
        self._effects.append(self._timers.set(timer, at))

    def draw(self, count: int) -> int:
        """Return one of 0 .. count - 1, each as likely."""
        return self._draws.below(count)

    def sample(self, metric: str, value: float) -> None:
        """Enter a measurement into the metrics."""
        self._effects.append(Sample(metric=metric, value=float(value)))

    def applied(self, count: int = 1) -> None:
        """Enter into the log that so many models or updates of others were taken over."""
        self._effects.append(Note(kind="applied", subject=0, detail=(count,)))

    # ------------------------------------------------------------------------------------- below
    @override
    def _begin(self, now: int) -> list[Effect]:
        self.started(now)
        return self._said()

    @override
    def _period_over(self, now: int) -> list[Effect]:
        self.period(now)
        return self._said()

    @override
    def _fired(self, timer: str, now: int) -> list[Effect]:
        self.fired(timer, now)
        return self._said()

    @override
    def _unreachable(self, dev: int, code: Code | None, now: int) -> list[Effect]:
        self.unreachable(dev, now)
        return self._said()

    @override
    def _answered(self, purpose: str, value: Value, now: int) -> list[Effect]:
        self.answered(purpose, value, now)
        return self._said()

    @override
    def _open(self, message: Message) -> Params | None:
        if message.blk not in self.takes:
            raise WireError("refused")
        return values_of(message, self.ground.params) if message.blk in _NUMBERS else None

    @override
    def _take(self, message: Message, content: Params | None, now: int) -> list[Effect]:
        self._captured_ns = max(self._captured_ns, self._captured(message, now))
        effects = self._merged(message, now, version=message.g)
        self.received(message, content, now)
        return effects + self._said()

    @override
    def _strange(self, message: Message, src: int) -> bool:
        if message.dev != src or src == self.dev:
            return True
        return bool(self.neighbours) and src not in self.neighbours

    def _said(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    @override
    def _forget_own(self) -> None:
        if self._private:
            for name in self._state():
                delattr(self, name)
        else:
            self._private = frozenset({*vars(self), *_LATE})
        self.begin()
        self._effects.clear()

    def _state(self) -> list[str]:
        known = self._private | _GIVEN
        return [name for name in vars(self) if name not in known]

    @override
    def _dump_own(self) -> Plain:
        return {name: _plain(getattr(self, name), name) for name in self._state()}

    @override
    def _load_own(self, state: Plain) -> None:
        for name in self._state():
            delattr(self, name)
        for name, value in state.items():
            setattr(self, name, _whole(value))


def check_own(settings: OwnProtocolSettings) -> None:
    """See that a class can open machines.

    Raises
    ------
    OwnCodeError
        If it lacks a method, or one does not take what it is given.
    """
    settings.needs()
    owner = settings.owner()
    for name, keys in (("open_device", _DEVICE), ("open_server", _SERVER)):
        method = getattr(owner, name, None)
        if method is None and name == "open_server":
            continue
        wanted = f"{name}(self, settings, ground, *, {', '.join(keys)})"
        if not callable(method):
            raise OwnCodeError(f"{settings.kind} lacks a method: def {wanted}")
        try:
            _accepted(getattr(_made(settings), name), keys)
        except TypeError as error:
            raise OwnCodeError(f"{settings.kind}: {error}; write def {wanted}") from None


def open_own_device(
    settings: OwnProtocolSettings,
    ground: Ground,
    *,
    dev: int,
    layers: int,
    stream: Stream,
    neighbours: Sequence[int],
) -> Machine:
    """Return the machine of a device (raises `OwnFaultError`)."""
    given = {"dev": dev, "layers": layers, "stream": stream, "neighbours": tuple(neighbours)}
    machine = _opened(settings, ground, "open_device", given=given, dev=dev)
    return _guarded(machine, settings, ground, dev=dev)


def open_own_server(
    settings: OwnProtocolSettings, ground: Ground, *, devices: int, stream: Stream | None
) -> Machine:
    """Return the machine of the server; a protocol that opens none has one that does nothing."""
    machine = None
    if hasattr(settings.owner(), "open_server"):
        given = {"devices": devices, "stream": stream}
        machine = _opened(settings, ground, "open_server", given=given, dev=0)
    return IsolatedServer() if machine is None else _guarded(machine, settings, ground, dev=0)


def _opened(
    settings: OwnProtocolSettings,
    ground: Ground,
    name: str,
    *,
    given: Mapping[str, object],
    dev: int,
) -> Any:  # noqa: ANN401 -- the user's own
    try:
        method = getattr(_made(settings), name)
        kept = {key: given[key] for key in _accepted(method, tuple(given))}
        return method(settings.own(), ground, **kept)
    except OwnCodeError:
        raise
    except Exception as error:
        raise OwnFaultError(
            f"the protocol {settings.kind}", dev, fault_text(error, settings.file)
        ) from error


def _guarded(
    machine: Machine, settings: OwnProtocolSettings, ground: Ground, *, dev: int
) -> Machine:
    return Guarded(
        machine,
        kind=settings.kind,
        file=settings.file or "",
        dev=dev,
        ground=ground,
        needs=settings.needs(),
    )


def _made(settings: OwnProtocolSettings) -> Any:  # noqa: ANN401 -- the user's own
    owner = settings.owner()
    try:
        return owner()
    except Exception as error:
        raise OwnCodeError(
            f"{settings.kind} must be made without arguments: {fault_text(error, settings.file)}"
        ) from error


def _accepted(method: Any, keys: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ANN401
    """Return which keys a method takes beside the settings and the ground.

    Raises
    ------
    TypeError
        If it cannot be called with them.
    """
    signature = inspect.signature(method)
    kinds = [each.kind for each in signature.parameters.values()]
    every = inspect.Parameter.VAR_KEYWORD in kinds
    kept = tuple(key for key in keys if every or key in signature.parameters)
    signature.bind(None, None, **dict.fromkeys(kept))
    return kept


def _plain(value: object, name: str) -> object:
    """Return a value as plain data that says what it was."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return ["array", plain_of(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, list | tuple):
        parts = [_plain(part, name) for part in value]
        return ["tuple" if isinstance(value, tuple) else "list", parts]
    if isinstance(value, dict):
        pairs = [[_plain(key, name), _plain(part, name)] for key, part in value.items()]
        return ["dict", pairs]
    raise ProtocolError(
        f"a machine remembers numbers, text, bytes, arrays, and lists, tuples or dicts of those; "
        f"{name} has a {type(value).__name__}"
    )


def _whole(plain: object) -> Any:  # noqa: ANN401 -- whatever it was
    """Return the value that `_plain` wrote down."""
    if not isinstance(plain, list | tuple):
        return plain
    what, inside = cast("tuple[str, Any]", plain)
    if what == "array":
        return array_of(inside)
    if what == "dict":
        return {_whole(key): _whole(part) for key, part in inside}
    return (tuple if what == "tuple" else list)(_whole(part) for part in inside)
