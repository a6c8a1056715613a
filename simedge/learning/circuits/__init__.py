"""Learners made of recurrent spiking layers that are taught by a broadcast of a few numbers."""

__all__: list[str] = []
