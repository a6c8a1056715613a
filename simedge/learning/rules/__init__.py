"""Learning rules, one file each."""

__all__: list[str] = []
