"""Circuits of a run in figures: who fired how often, and what became of the weights."""

from typing import TYPE_CHECKING, Any

import numpy as np

from simedge.study.report.tables import Table
from simedge.study.report.written import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simedge.run.raster import Circuit

__all__ = ["circuit_facts", "firing", "weights"]


def circuit_facts(circuit: "Circuit") -> dict[str, Any]:
    """Return the figures of one circuit: spikes of populations, weights of projections."""
    shown_s = len(circuit.shown) * circuit.span_ns / 1e9
    populations = []
    for name, size in circuit.sizes.items():
        spikes = sum(one.spikes[name][0].size for one in circuit.shown)
        rate = spikes / (size * shown_s) if size and shown_s else None
        facts = {"population": name, "neurons": size, "spikes": spikes, "rate_hz": rate}
        populations.append(facts)
    return {
        "device": circuit.device,
        "presentations": len(circuit.shown),
        "right": sum(one.correct for one in circuit.shown),
        "left_out": circuit.left_out,
        "populations": populations,
        "projections": [
            {
                "source": wires.source,
                "target": wires.target,
                "synapses": wires.last.size,
                "changed": int(np.count_nonzero(wires.first != wires.last)),
                "mean_first": _mean(wires.first),
                "mean_last": _mean(wires.last),
                "deviation_first": _deviation(wires.first),
                "deviation_last": _deviation(wires.last),
            }
            for wires in circuit.wires
        ],
    }


def _mean(values: Any) -> float | None:  # noqa: ANN401 -- an array of any float
    return float(np.mean(values, dtype=np.float64)) if values.size else None


def _deviation(values: Any) -> float | None:  # noqa: ANN401
    return float(np.std(values, dtype=np.float64)) if values.size else None


def firing(circuits: "Sequence[Circuit]") -> Table:
    """Return a row a population."""
    head = ("device", "population", "neurons", "frames", "right", "spikes", "rate")
    rows = []
    for circuit in circuits:
        facts = circuit_facts(circuit)
        frames, right = figure(facts["presentations"]), figure(facts["right"])
        for one in facts["populations"]:
            counts = figure(one["neurons"]), frames, right, figure(one["spikes"])
            name = one["population"]
            rows.append((circuit.device, name, *counts, figure(one["rate_hz"], "Hz")))
    return Table(head=head, rows=tuple(rows), left=2)


def weights(circuits: "Sequence[Circuit]") -> Table:
    """Return a row a projection."""
    names = ("mean_first", "deviation_first", "mean_last", "deviation_last")
    before, after = ("mean at first", "deviation at first"), ("mean at last", "deviation at last")
    head = ("device", "from", "to", "synapses", "changed", *before, *after)
    rows = tuple(
        (
            circuit.device,
            one["source"],
            one["target"],
            figure(one["synapses"]),
            figure(one["changed"]),
            *(figure(one[name]) for name in names),
        )
        for circuit in circuits
        for one in circuit_facts(circuit)["projections"]
    )
    return Table(head=head, rows=rows, left=3)
