"""Learners on spikes whose layers learn, each by itself, when a presentation is over."""

__all__: list[str] = []
