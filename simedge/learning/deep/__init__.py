"""Reference learners that need torch (an extra)."""

__all__: list[str] = []
