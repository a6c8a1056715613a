"""Virtual time on SimPy: schedule a record, dispatch it, list and hash the future."""

__all__: list[str] = []
