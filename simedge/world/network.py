"""The network: every link and route behind one door, as a pure object.

What a driver needs::

    step = network.send(datagram, source, now)  # first hop; path[-1] is the receiver
    step = network.handle(due.target, due.kind, due.payload, now=due.at)  # "served", "edges-*"
    datagram, step = network.arrive(flight, now)  # at kind "arrive": here, or passed on
    step = network.device_down(number, now)  # crash: links, routes, holds; device_up: restart
    step = network.sever(link, name, now, silent=...)  # a fault; mend ends it
    network.clog(link, until_ns, paced=...)  # nothing is delivered until then

Each step has `dues` to schedule, `fates` to log (sent, lost, duplicated, corrupted) and `changes`
of paths in use. Kinds whose target is a link's number: ``served``; a device's number:
``edges-lost``, ``edges-back`` (both for the network), ``arrive`` (for `arrive`).

A link is up while both its ends are. When a device dies, what is in flight around it is lost and
its own queues go with it; others still send there (``down``) until `misses` hellos are missed.
Then its edges leave the graph; they return one hello after it is back. A link that a fault severs
fares alike. A device without a path holds `hold_datagrams`, then drops (``no_route``).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from simedge.core.records import Due, Order
from simedge.world.clogs import Clog
from simedge.world.datagrams import (
    NOTHING,
    Datagram,
    Fate,
    Flight,
    LinkError,
    RouteChange,
    Step,
)
from simedge.world.links import Link
from simedge.world.routing import Routes
from simedge.world.strains import Silence

__all__ = ["Network"]

_KINDS: Final = frozenset({"edges-lost", "edges-back"})


class Network:
    """All links, and the routes over them.

    Parameters
    ----------
    links
        Every direction, ascending by number.
    routes
        Paths over them.
    detect_ns
        From the death of a device until its edges leave the graph.
    hello_ns
        From its return until they are back.
    hold_datagrams
        How many datagrams a device keeps while it has no path.
    """

    __slots__ = (
        "_around",
        "_between",
        "_clogs",
        "_cuts",
        "_dead",
        "_detect_ns",
        "_held",
        "_hello_ns",
        "_hold",
        "_known",
        "_lives",
        "by_number",
        "links",
        "no_route",
        "routes",
    )  # fmt: skip

    def __init__(
        self,
        links: Sequence[Link],
        *,
        routes: Routes,
        detect_ns: int,
        hello_ns: int,
        hold_datagrams: int,
    ) -> None:
        self.links = tuple(links)
        self.routes = routes
        self._known = routes.known
        self.no_route = 0
        self.by_number: Mapping[int, Link] = {link.number: link for link in links}
        self._between = {(link.src, link.dst): link for link in links}
        around: dict[int, list[Link]] = {}
        for link in links:
            around.setdefault(link.src, []).append(link)
            around.setdefault(link.dst, []).append(link)
        self._around = {number: tuple(some) for number, some in around.items()}
        self._detect_ns = detect_ns
        self._hello_ns = hello_ns
        self._hold = hold_datagrams
        self._held: dict[int, list[Datagram]] = {}
        self._dead: set[int] = set()
        self._lives: dict[int, int] = {}
        self._cuts: dict[int, dict[str, bool]] = {}
        self._clogs: dict[int, Clog] = {}

    def way(self, source: int, destination: int) -> Link | None:
        """Return the first link of the way from `source` to a device; None: there is no way."""
        pair = (source, destination)
        path = self._known.get(pair) or self.routes.path(*pair)
        return self._between[source, path[0]] if path else None

    def land_plain(self, flight: Flight) -> Datagram | None:
        """Take an arrival that nothing is the matter with; None: ask `arrive`."""
        number, ticket = flight
        return None if self._clogs else self.by_number[number].land_plain(ticket)

    def send(self, datagram: Datagram, source: int, now: int) -> Step:
        """Put a datagram on the first link of the way from `source` to ``path[-1]``."""
        link = self.way(source, datagram.path[-1])
        if link is not None:
            return link.offer(datagram, now)
        held = self._held.setdefault(source, [])
        if len(held) < self._hold:
            held.append(datagram)
            return NOTHING
        self.no_route += 1
        return Step((), (Fate("lost", source, datagram, "no_route"),))

    def arrive(self, flight: Flight, now: int) -> tuple[Datagram | None, Step]:
        """Take an arrival: the datagram if it is for the device here, else what becomes of it."""
        link = self.by_number[flight.link]
        if self._clogs and (at := self._held_until(flight, now)) is not None:
            return None, Step((Due(at, Order.RECEIVED, link.dst, "arrive", flight),))
        datagram, step = link.land(flight, now)
        if datagram is None or datagram.path[-1] == link.dst:
            return datagram, step
        return None, self.send(datagram, link.dst, now)

    def handle(self, target: int, kind: str, payload: object, *, now: int) -> Step:
        """Take a record of a link or of the routes."""
        link = self.by_number.get(target)
        if link is not None and kind not in _KINDS:
            return link.handle(kind, payload, now)
        if kind not in _KINDS:
            raise LinkError(f"the network knows no record {kind!r} for number {target}")
        if payload != self._lives.get(target, 0):
            return NOTHING  # it came back, or died again, in between
        links = self._around.get(target, ()) if link is None else (link,)
        if kind == "edges-lost":
            return Step(changes=self.routes.remove((each.src, each.dst) for each in links))
        # An edge to another dead device returns with that one, one that is severed when it is not.
        alive = [(each.src, each.dst) for each in links if self._whole(each)]
        return self._release(now, self.routes.restore(alive))

    def sever(self, number: int, name: str, now: int, *, silent: bool) -> Step:
        """Let nothing through a link: it is down, or in silence what it served is lost."""
        link, cuts = self.by_number[number], self._cuts.setdefault(number, {})
        first = not cuts
        cuts[name] = silent
        fates: tuple[Fate, ...] = ()
        if silent:
            link.degrade(Silence(name))
        else:
            fates = link.go_down(now).fates
        at = now + self._detect_ns
        return Step((self._watch(number, at, "edges-lost"),) if first else (), fates)

    def mend(self, number: int, name: str, now: int) -> Step:
        """End what `sever` began; the link is whole when all that severed it has ended."""
        link, cuts = self.by_number[number], self._cuts[number]
        dues: tuple[Due, ...] = ()
        if cuts.pop(name):
            link.restore(name)
        elif self._lets_in(link):
            dues = link.come_back(now).dues
        if not cuts:
            del self._cuts[number]
            dues += (self._watch(number, now + self._hello_ns, "edges-back"),)
        return Step(dues)

    def clog(self, number: int, until_ns: int, *, paced: bool) -> None:
        """Hold what arrives over a link until then; release it at once, or at its rate."""
        capacity = self.by_number[number].capacity if paced else None
        self._clogs[number] = Clog(until_ns, capacity, before=self._clogs.get(number))

    def device_down(self, number: int, now: int) -> Step:
        """Take the links of a device down, with what is on them and what it holds."""
        if number in self._dead:
            return NOTHING
        self._dead.add(number)
        fates = self._forget(number)
        for link in self._around.get(number, ()):
            fates += link.go_down(now, flush=link.src == number).fates
        return Step((self._watch(number, now + self._detect_ns, "edges-lost"),), tuple(fates))

    def device_up(self, number: int, now: int) -> Step:
        """Bring the links of a device back, but for those to another dead one."""
        if number not in self._dead:
            return NOTHING
        self._dead.remove(number)
        dues = [self._watch(number, now + self._hello_ns, "edges-back")]
        for link in self._around.get(number, ()):
            if self._lets_in(link):
                dues += link.come_back(now).dues
        return Step(tuple(dues))

    def links_of(self, number: int) -> tuple[Link, ...]:
        """Return the links that start or end at a device, ascending by number."""
        return self._around.get(number, ())

    def reaches(self, source: int, destination: int) -> bool:
        """Whether there is a way, and nothing on it is dead or cut: messages may still be lost."""
        path = self.routes.path(source, destination)
        hops = zip((source, *path), path, strict=False)
        return bool(path) and all(self._whole(self._between[hop]) for hop in hops)

    def totals(self) -> dict[str, int]:
        """Return datagrams over all links: sent, delivered, lost, duplicated, in_flight."""
        tallies = [link.tally().datagrams() for link in self.links]

        def count(*names: str) -> int:
            return sum(tally[name] for tally in tallies for name in names)

        return {
            "sent": count("offered"),
            "delivered": count("delivered"),
            "lost": count("lost", "queue_drop", "down", "mtu", "reassembly"),
            "duplicated": count("duplicated"),
            "in_flight": count("queued", "in_service", "in_flight"),
        }

    def imbalances(self) -> dict[str, tuple[int, int]]:
        """Return the links on which datagrams or bytes are missing, with how many: none."""
        found = ((link.name, link.tally().imbalance()) for link in self.links)
        return {name: missing for name, missing in found if missing != (0, 0)}

    def _held_until(self, flight: Flight, now: int) -> int | None:
        clog = self._clogs.get(flight.link)
        datagram = self.by_number[flight.link].flying(flight)
        if clog is None or datagram is None:
            return None
        return clog.hold(flight.ticket, datagram, now)

    def _lets_in(self, link: Link) -> bool:
        """Whether nothing keeps a link down."""
        return self._dead.isdisjoint((link.src, link.dst)) and all(
            self._cuts.get(link.number, {}).values()
        )

    def _whole(self, link: Link) -> bool:
        """Whether hellos get through a link."""
        return self._dead.isdisjoint((link.src, link.dst)) and link.number not in self._cuts

    def _watch(self, number: int, at: int, kind: str) -> Due:
        life = self._lives[number] = self._lives.get(number, 0) + 1
        return Due(at, Order.STARTED, number, kind, life)

    def _forget(self, number: int) -> list[Fate]:
        """Drop what a dying device held for want of a path."""
        held = self._held.pop(number, [])
        self.no_route += len(held)
        return [Fate("lost", number, datagram, "no_route") for datagram in held]

    def _release(self, now: int, changes: tuple[RouteChange, ...]) -> Step:
        """Send what was held and has a path again, oldest first."""
        dues: list[Due] = []
        fates: list[Fate] = []
        for source in sorted(self._held):
            for datagram in self._held.pop(source):
                step = self.send(datagram, source, now)
                dues += step.dues
                fates += step.fates
        return Step(tuple(dues), tuple(fates), changes)
