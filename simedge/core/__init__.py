"""Units, named random streams, ids, records and the one error root."""

__all__: list[str] = []
