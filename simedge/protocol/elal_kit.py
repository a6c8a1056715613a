"""What the parts of a device of edge-localised asynchronous learning share."""

from typing import Final, cast

from simedge.protocol.bookkeeping import Calls, Refusals, Timers
from simedge.protocol.feedback import Feedback
from simedge.protocol.joining import Joining
from simedge.protocol.machine import Plain
from simedge.protocol.post import Post
from simedge.protocol.prior_store import PriorStore
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground
from simedge.protocol.wire import X_MODES, Join

__all__ = ["SERVER", "Kit"]

SERVER: Final = 0


class Kit:
    """The books of one device.

    Parameters
    ----------
    settings, ground
        What the machines of the run share.
    dev
        The device's number, from 1.
    """

    def __init__(self, settings: ElalSettings, ground: Ground, *, dev: int) -> None:
        self.settings = settings
        self.ground = ground
        self.dev = dev
        self.shape = settings.shape(classes=ground.classes, blocks=ground.blocks, rows=ground.rows)
        self.age_ns_max = settings.age_max_ns(ground)
        self.refusals = Refusals()
        self.calls = Calls()
        self.forget()

    @property
    def ready(self) -> bool:
        """Whether it makes sense to send."""
        return self.joining.joined and self.link_up

    def forget(self) -> None:
        """Be as new, but for the observer's counters and the numbers of calls."""
        self.post = Post(self.dev)
        self.timers = Timers()
        self.feedback = Feedback()
        self.priors = PriorStore(self.shape)
        self.joining = Joining(
            self.post, self.timers, feedback=self.feedback, refusals=self.refusals
        )
        self.link_up = True
        self.has_set = self.settings.delivery == "preinstalled"
        """Whether the device has what it is to pass."""

    def restart(self) -> None:
        """Jobs, timers and what was on its way are gone, whatever else is left."""
        self.calls.clear()
        self.timers.clear()
        self.feedback.restart()
        self.link_up = True

    def join(self) -> bytes:
        """Return what a join says of the device as it is."""
        ground = self.ground
        join = Join(
            pset=ground.pset,
            classes=ground.classes,
            rows=ground.rows,
            blocks=ground.blocks,
            wants_proxy=not self.has_set,
            x_mode=X_MODES[self.settings.x_mode],
            part_level=self.settings.part_level,
        )
        return join.pack()

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "calls": self.calls.dump(),
            "counters": dict(self.refusals.counters),
            "post": self.post.dump(),
            "timers": self.timers.dump(),
            "feedback": self.feedback.dump(),
            "joining": self.joining.dump(),
            "priors": self.priors.dump(),
            "link_up": self.link_up,
            "has_set": self.has_set,
        }

    def load(self, state: Plain) -> None:
        """Take over a state that ``dump`` returned."""
        self.calls.load(state["calls"])
        self.refusals.counters.clear()
        self.refusals.counters.update(cast("dict[str, int]", state["counters"]))
        self.remember(state)

    def remember(self, state: Plain) -> None:
        """Take over what a crash can leave behind."""
        self.post.load(state["post"])
        self.timers.load(state["timers"])
        self.feedback.load(state["feedback"])
        self.joining.load(state["joining"])
        self.priors.load(state["priors"])
        self.link_up = cast("bool", state["link_up"])
        self.has_set = cast("bool", state["has_set"])
