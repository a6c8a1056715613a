"""Settings of learners and rules of one's own. No numpy here: they are read before a run."""

from simedge.core.own_settings import OwnSettings

__all__ = ["OwnLearnerSettings", "OwnRuleSettings"]


class OwnLearnerSettings(OwnSettings):
    """A learner of one's own: a subclass of `simedge.OwnLearner`."""


class OwnRuleSettings(OwnSettings):
    """A rule of one's own for the synapses of a layer: a subclass of `simedge.OwnRule`."""
