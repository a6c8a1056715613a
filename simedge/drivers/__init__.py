"""Who turns the crank: machines in virtual time."""

__all__: list[str] = []
