"""Pictures of a recurrent circuit: who fired when, and what its weights are.

Rows come from NumPy alone; charts are Altair's (extra ``report``): show them in a notebook, or
``chart.save("raster.svg")``. All are bounded: of more spikes the first are drawn, of more weights
those between the first neurons, and the titles say so.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.study.report.errors import MissingExtraError

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    "matrix_chart",
    "matrix_rows",
    "raster_chart",
    "raster_rows",
    "weight_chart",
    "weight_rows",
]

Rows = list[dict[str, Any]]

_WIDTH = 640
_SPIKES_MAX = 10_000
_SIDE_MAX = 80


def raster_rows(
    circuit: RecurrentCircuit, names: Sequence[str], *, tick_ns: int, most: int = _SPIKES_MAX
) -> Rows:
    """Return a row a spike: time (ms), population, neuron; by time, at most so many.

    Parameters
    ----------
    circuit
        One that records (the default).
    names
        Populations, or ``"inputs"``.
    tick_ns
        Duration of a device tick.
    """
    found = [
        (tick, place, neuron)
        for place, name in enumerate(names)
        for tick, neuron in zip(*(part.tolist() for part in circuit.spikes(name)), strict=True)
    ]
    return [
        {"t_ms": tick * tick_ns / 1e6, "population": names[place], "neuron": neuron}
        for tick, place, neuron in sorted(found)[:most]
    ]


def weight_rows(circuit: RecurrentCircuit, projection: int, *, bins: int = 40) -> Rows:
    """Return a row a bin of the weights of a projection: from, to, synapses."""
    counts, edges = np.histogram(np.asarray(circuit.weights(projection), float), bins)
    sides = edges.tolist()
    return [
        {"from": low, "to": high, "synapses": count}
        for low, high, count in zip(sides, sides[1:], counts.tolist(), strict=False)
    ]


def matrix_rows(circuit: RecurrentCircuit, projection: int, *, most: int = _SIDE_MAX) -> Rows:
    """Return a row a synapse between the first `most` sources and targets of a projection."""
    source, target = circuit.synapses(projection).pairs()
    near = (source < most) & (target < most)
    weights = np.asarray(circuit.weights(projection), float)[near]
    ends = source[near].tolist(), target[near].tolist()
    return [
        {"source": j, "target": i, "weight": w}
        for j, i, w in zip(*ends, weights.tolist(), strict=True)
    ]


def raster_chart(
    circuit: RecurrentCircuit, names: Sequence[str], *, tick_ns: int, most: int = _SPIKES_MAX
) -> "alt.Chart":
    """Return the raster of populations, one above the other (raises `MissingExtraError`)."""
    altair = _altair()
    rows = raster_rows(circuit, names, tick_ns=tick_ns, most=most)
    fired = sum(circuit.spikes(name)[0].size for name in names)
    title = f"{fired:,} spikes" if fired <= most else f"the first {most:,} of {fired:,} spikes"
    ticks = altair.Chart(altair.InlineData(values=rows)).mark_tick(thickness=1.5, height=3)
    chart: alt.Chart = ticks.encode(
        x=altair.X("t_ms:Q", title="virtual time / ms"),
        y=altair.Y("neuron:Q", title=None, scale=altair.Scale(nice=False)),
        row=altair.Row("population:N", title=None, sort=list(names)),
        tooltip=["t_ms:Q", "population:N", "neuron:Q"],
    ).properties(width=_WIDTH, height=140, title=title)
    return chart


def weight_chart(circuit: RecurrentCircuit, projection: int, *, bins: int = 40) -> "alt.Chart":
    """Return the histogram of a projection's weights (raises `MissingExtraError`)."""
    altair = _altair()
    rows = weight_rows(circuit, projection, bins=bins)
    bars = altair.Chart(altair.InlineData(values=rows)).mark_bar()
    chart: alt.Chart = bars.encode(
        x=altair.X("from:Q", title="weight", bin="binned"),
        x2="to:Q",
        y=altair.Y("synapses:Q"),
        tooltip=["from:Q", "to:Q", "synapses:Q"],
    ).properties(width=_WIDTH, height=160)
    return chart


def matrix_chart(
    circuit: RecurrentCircuit, projection: int, *, most: int = _SIDE_MAX
) -> "alt.Chart":
    """Return the weights of a projection by source and target (raises `MissingExtraError`)."""
    altair = _altair()
    rows = matrix_rows(circuit, projection, most=most)
    wiring = circuit.synapses(projection)
    cut = max(wiring.sources, wiring.targets) > most
    cells = altair.Chart(altair.InlineData(values=rows)).mark_rect()
    chart: alt.Chart = cells.encode(
        x=altair.X("source:O", axis=altair.Axis(labelOverlap=True)),
        y=altair.Y("target:O", axis=altair.Axis(labelOverlap=True)),
        color=altair.Color("weight:Q", scale=altair.Scale(scheme="viridis")),
        tooltip=["source:O", "target:O", "weight:Q"],
    ).properties(
        width=400, height=400, title=f"the first {most} neurons" if cut else f"{len(rows)} synapses"
    )
    return chart


def _altair() -> Any:  # noqa: ANN401 -- a module
    try:
        import altair  # noqa: ICN001, PLC0415 -- an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "charts of a circuit need altair: pip install 'simedge[report]'"
        ) from error
    return altair
