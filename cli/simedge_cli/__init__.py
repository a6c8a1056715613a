"""The command line: the only place with typer and rich."""

__all__: list[str] = []
