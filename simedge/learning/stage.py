"""From settings to the arrays that a presentation plays on."""

import functools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Streams, unit_floats
from simedge.learning.errors import LearnerError
from simedge.learning.features import Binning, Grid, binning_of
from simedge.learning.rules.convolution import SCALINGS, coefficients, scale_map
from simedge.learning.rules.hebbian_stdp import Bounds, HebbianStdp
from simedge.learning.settings import (
    ConvSettings,
    DeltaSettings,
    HebbianStdpSettings,
    LinearSettings,
    SpikingSettings,
)
from simedge.learning.volleys import Camera
from simedge.neurons.circuit import Columns, Scratch, Wiring, lasting, wire
from simedge.neurons.decay import leak_per_tick
from simedge.neurons.geometry import Convolution
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.layout import NO_LIMIT

__all__ = [
    "Blueprint",
    "Room",
    "Stage",
    "blueprint_of",
    "camera_of",
    "common_room",
    "initial_weights",
    "open_stage",
    "rule_law",
]

_ROOMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A learner's shapes, before anything is allocated."""

    camera: Camera
    columns: tuple[Columns, ...]
    scalings: tuple[tuple[int, float], ...]
    """How each layer's weights are scaled after learning: place in SCALINGS, size."""
    grids: tuple[Grid | None, ...]
    """How each source of features is gathered: input, then the layers."""
    modes: tuple[str, str]
    rule: HebbianStdp
    bounds: Bounds
    plastic: bool
    """Do hidden layers learn?"""
    shares: tuple[float, ...]
    """λ at the start, one a hidden layer that learns."""

    @property
    def lines(self) -> tuple[int, ...]:
        """Lines of every source."""
        return (self.camera.lines, *(layer.shape.neurons for layer in self.columns))

    @property
    def rest_ticks(self) -> int:
        """Ticks from the start of one presentation to that of the next, on the scratch clock."""
        return self.camera.ticks + 1 + max((layer.delay for layer in self.columns), default=0)


def camera_of(tick: int, *, width: int, height: int, span_ns: int) -> Camera:
    """Return how presentations of a length are read at a device tick."""
    ticks = max(1, -(-span_ns // tick))
    return Camera(width=width, height=height, tick_ns=tick, ticks=ticks)


def blueprint_of(
    settings: SpikingSettings | LinearSettings, *, width: int, height: int, span_ns: int
) -> Blueprint:
    """Work out shapes and laws; refuses what cannot be built."""
    camera = camera_of(settings.tick, width=width, height=height, span_ns=span_ns)
    read = settings.readout
    input_grid = Grid(
        width=width, height=height, channels=2, pool=read.input_pool, bins=read.input_bins
    )
    modes = (read.transform, read.normalise)
    if isinstance(settings, LinearSettings):
        return Blueprint(
            camera=camera,
            columns=(),
            scalings=(),
            grids=(input_grid,),
            modes=modes,
            rule=HebbianStdp(),
            bounds=Bounds(),
            plastic=False,
            shares=(),
        )
    rule, bounds = rule_of(settings.rule)
    columns = _columns(settings, rule, camera)
    return Blueprint(
        camera=camera,
        columns=columns,
        scalings=tuple(
            (SCALINGS.index(layer.weights.scaling), layer.weights.size) for layer in settings.layers
        ),
        grids=_grids(settings, columns, input_grid),
        modes=modes,
        rule=rule,
        bounds=bounds,
        plastic=isinstance(settings.rule, HebbianStdpSettings),
        shares=_shares(settings.rule, len(columns)),
    )


def rule_of(settings: HebbianStdpSettings | DeltaSettings) -> tuple[HebbianStdp, Bounds]:
    """Return the law of the hidden layers; its defaults where they do not learn."""
    if isinstance(settings, DeltaSettings):
        return HebbianStdp(), Bounds()
    a_plus, a_minus, a_hebb = settings.a_plus, settings.a_minus, settings.a_hebb
    balanced = 1.05 * a_plus * settings.tau_plus / settings.tau_minus
    limits = settings.bounds
    bounds = Bounds(
        low=limits.low, high=limits.high, mu_plus=limits.mu_plus, mu_minus=limits.mu_minus
    )
    rule = HebbianStdp(
        a_plus=a_plus,
        a_minus=balanced if a_minus is None else a_minus,
        a_hebb=a_plus if a_hebb is None else a_hebb,
        tau_plus_ns=settings.tau_plus,
        tau_minus_ns=settings.tau_minus,
        oja=settings.hebb == "oja",
    )
    return rule, bounds


def _shares(settings: HebbianStdpSettings | DeltaSettings, layers: int) -> tuple[float, ...]:
    if isinstance(settings, DeltaSettings):
        return ()
    share = settings.hebbian_share
    shares = share if isinstance(share, tuple) else (share,) * layers
    if len(shares) != layers:
        raise LearnerError(f"lambda has {len(shares)} values for {layers} hidden layers")
    return shares


def _columns(settings: SpikingSettings, rule: HebbianStdp, camera: Camera) -> tuple[Columns, ...]:
    width, height, channels = camera.width, camera.height, 2
    law = settings.rule if isinstance(settings.rule, HebbianStdpSettings) else None
    delay_ns = law.delay if law else 0
    limit = law.limit if law and law.limit != "none" else NO_LIMIT
    columns: list[Columns] = []
    for layer in settings.layers:
        shape = Convolution(
            width=width,
            height=height,
            channels=channels,
            maps=layer.maps,
            kernel=layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
        )
        columns.append(
            Columns(
                shape=shape,
                law=_law(layer, settings.tick),
                shared=layer.homeostasis.scope == "map",
                winners=layer.maps if layer.inhibition == "none" else layer.inhibition,
                soft=layer.reset == "soft",
                pre_factor=leak_per_tick(settings.tick, rule.tau_plus_ns),
                post_factor=leak_per_tick(settings.tick, rule.tau_minus_ns),
                delay=-(-delay_ns // settings.tick),
                limit=limit,
                first_only=law is not None and law.competition == "first",
            )
        )
        width, height, channels = shape.across, shape.down, shape.maps
    return tuple(columns)


def _law(layer: ConvSettings, tick_ns: int) -> Homeostasis:
    wish = layer.homeostasis
    return Homeostasis(
        initial=layer.threshold,
        low=min(wish.min, layer.threshold),
        high=max(wish.max, layer.threshold),
        rate=wish.rate,
        target=wish.target,
        gamma=leak_per_tick(tick_ns, layer.leak),
    )


def _grids(
    settings: SpikingSettings, columns: Sequence[Columns], input_grid: Grid
) -> tuple[Grid | None, ...]:
    read, names = settings.readout, set(settings.readout.sources)
    known = {"input", "hidden", *(f"hidden-{n + 1}" for n in range(len(columns)))}
    if names - known:
        raise LearnerError(
            f"the readout cannot see {', '.join(sorted(names - known))}: there are "
            f"{len(columns)} hidden layers"
        )
    grids: list[Grid | None] = [None]
    if "input" in names:
        grids = [
            Grid(
                width=input_grid.width,
                height=input_grid.height,
                channels=2,
                pool=read.input_pool,
                bins=read.input_bins,
                gain=read.input_gain,
            )
        ]
    for n, layer in enumerate(columns):
        seen = "hidden" in names or f"hidden-{n + 1}" in names
        grids.append(Grid.of_layer(layer.shape, pool=read.pool, bins=read.bins) if seen else None)
    return tuple(grids)


def initial_weights(
    layers: Sequence[ConvSettings], columns: Sequence[Columns], *, streams: Streams, name: str
) -> list[NDArray[np.float32]]:
    """Draw the weights of every layer uniformly, float32 (taps, maps)."""
    drawn = []
    for n, (wish, layer) in enumerate(zip(layers, columns, strict=True)):
        taps, maps = layer.shape.taps, layer.shape.maps
        words = streams.stream("learner", name, f"weights-{n + 1}").block(-(-taps * maps // 4))
        unit = unit_floats(words)[: taps * maps].reshape(taps, maps)
        weights = wish.weights.low + (wish.weights.high - wish.weights.low) * unit
        drawn.append(weights.astype(np.float32))
    return drawn


def scaling_law(plan: Blueprint) -> NDArray[np.float32]:
    """Return how weights are scaled, (mode, size, low, high) a layer, float32 (4 · layers,)."""
    limits = (plan.bounds.low, plan.bounds.high)
    return np.array([(*scaling, *limits) for scaling in plan.scalings], np.float32).reshape(-1)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What presentations play on and do not change: shared by all learners built alike."""

    wiring: Wiring
    scaling: NDArray[np.float32]
    binning: Binning
    rest_ticks: int
    """Ticks from the start of one presentation to that of the next, on the scratch clock."""

    def start(
        self, weights: Sequence[NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return weights and thresholds of a learner that begins with these weights."""
        held, held_tick = lasting(self.wiring, weights)
        for row, wish in zip(self.wiring.layers, self.scaling.reshape(-1, 4), strict=True):
            end = row.weight + row.taps * row.maps
            for first in range(row.weight, row.weight + row.maps if wish[0] else row.weight):
                scale_map(held, (first, end, row.maps), tuple(wish))
            np.clip(held[row.weight : end], wish[2], wish[3], out=held[row.weight : end])
        return held, held_tick

    @functools.cached_property
    def features(self) -> int:
        """Length of the feature vector."""
        return int(self.binning.spikes.size)

    @functools.cached_property
    def spikes(self) -> int:
        """Numbers that tell all spikes which a presentation can have: a tick and a neuron each."""
        lists = [row.spike_neuron - row.spike_tick for row in self.wiring.layers]
        return 2 * sum(lists)


@functools.lru_cache(maxsize=16)
def open_stage(plan: Blueprint) -> Stage:
    """Lay out what presentations play on."""
    return Stage(
        wiring=wire(plan.columns, plan.camera.ticks),
        scaling=scaling_law(plan),
        rest_ticks=plan.rest_ticks,
        binning=binning_of(plan.grids, lines=plan.lines, ticks=plan.camera.ticks, modes=plan.modes),
    )


class Room:
    """State that a presentation starts without: of its circuit, and the counts of its features."""

    __slots__ = ("scratch", "spikes")

    def __init__(self, stage: Stage) -> None:
        self.scratch = Scratch(stage.wiring)
        self.spikes = np.zeros(stage.features, np.int32)


class _Rooms(threading.local):
    """One room a stage and thread: for presentations that run to their end in one call."""

    def __init__(self) -> None:
        self.by_stage: dict[int, tuple[Stage, Room]] = {}

    def of(self, stage: Stage) -> Room:
        found = self.by_stage.get(id(stage))
        if found is None:
            if len(self.by_stage) == _ROOMS:
                self.by_stage.clear()
            found = self.by_stage[id(stage)] = stage, Room(stage)
        return found[1]


_rooms = _Rooms()


def common_room(stage: Stage) -> Room:
    """Return the room that all learners on this stage share in this thread."""
    return _rooms.of(stage)


def rule_law(plan: Blueprint, shares: Sequence[float]) -> NDArray[np.float32]:
    """Return the rule's numbers for all layers at these λ, float32 (8 · layers,)."""
    if any(not 0 <= share <= 1 or math.isnan(share) for share in shares):
        raise LearnerError(f"lambda must be in [0, 1], got {list(shares)}")
    if not plan.plastic:
        return np.zeros(8 * len(plan.columns), np.float32)
    rows = [
        coefficients(plan.rule, share, plan.bounds, columns=layer.shape.columns)
        for share, layer in zip(shares, plan.columns, strict=True)
    ]
    return np.array(rows, np.float32).reshape(-1)
