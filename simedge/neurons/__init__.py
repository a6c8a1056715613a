"""Event-driven spiking circuits: lazy neurons, traces, inhibition, native kernels.

A *column* is one position of a convolution layer: the maps that look at the same patch. Columns
are the unit of work: an arriving spike touches whole columns, whose potentials decay lazily, and
the neurons of a column inhibit each other.
"""

__all__: list[str] = []
