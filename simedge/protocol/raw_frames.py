"""Central training on frames: devices send every frame, the server learns from one of each.

A step takes the oldest frame of every live device, predicts their classes and learns from them in
one step. Then the predictions go down, or, every so many steps, the model does.
"""

import struct
from typing import Final, cast

from simedge.protocol.asks import GetParams, RawFrame, SetParams, TakeFrame, TrainOn, Value
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.hub import Arrival, House
from simedge.protocol.machine import Checkpoint, Effect, Note, Plain, Sample
from simedge.protocol.params import (
    OPAQUE,
    Code,
    Parcel,
    check_size,
    checked,
    send_params,
    values_of,
)
from simedge.protocol.server_settings import CentralSettings
from simedge.protocol.station import SERVER, Tools
from simedge.protocol.trainee import model_of
from simedge.protocol.wire import Message

__all__ = ["FrameSender", "FrameSteps"]

_CLASS: Final = struct.Struct(">H")
_Frame = tuple[bytes, int, int]
"""Contents, label, time of capture."""


class FrameSender:
    """The work of a device: it takes frames and sends them, and counts what comes back.

    Parameters
    ----------
    tools
        Shared with the station.
    uploads_max
        Most frames on the way; while they are, it takes no other.
    """

    def __init__(self, tools: Tools, *, uploads_max: int) -> None:
        self._tools = tools
        self._uploads_max = uploads_max
        self._params = check_size(tools.ground)
        self._tag = 0
        self._forget()

    def _forget(self) -> None:
        self._flying: list[int] = []
        self._taking = False
        self._version = 0
        self._applying: list[int] = []

    @property
    def idle(self) -> bool:
        """Whether it neither takes nor sends a frame."""
        return not (self._taking or self._flying)

    def begin(self, now: int) -> list[Effect]:
        """Start anew: what was on its way is lost."""
        del now
        self._forget()
        return []

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if this is neither a model nor a prediction."""
        if message.blk == Code.MODEL:
            values_of(message, self._params)
        elif message.blk != Code.PREDICTION or len(message.payload) != _CLASS.size:
            raise WireError("malformed")

    def read(self, message: Message, now: int) -> list[Effect]:
        """Take a model, or the class that the server sees in a frame."""
        self._version = message.g
        if message.blk == Code.PREDICTION:
            age_s = (now - 1_000 * message.t_us) / 1e9
            self._tools.refusals.count("predictions")
            return [Sample(metric="serve_latency_s", value=age_s)]
        model = model_of(message, self._params)
        self._applying.append(model.version)
        ask = self._tools.asking.ask("set_params", SetParams(values=model.values))
        return [ask, *model.age(now)]

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Send the frame that was taken, and take the next."""
        if op == "set_params":
            version = self._applying.pop(0)
            return [Note(kind="applied", subject=Code.MODEL, detail=(version,))]
        if not isinstance(value, RawFrame):
            raise ProtocolError("taking a frame must return its contents and its label")
        self._taking = False
        if not self._tools.ready:
            self._tools.refusals.count("frame_unsent")
            return []
        self._tag += 1
        self._flying.append(self._tag)
        parcel = Parcel(
            code=Code.FRAME,
            payload=value.data + _CLASS.pack(value.label),
            enc=OPAQUE,
            g=self._version,
            n=1,
            captured_ns=now,
        )
        return [send_params(self._tools.post, parcel, dst=SERVER, tag=self._tag), *self.push(now)]

    def push(self, now: int) -> list[Effect]:
        """Take a frame if there is a way for it."""
        del now
        if self._taking or not self._tools.ready or len(self._flying) >= self._uploads_max:
            return []
        self._taking = True
        return [self._tools.asking.ask("take_frame", TakeFrame())]

    def ended(self, tag: int, now: int, *, ok: bool) -> list[Effect]:
        """Count a frame that did not arrive; it is not sent again, as newer ones are there."""
        if tag not in self._flying:
            return self._tools.refusals.late()
        self._flying.remove(tag)
        if not ok:
            self._tools.refusals.count("frame_lost")
        return self.push(now)

    def timer(self, name: str, now: int) -> list[Effect]:
        """Take a timer: there is none."""
        del name, now
        return self._tools.refusals.late()

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "tag": self._tag,
            "flying": list(self._flying),
            "taking": self._taking,
            "version": self._version,
            "applying": list(self._applying),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._tag = cast("int", state["tag"])
        self._flying = list(cast("list[int]", state["flying"]))
        self._taking = cast("bool", state["taking"])
        self._version = cast("int", state["version"])
        self._applying = list(cast("list[int]", state["applying"]))


class FrameSteps:
    """The scheme: a step on one frame of every live device.

    Parameters
    ----------
    house
        Shared with the hub.
    settings
        The protocol's settings.
    """

    def __init__(self, house: House, settings: CentralSettings) -> None:
        self._house = house
        self._settings = settings
        self._devices = house.ground.devices or house.devices
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self._queues: dict[int, list[_Frame]] = {}
        self._queued: set[int] = set()
        self._learning: list[tuple[int, int]] = []
        self._gathered = self._waiting = self._due = False

    def begin(self, now: int) -> list[Effect]:
        """Begin anew with what survived."""
        self._learning = []
        self._gathered = self._waiting = self._due = False
        return self._step_if_due(now)

    def admit(self, dev: int, now: int) -> list[Effect]:
        """Wait for a device from now on."""
        del dev
        if self._gathered or self._waiting or self._everybody():
            return []
        self._waiting = True
        return [self._house.timers.set("gather", now + self._settings.gather)]

    def back(self, dev: int, now: int) -> list[Effect]:
        """Wait for a device again."""
        return self.admit(dev, now)

    def leave(self, dev: int, now: int, *, forgotten: bool) -> list[Effect]:
        """Wait for a device no longer; its frames are still used."""
        del dev, forgotten
        return self._step_if_due(now)

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if this is no frame with a label."""
        if message.blk != Code.FRAME or message.enc != OPAQUE:
            raise WireError("malformed")
        size, ground = len(message.payload) - _CLASS.size, self._house.ground
        if size < 0 or (ground.frame_bytes and size != ground.frame_bytes):
            raise WireError("malformed")
        if _CLASS.unpack_from(message.payload, size)[0] >= ground.classes:
            raise WireError("malformed")

    def take(self, arrival: Arrival, now: int) -> list[Effect]:
        """Queue a frame, and step if there is one of every live device."""
        queue = self._queues.setdefault(arrival.dev, [])
        if len(queue) >= self._settings.backlog_max:
            return self._house.drop("overrun", arrival)
        payload = arrival.message.payload
        (label,) = _CLASS.unpack_from(payload, len(payload) - _CLASS.size)
        self._queued.add(arrival.dev)
        queue.append((payload[: -_CLASS.size], label, arrival.captured_ns))
        return [*self._house.merged(arrival, now), *self._step_if_due(now)]

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Serve what a step made, and see whether the next is due."""
        if op == "train_on":
            return [*self._serve(value), *self._step_if_due(now)]
        values = checked(value, (self._house.ground.params,))
        newest = max((at for _, at in self._learning), default=0)
        self._house.supply.replace(values, captured_ns=newest, n=len(self._learning))
        self._learning = []
        effects: list[Effect] = [Checkpoint()]
        for dev in self._house.live():
            effects += self._house.supply.give(dev, now)
        return effects + self._step_if_due(now)

    def timer(self, name: str, now: int) -> list[Effect]:
        """Step with what is there, or stop waiting for devices to join."""
        if name == "gather":
            self._gathered = True
            return self._step_if_due(now)
        return self._step(now)

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "queues": [[dev, [list(f) for f in queue]] for dev, queue in self._queues.items()],
            "learning": [list(each) for each in self._learning],
            "gathered": self._gathered,
            "waiting": self._waiting,
            "due": self._due,
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        queues = cast("list[tuple[int, list[_Frame]]]", state["queues"])
        self._queues = {dev: [(d, label, at) for d, label, at in q] for dev, q in queues}
        self._queued = {dev for dev, queue in self._queues.items() if queue}
        learning = cast("list[tuple[int, int]]", state["learning"])
        self._learning = [(dev, at) for dev, at in learning]
        self._gathered = cast("bool", state["gathered"])
        self._waiting = cast("bool", state["waiting"])
        self._due = cast("bool", state["due"])

    # ------------------------------------------------------------------------------------- steps
    def _everybody(self) -> bool:
        return self._house.live_count >= self._devices

    def _step_if_due(self, now: int) -> list[Effect]:
        """Step if every live device has sent a frame; else see that the step has a deadline."""
        self._gathered = self._gathered or self._everybody()
        if self._learning or not self._gathered or not self._queued:
            return []
        if self._house.all_live_in(self._queued):
            return self._step(now)
        if self._settings.step_deadline is None or self._due:
            return []
        self._due = True
        return [self._house.timers.set("step", now + self._settings.step_deadline)]

    def _step(self, now: int) -> list[Effect]:
        del now
        self._due = False
        frames = [(dev, self._queues[dev].pop(0)) for dev in sorted(self._queued)]
        self._queued = {dev for dev in self._queued if self._queues[dev]}
        self._learning = [(dev, at) for dev, (_, _, at) in frames]
        args = TrainOn(
            frames=tuple(data for _, (data, _, _) in frames),
            labels=tuple(label for _, (_, label, _) in frames),
        )
        ask = self._house.asking.ask("train_on", args)
        return [*self._house.timers.cancel("step"), ask]

    def _serve(self, value: Value) -> list[Effect]:
        house, settings = self._house, self._settings
        if not isinstance(value, tuple) or len(value) != len(self._learning):
            raise ProtocolError("learning from frames must return a class for each")
        house.refusals.count("rounds")
        house.supply.keep()
        if settings.serve == "device":
            if house.supply.version % settings.serve_every == 0:
                return [house.asking.ask("get_params", GetParams())]
            self._learning = []
            return [Checkpoint()]
        effects: list[Effect] = [Checkpoint()]
        for (dev, captured_ns), predicted in zip(self._learning, value, strict=True):
            parcel = Parcel(
                code=Code.PREDICTION,
                payload=_CLASS.pack(int(cast("int", predicted))),
                enc=OPAQUE,
                g=house.supply.version,
                n=1,
                captured_ns=captured_ns,
            )
            if house.is_live(dev):
                effects.append(send_params(house.post, parcel, dst=dev))
            else:
                house.refusals.count("prediction_unsent")
        self._learning = []
        return effects
