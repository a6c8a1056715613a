"""Whole data sets in their official layouts, as arrays of frames and labels."""

__all__: list[str] = []
