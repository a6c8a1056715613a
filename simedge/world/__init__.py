"""Devices and links: topology, loss, queues, routes, compute, memory, energy, faults."""

__all__: list[str] = []
