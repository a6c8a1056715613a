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
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from simedge.world.datagrams import LinkError

__all__ = ["Flows", "even", "max_min"]

_NS: Final = 10**9


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
    on: dict[int, list[int]] = {}
    for flow in sorted(paths):
        for link in paths[flow]:
            on.setdefault(link, []).append(flow)
    rates = dict.fromkeys(sorted(paths), 0)
    while on:
        link = min(on, key=lambda number: (free[number] // len(on[number]), number))
        share = free[link] // len(on[link])
        frozen = dict.fromkeys(on[link])
        for flow in frozen:
            rates[flow] = share
            _take(free, paths[flow], share)
        for flow in frozen:
            # What is left over, where the rest of the way can carry it.
            path = paths[flow]
            if all(free[other] >= path.count(other) for other in path):
                rates[flow] += 1
                _take(free, path, 1)
        for other in {other: None for flow in frozen for other in paths[flow]}:
            rest = [flow for flow in on[other] if flow not in frozen]
            if rest:
                on[other] = rest
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


def _take(free: dict[int, int], path: Sequence[int], rate_bps: int) -> None:
    for link in path:
        free[link] -= rate_bps


class _Flow:
    __slots__ = ("left", "path", "rate_bps")

    def __init__(self, left: int, path: tuple[int, ...]) -> None:
        self.left = left  # bits times nanoseconds a second
        self.path = path
        self.rate_bps = 0


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

    __slots__ = ("_flows", "_now", "_rates_bps", "_stale")

    def __init__(self, rates_bps: Mapping[int, int]) -> None:
        self._rates_bps = dict(rates_bps)
        self._flows: dict[int, _Flow] = {}
        self._now = 0
        self._stale = False

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
        self._flows[flow] = _Flow(work, path)
        self._stale = True

    def reroute(self, flow: int, path: Iterable[int], *, now: int) -> None:
        """Move a flow to another path with what is left of it; an empty one stalls it."""
        self._advance(now)
        self._flows[flow].path = tuple(path)
        self._stale = True

    def set_rate(self, link: int, rate_bps: int, *, now: int) -> None:
        """Change the capacity that a link leaves to flows; 0 stalls it."""
        if rate_bps < 0:
            raise LinkError(f"rate must not be negative, got {rate_bps} (link {link})")
        self._advance(now)
        self._rates_bps[link] = rate_bps
        self._stale = True

    def stop(self, flow: int, *, now: int) -> int:
        """Take a flow out; return the bits that had not passed, rounded up."""
        left = self.left_bits(flow, now=now)
        del self._flows[flow]
        self._stale = True
        return left

    def left_bits(self, flow: int, *, now: int) -> int:
        """Return the bits of a flow that have not passed, rounded up."""
        self._advance(now)
        return max(0, -(-self._flows[flow].left // _NS))

    def forget(self, link: int) -> None:
        """Forget a link that no flow needs any more, if it is known."""
        self._rates_bps.pop(link, None)

    def moves(self, flow: int) -> bool:
        """Return whether a flow makes progress, or has passed."""
        self._share()
        return self._flows[flow].rate_bps > 0 or self._flows[flow].left <= 0

    def __contains__(self, flow: int) -> bool:
        """Return whether a flow is there."""
        return flow in self._flows

    def finish(self, now: int) -> tuple[int, ...]:
        """Take the flows out that have passed by now; return them in order."""
        self._advance(now)
        done = [number for number, flow in self._flows.items() if flow.left <= 0]
        if done:
            self._stale = True
        for number in done:
            del self._flows[number]
        return tuple(sorted(done))

    def next_end(self) -> tuple[int, tuple[int, ...]] | None:
        """Return when the next flow ends, and all that end then; None: none ever does."""
        self._share()
        first: int | None = None
        ending: list[int] = []
        for number, flow in self._flows.items():
            # One that has passed ends at once, whatever became of its rate in the same instant.
            if flow.left <= 0:
                at = self._now
            elif flow.rate_bps:
                at = self._now - (-flow.left // flow.rate_bps)
            else:
                continue
            if first is None or at < first:
                first, ending = at, [number]
            elif at == first:
                ending.append(number)
        return None if first is None else (first, tuple(sorted(ending)))

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
        passed_ns = now - self._now
        for flow in self._flows.values():
            flow.left -= flow.rate_bps * passed_ns
        self._now = now

    def _share(self) -> None:
        if not self._stale:
            return
        self._stale = False
        flows = self._flows
        if not flows:
            return
        paths = {flow.path for flow in flows.values()}
        if len(paths) == 1 and len(only := paths.pop()) == 1:
            # All on one link: no search.
            shares = even(self._rates_bps[only[0]], len(flows))
            for number, rate_bps in zip(sorted(flows), shares, strict=True):
                flows[number].rate_bps = rate_bps
            return
        rates = max_min({n: flow.path for n, flow in flows.items() if flow.path}, self._rates_bps)
        for number, flow in flows.items():
            flow.rate_bps = rates.get(number, 0)
