"""From the settings of a protocol with a server to a device's work and the server's scheme."""

from simedge.core.streams import Stream
from simedge.protocol.errors import ProtocolError
from simedge.protocol.fedasync import FedAsync
from simedge.protocol.fedbuff import FedBuff
from simedge.protocol.hub import House, Scheme
from simedge.protocol.params import Code, check_size
from simedge.protocol.raw_frames import FrameSender, FrameSteps
from simedge.protocol.rounds import RoundPlan, Rounds
from simedge.protocol.server_settings import (
    CentralSettings,
    FedAsyncSettings,
    FedAvgSettings,
    FedBuffSettings,
    ServerSettings,
)
from simedge.protocol.shape import Ground
from simedge.protocol.station import Tools, Work
from simedge.protocol.trainee import Duty, Trainee

__all__ = ["open_scheme", "open_work"]


def open_work(settings: ServerSettings, tools: Tools) -> Work:
    """Return what a device does for the server."""
    if isinstance(settings, CentralSettings) and settings.mode == "raw":
        return FrameSender(tools, uploads_max=settings.uploads_max)
    return Trainee(tools, _duty(settings))


def open_scheme(settings: ServerSettings, house: House, stream: Stream | None) -> Scheme:
    """Return what the server makes of what devices send.

    Raises
    ------
    ProtocolError
        If the ground does not say how large models are, or draws are needed and not given.
    """
    check_size(house.ground)
    if isinstance(settings, FedAsyncSettings):
        return FedAsync(house, settings)
    if isinstance(settings, FedBuffSettings):
        return FedBuff(house, settings)
    if isinstance(settings, CentralSettings) and settings.mode == "raw":
        return FrameSteps(house, settings)
    if stream is None:
        raise ProtocolError(f"{settings.kind} needs a stream to draw devices from")
    devices = house.ground.devices or house.devices
    if isinstance(settings, FedAvgSettings):
        return Rounds(house, _averages(settings, house.ground, devices), stream)
    return Rounds(house, _gradients(settings, house.ground, devices), stream)


def _duty(settings: ServerSettings) -> Duty:
    match settings:
        case CentralSettings():
            return Duty(sends=Code.GRADIENT, frames=settings.work)
        case FedAvgSettings():
            return Duty(sends=Code.MODEL, frames=settings.work)
        case FedAsyncSettings():
            return Duty(sends=Code.MODEL, frames=settings.work, rho=settings.rho)
        case _:
            return Duty(sends=Code.DELTA, frames=settings.work)


def _averages(settings: FedAvgSettings, ground: Ground, devices: int) -> RoundPlan:
    chosen = settings.chosen(devices)
    due_ns = settings.work * ground.frame_ns
    return RoundPlan(
        sends=Code.MODEL,
        chosen=chosen,
        least=settings.m_min or -(-chosen // 2),
        gather_ns=settings.gather,
        wait_ns=due_ns + settings.deadline if settings.wait == "deadline" else None,
    )


def _gradients(settings: CentralSettings, ground: Ground, devices: int) -> RoundPlan:
    return RoundPlan(
        sends=Code.GRADIENT,
        chosen=devices,
        least=1,
        gather_ns=settings.gather,
        wait_ns=settings.step_deadline,
        learning_rate=settings.learning_rate or ground.learning_rate,
    )
