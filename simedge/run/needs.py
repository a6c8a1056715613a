"""What a protocol needs of the world beyond messages: parameters, a learner at the server, news."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from simedge.protocol.settings import ProtocolSettings

__all__ = ["Needs", "needs_of", "predicts_at_server", "reported_name"]


class Needs(NamedTuple):
    """What a kind of protocol needs."""

    parameters: bool = False
    """Learners whose parameters can travel."""
    classes: bool = False
    """Learners that tell what they say of each class, and can be pulled there."""
    server_learner: bool = False
    """A learner at the server."""
    peers: bool = False
    """Links between devices; no server."""
    sets_aside: bool = False
    """Frames that are never learned."""
    news: bool = False
    """Word of ways that are lost, and back."""


_SERVED: Final = Needs(parameters=True, server_learner=True, news=True)
_PEERS: Final = Needs(parameters=True, peers=True, news=True)
_NEEDS: Final[Mapping[str, Needs]] = MappingProxyType(
    {
        "elal": Needs(),
        "isolated": Needs(),
        "fd": Needs(classes=True, news=True),
        "gossip": _PEERS,
        "aedfl": _PEERS._replace(sets_aside=True),
        "draco": _PEERS,
    }
)


def needs_of(protocol: ProtocolSettings) -> Needs:
    """Return what a protocol needs: of those with a server, unless they say otherwise, a model."""
    if getattr(protocol, "x_mode", None) == "class":
        return Needs(classes=True)
    return _NEEDS.get(protocol.kind, _SERVED)


def predicts_at_server(protocol: ProtocolSettings) -> bool:
    """Whether devices have no model of their own: they send what they see and are told."""
    raw = getattr(protocol, "mode", None) == "raw"
    return raw and getattr(protocol, "serve", None) == "server"


def reported_name(protocol: ProtocolSettings) -> str:
    """Return the name of a protocol in results."""
    return str(getattr(protocol, "reported_as", protocol.kind))
