"""From settings to the arrays that a presentation plays on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Streams, unit_floats
from simedge.learning.errors import LearnerError
from simedge.learning.features import Binning, Grid, binning_of
from simedge.learning.presentation import Stage
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
from simedge.neurons.circuit import Columns, build_circuit, with_fresh_state
from simedge.neurons.decay import leak_per_tick
from simedge.neurons.geometry import Convolution
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.layout import NO_LIMIT

__all__ = ["Blueprint", "blueprint_of", "initial_weights", "open_stage", "rule_law", "spare_stage"]

_EMPTY = np.empty(0, np.int32)
_START = np.zeros(1, np.int32)


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


def blueprint_of(
    settings: SpikingSettings | LinearSettings, *, width: int, height: int, span_ns: int
) -> Blueprint:
    """Work out shapes and laws; refuses what cannot be built."""
    ticks = max(1, -(-span_ns // settings.tick))
    camera = Camera(width=width, height=height, tick_ns=settings.tick, ticks=ticks)
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
    """Return how weights are scaled, (mode, size, low, high) a layer, float32 (layers, 4)."""
    limits = (plan.bounds.low, plan.bounds.high)
    return np.array([(*scaling, *limits) for scaling in plan.scalings], np.float32).reshape(-1, 4)


def open_stage(plan: Blueprint, weights: Sequence[NDArray[np.float32]]) -> Stage:
    """Allocate what a presentation plays on, at rest."""
    scaling = scaling_law(plan)
    for drawn, wish in zip(weights, scaling, strict=True):
        for map_ in range(drawn.shape[1] if wish[0] else 0):
            scale_map(drawn[:, map_], wish)
        np.clip(drawn, wish[2], wish[3], out=drawn)
    circuit = build_circuit(plan.columns, weights, ticks=plan.camera.ticks)
    return Stage(
        circuit, rule_law(plan, plan.shares), scaling, _binning(plan), _EMPTY, _EMPTY, _START
    )


def spare_stage(stage: Stage, plan: Blueprint) -> Stage:
    """Return a stage with neuron state of its own that plays on the same weights."""
    return stage._replace(circuit=with_fresh_state(stage.circuit), binning=_binning(plan))


def _binning(plan: Blueprint) -> Binning:
    return binning_of(plan.grids, lines=plan.lines, ticks=plan.camera.ticks, modes=plan.modes)


def rule_law(plan: Blueprint, shares: Sequence[float]) -> NDArray[np.float32]:
    """Return the rule's numbers for all layers at these λ, float32 (8 · layers,)."""
    if any(not 0 <= share <= 1 or math.isnan(share) for share in shares):
        raise LearnerError(f"lambda must be in [0, 1], got {list(shares)}")
    rows = [
        coefficients(plan.rule, share, plan.bounds, columns=layer.shape.columns)
        for share, layer in zip(shares, plan.columns, strict=plan.plastic)
    ]
    return np.array(rows, np.float32).reshape(-1)
