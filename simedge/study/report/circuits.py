"""The charts of circuits that a run kept: rasters, and weights before and after. In Altair."""

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from simedge.study.report.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simedge.run.raster import Circuit, Shown, Wires

__all__ = ["circuit_pictures", "raster_rows", "weight_rows"]

Rows = list[dict[str, Any]]

_WIDTH = 720
_SPIKES_DRAWN = 8_000
_CIRCUITS_DRAWN = 4
_BINS = 40
_HIGH, _LOW = 150, 50
_FIRST, _LAST = "at the start", "at the end"


def circuit_pictures(circuits: "Sequence[Circuit]") -> list[Picture]:
    """Return a raster and the weights of each circuit, of the first ones."""
    made: list[Picture] = []
    drawn = circuits[:_CIRCUITS_DRAWN]
    for place, circuit in enumerate(drawn, 1):
        shown = _first(circuit.shown, _SPIKES_DRAWN // len(drawn))
        if shown:
            made.append(
                Picture(
                    name=f"raster-{place}",
                    title=f"Spikes of {circuit.device}",
                    about=_about(circuit, shown),
                    spec=_raster(circuit, shown),
                )
            )
        if circuit.wires:
            made.append(
                Picture(
                    name=f"weights-{place}",
                    title=f"Weights of {circuit.device}",
                    about="Synapses by weight, at the start of the run and at its end.",
                    spec=_weights(circuit.wires),
                )
            )
    return made


def _first(shown: "Sequence[Shown]", most: int) -> "list[Shown]":
    """Return the first presentations that have no more spikes together, one at least."""
    kept: list[Shown] = []
    spikes = 0
    for one in shown:
        spikes += sum(ticks.size for ticks, _ in one.spikes.values())
        if kept and spikes > most:
            break
        kept.append(one)
    return kept


def _about(circuit: "Circuit", shown: "Sequence[Shown]") -> str:
    number = len(circuit.shown) + circuit.left_out
    few = "" if len(shown) == number else f", the first {len(shown)} of {number} that were kept"
    return (
        "A tick is a spike, at the virtual time at which the camera showed what led to it. On top: "
        "frames with their class, green if the circuit was right before it learned, red if not"
        f"{few}."
    )


def raster_rows(circuit: "Circuit", name: str, shown: "Sequence[Shown]") -> Rows:
    """Return a row a spike of a population: virtual time (s), neuron."""
    return [
        {"t": round((one.start_ns + tick * circuit.tick_ns) / 1e9, 4), "n": neuron}
        for one in shown
        for tick, neuron in zip(*(column.tolist() for column in one.spikes[name]), strict=True)
    ]


def _raster(circuit: "Circuit", shown: "Sequence[Shown]") -> dict[str, Any]:
    begin, end = shown[0].start_ns / 1e9, (shown[-1].start_ns + circuit.span_ns) / 1e9
    time = alt.Scale(domain=[begin, end], nice=False)
    spans = [
        {
            "from": one.start_ns / 1e9,
            "to": (one.start_ns + circuit.span_ns) / 1e9,
            "middle": (one.start_ns + circuit.span_ns / 2) / 1e9,
            "class": str(one.label),
            "was": "right" if one.correct else "wrong",
        }
        for one in shown
    ]
    names = list(circuit.sizes)
    parts: list[alt.Chart | alt.LayerChart] = [_strip(spans, time)]
    for name in names:
        rows = raster_rows(circuit, name, shown)
        last = name == names[-1]
        parts.append(_population(circuit, name, rows, time=time, last=last))
    chart = alt.vconcat(*parts, spacing=6)
    return _spec(chart)


def _strip(spans: Rows, time: alt.Scale) -> alt.LayerChart:
    """Draw the frames above the populations."""
    colour = alt.Scale(domain=["right", "wrong"], range=["#b7dfc0", "#f2bcb5"])
    x = alt.X("from:Q", scale=time, axis=None)
    drawn = _chart(spans).mark_rect().encode(
        x=x, x2="to:Q", color=alt.Color("was:N", title=None, scale=colour), tooltip=["class:N"]
    )  # fmt: skip
    words = _chart(spans).mark_text(fontSize=10).encode(
        x=alt.X("middle:Q", scale=time, axis=None), text="class:N"
    )  # fmt: skip
    return alt.LayerChart(layer=[drawn, words], width=_WIDTH, height=16)


def _population(
    circuit: "Circuit", name: str, rows: Rows, *, time: alt.Scale, last: bool
) -> alt.Chart:
    size = circuit.sizes[name]
    axis = alt.Axis(title="virtual time / s") if last else alt.Axis(title=None, labels=False)
    high = _HIGH if size > 20 else _LOW
    spikes = f"{name} ({len(rows):,})"
    drawn: alt.Chart = _chart(rows).mark_tick(
        aria=False,
        color="#1f3b5c",
        height=max(2, min(6, high // size)),
        orient="vertical",
        thickness=1.5,
    ).encode(
        x=alt.X("t:Q", scale=time, axis=axis),
        y=alt.Y("n:Q", title=spikes, scale=alt.Scale(domain=[-1, size], nice=False)),
    )  # fmt: skip
    return drawn.properties(width=_WIDTH, height=high)


def weight_rows(wires: "Wires", *, bins: int = _BINS) -> Rows:
    """Return rows of bins of the weights at the start and at the end, over the same bins."""
    both = np.concatenate([wires.first, wires.last]).astype(np.float64)
    edges = np.histogram_bin_edges(both, bins) if both.size else np.array([0.0, 1.0])
    sides = [float(f"{edge:.5g}") for edge in edges.tolist()]
    rows: Rows = []
    for when, values in ((_FIRST, wires.first), (_LAST, wires.last)):
        counts = np.histogram(values.astype(np.float64), edges)[0].tolist()
        rows += [
            {"low": low, "high": high, "synapses": count, "when": when}
            for low, high, count in zip(sides, sides[1:], counts, strict=False)
        ]
    return rows


def _weights(all_wires: "Sequence[Wires]") -> dict[str, Any]:
    drawn = [_histogram(wires) for wires in all_wires]
    return _spec(alt.concat(*drawn, columns=2))


def _histogram(wires: "Wires") -> alt.LayerChart:
    rows = weight_rows(wires)
    colour = alt.Scale(domain=[_FIRST, _LAST], range=["#9aa5b1", "#d95f02"])
    x, y = alt.X("low:Q", title="weight", bin="binned"), alt.Y("synapses:Q")
    shared = {"x2": "high:Q", "color": alt.Color("when:N", title=None, scale=colour)}
    bars = _chart([row for row in rows if row["when"] == _FIRST]).mark_bar(opacity=0.6, aria=False)
    line = _chart([row for row in rows if row["when"] == _LAST]).mark_line(
        interpolate="step-after", strokeWidth=2
    )
    title = f"{wires.source} to {wires.target}: {wires.last.size:,} synapses"
    layers = [
        bars.encode(x=x, y=y, tooltip=["low:Q", "high:Q", "synapses:Q"], **shared),
        line.encode(x=alt.X("low:Q", title="weight"), y=y, color=shared["color"]),
    ]
    return alt.LayerChart(layer=layers, width=_WIDTH // 2 - 60, height=130, title=title)


def _chart(rows: Rows) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _spec(chart: Any) -> dict[str, Any]:  # noqa: ANN401 -- any compound of charts
    made: dict[str, Any] = chart.to_dict()
    del made["$schema"]  # the page says what language it is
    return made
