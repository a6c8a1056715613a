"""Tasks of a learner that nobody tells of tasks: so many presentations each.

The readout's change of a presentation, whatever it is made of (label, prior, anchor), is projected
when it is committed. Parameters that are handed over as a whole are taken as they are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Streams
from simedge.learning.continual.code_cl import CodeLayer
from simedge.learning.continual.costs import WORD_BYTES
from simedge.learning.continual.settings import CodeSettings, LanceSettings
from simedge.learning.continual.subspaces import LanceLayer
from simedge.learning.errors import LearnerError

__all__ = ["Keeper"]

Reals = NDArray[np.float32]


class Keeper:
    """What a readout keeps of its tasks; one head for all, so no task has dimensions of its own.

    Parameters
    ----------
    settings
        How, and how long a task is.
    features
        d of the readout.
    """

    def __init__(self, settings: CodeSettings | LanceSettings, features: int) -> None:
        # Without free dimensions nothing is drawn from it.
        stream = Streams(0).stream("learner", "continual", "free")
        self._settings = settings
        self._layer: CodeLayer | LanceLayer
        if isinstance(settings, CodeSettings):
            self._layer = CodeLayer(features, settings.model_copy(update={"free": 0}), stream)
        else:
            self._layer = LanceLayer(features, settings)
        self._layer.begin()
        self._recent = np.zeros((min(settings.shown, settings.task), features), np.float32)
        self._count = 0

    @property
    def settled(self) -> bool:
        """Whether a task is over: from then on features have to mean what they meant."""
        return self._count >= self._settings.task

    def changed(self, before: Reals, after: Reals) -> Reals:
        """Return the weights (classes, features) after a change, as far as it may be made."""
        if not self.settled:
            return after
        return np.asarray(before + self._layer.project((after - before).astype(np.float64)), "f4")

    def note(self, features: Reals) -> None:
        """Remember what was learned from; where a task is over, begin the next."""
        at = self._count % self._settings.task
        self._recent[at % len(self._recent)] = features
        self._count += 1
        if at + 1 == self._settings.task:
            self._layer.finish(self._recent.astype(np.float64))
            self._layer.begin()
        elif at + 1 == len(self._recent) and isinstance(self._layer, LanceLayer):
            self._layer.narrow(self._recent.astype(np.float64))

    def macs(self, classes: int) -> int:
        """Return the work of the next projection; what the end of a task costs is not in it."""
        return self._layer.project_macs(classes) if self.settled else 0

    @property
    def bytes(self) -> int:
        """Bytes that it may come to need, at 4 a number: C, or P and U; and what is recent."""
        features = self._recent.shape[1]
        return WORD_BYTES * (features**2 + self._recent.size)

    def dump(self) -> dict[str, Any]:
        """Return all that is kept, as arrays and numbers; copies."""
        return {
            "layer": self._layer.dump(),
            "recent": self._recent.copy(),
            "count": self._count,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal learner."""
        if np.shape(state["recent"]) != self._recent.shape:
            raise LearnerError("a dump of another learner: recent features have another shape")
        self._layer.load(state["layer"])
        self._recent[:], self._count = state["recent"], state["count"]
