"""Devices and links: topology, loss, queues, routes, compute, memory, energy, faults.

Everything here is pure: given a record and `now`, an object returns what is to be scheduled and
what happened. Start at `plan`, then `network`, `links`, `device`; `settings` is the schema.
"""

__all__: list[str] = []
