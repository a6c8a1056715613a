"""Links as they are written: figures, queues, retries, and the profiles that fill the gaps."""

from typing import Annotated, Literal

from pydantic import Field

from simedge.core.quantities import Duration, Rate, Settings, Share, Size
from simedge.world.jitter_settings import JitterSettings
from simedge.world.loss_settings import LossSettings
from simedge.world.names import Name
from simedge.world.transfer_settings import TransferSettings

__all__ = [
    "ArqSettings",
    "LinkOverride",
    "LinkSettings",
    "LinksSettings",
    "ProfileName",
    "QueueSettings",
    "TraceSettings",
]

ProfileName = Literal[
    "ethernet",
    "wifi",
    "wifi-air",
    "lte",
    "5g",
    "starlink",
    "ble",
    "lora-sf7",
    "lora-sf8",
    "lora-sf9",
    "lora-sf10",
    "lora-sf11",
    "lora-sf12",
]


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class QueueSettings(Settings):
    """Limits of a link's queue; the datagram in service is not counted."""

    datagrams: int = Field(default=100, ge=0)
    """Greatest number."""
    bytes: Size = 150_000
    """Greatest sum of their bytes on the wire."""


class ArqSettings(Settings):
    """Retries on one hop: they hold the link back to back."""

    retries: int = Field(default=0, ge=0, le=1_000)
    """Tries after the first."""
    gap: Duration = 0
    """Pause before a retry."""


class TraceSettings(Settings):
    """A recorded network: its capacity, and what else the file holds."""

    file: str = Field(min_length=1)
    """Path of the recording, inside the scenario's own folder, or the name of one that comes with
    the package."""
    sha256: Sha256 | None = None
    """Of the recording: another content is refused. With it the path may lead anywhere."""
    repeat: Literal["wrap", "hold", "stop"] = "wrap"
    """After its end: from the start again, the last row for ever, or nothing."""
    phase: Annotated[Literal["random"] | Duration, Field(union_mode="left_to_right")] = 0
    """Where in the recording the run starts; `random`: each device by a draw of its own."""
    direction: Literal["both", "up", "down"] = "both"
    """Which direction it drives; the other one keeps its rate."""
    down: str | None = Field(default=None, min_length=1)
    """Path of a recording of its own for the direction from the server."""
    down_sha256: Sha256 | None = None
    """Of that one."""
    mode: Literal["time", "uid"] = "time"
    """What it gives: figures as functions of time, or the fate of each recorded message."""


class LinkSettings(Settings):
    """A link's figures. What is not given comes from the profile."""

    profile: ProfileName | None = None
    """Kind of network; without one, that of the default, and there `ethernet`."""
    up: Rate | None = Field(default=None, gt=0)
    """Rate towards the server, and both ways between devices."""
    down: Rate | None = Field(default=None, gt=0)
    """Rate from the server."""
    delay: Duration | None = None
    """Propagation, one way."""
    jitter: JitterSettings | None = None
    """Added to the delay."""
    loss: LossSettings | None = None
    """What is lost, each direction by itself."""
    queue: QueueSettings | None = None
    """Limits of the queue."""
    queue_on_down: Literal["keep", "flush"] | None = None
    """What becomes of the queue when the link goes down."""
    order: Literal["fifo", "free"] | None = None
    """`fifo`: no datagram overtakes another; `free`: jitter may reorder."""
    mtu: Size | None = Field(default=None, gt=0)
    """Largest datagram on the wire; larger ones are lost, or cut where `fragment` says so."""
    fragment: bool | None = None
    """Whether a datagram above the MTU is cut; it is lost if one fragment is."""
    header: Size | None = Field(default=None, ge=0)
    """Bytes of each fragment that are its header, 20 by default."""
    ip: bool | None = None
    """Whether the payload of a fragment is a multiple of 8 bytes, as IPv4 has it; it is."""
    reassembly: Duration | None = Field(default=None, gt=0)
    """From the first fragment until all must have arrived, 2 s by default."""
    duty: Annotated[Share, Field(gt=0)] | None = None
    """Share of time that the sender of this link may be on the air: each use is followed by a
    pause."""
    arq: ArqSettings | None = None
    """Retries on this hop."""
    duplicate: Share | None = None
    """Share of the datagrams that got through which arrive twice."""
    corrupt: Share | None = None
    """Share of the datagrams that got through in which one bit is flipped."""
    trace: TraceSettings | None = None
    """A recorded network drives the link."""
    medium: Name | None = None
    """Name of the air that it shares with all links of this medium; none by default."""


class LinkOverride(LinkSettings):
    """Figures for the links that have a listed device at either end."""

    devices: tuple[Name, ...] = Field(min_length=1)
    """Groups (`cam`) or devices (`cam-1`)."""


class LinksSettings(TransferSettings):
    """All links: a default, and overrides, of which later ones win."""

    default: LinkSettings = LinkSettings()
    """For every link."""
    overrides: tuple[LinkOverride, ...] = ()
    """One that names a profile starts from that profile, else from what was there before."""
