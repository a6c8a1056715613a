"""How a device learns: learners, readouts, modulation."""

__all__: list[str] = []
