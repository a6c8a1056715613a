"""Settings of a learner of one's own. No numpy here: settings are read before anything runs."""

from simedge.core.own_settings import OwnSettings

__all__ = ["OwnLearnerSettings"]


class OwnLearnerSettings(OwnSettings):
    """A learner of one's own: a subclass of `simedge.OwnLearner`."""
