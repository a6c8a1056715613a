"""What a protocol needs of the world beyond messages: parameters, a learner at the server, news."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple, get_args

from simedge.protocol.own_settings import OwnProtocolSettings
from simedge.protocol.peer_settings import AedflSettings
from simedge.protocol.settings import ProtocolSettings

__all__ = ["Needs", "caveat_of", "needs_of", "predicts_at_server", "reported_name"]


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
    copies: int = 0
    """Most models of its size that a device holds beside its own, of others or on their way."""
    model: bool = True
    """A model on each device."""


# The model received, and a newer one that waits or what is sent back.
_SERVED: Final = Needs(parameters=True, server_learner=True, news=True, copies=2)
_PEERS: Final = Needs(parameters=True, peers=True, news=True, copies=2)
_GOSSIP_WAITING: Final = 32
_PULLED: Final = 3
_NEEDS: Final[Mapping[str, Needs]] = MappingProxyType(
    {
        "elal": Needs(),
        "isolated": Needs(),
        "fd": Needs(classes=True, news=True),
        # Models that came wait until the learner's own is read.
        "gossip": _PEERS._replace(copies=2 + _GOSSIP_WAITING),
        "aedfl": _PEERS._replace(sets_aside=True),
        # Own progress, what goes out, the sum of what came; one received and one sent.
        "draco": _PEERS._replace(copies=5),
    }
)


def needs_of(protocol: ProtocolSettings | OwnProtocolSettings) -> Needs:
    """Return what a protocol needs: of those with a server, unless they say otherwise, a model."""
    if isinstance(protocol, OwnProtocolSettings):
        said = protocol.needs()
        return Needs(news=True, copies=2 * ("parameters" in said), **dict.fromkeys(said, True))
    if getattr(protocol, "x_mode", None) == "class":
        return Needs(classes=True)
    needs = _NEEDS.get(protocol.kind, _SERVED)
    if predicts_at_server(protocol):
        return needs._replace(copies=0, model=False)
    if isinstance(protocol, AedflSettings):
        # Those pulled; one's own as read, as merged and as published.
        return needs._replace(copies=_PULLED + protocol.pulls)
    return needs


def predicts_at_server(protocol: ProtocolSettings | OwnProtocolSettings) -> bool:
    """Whether devices have no model of their own: they send what they see and are told."""
    raw = getattr(protocol, "mode", None) == "raw"
    return raw and getattr(protocol, "serve", None) == "server"


def reported_name(kind: str) -> str:
    """Return the name that results give a kind of protocol; of one not known, the kind.

    >>> reported_name("centralised"), reported_name("elal")
    ('central_bp', 'elal')
    """
    return str(getattr(_kinds().get(kind), "reported_as", kind))


def caveat_of(kind: str) -> str | None:
    """Return what is to be said wherever results of a kind of protocol stand, if anything."""
    return getattr(_kinds().get(kind), "caveat", None)


@cache
def _kinds() -> Mapping[str, type]:
    union, _ = get_args(ProtocolSettings)
    return {each.model_fields["kind"].default: each for each in get_args(union)}
