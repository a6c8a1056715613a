"""Learning rules on deep networks, a batch at a time, for comparison: an extra, needs torch."""

__all__: list[str] = []
