"""One run: scenario, build, drive, run directory."""

__all__: list[str] = []
