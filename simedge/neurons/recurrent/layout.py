"""From populations and projections to flat arrays."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.decay import decay_table
from simedge.neurons.errors import CircuitError
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.recurrent import places as at
from simedge.neurons.recurrent.parts import (
    GatedRule,
    PairRule,
    Population,
    Projection,
    ReadRule,
)
from simedge.neurons.recurrent.traces import span_of, trace_table
from simedge.neurons.recurrent.wiring import Synapses, turn_back

__all__ = ["INPUTS", "Layout", "amounts_of", "lay_out"]

_Kind = TypeVar("_Kind", PairRule, GatedRule)
KINDS: Final = {PairRule: at.PAIRED, GatedRule: at.GATED, ReadRule: at.READ}

INPUTS: Final = "inputs"
"""Name of the input lines as a source."""
_LONG_AGO: Final = -1
_LINE: Final = 64
"""Bytes that a processor moves at once: no cell lies across two of them."""


class Layout:
    """Arrays of a circuit but its log, and where its parts are."""

    def __init__(
        self,
        inputs: int,
        populations: Mapping[str, Population],
        *,
        projections: Sequence[Projection],
        record: bool,
    ) -> None:
        self.populations = dict(populations)
        self.projections: tuple[Projection, ...] = tuple(projections)
        self.names = (INPUTS, *populations)
        self.sizes = (inputs, *(population.size for population in populations.values()))
        self._used = {"real": 0, "ints": at.INTS_HEAD, "wires": 0, "weight": 0}
        self._filled: dict[str, list[tuple[int, Any]]] = {name: [] for name in self._used}
        self.ticks: list[slice] = []
        self.grows = False
        """Whether arrivals raise eligibilities anywhere."""
        self.channels: dict[tuple[int, int], int] = {}
        self.rows = [[0] * at.POPULATION_FIELDS for _ in self.names]
        self.joins = [[0] * at.PROJECTION_FIELDS for _ in projections]
        check(self)
        self._place_channels()
        head = self._place_heap()
        for place in range(1, len(self.names)):
            self._place_population(place)
        for place, projection in enumerate(self.projections):
            self._place_projection(place, projection)
        self._place_logs(record=record)
        plan = [head, *self.rows, *self.joins]
        self.row_room = 8 * sum(int(p.synapses.fan_in().max(initial=0)) for p in projections)
        """Least room for eligibilities."""
        self.counts = tuple(p.synapses.count for p in projections)
        self.ends = tuple((p.synapses.sources, p.synapses.targets) for p in projections)
        self.joined = tuple((p.source, p.target, p.delay, p.rule) for p in projections)
        self.projections = ()  # the circuit has copies of all it needs
        self.plan = np.array([number for row in plan for number in row], np.int64)

    def population_at(self, place: int) -> int:
        """Return where the fields of a population (0: the inputs) are in `plan`."""
        return at.HEAD + place * at.POPULATION_FIELDS

    def projection_at(self, place: int) -> int:
        """Return where the fields of a projection are in `plan`."""
        return self.population_at(len(self.names)) + place * at.PROJECTION_FIELDS

    def synapses(self, place: int, wires: NDArray[np.uint32]) -> Synapses:
        """Return the wiring of a projection, as views."""
        row, count = self.joins[place], self.counts[place]
        sources, targets = self.ends[place]

        def part(field: int, size: int) -> NDArray[np.uint32]:
            return wires[row[field] : row[field] + size]

        return Synapses(
            sources=sources,
            targets=targets,
            start=part(at.START_AT, sources + 1),
            target=part(at.TARGET_AT, count),
        )

    def turn_back(self, wires: NDArray[np.uint32]) -> None:
        """Fill in the ways back of the projections that learn."""
        for row, count, (sources, targets) in zip(self.joins, self.counts, self.ends, strict=True):
            if row[at.RULE] != at.STATIC:
                sizes = {
                    at.START_AT: sources + 1,
                    at.TARGET_AT: count,
                    at.IN_START: targets + 1,
                    at.IN_SYNAPSE: count,
                    at.IN_SOURCE: count,
                }
                turn_back(*(wires[row[f] : row[f] + size] for f, size in sizes.items()))

    def array(self, name: str, dtype: type) -> NDArray[Any]:
        """Make one of the arrays, once: what was filled in, else zeros."""
        made = aligned(self._used[name], dtype)
        for first, values in self._filled.pop(name):
            made[first : first + np.size(values)] = values
        return made

    def _take_ticks(self, size: int, stride: int, field: int) -> int:
        """Take room for records in `real` of which one field is a tick, long ago at first."""
        first = self._take("real", size * stride)
        self.ticks.append(slice(first + field, first + size * stride, stride))
        return first

    def _take(self, name: str, size: int) -> int:
        first = self._used[name]
        if name == "real":
            first += -first % (_LINE // 8)
        self._used[name] = first + size
        return first

    def _fill(self, name: str, values: Any) -> int:  # noqa: ANN401 - any sequence of numbers
        first = self._take(name, np.size(values))
        self._filled[name].append((first, values))
        return first

    def rules_into(self, place: int, kind: type[_Kind]) -> list[_Kind]:
        """Return the rules of one kind into a population."""
        rules = [p.rule for p in self.projections if p.target == self.names[place]]
        return [rule for rule in rules if isinstance(rule, kind)]

    def _place_channels(self) -> None:
        """Give a channel to each delay that spikes of each population have."""
        wanted = {(self.names.index(p.source), p.delay) for p in self.projections}
        for place in range(1, len(self.names)):
            wanted |= {(place, rule.post_delay) for rule in self.rules_into(place, PairRule)}
        for place, row in enumerate(self.rows):
            row[at.FROM] = self._used["ints"]
            for delay in sorted(d for p, d in wanted if p == place):
                entry = np.zeros(at.CHANNEL_FIELDS, np.int64)
                entry[at.DUE], entry[at.DELAY] = at.NEVER, delay
                self.channels[place, delay] = self._fill("ints", entry)
            row[at.UNTIL] = self._used["ints"]

    def _place_heap(self) -> list[int]:
        """Make room for the neurons that may fire alone; return the head of the plan."""
        count = 0
        for row, name in zip(self.rows[1:], self.names[1:], strict=True):
            population = self.populations[name]
            row[at.SELVES] = count if population.fires_alone else -1
            count += population.size * population.fires_alone
        head = [0] * at.HEAD
        head[at.POPULATIONS] = self.population_at(len(self.names))
        head[at.CHANNELS_FROM], head[at.CHANNELS_UNTIL] = at.INTS_HEAD, self._used["ints"]
        head[at.HEAP] = self._take("ints", count)
        head[at.HEAP_PLACE] = self._fill("ints", np.full(count, -1))
        head[at.HEAP_DUE] = self._fill("ints", np.full(count, at.NEVER))
        return head

    def _place_population(self, place: int) -> None:
        population, row = self.populations[self.names[place]], self.rows[place]
        law = population.threshold
        adapts = isinstance(law, Homeostasis)
        row[at.SIZE], row[at.SOFT], row[at.ADAPTS] = population.size, population.soft, adapts
        row[at.TABLE] = self._fill("real", decay_table(population.gamma))
        row[at.LAW] = self._fill("real", law_of(population))
        row[at.CELL] = self._take_ticks(population.size, at.CELL_FIELDS, at.STAMP)
        row[at.BODY] = self._fill("real", np.tile([-population.rest, 0.0], population.size))
        row[at.BAR] = self._take_ticks(population.size, at.BAR_FIELDS, at.FIRED_AT)
        first = law.initial if isinstance(law, Homeostasis) else law
        self._filled["real"].append((row[at.BAR], np.tile([first, 0.0], population.size)))
        row[at.TOUCHED] = self._take("ints", population.size + 1)  # one more is written, never read
        row[at.FIRED] = self._take("ints", population.size + 1)
        row[at.POST] = -1
        for rule in self.rules_into(place, PairRule)[:1]:
            row[at.POST] = self.channels[place, rule.post_delay]
            row[at.POST_TABLE] = self._fill("real", trace_table(rule.post_factor))
            row[at.POST_SPAN] = span_of(rule.post_factor)
            row[at.POST_CLOCK] = self._take("ints", at.TRACE_CLOCK_FIELDS)
            row[at.POST_LIVE] = self._take("ints", population.size)
        self._place_window(place)
        heard = [n for n, p in enumerate(self.projections) if p.target == self.names[place]]
        row[at.HEARD_FROM] = self.projection_at(min(heard, default=0))
        row[at.HEARD_UNTIL] = self.projection_at(max(heard, default=-1) + 1)

    def _place_window(self, place: int) -> None:
        """Make room to count spikes, and for rows, where a rule asks for them."""
        row, size, name = self.rows[place], self.sizes[place], self.names[place]
        gated = self.rules_into(place, GatedRule)
        read = [p for p in self.projections if isinstance(p.rule, ReadRule)]
        if gated or any(name in {p.source, p.target} for p in read):
            row[at.COUNTED] = 1
            row[at.COUNTS], row[at.ACTIVE] = self._take("ints", size), self._take("ints", size)
            row[at.NOTED] = self._take("ints", at.NOTED_FIELDS)
        if gated:
            row[at.ROW_AT] = self._fill("ints", np.full(size, -1))
        if gated and gated[0].grows:
            self._place_growth(place, gated[0])
        elif gated:
            row[at.ROW_TICK] = self._take("ints", size)
            row[at.ROW_TABLE] = self._fill("real", decay_table(gated[0].row_factor))

    def _place_growth(self, place: int, rule: GatedRule) -> None:
        """Make room for what arrivals do to eligibilities."""
        row, size = self.rows[place], self.sizes[place]
        self.grows = True
        row[at.GROWTH] = self._fill("real", [rule.noncausal])
        row[at.AT_ARRIVALS] = rule.gate == "arrival"
        row[at.GAIN], row[at.LATE] = self._take("real", size), self._take("real", size)
        row[at.LATE_TABLE] = self._fill("real", trace_table(rule.pre_factor))
        row[at.LATE_SPAN] = span_of(rule.pre_factor)
        row[at.LATE_CLOCK] = self._take("ints", at.TRACE_CLOCK_FIELDS)
        row[at.LATE_LIVE] = self._take("ints", size)
        row[at.GROWN_TABLE] = self._fill("real", trace_table(rule.row_factor))
        row[at.GROWN_SPAN] = span_of(rule.row_factor)
        row[at.GROWN_CLOCK] = self._take("ints", at.TRACE_CLOCK_FIELDS)
        row[at.GROWN_LIST] = self._take("ints", size)

    def _place_projection(self, place: int, projection: Projection) -> None:
        row, synapses = self.joins[place], projection.synapses
        source = self.names.index(projection.source)
        row[at.SOURCE] = self.population_at(source)
        row[at.TARGET] = self.population_at(self.names.index(projection.target))
        row[at.CHANNEL] = self.channels[source, projection.delay]
        row[at.START_AT] = self._fill("wires", synapses.start)
        row[at.TARGET_AT] = self._fill("wires", synapses.target)
        row[at.WEIGHT] = self._fill("weight", projection.weights)
        row[at.FAN_OUT] = -(-synapses.count // max(1, synapses.sources))
        rule = projection.rule
        if rule is None:
            return
        row[at.IN_START] = self._take("wires", synapses.targets + 1)
        row[at.IN_SYNAPSE] = self._take("wires", synapses.count)
        row[at.IN_SOURCE] = self._take("wires", synapses.count)
        row[at.RULE] = KINDS[type(rule)]
        if isinstance(rule, ReadRule):
            return
        row[at.PRE] = self._take("real", synapses.sources)
        row[at.PRE_TABLE] = self._fill("real", trace_table(rule.pre_factor))
        row[at.PRE_SPAN] = span_of(rule.pre_factor)
        row[at.PRE_CLOCK] = self._take("ints", at.TRACE_CLOCK_FIELDS)
        row[at.PRE_LIVE] = self._take("ints", synapses.sources)
        row[at.AMOUNTS] = self._fill("real", amounts_of(rule))
        if isinstance(rule, GatedRule) and rule.grows:
            row[at.GROWN] = self._take("real", synapses.count)
        if isinstance(rule, PairRule):
            row[at.ARRIVED] = self._take_ticks(synapses.sources, 1, 0)

    def _place_logs(self, *, record: bool) -> None:
        for place, row in enumerate(self.rows):
            row[at.LOG] = self._take("ints", at.LOG_FIELDS)
            row[at.SIZE] = self.sizes[place]
            row[at.LOGGED] = record or row[at.FROM] < row[at.UNTIL]


def aligned(size: int, dtype: type) -> NDArray[Any]:
    """Return zeros that begin where a line of the cache does."""
    width = np.dtype(dtype).itemsize
    room: NDArray[Any] = np.zeros(size + _LINE // width, dtype)
    skip = -room.ctypes.data % _LINE // width
    return room[skip : skip + size]


def amounts_of(rule: PairRule | GatedRule) -> list[float]:
    """Return the numbers of a rule, in the order of `places`."""
    if isinstance(rule, GatedRule):
        return [0.0, 0.0, 0.0, -rule.bound, rule.bound]
    return [rule.at_pre, rule.at_post, rule.at_both, rule.low, rule.high]


def law_of(population: Population) -> list[float]:
    """Return the numbers of a population's law, in the order of `places`."""
    law, numbers = population.threshold, [0.0] * at.LAW_FIELDS
    numbers[at.REST], numbers[at.RESET] = population.rest, -population.rest
    numbers[at.LEAK_LOG] = float(np.log(population.gamma))
    if isinstance(law, Homeostasis):
        numbers[at.DRIFT], numbers[at.STEP] = law.drift, law.rate
        numbers[at.LOW], numbers[at.HIGH] = law.low, law.high
    else:
        numbers[at.LOW] = numbers[at.HIGH] = law
    return numbers


def check(layout: Layout) -> None:
    """Refuse what cannot be built, and name it."""
    names = layout.names
    if INPUTS in layout.populations or layout.sizes[0] < 0:
        raise CircuitError(f"{INPUTS!r} names the input lines, of which there are >= 0")
    targets = [p.target for p in layout.projections]
    order = [names.index(target) if target in names else -1 for target in targets]
    if order != sorted(order) or min(order, default=1) < 1:
        raise CircuitError(f"projections come by target, in the order of populations: {targets}")
    for projection, target in zip(layout.projections, order, strict=True):
        if projection.source not in names:
            raise CircuitError(f"projection {projection.name} comes from nowhere")
        source, synapses = names.index(projection.source), projection.synapses
        ends = (layout.sizes[source], layout.sizes[target])
        if (synapses.sources, synapses.targets) != ends:
            raise CircuitError(f"projection {projection.name} must join {ends}")
        if projection.weights.shape != (synapses.count,):
            raise CircuitError(f"projection {projection.name} needs {synapses.count} weights")
        if projection.delay < (source >= target):
            raise CircuitError(f"projection {projection.name} is too quick: {projection.delay}")
    for place in range(1, len(names)):
        check_rules(layout, place)


def check_rules(layout: Layout, place: int) -> None:
    """Refuse rules into a population that differ in what they share there."""
    pairs = layout.rules_into(place, PairRule)
    shared = {(rule.post_factor, rule.post_delay) for rule in pairs}
    rows = {rule.shared for rule in layout.rules_into(place, GatedRule)}
    if max(len(shared), len(rows)) > 1:
        raise CircuitError(
            f"rules of projections to {layout.names[place]} share what they differ in"
        )


def lay_out(layout: Layout, dtype: type) -> at.Arrays:
    """Make the arrays, with an empty log."""
    real = layout.array("real", np.float64)
    for ticks in layout.ticks:
        real.view(np.int64)[ticks] = _LONG_AGO
    arrays = at.Arrays(
        weight=layout.array("weight", dtype),
        real=real,
        marks=real.view(np.int64),
        ints=layout.array("ints", np.int64),
        plan=layout.plan,
        wires=layout.array("wires", np.uint32),
        log=np.zeros(0, np.int64),
        rows=np.zeros(0),
    )
    layout.turn_back(arrays.wires)
    ints = arrays.ints
    ints[at.NOW], ints[at.LEARNS], ints[at.CLOCK_RUNS] = -1, 1, 1
    for (place, _), channel in layout.channels.items():
        ints[channel + at.FROM_LOG] = layout.rows[place][at.LOG]
    return arrays
