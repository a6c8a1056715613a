"""The scenario as a model: the rooms' settings put together, and what belongs to the run itself."""

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from simedge.core.own_code import is_own
from simedge.core.quantities import Duration, Settings, Share
from simedge.learning.own_settings import OwnLearnerSettings
from simedge.learning.settings import LearnerSettings
from simedge.protocol.own_settings import OwnProtocolSettings
from simedge.protocol.settings import ProtocolSettings
from simedge.sensors.settings import SensorSettings
from simedge.world.settings import (
    DeviceSettings,
    FaultSettings,
    LinksSettings,
    ServerSettings,
    StarSettings,
    TopologySettings,
)

__all__ = [
    "CheckpointSettings",
    "EvaluateSettings",
    "KernelSettings",
    "RasterSettings",
    "RecordSettings",
    "ScenarioSettings",
]


def _whose(block: object) -> str:
    """Tell whether a kind is one of those that come with the package, or the user's own."""
    kind = block.get("kind") if isinstance(block, dict) else getattr(block, "kind", None)
    return "by-file" if is_own(kind) else "by-name"


_Learner = Annotated[
    Annotated[LearnerSettings, Tag("by-name")] | Annotated[OwnLearnerSettings, Tag("by-file")],
    Discriminator(_whose),
]
_Protocol = Annotated[
    Annotated[ProtocolSettings, Tag("by-name")] | Annotated[OwnProtocolSettings, Tag("by-file")],
    Discriminator(_whose),
]


class EvaluateSettings(Settings):
    """Held-out evaluation: an observer that takes no virtual time, energy, draw or state."""

    every: Annotated[Duration, Field(gt=0)] = 10_000_000_000
    """Period, from time 0 on; also 1 ns before each shift."""
    items: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Length of the one class-balanced list that all devices are shown."""


class RasterSettings(Settings):
    """Whose spikes are kept, and when; weights are kept as they are at the start and at the end."""

    devices: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    """Names of devices."""
    at: Duration = 0
    """From when on: presentations that start then."""
    for_: Annotated[Duration, Field(gt=0)] = Field(default=2_000_000_000, alias="for")
    """For how long."""


class RecordSettings(Settings):
    """What is kept of a run."""

    events: bool = True
    """Whether the event log is written; its hash is taken either way."""
    raster: RasterSettings | None = None
    """Spikes and weights of some recurrent circuits, to be drawn by a report."""


class KernelSettings(Settings):
    """How the kernel steps."""

    volleys: Literal["fused", "stepped"] = "fused"
    """`stepped`: every volley is an event of its own, with the same results."""


class CheckpointSettings(Settings):
    """What an interrupted run goes on from; its results are the same with and without."""

    every: Annotated[Duration, Field(gt=0)] | None = None
    """Virtual time between two checkpoints in the run directory; null: none are written."""


class ScenarioSettings(Settings):
    """A scenario: who learns what from what, over which links, and what goes wrong."""

    simedge: Literal[1]
    """Version of this format."""
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    """Short name: run directories carry it."""
    about: Annotated[str, Field(max_length=500)] = ""
    """What the scenario shows, in a sentence."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Names the history: equal scenario and seed, equal run."""
    duration: Annotated[Duration, Field(gt=0)]
    """Virtual time."""
    sensors: SensorSettings
    """What devices see."""
    devices: Annotated[tuple[DeviceSettings, ...], Field(min_length=1)]
    """Groups of equal devices."""
    server: ServerSettings = ServerSettings()
    """The aggregator."""
    topology: TopologySettings = StarSettings()
    """Who has a link to whom."""
    links: LinksSettings = LinksSettings()
    """How good the links are."""
    learner: _Learner
    """How a device learns."""
    protocol: _Protocol
    """What is said."""
    faults: tuple[FaultSettings, ...] = ()
    """What goes wrong, and when."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """When accuracy is measured, and on how much."""
    target: Share | None = Fraction(4, 5)
    """Accuracy whose price in bits is reported."""
    record: RecordSettings = RecordSettings()
    """What is kept."""
    checkpoint: CheckpointSettings = CheckpointSettings()
    """When the state of a run is written down, so that it can be resumed."""
    kernel: KernelSettings = KernelSettings()
    """How the kernel steps."""
