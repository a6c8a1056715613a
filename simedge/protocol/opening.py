"""From settings to machines: the one place that knows every protocol."""

from collections.abc import Sequence

from simedge.core.streams import Stream
from simedge.protocol.elal_device import ElalDevice
from simedge.protocol.elal_server import ElalServer
from simedge.protocol.fd_server import FdServer
from simedge.protocol.hub import House, Hub
from simedge.protocol.isolated import IsolatedDevice, IsolatedServer
from simedge.protocol.machine import Machine
from simedge.protocol.own import open_own_device, open_own_server
from simedge.protocol.own_settings import OwnProtocolSettings
from simedge.protocol.party import Seat
from simedge.protocol.peer_settings import FdSettings
from simedge.protocol.peers import open_peer
from simedge.protocol.policy import open_policy
from simedge.protocol.server_settings import ServerSettings
from simedge.protocol.serving import open_scheme, open_work
from simedge.protocol.settings import ElalSettings, IsolatedSettings, ProtocolSettings
from simedge.protocol.shape import Ground
from simedge.protocol.station import Station, Tools

__all__ = ["open_device", "open_server"]


def open_device(
    settings: ProtocolSettings | OwnProtocolSettings,
    ground: Ground,
    *,
    dev: int,
    layers: int,
    stream: Stream,
    neighbours: Sequence[int] = (),
) -> Machine:
    """Return the machine of a device.

    Parameters
    ----------
    settings
        The protocol's settings.
    ground
        What the machines of the run share.
    dev
        The device's number, from 1.
    layers
        Number of hidden plastic layers of its learner.
    stream
        Draws of its policy, or of what else it leaves to chance.
    neighbours
        Numbers of the devices that it may send to, ascending; for protocols without a server.

    Raises
    ------
    ProtocolError, OwnFaultError
        If the settings do not fit the ground or the learner, or a protocol of one's own fails.
    """
    if isinstance(settings, OwnProtocolSettings):
        return open_own_device(
            settings, ground, dev=dev, layers=layers, stream=stream, neighbours=neighbours
        )
    policy = open_policy(settings.policy, layers, classes=ground.classes, stream=stream)
    if isinstance(settings, ElalSettings):
        return ElalDevice(settings, ground, dev=dev, policy=policy)
    if isinstance(settings, IsolatedSettings):
        return IsolatedDevice(settings, policy)
    if isinstance(settings, ServerSettings):
        tools = Tools(ground, dev=dev)
        return Station(
            tools, open_work(settings, tools), policy=policy, hail_ns=settings.hail_period
        )
    seat = Seat(dev=dev, ground=ground, neighbours=tuple(neighbours), policy=policy, stream=stream)
    return open_peer(settings, seat)


def open_server(
    settings: ProtocolSettings | OwnProtocolSettings,
    ground: Ground,
    *,
    devices: int,
    stream: Stream | None = None,
) -> Machine:
    """Return the machine of the server, for device numbers 1 to `devices`.

    Parameters
    ----------
    settings, ground
        As for the devices.
    devices
        Greatest number of a device.
    stream
        Draws of what it leaves to chance, for protocols that do.

    Raises
    ------
    ProtocolError, OwnFaultError
        If the settings do not fit the ground, or a protocol of one's own fails.
    """
    if isinstance(settings, OwnProtocolSettings):
        return open_own_server(settings, ground, devices=devices, stream=stream)
    if isinstance(settings, ElalSettings):
        return ElalServer(settings, ground, devices=devices)
    if isinstance(settings, FdSettings):
        return FdServer(settings, ground, devices=devices)
    if isinstance(settings, ServerSettings):
        house = House(ground, devices=devices)
        return Hub(house, open_scheme(settings, house, stream))
    return IsolatedServer()
