"""A device that works on the models it is sent: it trains on them, or takes gradients.

::

    idle -> set_params -> train -> get_params -> upload -> idle
                       -> gradient ------------> upload -> idle

A newer model that comes meanwhile waits until the work at hand is done, which is then given up: the
server has moved on.
"""

from dataclasses import dataclass
from typing import Final, Literal, cast

import numpy as np

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import (
    GetParams,
    Gradient,
    Params,
    SetParams,
    Slope,
    Train,
    Trained,
    Value,
)
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.machine import Checkpoint, Effect, Handler, Note, Plain, Sample
from simedge.protocol.params import Code, Parcel, bytes_of, check_size, checked, values_of
from simedge.protocol.station import Tools
from simedge.protocol.upload import Upload
from simedge.protocol.wire import Message

__all__ = ["Duty", "Trainee", "model_of"]

_NOTHING: Final = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What is to be done with a model."""

    sends: Literal[Code.MODEL, Code.DELTA, Code.GRADIENT]
    """What is sent back: the trained model, the model received minus it, or a gradient."""
    frames: int
    rho: float = 0.0
    """Weight of the pull towards the model received."""


class Model:
    """A model that a server sent."""

    __slots__ = ("boot", "captured_ns", "values", "version")

    def __init__(self) -> None:
        self.boot = 0
        self.version = 0
        self.captured_ns = 0
        self.values: Params = _NOTHING

    @property
    def stamp(self) -> tuple[int, int]:
        """What the model is told apart by: the server's boot and the version."""
        return self.boot, self.version

    def age(self, now: int) -> list[Effect]:
        """Say how old the knowledge in the model is, if anything was learned in it."""
        if not self.captured_ns:
            return []
        labels = (("block", int(Code.MODEL)), ("boot", self.boot), ("version", self.version))
        age_s = (now - self.captured_ns) / 1e9
        return [Sample(metric="prior_age_s", value=age_s, labels=labels)]

    def dump(self) -> list[object]:
        """Return the state."""
        return [self.boot, self.version, self.captured_ns, plain_of(self.values)]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self.boot, self.version, self.captured_ns, values = cast(
            "tuple[int, int, int, object]", state
        )
        self.values = cast("Params", array_of(values))


def model_of(message: Message, params: int) -> Model:
    """Return the model in a message."""
    model = Model()
    model.boot, model.version = message.boot, message.g
    model.captured_ns = 1_000 * message.t_us
    model.values = values_of(message, params)
    return model


class Trainee:
    """The work of a device that trains for a server.

    Parameters
    ----------
    tools
        Shared with the station.
    duty
        What it does with a model.
    """

    def __init__(self, tools: Tools, duty: Duty) -> None:
        self._tools = tools
        self._duty = duty
        self._params = check_size(tools.ground)
        self._upload = Upload(tools)
        self._forget()
        self._answers: dict[str, Handler] = {
            "set_params": self._begin_work,
            "train": self._trained,
            "get_params": self._read_out,
            "gradient": self._sloped,
        }

    def _forget(self) -> None:
        self._at_work = False
        self._base = Model()
        self._next: Model | None = None
        self._n = 0
        self._captured_ns = 0
        self._upload.forget()

    @property
    def idle(self) -> bool:
        """Whether it has neither work nor anything to send."""
        return not (self._at_work or self._upload.waiting)

    def begin(self, now: int) -> list[Effect]:
        """Start anew: work and uploads are gone, and the server will send a model."""
        del now
        self._forget()
        return []

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if this is no model of the right size."""
        if message.blk != Code.MODEL:
            raise WireError("malformed")
        values_of(message, self._params)

    def read(self, message: Message, now: int) -> list[Effect]:
        """Take a model: at once, or when the work at hand is done."""
        model = model_of(message, self._params)
        if not self._at_work:
            return self._take_up(model, now)
        if model.stamp != self._base.stamp:
            self._next = model
        return []

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Go on with the work."""
        return self._answers[op](value, now)

    def push(self, now: int) -> list[Effect]:
        """Send what waits to be sent."""
        del now
        return self._upload.push()

    def ended(self, tag: int, now: int, *, ok: bool) -> list[Effect]:
        """Take the outcome of an upload."""
        return self._upload.ended(tag, now, ok=ok)

    def timer(self, name: str, now: int) -> list[Effect]:
        """Send again what did not arrive."""
        del name, now
        return self._upload.push()

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "at_work": self._at_work,
            "base": self._base.dump(),
            "next": self._next.dump() if self._next else None,
            "n": self._n,
            "captured_ns": self._captured_ns,
            "upload": self._upload.dump(),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._at_work = cast("bool", state["at_work"])
        self._base.load(state["base"])
        self._next = None
        if state["next"] is not None:
            self._next = Model()
            self._next.load(state["next"])
        self._n = cast("int", state["n"])
        self._captured_ns = cast("int", state["captured_ns"])
        self._upload.load(state["upload"])

    # ------------------------------------------------------------------------------------- steps
    def _take_up(self, model: Model, now: int) -> list[Effect]:
        self._base, self._next, self._at_work = model, None, True
        return [
            *self._upload.give_up(),
            self._tools.asking.ask("set_params", SetParams(values=model.values)),
            *model.age(now),
        ]

    def _begin_work(self, value: Value, now: int) -> list[Effect]:
        del value, now
        duty, version = self._duty, self._base.version
        effects: list[Effect] = [Note(kind="applied", subject=Code.MODEL, detail=(version,))]
        if duty.sends == Code.GRADIENT:
            return [*effects, self._tools.asking.ask("gradient", Gradient(frames=duty.frames))]
        anchor = self._base.values if duty.rho else None
        train = Train(frames=duty.frames, anchor=anchor, rho=duty.rho)
        return [*effects, self._tools.asking.ask("train", train)]

    def _trained(self, value: Value, now: int) -> list[Effect]:
        if not isinstance(value, Trained):
            raise ProtocolError("training must return how many frames were learned, and the loss")
        if self._next is not None:
            return self._move_on(now)
        self._n, self._captured_ns = value.n, now
        return [self._tools.asking.ask("get_params", GetParams())]

    def _read_out(self, value: Value, now: int) -> list[Effect]:
        values = self._vector(value)
        if self._duty.sends == Code.DELTA:
            values = self._base.values - values
        return self._finish(values, now)

    def _sloped(self, value: Value, now: int) -> list[Effect]:
        if not isinstance(value, Slope):
            raise ProtocolError("a gradient must come with its loss and the number of frames")
        if self._next is not None:
            return self._move_on(now)
        self._n, self._captured_ns = value.n, now
        return self._finish(self._vector(value.values), now)

    def _vector(self, value: Value) -> Params:
        return checked(value, (self._params,)).astype(np.float32, copy=False)

    def _finish(self, values: Params, now: int) -> list[Effect]:
        if self._next is not None:
            return self._move_on(now)
        self._at_work = False
        parcel = Parcel(
            code=self._duty.sends,
            payload=bytes_of(values),
            g=self._base.version,
            n=self._n,
            captured_ns=self._captured_ns,
        )
        return [Checkpoint(), *self._upload.send(parcel)]

    def _move_on(self, now: int) -> list[Effect]:
        """Give up the work at hand for a newer model."""
        assert self._next is not None
        self._tools.refusals.count("superseded")
        return self._take_up(self._next, now)
