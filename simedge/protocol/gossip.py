"""Gossip learning: every peer learns, sends its model to random neighbours, merges what it gets.

(1) Every T frames a peer sends its model w and the model's age a to a neighbour, each as likely.
(2) What is received is merged by age, and the older age is kept::

        w <- (a_i w_i + a_j w_j) / (a_i + a_j)    a_i <- max(a_i, a_j)    plain mean if both are 0

(3) Q frames that are learned make the model one older. (Ormandi et al. 2013, "Gossip learning with
linear models on fully distributed data"; Hegedus et al. 2021; not compared with the papers.)

A peer learns all the time. Models that arrive wait until the learner has handed over its own; then
all are merged in the order of their arrival, before the next frame is learned.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, cast

from typing_extensions import override

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import Params, SetParams, Value
from simedge.protocol.credit import Purse
from simedge.protocol.errors import WireError
from simedge.protocol.machine import Effect, FrameLearned, Note, Plain, Sample
from simedge.protocol.mixing import mix, stochastic
from simedge.protocol.params import Code, Parcel, bytes_of, check_size, checked, values_of
from simedge.protocol.party import MODEL, Party, Seat
from simedge.protocol.peer_settings import GossipSettings
from simedge.protocol.wire import U32_MAX, Message

__all__ = ["Aged", "GossipPeer", "merge_aged"]

_WAITING_MAX: Final = 32
_OWED_MAX: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Aged:
    """A model and its age."""

    age: int
    values: Params


def merge_aged(own: Aged, other: Aged) -> Aged:
    """Return the mean of two models, weighted by their ages."""
    row = stochastic((own.age, other.age))
    return Aged(max(own.age, other.age), mix(row, (own.values, other.values)))


class GossipPeer(Party):
    """A peer of gossip learning.

    Parameters
    ----------
    settings
        The protocol's settings.
    seat
        Its place in the run.
    """

    def __init__(self, settings: GossipSettings, seat: Seat) -> None:
        self._settings = settings
        self._size = check_size(seat.ground)
        self._quantum = settings.frames or settings.interval
        super().__init__(seat, interval=settings.interval)

    @override
    def _forget_own(self) -> None:
        self._age = 0
        self._trained = 0
        self._cycles = 0
        self._owed = 0
        self._published = -1
        self._purse = Purse(self._settings.flow, self._side)
        self._waiting: list[Aged] = []

    @override
    def _dump_own(self) -> Plain:
        return {
            "numbers": [getattr(self, name) for name in _NUMBERS],
            "credit": self._purse.credit,
            "waiting": [[each.age, plain_of(each.values)] for each in self._waiting],
        }

    @override
    def _load_own(self, state: Plain) -> None:
        for name, number in zip(_NUMBERS, cast("list[int]", state["numbers"]), strict=True):
            setattr(self, name, number)
        self._purse.credit = cast("int", state["credit"])
        waiting = cast("list[tuple[int, object]]", state["waiting"])
        self._waiting = [Aged(age, cast("Params", array_of(values))) for age, values in waiting]

    @override
    def _begin(self, now: int) -> list[Effect]:
        self._waiting.clear()
        self._owed = 0
        self._published = -1
        return []

    # -------------------------------------------------------------------------------- learning
    @override
    def _frame(self, event: FrameLearned) -> None:
        older, self._trained = divmod(self._trained + event.n, self._quantum)
        self._age = min(self._age + older, U32_MAX)

    @override
    def _period_over(self, now: int) -> list[Effect]:
        self._cycles += 1
        effects: list[Effect] = [Sample(metric="cycles", value=self._cycles)]
        # Who has nobody to send to earns nothing either.
        if self._up() and self._purse.period():
            self._owed = min(self._owed + 1, _OWED_MAX)
            effects += self._read_model()
        return effects

    # -------------------------------------------------------------------------------- merging
    @override
    def _open(self, message: Message) -> Params:
        if message.blk != Code.MODEL:
            raise WireError("refused")
        return values_of(message, self._size)

    @override
    def _take(self, message: Message, content: Params | None, now: int) -> list[Effect]:
        assert content is not None
        if len(self._waiting) == _WAITING_MAX:
            return self._refusals.refuse("overrun", message.dev)
        effects = self._merged(message, now, version=self._age)
        answers = self._purse.answer(news=message.g > self._age)
        self._owed = min(self._owed + answers, _OWED_MAX)
        self._waiting.append(Aged(message.g, content))
        self._captured_ns = max(self._captured_ns, self._captured(message, now))
        return effects + self._read_model()

    @override
    def _answered(self, purpose: str, value: Value, now: int) -> list[Effect]:
        if purpose != MODEL:
            return []
        model = Aged(self._age, checked(value, (self._size,)))
        effects: list[Effect] = []
        if self._waiting:
            for other in self._waiting:
                model = merge_aged(model, other)
            self._age = model.age
            # Nothing is learned between the answer and this: calls go before frames.
            effects.append(self._ask("merged", "set_params", SetParams(values=model.values)))
            effects.append(Note(kind="applied", subject=0, detail=(len(self._waiting),)))
            self._waiting.clear()
        return effects + self._push(model)

    def _push(self, model: Aged) -> list[Effect]:
        """Send the model as often as is owed, each time to a neighbour of its own choice."""
        up = self._up()
        effects: list[Effect] = []
        if not up and self._owed:
            # Credit that was paid for is lost, as a message on a link that just went down is.
            self._refusals.count("model_unsent", self._owed)
        payload = bytes_of(model.values) if self._owed and up else b""
        for _ in range(self._owed if up else 0):
            parcel = Parcel(
                code=Code.MODEL,
                payload=payload,
                captured_ns=self._captured_ns,
                g=model.age,
                n=self._frames,
            )
            effects += self._send(parcel, [up[self._draws.below(len(up))]])
        if effects and model.age > self._published:
            self._published = model.age
            digest = hashlib.sha256(payload).digest()
            effects.append(Note(kind="published", subject=Code.MODEL, detail=(model.age, digest)))
        self._owed = 0
        return effects


_NUMBERS = ("_age", "_trained", "_cycles", "_owed", "_published")
