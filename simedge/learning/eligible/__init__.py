"""Learners on spikes whose synapses remember: S-TLLR and TESS behind the port of devices."""

__all__: list[str] = []
