"""Recurrent spiking circuits, driven by events: sparse wiring, lazy neurons, learning synapses.

Populations of neurons are joined by projections, each with a delay of whole device ticks. What
happens at one tick is one *volley*; between volleys nothing runs. All volleys up to a horizon are
played in one native call, or one a call, with the same result bit by bit.
"""

__all__: list[str] = []
