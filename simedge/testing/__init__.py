"""Hypothesis strategies and invariants for users (rooms to come)."""

__all__: list[str] = []
