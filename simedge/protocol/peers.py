"""From settings to the machines of protocols without a server, and of distillation by class."""

from dataclasses import replace

from simedge.protocol.aedfl import AedflPeer
from simedge.protocol.draco import DracoPeer
from simedge.protocol.fd_device import FdDevice
from simedge.protocol.gossip import GossipPeer
from simedge.protocol.machine import Machine
from simedge.protocol.party import Seat
from simedge.protocol.peer_settings import (
    AedflSettings,
    DracoSettings,
    FdSettings,
    PeerSettings,
)

__all__ = ["open_peer"]

_SERVER = 0


def open_peer(settings: PeerSettings, seat: Seat) -> Machine:
    """Return the machine of a device.

    Raises
    ------
    ProtocolError
        If the settings do not fit the ground.
    """
    if isinstance(settings, FdSettings):
        return FdDevice(settings, replace(seat, neighbours=(_SERVER,)))
    if isinstance(settings, DracoSettings):
        return DracoPeer(settings, seat)
    if isinstance(settings, AedflSettings):
        return AedflPeer(settings, seat)
    return GossipPeer(settings, seat)
