"""Calls of a machine that the next frames of the stream fulfil: open ones wait here in line."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.learning.ports import Learned
from simedge.protocol.asks import Gradient, Op, RawFrame, Slope, TakeFrame, Train, Trained, Value

__all__ = ["Answer", "FrameCalls", "OfFrames", "OpenCall"]

OfFrames = Train | Gradient | TakeFrame
"""Arguments of the calls that frames fulfil."""


class Answer(NamedTuple):
    """A call that is fulfilled."""

    call: int
    op: Op
    value: Value


@dataclass(slots=True, kw_only=True)
class OpenCall:
    """A call, and what its frames have given so far."""

    call: int
    op: Op
    args: OfFrames
    left: int
    """Frames that are still to be begun."""
    losses: list[float] = field(default_factory=list)
    slope: NDArray[np.float64] | None = None
    raw: RawFrame | None = None

    def add(self, given: object) -> None:
        """Take what came of one frame."""
        if isinstance(given, Learned):
            self.losses.append(given.loss)
        elif isinstance(given, RawFrame):
            self.raw = given
        else:
            assert isinstance(given, tuple)
            loss, values = given
            self.losses.append(loss)
            self.slope = values.astype(float) if self.slope is None else self.slope + values

    @property
    def done(self) -> bool:
        """Whether all of its frames have ended."""
        return self.left == 0 and (self.raw is not None or len(self.losses) == _frames(self.args))

    @property
    def value(self) -> Value:
        """What the machine is answered."""
        if self.raw is not None:
            return self.raw
        count = len(self.losses)
        loss = sum(self.losses) / count
        if self.slope is None:
            return Trained(count, loss)
        return Slope(count, loss, (self.slope / count).astype(np.float32))


class FrameCalls:
    """The line of open calls.

    Parameters
    ----------
    on_call
        Whether frames that no call wants are not learned at all.
    """

    def __init__(self, *, on_call: bool = False) -> None:
        self._on_call = on_call
        self._open: deque[OpenCall] = deque()
        self.running: OpenCall | None = None
        """Whom the frame serves that is at work."""
        self.busy = False
        """Whether a frame is at work."""

    def open(self, call: int, op: Op, args: OfFrames) -> None:
        """Put a call into the line."""
        self._open.append(OpenCall(call=call, op=op, args=args, left=_frames(args)))

    def wants(self, held: int) -> bool:
        """Whether a frame more would be begun, when so many wait or are at work."""
        if not self._on_call:
            return True
        return sum(each.left for each in self._open) > held - self.busy

    @property
    def next(self) -> OpenCall | None:
        """Return whom the next frame would serve; None: nobody, it is just learned or dropped."""
        return self._open[0] if self._open else None

    @property
    def learns_next(self) -> bool:
        """Whether the next frame to be begun will be learned."""
        if self._open:
            return isinstance(self._open[0].args, Train)
        return not self._on_call

    def begin(self) -> OpenCall | None:
        """Return whom the frame serves that is begun now."""
        self.busy, self.running = True, self.next
        if self.running is not None:
            self.running.left -= 1
            if not self.running.left:
                self._open.popleft()
        return self.running

    def end(self, given: object) -> Answer | None:
        """Take what came of the frame at work; return the call that is fulfilled by it, if any."""
        served, self.running, self.busy = self.running, None, False
        if served is None:
            return None
        served.add(given)
        return Answer(served.call, served.op, served.value) if served.done else None

    def clear(self) -> None:
        """Forget all: a crash took the frames and the calls."""
        self._open.clear()
        self.running, self.busy = None, False


def _frames(args: OfFrames) -> int:
    return 1 if isinstance(args, TakeFrame) else max(1, args.frames)
