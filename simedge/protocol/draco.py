"""A peer that pushes accumulated updates on two independent clocks: `draco_style`.

What is the paper's (Jeong and Kountouris, arXiv 2406.13533, from its abstract alone): asynchronous
decentralised SGD by row-stochastic gossip in continuous time; gradients and transmissions keep
schedules of their own; to limit the messages a device may receive saves traffic at little loss.

What is this project's reading, and not verified against the paper: everything below.

(1) Gradient clock, exponential: x = -eta gradient(w_i); own <- own + x; out <- out + x.
(2) Transmission clock, exponential: send out to every neighbour; out <- 0. An empty out is not
sent. (3) What is received within age_max of its capture, while fewer than `accept_max` were
accepted since the last unification, is buffered; else it is refused. (4) Every window W, with m
updates in the buffer::

        w_i <- w_i + (own + sum_j delta_j) / (m + 1)    own <- 0, buffer <- nothing

(5) Every period P the peer whose turn it is, number 1 + (count mod K), closes its window and floods
its model; each receiver forwards it once, takes it over, clears own, out and buffer, and may accept
again. There are two accumulators, as with a single one a peer would lose its own progress whenever
it sends before its window ends.

A gradient that falls due while another is computed waits for it. Windows are counted from the start
of the run; their number is a peer's version.
"""

import hashlib
from typing import Final, cast

import numpy as np
from typing_extensions import override

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import Gradient, Params, SetParams, Slope, Value
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.machine import Checkpoint, Effect, Floats, Note, Plain, Sample
from simedge.protocol.mixing import narrow, stochastic
from simedge.protocol.params import Code, Parcel, bytes_of, check_size, checked, values_of
from simedge.protocol.party import MODEL, Party, Seat
from simedge.protocol.peer_settings import DracoSettings
from simedge.protocol.wire import Message

__all__ = ["DracoPeer", "close_window"]

_OWED_MAX: Final = 16
_CLOCKS: Final = ("gradient", "transmit")


def close_window(values: Params, own: Floats, received: Floats, *, count: int) -> Params:
    """Return the model after a window: own progress and the sum of `count` updates, averaged."""
    share = stochastic([1.0] * (count + 1))[0]
    return narrow(values.astype(np.float64) + share * (own + received))


class DracoPeer(Party):
    """A peer that pushes.

    Parameters
    ----------
    settings
        The protocol's settings.
    seat
        Its place in the run.
    """

    def __init__(self, settings: DracoSettings, seat: Seat) -> None:
        ground = seat.ground
        if ground.devices < max(1, seat.dev):
            raise ProtocolError(f"devices must be at least {seat.dev}, got {ground.devices}")
        self._settings = settings
        self._size = check_size(ground)
        self._rate = settings.learning_rate or ground.learning_rate
        frame_ns = ground.frame_ns or max(1, ground.tau_ns // settings.interval)
        self._means = {
            "gradient": settings.gradient_every * frame_ns,
            "transmit": settings.interval * frame_ns,
        }
        self._steps = {
            "window": settings.window_ns(ground),
            "unify": settings.unify_ns(ground),
        }
        super().__init__(seat, interval=settings.interval)

    @override
    def _forget_own(self) -> None:
        self._unified = 0
        self._accepted = 0
        self._transmitted = 0
        self._samples = 0
        self._owed = 0
        self._fresh_ns = 0
        self._turn = 0
        self._clear_sums()

    def _clear_sums(self) -> None:
        self._own = np.zeros(self._size)
        self._out = np.zeros(self._size)
        self._received = np.zeros(self._size)
        self._pending = 0
        self._count = 0

    @override
    def _dump_own(self) -> Plain:
        return {
            "scalars": [getattr(self, name) for name in _SCALARS],
            "sums": [plain_of(getattr(self, name)) for name in _SUMS],
        }

    @override
    def _load_own(self, state: Plain) -> None:
        for name, scalar in zip(_SCALARS, cast("list[int]", state["scalars"]), strict=True):
            setattr(self, name, scalar)
        for name, plain in zip(_SUMS, cast("list[object]", state["sums"]), strict=True):
            setattr(self, name, array_of(plain))

    @override
    def _begin(self, now: int) -> list[Effect]:
        self._owed = 0
        self._turn = 0
        return [self._set(name, now) for name in (*_CLOCKS, *self._steps)]

    # --------------------------------------------------------------------------------- clocks
    def _set(self, name: str, now: int) -> Effect:
        """Set a clock anew: at random, or for the next multiple of its period."""
        if name in self._means:
            draws = self._draws if name == "gradient" else self._side
            return self._timers.set(name, now + draws.exponential_ns(self._means[name]))
        return self._timers.set(name, now + self._steps[name] - now % self._steps[name])

    @override
    def _fired(self, timer: str, now: int) -> list[Effect]:
        effects = [self._set(timer, now)]
        if timer == "gradient":
            return effects + self._want_gradient()
        if timer == "transmit":
            return effects + self._transmit(now)
        if timer == "unify":
            count = now // self._steps["unify"]
            if count % self._ground.devices != self._dev - 1:
                return effects
            self._turn = count
        return effects + self._read_model()

    def _want_gradient(self) -> list[Effect]:
        if not self._asking.awaits("gradient"):
            return [self._ask("gradient", "gradient", Gradient(frames=self._settings.batch))]
        if self._owed == _OWED_MAX:
            self._refusals.count("gradient_overrun")
        else:
            self._owed += 1
        return []

    @override
    def _answered(self, purpose: str, value: Value, now: int) -> list[Effect]:
        if purpose == "gradient":
            if not isinstance(value, Slope):
                raise ProtocolError("a gradient must be answered with a slope")
            return self._progress(value, now)
        if purpose == MODEL:
            return self._end_window(checked(value, (self._size,)), now)
        return []

    def _progress(self, slope: Slope, now: int) -> list[Effect]:
        """Add a step to both accumulators."""
        step = -self._rate * checked(slope.values, (self._size,))
        self._own += step
        self._out += step
        self._pending += slope.n
        self._samples += slope.n
        self._fresh_ns = self._captured_ns = now
        if not self._owed:
            return []
        self._owed -= 1
        return self._want_gradient()

    # ------------------------------------------------------------------------------- exchange
    def _transmit(self, now: int) -> list[Effect]:
        """Send what came together to every neighbour; without any it stays."""
        up = self._up()
        if not up or not self._pending:
            return []
        parcel = Parcel(
            code=Code.DELTA,
            payload=bytes_of(narrow(self._out)),
            captured_ns=self._fresh_ns,
            g=now // self._steps["window"],
            n=self._pending,
        )
        self._out = np.zeros(self._size)
        self._pending = 0
        self._transmitted += 1
        return [*self._send(parcel, up), _published(parcel, self._transmitted)]

    @override
    def _open(self, message: Message) -> Params:
        if message.blk not in {Code.DELTA, Code.MODEL}:
            raise WireError("refused")
        return values_of(message, self._size)

    @override
    def _take(self, message: Message, content: Params | None, now: int) -> list[Effect]:
        assert content is not None
        if message.blk == Code.MODEL:
            return self._unify(message, content, now)
        late = now - self._captured(message, now) > self._settings.age_max
        if late or self._accepted == self._settings.accept_max:
            return self._refusals.refuse("refused", message.dev)
        self._accepted += 1
        self._count += 1
        self._received += content
        self._captured_ns = max(self._captured_ns, self._captured(message, now))
        return self._merged(message, now, version=now // self._steps["window"])

    def _end_window(self, values: Params, now: int) -> list[Effect]:
        """Merge what came together; the hub then lets all have the model."""
        merged = close_window(values, self._own, self._received, count=self._count)
        effects: list[Effect] = [
            Checkpoint(),
            Note(kind="applied", subject=0, detail=(self._count,)),
            Sample(metric="cycles", value=now // self._steps["window"]),
            self._ask("set", "set_params", SetParams(values=merged)),
        ]
        self._own = np.zeros(self._size)
        self._received = np.zeros(self._size)
        self._count = 0
        if not self._turn:
            return effects
        self._unified, self._turn = self._turn, 0
        self._accepted = 0
        self._clear_sums()
        parcel = Parcel(
            code=Code.MODEL,
            payload=bytes_of(merged),
            captured_ns=self._captured_ns,
            g=self._unified,
            n=self._samples,
        )
        return [*effects, *self._send(parcel, self._up()), _published(parcel, self._unified)]

    def _unify(self, message: Message, values: Params, now: int) -> list[Effect]:
        """Take over the model of the hub, and pass it on, once."""
        if message.g <= self._unified:
            return self._refusals.refuse("echo", message.dev)
        effects = self._merged(message, now, version=self._unified)
        self._unified = message.g
        self._accepted = 0
        self._captured_ns = self._captured(message, now)
        self._clear_sums()
        # A model that is on its way from the learner is not to be merged any more.
        self._asking.void(MODEL)
        # A flood of an earlier turn that comes late does not take one's own turn away.
        if message.g >= self._turn:
            self._turn = 0
        parcel = Parcel(
            code=Code.MODEL,
            payload=message.payload,
            captured_ns=message.t_us * 1_000,
            g=message.g,
            n=message.n,
        )
        return [
            *effects,
            self._ask("set", "set_params", SetParams(values=values)),
            *(self._read_model() if self._turn else []),
            *self._send(parcel, [other for other in self._up() if other != message.dev]),
        ]


def _published(parcel: Parcel, version: int) -> Effect:
    digest = hashlib.sha256(parcel.payload).digest()
    return Note(kind="published", subject=parcel.code, detail=(version, digest))


_SCALARS = (
    "_unified",
    "_accepted",
    "_transmitted",
    "_samples",
    "_owed",
    "_fresh_ns",
    "_turn",
    "_pending",
    "_count",
)
_SUMS = ("_own", "_out", "_received")
