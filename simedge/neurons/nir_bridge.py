"""Recurrent circuits to and from the Neuromorphic Intermediate Representation, NIR.

Pedersen et al. 2024, "Neuromorphic intermediate representation" (Nature Communications 15), has
continuous neurons, τ·dv/dt = (v_leak - v) + R·I. Ours are those stepped by Euler once a device
tick dt, with

    γ = 1 - dt/τ,  R = τ/dt,  v_leak = b/(1 - γ),  v_reset = 0,

so that a weight is what a spike adds. Projections become Linear nodes, behind a Delay where they
have one; delays are written out, loops included. Rules, and what numbers lose on the way, travel as
metadata. What NIR cannot say (soft reset, homeostasis) and what we cannot (synaptic currents,
unlike neurons in one population) is refused by name. Needs the extra ``nir``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simedge.neurons.errors import CircuitError
from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.nir_paths import Way, in_order, ways_to
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import GatedRule, PairRule, Population, Projection, ReadRule
from simedge.neurons.recurrent.wiring import synapses_of

__all__ = ["from_nir", "read_nir", "to_nir", "write_nir"]

_INPUTS: Final = "inputs"
_OUTPUT: Final = "output"
_RULES: Final = {kind.__name__: kind for kind in (PairRule, GatedRule, ReadRule)}
_CLOSE: Final = 1e-9


def to_nir(circuit: RecurrentCircuit, *, tick_ns: int) -> Any:  # noqa: ANN401 -- NIR has no types
    """Return a circuit as a ``nir.NIRGraph``; weights are those that it has now.

    Parameters
    ----------
    tick_ns
        Duration of a device tick.

    Raises
    ------
    CircuitError
        If it has what NIR cannot say, or NIR is not installed.
    """
    nir = _library()
    inputs, populations, projections = circuit.parts()
    nodes: dict[str, Any] = {_INPUTS: nir.Input(input_type={"input": np.array([inputs])})}
    edges: list[tuple[str, str]] = []
    for place, (name, population) in enumerate(populations.items()):
        nodes[_named(name)] = _neurons(nir, population, name=name, tick_ns=tick_ns)
        nodes[name].metadata["place"] = place
    for place, projection in enumerate(projections):
        path = [projection.source, f"projection-{place}", projection.target]
        linear = nir.Linear(weight=_matrix(projection), metadata=_said(projection, place))
        _put(nodes, path[1], linear)
        if projection.delay:
            path.insert(1, f"delay-{place}")
            delays = np.full(projection.synapses.sources, projection.delay * tick_ns / 1e9)
            _put(nodes, path[1], nir.Delay(delay=delays))
        edges += pairwise(path)
    last = next(reversed(populations))
    _put(nodes, _OUTPUT, nir.Output(output_type={"output": np.array([populations[last].size])}))
    edges.append((last, _OUTPUT))
    return nir.NIRGraph(nodes, edges, metadata={"tick_ns": tick_ns}, type_check=False)


def from_nir(
    graph: Any,  # noqa: ANN401
    *,
    tick_ns: int | None = None,
    record: bool = True,
    single: bool = False,
) -> RecurrentCircuit:
    """Build the circuit of a ``nir.NIRGraph``.

    Paths from neurons to neurons become projections, whatever Linear, Affine and Delay nodes they
    cross; one back to the same or an earlier population that has no delay gets one tick.

    Parameters
    ----------
    tick_ns
        Duration of a device tick; by default what `to_nir` wrote down.
    record, single
        As for `RecurrentCircuit`.

    Raises
    ------
    CircuitError
        If the graph has what a circuit cannot be.
    """
    known = graph.metadata.get("tick_ns", tick_ns)
    tick = tick_ns or (None if known is None else int(known))
    if tick is None or tick <= 0:
        raise CircuitError("the graph does not say how long a tick is: give tick_ns")
    sizes = _sizes(graph)
    order = in_order(graph)
    source = next(name for name in sizes if name not in order)
    joined, populations = [], {}
    for name in order:
        ways = ways_to(graph, name)
        populations[name], gain = _population(graph.nodes[name], ways, name=name, tick_ns=tick)
        for way in ways:
            least = int(way.source in order and order.index(way.source) >= order.index(name))
            ends = (_INPUTS if way.source == source else way.source, name)
            shape = sizes[way.source], sizes[name]
            joined.append(_projection(way, ends, shape=shape, gain=gain, tick=(tick, least)))
    return RecurrentCircuit(
        sizes[source], populations, projections=joined, record=record, single=single
    )


def write_nir(path: str | FilePath, circuit: RecurrentCircuit, *, tick_ns: int) -> None:
    """Write a circuit as a NIR file (HDF5)."""
    _library().write(str(path), to_nir(circuit, tick_ns=tick_ns))


def read_nir(
    path: str | FilePath, *, tick_ns: int | None = None, record: bool = True, single: bool = False
) -> RecurrentCircuit:
    """Build the circuit of a NIR file; see `from_nir`.

    Raises
    ------
    CircuitError
        If there is no such file, or no such graph in it.
    """
    nir = _library()
    try:
        graph = nir.read(str(path), type_check=False)
    except (OSError, ValueError, KeyError, AssertionError) as error:
        raise CircuitError(f"{path}: no NIR graph: {error}") from error
    return from_nir(graph, tick_ns=tick_ns, record=record, single=single)


def _library() -> Any:  # noqa: ANN401
    try:
        import nir  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        raise CircuitError("NIR is not installed: pip install 'simedge[nir]'") from error
    return nir


def _named(name: str) -> str:
    if not name or "/" in name or name == ".":
        raise CircuitError(f"a NIR file cannot name a population {name!r}")
    return name


def _put(nodes: dict[str, Any], name: str, node: Any) -> None:  # noqa: ANN401
    if name in nodes:
        raise CircuitError(f"{name!r} names a node of NIR, no population may be called so")
    nodes[name] = node


def _neurons(nir: Any, population: Population, *, name: str, tick_ns: int) -> Any:  # noqa: ANN401
    if population.soft:
        raise CircuitError(f"NIR has no soft reset, population {name} has")
    if isinstance(population.threshold, Homeostasis):
        raise CircuitError(f"NIR has no homeostasis, thresholds of population {name} adapt")
    alike = np.ones(population.size)
    gamma, tick_s = population.gamma, tick_ns / 1e9
    return nir.LIF(
        tau=alike * (tick_s / (1.0 - gamma)),
        r=alike * (1.0 / (1.0 - gamma)),
        v_leak=alike * population.rest,
        v_threshold=alike * population.threshold,
        v_reset=0.0 * alike,
        metadata={"gamma": gamma, "bias": population.bias},
    )


def _matrix(projection: Projection) -> NDArray[np.float64]:
    """Return weights as (targets, sources), zero where there is no synapse."""
    source, target = projection.synapses.pairs()
    matrix = np.zeros((projection.synapses.targets, projection.synapses.sources))
    matrix[target, source] = projection.weights
    return matrix


def _said(projection: Projection, place: int) -> dict[str, Any]:
    """Return what a matrix does not say: order, synapses of weight zero, the rule."""
    said: dict[str, Any] = {"place": place}
    if not np.all(projection.weights):
        source, target = projection.synapses.pairs()
        said["synapses"] = np.stack([source, target])
    if projection.rule is not None:
        rule = {"kind": type(projection.rule).__name__, **asdict(projection.rule)}
        said["rule"] = json.dumps(rule)
    return said


def _sizes(graph: Any) -> dict[str, int]:  # noqa: ANN401
    """Return the size of the input and of every population; refuse nodes that we have not."""
    sizes = {}
    for name, node in graph.nodes.items():
        kind = type(node).__name__
        if kind not in {"Input", "Output", "LIF", "Linear", "Affine", "Delay"}:
            raise CircuitError(f"a circuit has no {kind}, node {name} is one")
        shape = node.input_type["input"] if kind == "Input" else np.shape(getattr(node, "tau", 0))
        if kind in {"Input", "LIF"}:
            if len(shape) != 1:
                raise CircuitError(f"node {name} must be a vector, its shape is {tuple(shape)}")
            sizes[name] = int(shape[0])
    if sum(type(graph.nodes[name]).__name__ == "Input" for name in sizes) != 1:
        raise CircuitError("a circuit has one input, which is a vector")
    return sizes


def _population(
    node: Any,  # noqa: ANN401
    ways: list[Way],
    *,
    name: str,
    tick_ns: int,
) -> tuple[Population, float]:
    """Return a population, and what one unit of input adds to a potential in a tick."""
    tau = _one(node.tau, f"tau of {name}")
    reset = 0.0 if node.v_reset is None else _one(node.v_reset, f"v_reset of {name}")
    if reset:
        raise CircuitError(f"potentials are reset to 0, those of {name} to {reset}")
    share = tick_ns / 1e9 / tau
    gain, gamma = _one(node.r, f"r of {name}") * share, 1.0 - share
    bias = _one(node.v_leak, f"v_leak of {name}") * share
    kept = node.metadata
    if abs(kept.get("gamma", np.inf) - gamma) < _CLOSE and abs(gain - 1.0) < _CLOSE:
        # Ours: the same numbers, as they were before they became time constants.
        gain, gamma = 1.0, float(kept["gamma"])
        if abs(kept.get("bias", np.inf) - bias) < _CLOSE:
            bias = float(kept["bias"])
    added = sum(_one(way.bias, f"the bias of what {name} hears") for way in ways)
    size, threshold = np.size(node.tau), _one(node.v_threshold, f"v_threshold of {name}")
    made = Population(size=size, gamma=gamma, threshold=threshold, bias=bias + gain * added)
    return made, gain


def _one(values: Any, what: str) -> float:  # noqa: ANN401
    unlike = np.unique(np.asarray(values, float))
    if unlike.size != 1:
        raise CircuitError(f"neurons of a population are alike, {what} is not")
    return float(unlike[0])


def _projection(
    way: Way,
    ends: tuple[str, str],
    *,
    shape: tuple[int, int],
    gain: float,
    tick: tuple[int, int],
) -> Projection:
    """Return the projection of a path; `tick` is its duration and the least delay in ticks."""
    (sources, targets), (tick_ns, least) = shape, tick
    if way.weight.shape != (targets, sources):
        raise CircuitError(f"weights of {ends[0]}.{ends[1]} must be {targets} x {sources}")
    ticks = way.delay_s * 1e9 / tick_ns
    if ticks < 0 or abs(ticks - round(ticks)) > _CLOSE * max(1.0, ticks):
        exact = Fraction(tick_ns, 10**6)
        raise CircuitError(f"a delay of {way.delay_s} s is no whole number of ticks ({exact} ms)")
    held = way.said.get("synapses")
    source, target = np.nonzero(way.weight.T) if held is None else np.asarray(held, np.int64)
    return Projection(
        source=ends[0],
        target=ends[1],
        synapses=synapses_of((source, target), sources=sources, targets=targets),
        weights=gain * way.weight[target, source],
        delay=max(round(ticks), least),
        rule=_rule(way.said),
    )


def _rule(said: Mapping[str, Any]) -> PairRule | GatedRule | ReadRule | None:
    if "rule" not in said:
        return None
    kept = json.loads(said["rule"])
    return _RULES[kept.pop("kind")](**kept)
