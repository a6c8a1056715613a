"""Closed forms: what theory says of links, queues, transfers and devices, against our objects."""

__all__: list[str] = []
