"""A recurrent spiking circuit: build it, feed it spikes, let it run, read it.

>>> from simedge.neurons.recurrent.parts import Population, Projection
>>> from simedge.neurons.recurrent.wiring import one_to_one
>>> neurons = Population(size=2, gamma=0.9)
>>> drive = Projection(
...     source="inputs", target="e", synapses=one_to_one(2), weights=np.full(2, 0.7), delay=0
... )
>>> circuit = RecurrentCircuit(2, {"e": neurons}, projections=[drive])
>>> circuit.feed(np.array([3, 4, 5]), np.array([0, 0, 1]))
>>> circuit.run(10)
>>> [spikes.tolist() for spikes in circuit.spikes("e")]
[[4], [0]]
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.errors import CircuitError
from simedge.neurons.recurrent import places as at
from simedge.neurons.recurrent.layout import Layout, lay_out
from simedge.neurons.recurrent.pages import (
    Raster,
    append_spikes,
    entries,
    make_room,
    raster_of,
    usual_room,
)
from simedge.neurons.recurrent.parts import PairRule, Population, Projection
from simedge.neurons.recurrent.restart import restart
from simedge.neurons.recurrent.volley import DONE, play, step
from simedge.neurons.recurrent.wiring import Synapses

__all__ = ["RecurrentCircuit"]


class RecurrentCircuit:
    """Populations, their projections, and all state; ticks count from 0 and never go back.

    Parameters
    ----------
    inputs
        Number of input lines, the source ``"inputs"``.
    populations
        By name, in the order in which they are served within a volley.
    projections
        By target in that order; of one target, in any order that is to be kept.
    record
        Keep all spikes for `spikes`; else only those still on their way.
    single
        Hold weights as float32.
    """

    def __init__(
        self,
        inputs: int,
        populations: Mapping[str, Population],
        *,
        projections: Sequence[Projection],
        record: bool = True,
        single: bool = False,
    ) -> None:
        layout = Layout(inputs, populations, projections=projections, record=record)
        self._layout, self._record = layout, record
        self._arrays = lay_out(layout, np.float32 if single else np.float64)
        self._past: list[list[Raster]] = [[] for _ in layout.names]
        self._fed = -1
        self._turn_pages()
        restart(self._arrays, 0)

    def feed(self, ticks: NDArray[np.integer], lines: NDArray[np.integer]) -> None:
        """Hand over input spikes, in any order; a line fires at most once a tick.

        Raises
        ------
        CircuitError
            If a line does not exist, or a tick is not after all that was fed or played.
        """
        if not ticks.size:
            return
        order = np.lexsort((lines, ticks))
        ticks, lines = ticks[order].astype(np.int64), lines[order].astype(np.int64)
        fresh = np.ones(ticks.size, np.bool_)
        fresh[1:] = (ticks[1:] != ticks[:-1]) | (lines[1:] != lines[:-1])
        ticks, lines = ticks[fresh], lines[fresh]
        past = max(self._fed, self.now)
        if ticks[0] <= past or lines.min() < 0 or lines.max() >= self._layout.sizes[0]:
            raise CircuitError(
                f"input spikes come after tick {past} on {self._layout.sizes[0]} lines, got tick "
                f"{ticks[0]} and lines {lines.min()} to {lines.max()}"
            )
        self._fed = int(ticks[-1])
        self._arrays, left = append_spikes(self._arrays, self._layout, (ticks, lines))
        self._keep(left)

    def run(self, until: int) -> None:
        """Play all volleys before tick `until`, in one native call without the interpreter lock."""
        while play(self._arrays, until) != DONE:
            self._turn_pages()

    def step(self, until: int) -> bool:
        """Play the next volley if it is before tick `until`; tell whether there was one."""
        volleys = self._arrays.ints[at.VOLLEYS]
        while step(self._arrays, until) != DONE:
            self._turn_pages()
        return bool(self._arrays.ints[at.VOLLEYS] > volleys)

    def reset(self, tick: int) -> None:
        """Begin a frame at `tick`: forget potentials, traces and spikes on their way.

        Weights and thresholds stay. The cost is that of what was active.
        """
        if tick <= self.now:
            raise CircuitError(f"a frame begins after tick {self.now}, got {tick}")
        restart(self._arrays, tick)
        self._fed = tick - 1

    @property
    def now(self) -> int:
        """Tick of the last volley, -1 before the first."""
        return int(self._arrays.ints[at.NOW])

    @property
    def counters(self) -> dict[str, int]:
        """All that was counted so far; see `places.COUNTERS`."""
        return dict(zip(at.COUNTERS, self._arrays.ints[: len(at.COUNTERS)].tolist(), strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays) - self._arrays.marks.nbytes

    def learn(self, *, synapses: bool = True, thresholds: bool = True) -> None:
        """Let weights and thresholds change from the next tick on, or hold them."""
        ints = self._arrays.ints
        ints[at.LEARNS] = synapses
        ints[at.CLOCK] += ints[at.CLOCK_RUNS] * (ints[at.NOW] + 1 - ints[at.CLOCK_FROM])
        ints[at.CLOCK_FROM] = ints[at.NOW] + 1
        ints[at.CLOCK_RUNS] = thresholds

    def spikes(self, name: str) -> Raster:
        """Return ticks and neurons of all recorded spikes of a population (or the inputs)."""
        place = self._place(name)
        held = raster_of(entries(self._arrays, self._layout.rows[place][at.LOG]))
        parts = [*self._past[place], held]
        ticks, neurons = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        return ticks, neurons

    def weights(self, projection: int) -> NDArray[np.floating]:
        """Return the weights of a projection (by its number), a view that may be written to."""
        row = self._layout.joins[projection]
        return self._arrays.weight[
            row[at.WEIGHT] : row[at.WEIGHT] + self._layout.counts[projection]
        ]

    def synapses(self, projection: int) -> Synapses:
        """Return the wiring of a projection, as views."""
        return self._layout.synapses(projection, self._arrays.wires)

    def potentials(self, name: str, tick: int) -> NDArray[np.float64]:
        """Return u of all neurons at a tick if nothing more arrives; changes nothing."""
        place = self._place(name)
        row, population = self._layout.rows[place], self._layout.populations[name]
        body = self._pairs(place, at.BODY)
        start = self._arrays.ints[at.START]
        v, since = body[:, at.EXCESS].copy(), body[:, at.SINCE].copy().view(np.int64)
        old = since < start
        v[old], since[old] = -population.rest, start
        leak = self._arrays.real[row[at.TABLE] + 1]
        return v * np.exp((tick - since) * np.log(leak)) + population.rest

    def thresholds(self, name: str, tick: int) -> NDArray[np.float64]:
        """Return θ of all neurons at a tick, before what happens then; changes nothing."""
        place, ints = self._place(name), self._arrays.ints
        law = self._arrays.real[self._layout.rows[place][at.LAW] :]
        clock = ints[at.CLOCK] + ints[at.CLOCK_RUNS] * (tick - ints[at.CLOCK_FROM])
        bars = self._pairs(place, at.BAR)
        fired = bars[:, at.FIRED_AT].copy().view(np.int64)
        fallen = law[at.DRIFT] * (clock - 1 - fired)
        return np.maximum(law[at.LOW], bars[:, at.THETA] - fallen)

    def set_rule(self, projection: int, rule: PairRule) -> None:
        """Change the amounts and bounds of a rule, from the next volley on; decays stay."""
        row = self._layout.joins[projection]
        if row[at.RULE] != at.PAIRED:
            raise CircuitError(f"projection {projection} has no pair rule")
        amounts = (rule.at_pre, rule.at_post, rule.at_both, rule.low, rule.high)
        self._arrays.real[row[at.AMOUNTS] : row[at.AMOUNTS] + at.PAIR_FIELDS] = amounts

    def _place(self, name: str) -> int:
        if name not in self._layout.names:
            raise CircuitError(f"there is no population {name!r}")
        return self._layout.names.index(name)

    def _pairs(self, place: int, field: int) -> NDArray[np.float64]:
        first, size = self._layout.rows[place][field], self._layout.sizes[place]
        return self._arrays.real[first : first + 2 * size].reshape(size, 2)

    def _turn_pages(self) -> None:
        self._arrays, left = make_room(self._arrays, self._layout, usual_room(self._layout))
        self._keep(left)

    def _keep(self, left: list[Raster]) -> None:
        if self._record:
            for past, raster in zip(self._past, left, strict=True):
                past.append(raster)
