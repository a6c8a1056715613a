"""Event-driven spiking circuits: lazy neurons, traces, inhibition, native kernels."""

__all__: list[str] = []
