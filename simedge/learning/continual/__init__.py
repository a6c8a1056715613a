"""Learning one task after another: what protects what was learned before."""

__all__: list[str] = []
