"""A circuit in pictures: who fired when, and what STDP made of the weights.

Twenty input lines fire one after the other, round and round; thirty neurons hear a few of them each
and one another. Three SVG files are written beside each other (`pip install 'simedge[report]'`).
"""

from pathlib import Path

import numpy as np

from simedge.core.streams import Streams
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import PairRule, Population, Projection
from simedge.neurons.recurrent.wiring import fixed_fan_out, uniform_weights
from simedge.study.circuit_charts import matrix_chart, raster_chart, weight_chart

LINES, NEURONS, TICKS, TICK_NS = 20, 30, 600, 1_000_000

streams = Streams(1)
heard = fixed_fan_out(
    streams.stream("wiring", "cells", "heard"), 12, sources=LINES, targets=NEURONS
)
among = fixed_fan_out(
    streams.stream("wiring", "cells", "among"), 3, sources=NEURONS, targets=NEURONS, autapses=False
)
rule = PairRule(at_pre=-0.012, at_post=0.02, pre_factor=0.8, post_factor=0.8)
circuit = RecurrentCircuit(
    LINES,
    {"cells": Population(size=NEURONS, gamma=0.9)},
    projections=[
        Projection(
            source="inputs",
            target="cells",
            synapses=heard,
            weights=uniform_weights(
                streams.stream("wiring", "cells", "weights"), heard, 0.1, high=0.4
            ),
            delay=0,
            rule=rule,
        ),
        Projection(
            source="cells", target="cells", synapses=among, weights=np.full(among.count, 0.1)
        ),
    ],
)
before = circuit.weights(0).copy()
ticks = np.arange(TICKS)
circuit.feed(ticks, ticks % LINES)
circuit.run(TICKS)

fired, neurons = circuit.spikes("cells")
print(f"{fired.size} spikes of {np.unique(neurons).size} neurons")
grown, fallen = (circuit.weights(0) > before).sum(), (circuit.weights(0) < before).sum()
print(f"{grown} weights have grown, {fallen} have fallen, of {heard.count}")

raster_chart(circuit, ["inputs", "cells"], tick_ns=TICK_NS).save("raster.svg")
weight_chart(circuit, 0).save("weights.svg")
matrix_chart(circuit, 0).save("matrix.svg")
print("drawn:", *sorted(path.name for path in Path().glob("*.svg")))
