"""Sharing: links on which transfers and datagrams move together, as fluid flows.

What `Transfers` needs::

    flow = sharing.begin(bits, now)                   a transfer, without a way yet
    sharing.lay(flow, links, now, cap_bps=cap)        its way, or another one
    sharing.end(flow, now)                            take it out
    step = sharing.watch(step, now)                   whatever the network answered
    step, passed = sharing.handle(target, kind, payload, now=now)   at "rate", "passed"
    sharing.look(links, now)                          they went down, came back, changed their rate
    dues = sharing.plan(now)                          always last: what is to be scheduled

A link is shared from the first transfer on it until the last one has left, a link of a medium
whenever it serves. While it is shared, the datagram in service counts as one flow (see
`SharedLink`), also one whose service began before; other links keep their exact law, bit for bit.

The links of a *medium* are one more thing to share: it gives what the fastest of those in use
gives, and a flow that passes two of them needs it twice.

Records, for the number of a link: ``rate``, a step of capacity; ``passed``, the end of a flow.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from simedge.core.records import Due, Order
from simedge.world.datagrams import NOTHING, Step
from simedge.world.flows import Flows
from simedge.world.links import Link
from simedge.world.shared_link import SharedLink

__all__ = ["SHARING_KINDS", "Sharing"]

SHARING_KINDS: Final = frozenset({"rate", "passed"})


class Sharing:
    """The flows of a run.

    Parameters
    ----------
    links
        All links; those that meet a recorded fate are never shared.
    """

    def __init__(self, links: Iterable[Link]) -> None:
        self._links = {link.number: link for link in links if isinstance(link, SharedLink)}
        names = sorted({name for link in self._links.values() if (name := link.model.medium)})
        first = 1 + max(self._links, default=0)
        self._media = {name: first + place for place, name in enumerate(names)}
        self._caps = first + len(names)
        self._in_use: dict[int, set[int]] = {number: set() for number in self._media.values()}
        self._flows = Flows(dict.fromkeys(self._media.values(), 0))
        self._count = 0
        self._ways: dict[int, tuple[int, ...]] = {}
        self._users: dict[int, int] = {}
        self._serving: dict[int, tuple[int, int | None]] = {}
        self._datagrams: dict[int, int] = {}
        self._rates: dict[int, int] = {}
        self._steps: dict[int, int] = {}
        self._passed: dict[int, list[int]] = {}
        """By the link on which they end: flows that have passed and whose record is still out."""
        self._wake: tuple[int, int] | None = None
        self._ticket = 0
        self._dues: list[Due] = []

    @property
    def active(self) -> bool:
        """Whether any link is shared, or may be."""
        return bool(self._users or self._serving or self._media)

    def begin(self, bits: int, now: int) -> int:
        """Begin a transfer that has no way yet; return the number of its flow."""
        self._count += 1
        self._flows.join(self._count, bits * 10**9, (), now=now)
        self._ways[self._count] = ()
        return self._count

    def lay(
        self, flow: int, links: Sequence[SharedLink], now: int, *, cap_bps: int | None = None
    ) -> None:
        """Lead a transfer over links, at most at a rate; over none it stalls."""
        old = self._ways[flow]
        way = self._ways[flow] = tuple(link.number for link in links)
        for number in way:
            self._users[number] = self._users.get(number, 0) + 1
        for number in way:
            self._look(number, now)
        cap = self._caps + flow
        needs = [need for link in links for need in self._needs(link)]
        if way and cap_bps is not None:
            self._flows.set_rate(cap, cap_bps, now=now)
            needs.append(cap)
        self._flows.reroute(flow, needs, now=now)
        self._leave(old, now)

    def end(self, flow: int, now: int) -> None:
        """Take a transfer out, whether or not it has passed."""
        if flow in self._flows:
            self._flows.stop(flow, now=now)
        self._forget_passed(flow)
        self._leave(self._ways.pop(flow), now)
        self._flows.forget(self._caps + flow)

    def left_bits(self, flow: int, now: int) -> int:
        """Return the bits of a transfer that have not passed, rounded up."""
        return self._flows.left_bits(flow, now=now) if flow in self._flows else 0

    def moves(self, flow: int) -> bool:
        """Return whether a transfer makes progress, or has passed."""
        return flow not in self._flows or self._flows.moves(flow)

    def turned(self) -> set[int]:
        """Return the flows that may have begun or ceased to move since one asked last."""
        return self._flows.turned()

    def watch(self, step: Step, now: int, *, at: int | None = None) -> Step:
        """Take services that begin on shared links out of a step: their ends are flows' ends.

        `at` is the target of the record that led to the step: a link is looked at again, as it may
        have ended a service, gone down, or changed its rate.
        """
        if at is not None:
            self.look((at,), now)
        begun = [
            due.target for due in step.dues if due.kind == "served" and self._shares(due.target)
        ]
        if not begun:
            return step
        for number in begun:
            self._look(number, now)
        rest = (due for due in step.dues if due.kind != "served" or due.target not in begun)
        return step._replace(dues=tuple(rest))

    def look(self, links: Iterable[int], now: int) -> None:
        """Look at links again, of which any may have gone down, come back or changed its rate."""
        for number in links:
            if number in self._users or number in self._serving:
                self._look(number, now)

    def handle(
        self, target: int, kind: str, payload: object, *, now: int
    ) -> tuple[Step, tuple[int, ...]]:
        """Take a record of one's own; return the network's step and the transfers that passed."""
        if kind == "rate":
            return self._stepped(target, now) if self._steps.get(target) == payload else NOTHING, ()
        if payload != self._ticket:
            return NOTHING, ()
        self._wake = None
        for flow in self._flows.finish(now):
            self._passed.setdefault(self._first(flow), []).append(flow)
        here = sorted(self._passed.pop(target, ()))
        steps = [self._served(flow, now) for flow in here if flow in self._datagrams]
        step = self.watch(steps[0], now) if steps else NOTHING
        return step, tuple(flow for flow in here if flow in self._ways)

    def plan(self, now: int) -> tuple[Due, ...]:
        """Return what is to be scheduled after all that has changed."""
        dues, self._dues = self._dues, []
        wake: tuple[int, int] | None = None
        if self._passed:
            wake = (now, min(self._passed))
        elif (ending := self._flows.first_end()) is not None:
            wake = (ending[0], self._first(ending[1]))
        if wake != self._wake:
            self._wake = wake
            self._ticket += 1
            if wake is not None:
                dues.append(Due(wake[0], Order.SERVICE, wake[1], "passed", self._ticket))
        return tuple(dues)

    def _stepped(self, number: int, now: int) -> Step:
        """Take a step of capacity; after the last one a service never ends."""
        self._look(number, now)
        link, (_, flow) = self._links[number], self._serving.get(number, (0, None))
        if flow is None or flow not in self._flows or link.flow_bps(now) != (0, None):
            return NOTHING
        if not link.up or self._flows.moves(flow):
            return NOTHING
        step = link.give_up(now)
        self._look(number, now)
        return self.watch(step, now)

    def _first(self, flow: int) -> int:
        """Return the link on which a flow ends, for the order of one instant."""
        if flow in self._datagrams:
            return self._datagrams[flow]
        return next(iter(self._ways[flow] or self._links))

    def _forget_passed(self, flow: int) -> None:
        """Forget that a flow has passed, if it has and its record is still out."""
        for link in [link for link, flows in self._passed.items() if flow in flows]:
            self._passed[link].remove(flow)
            if not self._passed[link]:
                del self._passed[link]

    def _needs(self, link: SharedLink) -> tuple[int, ...]:
        medium = link.model.medium
        return (link.number,) if medium is None else (link.number, self._media[medium])

    def _shares(self, number: int) -> bool:
        link = self._links.get(number)
        return link is not None and (number in self._users or link.model.medium is not None)

    def _leave(self, way: Iterable[int], now: int) -> None:
        for number in way:
            self._users[number] -= 1
            if not self._users[number]:
                del self._users[number]
            self._look(number, now)

    def _look(self, number: int, now: int) -> None:
        """See what a link serves, what it gives to flows, and when that changes."""
        link = self._links[number]
        self._over(link, now)
        begins = link.serves_until is not None and self._shares(number)
        used = begins or number in self._users or number in self._serving
        rate, until = link.flow_bps(now) if used else (0, None)
        if self._rates.get(number) != rate:
            self._rates[number] = rate
            self._flows.set_rate(number, rate, now=now)
        if until is None:
            self._steps.pop(number, None)
        elif self._steps.get(number) != until:
            self._steps[number] = until
            self._dues.append(Due(until, Order.CAPACITY, number, "rate", until))
        if link.model.medium is not None:
            self._air(self._media[link.model.medium], number, now)
        if begins and number not in self._serving:
            self._serve(link, now)

    def _air(self, medium: int, number: int, now: int) -> None:
        """Set what a medium gives: as much as the fastest of its links in use."""
        members = self._in_use[medium]
        (members.add if self._rates[number] else members.discard)(number)
        rate = max((self._rates[member] for member in sorted(members)), default=0)
        if self._rates.get(medium) != rate:
            self._rates[medium] = rate
            self._flows.set_rate(medium, rate, now=now)

    def _over(self, link: SharedLink, now: int) -> None:
        """Forget the flow of a service that is over, or came to nothing."""
        begun, flow = self._serving.get(link.number, (0, None))
        if not begun or (link.serves_until is not None and begun == link.begun):
            return
        del self._serving[link.number]
        if flow in self._datagrams:
            del self._datagrams[flow]
            self._forget_passed(flow)
            if flow in self._flows:
                self._flows.stop(flow, now=now)

    def _serve(self, link: SharedLink, now: int) -> None:
        """Make the service that runs a flow."""
        end = link.serves_until
        assert end is not None
        ticket, work = link.take_over(), link.flow_work(now, end)
        if not work:
            self._exact(link, end, ticket)
            return
        self._count += 1
        self._flows.join(self._count, work, self._needs(link), now=now)
        self._datagrams[self._count] = link.number
        self._serving[link.number] = (link.begun, self._count)

    def _served(self, flow: int, now: int) -> Step:
        """End the service of a datagram whose flow has passed; never before its end alone."""
        number = self._datagrams.pop(flow)
        link = self._links[number]
        end = link.serves_until
        assert end is not None
        if now < end:
            self._exact(link, end, link.take_over())
            return NOTHING
        del self._serving[number]
        step = link.serve_late(now)
        self._look(number, now)
        return step

    def _exact(self, link: SharedLink, end: int, ticket: int) -> None:
        """Leave a service to the exact law: its capacity comes at its end, at one stroke."""
        self._serving[link.number] = (link.begun, None)
        self._dues.append(Due(end, Order.SERVICE, link.number, "served", ticket))
