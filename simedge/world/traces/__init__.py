"""Recorded networks: read, measured, written, and turned into what links follow."""

__all__: list[str] = []
