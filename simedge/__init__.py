"""Simulate many small devices that learn on their own over links that lose things."""

__all__ = ["__version__"]

__version__ = "0.1.0"
