"""The picture of a topology: where devices stand, which links join them, what those did."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from simedge.core.streams import Streams
from simedge.study.report.runs import Run
from simedge.world.loss import mean_loss
from simedge.world.plan import link_models
from simedge.world.topology import Member, edges, roster
from simedge.world.topology_settings import TiersSettings

__all__ = ["LinkFacts", "Spot", "links_of", "spots_of"]

_GATEWAYS_AT = 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A device or the server in the picture; x and y in [-1, 1]."""

    name: str
    group: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """One direction of an edge: what was set, and what was counted if there is an event log.

    Parameters
    ----------
    rate_bps
        As set; a recording may say otherwise over time.
    loss
        Share of datagrams lost in the long run, as set.
    sent, lost, wire_bits
        Counted; None without an event log. Queue drops and dead links count as lost.
    """

    name: str
    source: str
    destination: str
    profile: str
    rate_bps: int
    delay_ns: int
    loss: float
    sent: int | None
    lost: int | None
    wire_bits: int | None

    @property
    def lost_share(self) -> float | None:
        """Share of datagrams lost, as counted."""
        return self.lost / self.sent if self.sent and self.lost is not None else None


def links_of(run: Run) -> list[LinkFacts]:
    """Return both directions of every edge, by the numbers of their ends."""
    scenario, history = run.scenario, run.history
    members = roster(scenario.devices)
    pairs = edges(scenario.topology, members, Streams(scenario.seed))
    models = link_models(scenario.links, members, pairs)
    found = []
    for (u, v), model in sorted(models.items(), key=lambda item: item[0]):
        name = f"{members[u].name}.{members[v].name}"
        found.append(
            LinkFacts(
                name=name,
                source=members[u].name,
                destination=members[v].name,
                profile=model.profile,
                rate_bps=model.rate_bps,
                delay_ns=model.delay_ns,
                loss=float(mean_loss(model.loss)),
                sent=None if history is None else history.sent[name],
                lost=None if history is None else history.lost[name],
                wire_bits=None if history is None else history.wire_bits[name],
            )
        )
    return found


def spots_of(run: Run) -> list[Spot]:
    """Place the server in the middle, devices on a circle, gateways on a smaller one."""
    topology = run.scenario.topology
    members = roster(run.scenario.devices)
    inner = topology.gateways if isinstance(topology, TiersSettings) else ()
    near = [member for member in members[1:] if member.group in inner]
    far = [member for member in members[1:] if member.group not in inner]
    server = Spot(name=members[0].name, group=members[0].group, x=0.0, y=0.0)
    return [server, *_circle(near, _GATEWAYS_AT), *_circle(far, 1.0)]


def _circle(members: Iterable[Member], radius: float) -> list[Spot]:
    listed = list(members)
    turns = [2 * math.pi * place / len(listed) for place in range(len(listed))]
    return [
        Spot(
            name=member.name,
            group=member.group,
            x=round(radius * math.sin(turn), 6),
            y=round(radius * math.cos(turn), 6),
        )
        for member, turn in zip(listed, turns, strict=True)
    ]
