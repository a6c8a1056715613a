"""Rounds: some devices get the same model, and what they make of it is merged at the end.

With n_k samples behind what device k sends (in float64, then float32)::

    federated averaging   w <- sum n_k w_k / sum n_k
    central gradients     w <- w - eta sum n_k g_k / sum n_k

McMahan et al. 2017, "Communication-efficient learning of deep networks from decentralized data";
the second is synchronous gradient descent on the union of the batches.
"""

from dataclasses import dataclass
from typing import Final, Literal, cast

import numpy as np

from simedge.core.streams import Stream
from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import Params, Value
from simedge.protocol.errors import WireError
from simedge.protocol.hub import Arrival, House
from simedge.protocol.machine import Effect, Floats, Plain
from simedge.protocol.params import Code, values_of
from simedge.protocol.wire import Message

__all__ = ["Mean", "RoundPlan", "Rounds"]

_WORDS_A_BLOCK: Final = 4


class Mean:
    """A weighted mean of vectors that come one by one, in float64."""

    def __init__(self, size: int) -> None:
        self._sum = np.zeros(size)
        self._weight = 0
        self.count = 0
        self.captured_ns = 0
        """Of the newest."""

    @property
    def weight(self) -> int:
        """Sum of the weights."""
        return self._weight

    def add(self, values: Params, weight: int, captured_ns: int) -> None:
        """Take a vector with a positive weight."""
        self._sum += weight * values.astype(np.float64)
        self._weight += weight
        self.count += 1
        self.captured_ns = max(self.captured_ns, captured_ns)

    def read(self) -> Floats:
        """Return the mean; there is one from the first vector on."""
        mean: Floats = self._sum / self._weight
        return mean

    def dump(self) -> list[object]:
        """Return the state."""
        return [plain_of(self._sum), self._weight, self.count, self.captured_ns]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        total, self._weight, self.count, self.captured_ns = cast(
            "tuple[object, int, int, int]", state
        )
        self._sum = cast("Floats", array_of(total))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """How rounds go."""

    sends: Literal[Code.MODEL, Code.GRADIENT]
    """What devices answer with."""
    chosen: int
    """Most devices in a round; fewer only if fewer are live."""
    least: int
    """Fewer answers make a round void."""
    gather_ns: int
    """How long the first round waits for devices to join."""
    wait_ns: int | None
    """How long a round may last; None: until the last live device has answered."""
    learning_rate: float = 1.0
    """Step along the mean gradient."""


class Rounds:
    """The scheme of federated averaging and of central gradients.

    Parameters
    ----------
    house
        Shared with the hub.
    plan
        How rounds go.
    stream
        Draws who is chosen.
    """

    def __init__(self, house: House, plan: RoundPlan, stream: Stream) -> None:
        self._house = house
        self._plan = plan
        self._stream = stream
        self._size = house.ground.params
        self._devices = house.ground.devices or house.devices
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self._gathered = self._gathering = False
        self._draws = 0
        self._abandon()

    def begin(self, now: int) -> list[Effect]:
        """Begin anew with who is there; a round that a crash broke is void."""
        if self._open:
            self._house.refusals.count("void_rounds")
            self._house.supply.keep()
        self._abandon()
        self._gathered = self._gathering = False
        return self._gather(now)

    def admit(self, dev: int, now: int) -> list[Effect]:
        """Give a device its part of the round again, or see whether a round can begin."""
        if not self._open:
            return self._gather(now)
        if self._arrived.get(dev, True):
            return []
        return self._house.supply.give(dev, now)

    def back(self, dev: int, now: int) -> list[Effect]:
        """See whether a round can begin; what a device in a round is owed is on its way."""
        del dev
        return [] if self._open else self._gather(now)

    def leave(self, dev: int, now: int, *, forgotten: bool) -> list[Effect]:
        """Wait for a device no longer."""
        del dev, forgotten
        return self._end_if_over(now)

    def check(self, message: Message) -> None:
        """Raise a ``WireError`` if this is not what devices answer with."""
        if message.blk != self._plan.sends or message.n == 0:
            raise WireError("malformed")
        values_of(message, self._size)

    def take(self, arrival: Arrival, now: int) -> list[Effect]:
        """Take an answer to this round's model; drop any other."""
        house, dev = self._house, arrival.dev
        if arrival.g > house.supply.version:
            effects = house.drop("unknown_version", arrival)
            if self._open and not self._arrived.get(dev, False):
                self._arrived[dev] = False
                effects += house.supply.give(dev, now)
            return effects
        if arrival.g != house.supply.version or dev not in self._arrived:
            return house.drop("late", arrival)
        if self._arrived[dev]:
            return house.drop("duplicate", arrival)
        self._arrived[dev] = True
        self._mean.add(values_of(arrival.message, self._size), arrival.n, arrival.captured_ns)
        return [*house.merged(arrival, now), *self._end_if_over(now)]

    def done(self, op: str, value: Value, now: int) -> list[Effect]:
        """Take what the learner answered: it is asked nothing."""
        del op, value, now
        return self._house.refusals.late()

    def timer(self, name: str, now: int) -> list[Effect]:
        """End the round, or stop waiting for devices to join."""
        if name == "round":
            return self._end(now)
        self._gathered = True
        return [] if self._open else self._begin_round(now)

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "gathered": self._gathered,
            "gathering": self._gathering,
            "draws": self._draws,
            "open": self._open,
            "arrived": [[dev, here] for dev, here in self._arrived.items()],
            "mean": self._mean.dump(),
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self._gathered = cast("bool", state["gathered"])
        self._gathering = cast("bool", state["gathering"])
        self._draws = cast("int", state["draws"])
        self._open = cast("bool", state["open"])
        self._arrived.clear()
        self._arrived.update(cast("list[tuple[int, bool]]", state["arrived"]))
        self._mean.load(state["mean"])

    # ------------------------------------------------------------------------------------ rounds
    def _abandon(self) -> None:
        self._open = False
        self._arrived: dict[int, bool] = {}
        self._mean = Mean(self._size)

    def _gather(self, now: int) -> list[Effect]:
        live = self._house.live_count
        if live and (self._gathered or live >= self._devices):
            self._gathered = True
            return [*self._house.timers.cancel("gather"), *self._begin_round(now)]
        if not live or self._gathering:
            return []
        self._gathering = True
        return [self._house.timers.set("gather", now + self._plan.gather_ns)]

    def _begin_round(self, now: int) -> list[Effect]:
        house, plan = self._house, self._plan
        self._abandon()
        chosen = self._choose(house.live())
        if not chosen:
            return []
        self._open = True
        self._arrived.update(dict.fromkeys(chosen, False))
        effects: list[Effect] = []
        if plan.wait_ns is not None:
            effects.append(house.timers.set("round", now + plan.wait_ns))
        for dev in chosen:
            effects += house.supply.give(dev, now)
        return effects

    def _choose(self, live: list[int]) -> list[int]:
        """Return devices drawn without replacement: those with the smallest words."""
        if len(live) <= self._plan.chosen:
            return live
        blocks = -(-len(live) // _WORDS_A_BLOCK)
        words = self._stream.block(blocks, self._draws, self._house.post.sender.boot).tolist()
        self._draws += 1
        ranked = sorted(zip(words[: len(live)], live, strict=True))
        return sorted(dev for _, dev in ranked[: self._plan.chosen])

    def _end_if_over(self, now: int) -> list[Effect]:
        """End the round when all live devices in it have answered."""
        is_live = self._house.is_live
        if not self._open or any(not here and is_live(d) for d, here in self._arrived.items()):
            return []
        return self._end(now)

    def _end(self, now: int) -> list[Effect]:
        house = self._house
        effects = house.timers.cancel("round")
        for dev, here in self._arrived.items():
            if not here:
                effects += house.supply.withdraw(dev)
        if self._mean.count >= self._plan.least:
            house.refusals.count("rounds")
            effects += house.supply.advance(
                self._merge(), captured_ns=self._mean.captured_ns, n=self._mean.weight
            )
        else:
            house.refusals.count("void_rounds")
            house.supply.keep()
        return [*effects, *self._begin_round(now)]

    def _merge(self) -> Floats:
        if self._plan.sends == Code.MODEL:
            return self._mean.read()
        before = self._house.supply.values.astype(np.float64)
        return before - self._plan.learning_rate * self._mean.read()
