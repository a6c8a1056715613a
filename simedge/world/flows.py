"""Transfers as fluid flows that share links, max-min fair, in whole bits and nanoseconds.

What a driver needs::

    flows.start(flow, bits, path, now=now)       a transfer begins on a path of links
    flows.join(flow, work, path, now=now)        the same for bits times ns a second, or no path
    flows.reroute(flow, path, now=now)           it goes on elsewhere with what is left
    flows.set_rate(link, rate_bps, now=now)      a capacity steps; 0 stalls
    flows.next_end()                             -> (at, flows) | None   which end next
    flows.finish(now)                            -> flows that have passed by now
    flows.stop(flow, now=now)                    -> bits that are left
    flows.left_bits(flow, now=now)               -> bits that are left

A link may be anything that is shared; a flow that needs one twice names it twice. Rates are
recomputed at each start, end, step and change of route: repeat {take the link with the least
floor(free / unfrozen flows), ties by number; freeze its flows at that share; what is left over
goes as 1 bit/s each to the flows that are lowest in order, where the rest of their way has room}.
Progress is rate times ns.

Flows that share nothing, not even by way of others, do not touch each other's rates: what changes
is worked out among those that a change can reach, and the progress of all others is left alone
until somebody asks. So a world of many separate links costs what happens in it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from simedge.world.datagrams import LinkError

__all__ = ["Flows", "even", "max_min"]

_NS: Final = 10**9
_HEAP_LEAST: Final = 64


def max_min(paths: Mapping[int, Sequence[int]], free_bps: Mapping[int, int]) -> dict[int, int]:
    """Return the rate of each flow, in bit/s.

    Parameters
    ----------
    paths
        Links of each flow, by its order.
    free_bps
        Capacity of each link, by its number.

    Examples
    --------
    >>> max_min({1: [1, 2], 2: [1], 3: [2]}, {1: 10, 2: 4})
    {1: 2, 2: 8, 3: 2}
    """
    free = dict(free_bps)
    order = sorted(paths)
    on: dict[int, dict[int, int]] = {}
    count: dict[int, int] = {}
    for flow in order:
        for link in paths[flow]:
            on.setdefault(link, {})[flow] = flow
            count[link] = count.get(link, 0) + 1
    rates = dict.fromkeys(order, 0)
    heap = [(free[link] // count[link], link) for link in on]
    heapify(heap)
    while heap:
        share, link = heappop(heap)
        if link not in on or share != free[link] // count[link]:
            continue  # it has another entry, or is done
        frozen = list(on[link])
        rates.update(_freeze(frozen, share, paths=paths, free=free))
        touched = dict.fromkeys(other for flow in frozen for other in paths[flow])
        for flow in frozen:
            for other in paths[flow]:
                count[other] -= 1
                on[other].pop(flow, None)
        for other in touched:
            if on[other]:
                heappush(heap, (free[other] // count[other], other))
            else:
                del on[other]
    return rates


def even(rate_bps: int, flows: int) -> list[int]:
    """Return what `max_min` gives flows that share one link, in their order.

    >>> even(1_000_001, 2)
    [500001, 500000]
    """
    share, over = divmod(rate_bps, flows)
    return [share + 1] * over + [share] * (flows - over)


def _freeze(
    flows: Sequence[int], share: int, *, paths: Mapping[int, Sequence[int]], free: dict[int, int]
) -> dict[int, int]:
    """Give flows their share, and a bit more where their way has room for it."""
    rates = dict.fromkeys(flows, share)
    for flow in flows:
        _take(free, paths[flow], share)
    for flow in flows:
        # What is left over, where the rest of the way can carry it.
        path = paths[flow]
        if all(free[other] >= path.count(other) for other in path):
            rates[flow] += 1
            _take(free, path, 1)
    return rates


def _take(free: dict[int, int], path: Sequence[int], rate_bps: int) -> None:
    for link in path:
        free[link] -= rate_bps


class _Flow:
    __slots__ = ("end", "left", "path", "rate_bps", "since")

    def __init__(self, left: int, path: tuple[int, ...], now: int) -> None:
        self.left = left  # bits times nanoseconds a second, at `since`
        self.path = path
        self.rate_bps = 0
        self.since = now
        self.end: int | None = None  # when it will have passed, or has

    @property
    def first(self) -> int:
        """Its first link; without any it comes before all others."""
        return self.path[0] if self.path else -1

    def left_at(self, now: int) -> int:
        return self.left - self.rate_bps * (now - self.since)

    def turn(self, rate_bps: int, now: int) -> None:
        """Go on at another rate."""
        self.left, self.since, self.rate_bps = self.left_at(now), now, rate_bps
        if self.left <= 0:
            # One that has passed ends at once, whatever became of its rate in the same instant.
            self.end = now
        else:
            self.end = now - (-self.left // rate_bps) if rate_bps else None


class Flows:
    """Fluid flows over links.

    Parameters
    ----------
    rates_bps
        Capacity of each link by its number.

    Examples
    --------
    >>> flows = Flows({1: 8_000_000})
    >>> flows.start(1, 8_000_000, [1], now=0)
    >>> flows.start(2, 8_000_000, [1], now=0)
    >>> flows.next_end()
    (2000000000, (1, 2))
    """

    __slots__ = ("_ends", "_flows", "_now", "_on", "_rates_bps", "_stale", "_turned")

    def __init__(self, rates_bps: Mapping[int, int]) -> None:
        self._rates_bps = dict(rates_bps)
        self._flows: dict[int, _Flow] = {}
        self._on: dict[int, dict[int, None]] = {}
        self._now = 0
        self._stale: set[int] = set()
        """Links whose flows may have other rates by now."""
        self._turned: set[int] = set()
        self._ends: list[tuple[int, int, int]] = []
        """Heap of (end, first link, flow); an entry counts while that is true of the flow."""

    def start(self, flow: int, bits: int, path: Iterable[int], *, now: int) -> None:
        """Begin a flow of that many bits; flows are ordered by their numbers."""
        path = tuple(path)
        if not path:
            raise LinkError(f"flow {flow} cannot start: {bits} bits over {path}")
        self.join(flow, bits * _NS, path, now=now)

    def join(self, flow: int, work: int, path: Iterable[int], *, now: int) -> None:
        """Begin a flow of so much work, in bits times ns a second; without a path it stalls."""
        path = tuple(path)
        unknown = [link for link in path if link not in self._rates_bps]
        if flow in self._flows or work <= 0 or unknown:
            raise LinkError(f"flow {flow} cannot start: {work / _NS} bits over {path}")
        self._advance(now)
        self._flows[flow] = _Flow(work, path, self._now)
        self._enter(flow, path)

    def reroute(self, flow: int, path: Iterable[int], *, now: int) -> None:
        """Move a flow to another path with what is left of it; an empty one stalls it."""
        self._advance(now)
        self._leave(flow)
        self._turn(flow, 0)
        one = self._flows[flow]
        one.path = tuple(path)
        self._enter(flow, one.path)
        self._note_end(flow, one)

    def set_rate(self, link: int, rate_bps: int, *, now: int) -> None:
        """Change the capacity that a link leaves to flows; 0 stalls it."""
        if rate_bps < 0:
            raise LinkError(f"rate must not be negative, got {rate_bps} (link {link})")
        self._advance(now)
        self._rates_bps[link] = rate_bps
        if link in self._on:
            self._stale.add(link)

    def stop(self, flow: int, *, now: int) -> int:
        """Take a flow out; return the bits that had not passed, rounded up."""
        left = self.left_bits(flow, now=now)
        self._remove(flow)
        return left

    def left_bits(self, flow: int, *, now: int) -> int:
        """Return the bits of a flow that have not passed, rounded up."""
        self._advance(now)
        return max(0, -(-self._flows[flow].left_at(now) // _NS))

    def forget(self, link: int) -> None:
        """Forget a link that no flow needs any more, if it is known."""
        self._rates_bps.pop(link, None)

    def moves(self, flow: int) -> bool:
        """Return whether a flow makes progress, or has passed."""
        self._share()
        one = self._flows[flow]
        return one.rate_bps > 0 or one.left_at(self._now) <= 0

    def turned(self) -> set[int]:
        """Return the flows that may have begun or ceased to move since one asked last."""
        self._share()
        turned, self._turned = self._turned, set()
        return turned

    def __contains__(self, flow: int) -> bool:
        """Return whether a flow is there."""
        return flow in self._flows

    def finish(self, now: int) -> tuple[int, ...]:
        """Take the flows out that have passed by now; return them in order."""
        self._advance(now)
        done = []
        while (end := self._top()) is not None and end[0] <= now:
            heappop(self._ends)
            self._remove(end[2])
            done.append(end[2])
        return tuple(sorted(done))

    def next_end(self) -> tuple[int, tuple[int, ...]] | None:
        """Return when the next flow ends, and all that end then; None: none ever does."""
        self._share()
        top = self._top()
        if top is None:
            return None
        at = max(top[0], self._now)
        return at, tuple(sorted({number for _, _, number in self._ending(at)}))

    def first_end(self) -> tuple[int, int] | None:
        """Return when the next flow ends, and which: of several that of the lowest first link."""
        self._share()
        top = self._top()
        if top is None:
            return None
        if top[0] < self._now:
            # Whatever has passed ends now, whenever that was.
            top = (self._now, *min(end[1:] for end in self._ending(self._now)))
        return top[0], top[2]

    def rates_bps(self) -> dict[int, int]:
        """Return the present rate of each flow."""
        self._share()
        return {number: flow.rate_bps for number, flow in sorted(self._flows.items())}

    def _advance(self, now: int) -> None:
        if now == self._now:
            return
        if now < self._now:
            raise LinkError(f"flows are at {self._now} ns already, not at {now}")
        self._share()
        self._now = now

    def _enter(self, number: int, path: tuple[int, ...]) -> None:
        for link in path:
            self._on.setdefault(link, {})[number] = None
        self._stale.update(path)

    def _leave(self, number: int) -> None:
        path = self._flows[number].path
        for link in dict.fromkeys(path):
            del self._on[link][number]
            if not self._on[link]:
                del self._on[link]
        self._stale.update(path)

    def _remove(self, number: int) -> None:
        self._leave(number)
        self._turned.discard(number)
        del self._flows[number]

    def _turn(self, number: int, rate_bps: int) -> None:
        """Let a flow go on at a rate."""
        flow = self._flows[number]
        if flow.rate_bps == rate_bps:
            return
        if not (flow.rate_bps and rate_bps):
            self._turned.add(number)
        before = flow.end
        flow.turn(rate_bps, self._now)
        if flow.end != before:
            self._note_end(number, flow)

    def _note_end(self, number: int, flow: _Flow) -> None:
        if flow.end is not None:
            heappush(self._ends, (flow.end, flow.first, number))

    def _counts(self, entry: tuple[int, int, int]) -> bool:
        end, first, number = entry
        flow = self._flows.get(number)
        return flow is not None and flow.end == end and flow.first == first

    def _top(self) -> tuple[int, int, int] | None:
        """Return the first end, if there is any; it then is on top."""
        ends = self._ends
        if len(ends) > _HEAP_LEAST + 2 * len(self._flows):
            self._ends = ends = list(filter(self._counts, dict.fromkeys(ends)))
            heapify(ends)
        while ends and not self._counts(ends[0]):
            heappop(ends)
        return ends[0] if ends else None

    def _ending(self, at: int) -> Iterator[tuple[int, int, int]]:
        """Yield the entries of flows that end by then, some perhaps twice."""
        ends, places = self._ends, [0]
        while places:
            place = places.pop()
            if place < len(ends) and ends[place][0] <= at:
                places += (2 * place + 1, 2 * place + 2)
                if self._counts(ends[place]):
                    yield ends[place]

    def _share(self) -> None:
        """Work the rates out of all flows that a change can reach."""
        stale, self._stale = self._stale, set()
        while stale:
            flows, links = self._reached(stale.pop())
            stale -= links
            if len(links) == 1 and all(len(self._flows[flow].path) == 1 for flow in flows):
                # All on one link: no search.
                order = sorted(flows)
                (link,) = links
                shares = even(self._rates_bps[link], len(order)) if order else []
                rates = dict(zip(order, shares, strict=True))
            else:
                free = {link: self._rates_bps[link] for link in links}
                rates = max_min({flow: self._flows[flow].path for flow in flows}, free)
            for flow, rate_bps in rates.items():
                self._turn(flow, rate_bps)

    def _reached(self, link: int) -> tuple[set[int], set[int]]:
        """Return the flows, and the links, that have to do with a link."""
        flows, links, new = set[int](), {link}, [link]
        while new:
            found = [flow for flow in self._on.get(new.pop(), ()) if flow not in flows]
            flows.update(found)
            for flow in found:
                new += [other for other in self._flows[flow].path if other not in links]
                links.update(self._flows[flow].path)
        return flows, links
