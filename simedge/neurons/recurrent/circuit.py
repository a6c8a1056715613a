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
from simedge.neurons.recurrent.eligibility import close_window, gate, move_rows, read_rows
from simedge.neurons.recurrent.growth import (
    forget_grown,
    forget_growth,
    gate_grown,
    play_grown,
)
from simedge.neurons.recurrent.layout import Layout, amounts_of, lay_out
from simedge.neurons.recurrent.pages import (
    Raster,
    append_spikes,
    entries,
    make_room,
    raster_of,
    usual_room,
)
from simedge.neurons.recurrent.parts import PairRule, Population, Projection
from simedge.neurons.recurrent.reading import eligibilities_of, listed
from simedge.neurons.recurrent.restart import restart
from simedge.neurons.recurrent.volley import DONE, ROWS_ARE_FULL, play
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
        self._kernel = play_grown if layout.grows else play
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
        when, where = ticks[order].astype(np.int64), lines[order].astype(np.int64)
        fresh = np.ones(when.size, np.bool_)
        fresh[1:] = (when[1:] != when[:-1]) | (where[1:] != where[:-1])
        when, where = when[fresh], where[fresh]
        past = max(self._fed, self.now)
        if when[0] <= past or where.min() < 0 or where.max() >= self._layout.sizes[0]:
            raise CircuitError(
                f"input spikes come after tick {past} on {self._layout.sizes[0]} lines, got tick "
                f"{when[0]} and lines {where.min()} to {where.max()}"
            )
        self._fed = int(when[-1])
        self._arrays, left = append_spikes(self._arrays, self._layout, (when, where))
        self._keep(left)

    def run(self, until: int) -> None:
        """Play all volleys before tick `until`, in one native call without the interpreter lock."""
        self._play(until, at.NEVER)

    def step(self, until: int) -> bool:
        """Play the next volley if it is before tick `until`; tell whether there was one."""
        volleys = self._arrays.ints[at.VOLLEYS]
        self._play(until, 1)
        return bool(self._arrays.ints[at.VOLLEYS] > volleys)

    def reset(self, tick: int) -> None:
        """Begin a frame at `tick`: forget potentials, traces and spikes on their way.

        Weights and thresholds stay. The cost is that of what was active.
        """
        if tick <= self.now:
            raise CircuitError(f"a frame begins after tick {self.now}, got {tick}")
        restart(self._arrays, tick)
        self.close_window()
        if self._layout.grows:
            forget_growth(self._arrays, tick)
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

    def forget_spikes(self) -> None:
        """Forget what was recorded, but for the latest spikes: those on their way are kept."""
        self._past = [[] for _ in self._layout.names]

    def weights(self, projection: int) -> NDArray[np.floating]:
        """Return the weights of a projection (by its number), a view that may be written to."""
        row = self._layout.joins[projection]
        return self._arrays.weight[
            row[at.WEIGHT] : row[at.WEIGHT] + self._layout.counts[projection]
        ]

    def parts(self) -> tuple[int, dict[str, Population], list[Projection]]:
        """Return input lines, populations and projections, with copies of the weights as now.

        Rules are those that it was built with (see `set_rule`).
        """
        joined = [
            Projection(
                source=source,
                target=target,
                synapses=self.synapses(number),
                weights=self.weights(number).copy(),
                delay=delay,
                rule=rule,
            )
            for number, (source, target, delay, rule) in enumerate(self._layout.joined)
        ]
        return self._layout.sizes[0], dict(self._layout.populations), joined

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
        decayed: NDArray[np.float64] = v * np.exp((tick - since) * np.log(leak))
        return decayed + population.rest

    def thresholds(self, name: str, tick: int) -> NDArray[np.float64]:
        """Return θ of all neurons at a tick, before what happens then; changes nothing."""
        place, ints = self._place(name), self._arrays.ints
        law = self._arrays.real[self._layout.rows[place][at.LAW] :]
        clock = ints[at.CLOCK] + ints[at.CLOCK_RUNS] * (tick - ints[at.CLOCK_FROM])
        bars = self._pairs(place, at.BAR)
        fired = bars[:, at.FIRED_AT].copy().view(np.int64)
        fallen = law[at.DRIFT] * (clock - 1 - fired)
        lowered: NDArray[np.float64] = bars[:, at.THETA] - fallen
        lowered[lowered < law[at.LOW]] = law[at.LOW]
        return lowered

    def set_thresholds(self, name: str, tick: int, values: NDArray[np.float64]) -> None:
        """Let these be θ of all neurons at a tick; under a constant threshold nothing changes."""
        ints, bars = self._arrays.ints, self._pairs(self._place(name), at.BAR)
        clock = ints[at.CLOCK] + ints[at.CLOCK_RUNS] * (tick - ints[at.CLOCK_FROM])
        bars[:, at.THETA] = values
        bars[:, at.FIRED_AT].view(np.int64)[:] = clock - 1

    def counts(self, name: str) -> NDArray[np.int64]:
        """Return the spikes of each neuron since the window began."""
        row, size = self._counted(name), self._layout.sizes[self._place(name)]
        return self._arrays.ints[row[at.COUNTS] : row[at.COUNTS] + size].copy()

    def active(self, name: str) -> NDArray[np.int64]:
        """Return the neurons that fired since the window began, in the order in which they did."""
        row = self._counted(name)
        count = self._arrays.ints[row[at.NOTED] + at.ACTIVE_COUNT]
        return self._arrays.ints[row[at.ACTIVE] : row[at.ACTIVE] + count].copy()

    def eligible(self, name: str) -> NDArray[np.int64]:
        """Return the neurons that have eligibilities, in the order in which they got the first.

        Where spikes alone gather them, they are those of `active`.
        """
        row = self._counted(name)
        if not row[at.GROWTH]:
            return self.active(name)
        count = self._arrays.ints[listed(row)]
        return self._arrays.ints[row[at.GROWN_LIST] : row[at.GROWN_LIST] + count].copy()

    def eligibilities(self, projection: int, tick: int) -> NDArray[np.float64]:
        """Return e of every synapse at a tick, in their order; changes nothing."""
        return eligibilities_of(self._arrays, self._layout, (projection, tick))

    def gate(
        self, name: str, tick: int, modulators: NDArray[np.float64], *, balanced: bool = False
    ) -> None:
        """Let modulators, one a neuron of `eligible`, turn eligibilities into weights.

        w_ij ← clip(w_ij + M_i·e_ij(tick)): the learning rate is part of M. Balanced, of each
        projection's part of a row e less its mean is taken, over one plus the length of that.
        """
        place, row = self._place(name), self._counted(name)
        if modulators.shape != (self._arrays.ints[listed(row)],):
            raise CircuitError(f"{name} needs a modulator for each neuron with eligibilities")
        if row[at.GROWTH]:
            where = self._layout.population_at(place)
            gate_grown(self._arrays, where, tick, modulators, balanced)
        elif row[at.ROW_TABLE]:
            gate(self._arrays, self._layout.population_at(place), tick, modulators, balanced)

    def read(
        self, projection: int, classes: NDArray[np.int64], amounts: NDArray[np.float64]
    ) -> None:
        """Change rows of a readout by the delta rule, O_cj += amount_c·count_j."""
        if self._layout.joins[projection][at.RULE] != at.READ:
            raise CircuitError(f"projection {projection} is no readout")
        read_rows(self._arrays, self._layout.projection_at(projection), classes, amounts)

    def broadcast(self, numbers: int) -> None:
        """Count the numbers of a modulator that were sent to all, 4 bytes each."""
        self._arrays.ints[at.BROADCAST] += 4 * numbers

    def close_window(self) -> None:
        """Forget counts and eligibilities; potentials and traces stay."""
        close_window(self._arrays)
        if self._layout.grows:
            forget_grown(self._arrays)

    def set_rule(self, projection: int, rule: PairRule) -> None:
        """Change the amounts and bounds of a rule, from the next volley on; decays stay."""
        row = self._layout.joins[projection]
        if row[at.RULE] != at.PAIRED:
            raise CircuitError(f"projection {projection} has no pair rule")
        amounts = amounts_of(rule)
        self._arrays.real[row[at.AMOUNTS] : row[at.AMOUNTS] + at.PAIR_FIELDS] = amounts

    def _counted(self, name: str) -> list[int]:
        row = self._layout.rows[self._place(name)]
        if not row[at.COUNTED]:
            raise CircuitError(f"no rule counts the spikes of {name}")
        return row

    def _place(self, name: str) -> int:
        if name not in self._layout.names:
            raise CircuitError(f"there is no population {name!r}")
        return self._layout.names.index(name)

    def _pairs(self, place: int, field: int) -> NDArray[np.float64]:
        first, size = self._layout.rows[place][field], self._layout.sizes[place]
        return self._arrays.real[first : first + 2 * size].reshape(size, 2)

    def _play(self, until: int, most: int) -> None:
        status = self._kernel(self._arrays, until, most)
        while status != DONE:
            self._make_room(status)
            status = self._kernel(self._arrays, until, most)

    def _make_room(self, status: int) -> None:
        if status == ROWS_ARE_FULL:
            size = 2 * int(self._arrays.ints[at.ROWS_USED]) + self._layout.row_room
            fresh = np.empty(size)
            move_rows(self._arrays, fresh)
            self._arrays = self._arrays._replace(rows=fresh)
        else:
            self._turn_pages()

    def _turn_pages(self) -> None:
        self._arrays, left = make_room(self._arrays, self._layout, usual_room(self._layout))
        self._keep(left)

    def _keep(self, left: list[Raster]) -> None:
        if self._record:
            for past, raster in zip(self._past, left, strict=True):
                past.append(raster)
