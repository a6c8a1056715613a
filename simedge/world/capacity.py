"""Capacity of a link over time, exact: rates in steps, or single delivery opportunities.

With W(t) the integral of the rate r up to t, in bit ns/s, a job of n octets that begins at t0
ends at ``min {t : W(t) >= W(t0) + 8 n 10^9}``. All is whole numbers: prefix sums and bisection,
no ticks, no floats. A rate of zero means wait, never a division.

What comes after the last row, at L = last time + last interval, is `repeat`: ``wrap`` starts
again, W(t) = floor(t / L) W(L) + W(t mod L); ``hold`` keeps the last row for ever; ``stop`` gives
nothing more. A phase shifts the time at which a link begins to follow.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import islice
from operator import gt
from typing import Final, Literal, Protocol

from simedge.core.errors import SimedgeError

__all__ = [
    "OPPORTUNITY_BYTES",
    "Capacity",
    "CapacityError",
    "Levels",
    "Opportunities",
    "OpportunityCapacity",
    "Repeat",
    "StepCapacity",
    "Steps",
]

Repeat = Literal["wrap", "hold", "stop"]
OPPORTUNITY_BYTES: Final = 1504
"""Of one delivery opportunity, as the code of its recorder has it (its documentation: 1500)."""
_SCALE: Final = 8 * 10**9  # bits an octet, nanoseconds a second
_SPREAD_NS: Final = 10**6  # recordings have their opportunities by the millisecond
_STRIDE: Final = 16  # rows between two prefix sums: big integers are dear in memory


class CapacityError(SimedgeError, ValueError):
    """A capacity that is none: unsorted, negative, empty, or never anything under ``wrap``."""


class Capacity(Protocol):
    """What a link asks for the end of a service."""

    @property
    def end_ns(self) -> int | None:
        """When the last octet can have passed; None if there is always more to come."""
        ...

    def finish_ns(self, begin_ns: int, octets: int) -> int | None:
        """Return when a job that begins at `begin_ns` is through; None if it never is."""
        ...


class Steps:
    """A rate in steps: one object for all links that follow it.

    Parameters
    ----------
    rows
        Pairs of time in ns, strictly increasing from 0 or later, and rate in bit/s, not negative.
        A row holds until the next one, the first also before its time.
    period_ns
        L; by default the last time and the last interval once more (one row: one second).
    """

    __slots__ = ("_marks", "_rates", "_starts", "period_ns", "total")

    def __init__(self, rows: Iterable[tuple[int, int]], *, period_ns: int | None = None) -> None:
        starts, rates = array("q"), array("q")
        for at, rate in rows:
            if at < 0 or rate < 0 or (starts and at <= starts[-1]):
                raise CapacityError(f"rows must rise from 0 and not be negative: {at} ns, {rate}")
            starts.append(at)
            rates.append(rate)
        if not starts:
            raise CapacityError("a capacity needs at least one row")
        last = starts[-1] - starts[-2] if len(starts) > 1 else 10**9
        self.period_ns = starts[-1] + last if period_ns is None else period_ns
        if self.period_ns <= starts[-1]:
            raise CapacityError(f"the period {self.period_ns} ns ends before the last row")
        starts[0] = 0
        self._starts, self._rates = starts, rates
        self._marks, self.total = self._prefix()

    @property
    def last_ns(self) -> int:
        """Start of the last row."""
        return self._starts[-1]

    @property
    def last_bps(self) -> int:
        """Rate of the last row."""
        return self._rates[-1]

    def work(self, at: int) -> int:
        """Return W(at) for a time in [0, L]."""
        row = bisect_right(self._starts, at) - 1
        mark = row // _STRIDE
        done = self._marks[mark]
        for i in range(mark * _STRIDE, row):
            done += self._rates[i] * (self._starts[i + 1] - self._starts[i])
        return done + self._rates[row] * (at - self._starts[row])

    def when(self, work: int) -> int:
        """Return the least time with W >= work, for work in (0, W(L)]."""
        mark = bisect_left(self._marks, work) - 1
        done, row = self._marks[mark], mark * _STRIDE
        while True:
            gain = self._rates[row] * (self._end(row) - self._starts[row])
            if done + gain >= work:
                return self._starts[row] - (done - work) // self._rates[row]
            done += gain
            row += 1

    def row(self, at: int) -> tuple[int, int]:
        """Return the rate at a time in [0, L), and the end of its row."""
        row = bisect_right(self._starts, at) - 1
        return self._rates[row], self._end(row)

    def _end(self, row: int) -> int:
        return self._starts[row + 1] if row + 1 < len(self._starts) else self.period_ns

    def _prefix(self) -> tuple[list[int], int]:
        marks, done = [], 0
        for row, rate in enumerate(self._rates):
            if row % _STRIDE == 0:
                marks.append(done)
            done += rate * (self._end(row) - self._starts[row])
        return marks, done


class StepCapacity:
    """Steps as one link follows them."""

    __slots__ = ("_phase_ns", "_repeat", "_steps")

    def __init__(self, steps: Steps, *, repeat: Repeat = "wrap", phase_ns: int = 0) -> None:
        if repeat == "wrap" and steps.total == 0:
            raise CapacityError("a trace without any capacity cannot wrap: nothing would ever end")
        self._steps, self._repeat, self._phase_ns = steps, repeat, phase_ns

    @property
    def end_ns(self) -> int | None:
        """When the last octet can have passed; None if there is always more to come."""
        steps = self._steps
        if self._repeat == "wrap" or (self._repeat == "hold" and steps.last_bps):
            return None
        return max(0, (steps.when(steps.total) if steps.total else 0) - self._phase_ns)

    def finish_ns(self, begin_ns: int, octets: int) -> int | None:
        """Return when a job that begins at `begin_ns` is through; None if it never is."""
        if octets == 0:
            return begin_ns
        at, need = begin_ns + self._phase_ns, octets * _SCALE
        end = self._wrapped(at, need) if self._repeat == "wrap" else self._once(at, need)
        return None if end is None else end - self._phase_ns

    def step(self, at_ns: int) -> tuple[int, int | None]:
        """Return the rate in bit/s at a time, and until when it holds; None: for ever."""
        steps, at = self._steps, at_ns + self._phase_ns
        if self._repeat == "hold" and at >= steps.last_ns:
            return steps.last_bps, None
        if self._repeat == "stop" and at >= steps.period_ns:
            return 0, None
        lap, place = divmod(at, steps.period_ns)
        rate, end = steps.row(place)
        return rate, lap * steps.period_ns + end - self._phase_ns

    def _wrapped(self, at: int, need: int) -> int:
        steps = self._steps
        lap, place = divmod(at, steps.period_ns)
        laps, rest = divmod(steps.work(place) + need - 1, steps.total)
        return (lap + laps) * steps.period_ns + steps.when(rest + 1)

    def _once(self, at: int, need: int) -> int | None:
        steps = self._steps
        held = self._repeat == "hold"
        if held and at >= steps.last_ns:
            return at - -need // steps.last_bps if steps.last_bps else None
        target = steps.work(min(at, steps.period_ns)) + need
        if target <= steps.total:
            return steps.when(target)
        if not held or not steps.last_bps:
            return None
        return steps.period_ns - (steps.total - target) // steps.last_bps


class Opportunities:
    """Times at which a fixed number of octets may pass (Winstein et al., NSDI 2013), shared.

    Parameters
    ----------
    times
        In ns, never decreasing, the last above 0: it is the period.
    octets
        Of one opportunity.
    """

    __slots__ = ("_times", "octets", "period_ns")

    def __init__(self, times: Iterable[int], *, octets: int = OPPORTUNITY_BYTES) -> None:
        self._times = array("q", times)
        if not self._times or self._times[-1] <= 0:
            raise CapacityError("delivery opportunities need a last time above 0")
        if self._times[0] < 0 or any(map(gt, self._times, islice(self._times, 1, None))):
            raise CapacityError("the times of delivery opportunities must not decrease")
        if octets < 1:
            raise CapacityError(f"an opportunity needs at least one octet, got {octets}")
        self.octets = octets
        self.period_ns = self._times[-1]

    def __len__(self) -> int:
        """Return how many there are in one period."""
        return len(self._times)

    def until(self, at: int) -> int:
        """Return how many come up to a time, this included; lap k has them at t + k L."""
        lap, place = divmod(at, self.period_ns)
        return lap * len(self._times) + bisect_right(self._times, place)

    def time(self, number: int) -> int:
        """Return the time of one of them, counted from 0 over all laps."""
        lap, place = divmod(number, len(self._times))
        return lap * self.period_ns + self._times[place]


class OpportunityCapacity:
    """Delivery opportunities as one link uses them.

    Several jobs share one, a job may span several; what nobody uses is wasted, and one that comes
    in the very instant of an arrival is over. A job that begins when the one before it ends goes
    on with what that one left.
    """

    __slots__ = ("_end_ns", "_left", "_next", "_opportunities", "_phase_ns", "_stops")

    def __init__(
        self, opportunities: Opportunities, *, repeat: Repeat = "wrap", phase_ns: int = 0
    ) -> None:
        if repeat == "hold":
            raise CapacityError("delivery opportunities have no last rate to hold: wrap or stop")
        self._opportunities = opportunities
        self._stops = repeat == "stop"
        self._phase_ns = phase_ns
        self._end_ns = -1
        self._next = self._left = 0  # what is there for a job that begins at _end_ns

    @property
    def end_ns(self) -> int | None:
        """When the last octet can have passed; None if there is always more to come."""
        return max(0, self._opportunities.period_ns - self._phase_ns) if self._stops else None

    def finish_ns(self, begin_ns: int, octets: int) -> int | None:
        """Return when a job that begins at `begin_ns` is through; None if it never is."""
        shared, goes_on = self._opportunities, begin_ns == self._end_ns
        left = self._left if goes_on else 0
        first = self._next if goes_on else shared.until(begin_ns + self._phase_ns)
        count = max(0, -((left - octets) // shared.octets))
        if self._stops and count and first + count > len(shared):
            return None
        self._end_ns = shared.time(first + count - 1) - self._phase_ns if count else begin_ns
        self._next, self._left = first + count, left + count * shared.octets - octets
        return self._end_ns

    def step(self, at_ns: int) -> tuple[int, int | None]:
        """Return opportunities as a rate: the octets of one pass in the millisecond after it.

        Those of one instant pass together, by the next instant at the latest, never before.
        """
        shared, at = self._opportunities, at_ns + self._phase_ns
        known = min(shared.until(at), len(shared)) if self._stops else shared.until(at)
        over = self._stops and known == len(shared)
        following = None if over else shared.time(known) - self._phase_ns
        if known:
            last = shared.time(known - 1)
            count = known - shared.until(last - 1) if last else known
            end = last - self._phase_ns + _SPREAD_NS
            end = end if following is None else min(end, following)
            if at_ns < end:
                span = end + self._phase_ns - last
                return count * shared.octets * _SCALE // span, end
        return 0, following


class Levels:
    """A value in steps, such as a delay or a loss, as one link follows it.

    Parameters
    ----------
    rows
        Pairs of time and value, times strictly increasing; the first also holds before its time.
    period_ns
        L of the trace that it belongs to.
    """

    __slots__ = ("_starts", "_values", "period_ns")

    def __init__(self, rows: Iterable[tuple[int, int]], *, period_ns: int) -> None:
        self._starts, self._values = array("q"), array("q")
        for at, value in rows:
            self._starts.append(at)
            self._values.append(value)
        if not self._starts:
            raise CapacityError("levels need at least one row")
        self.period_ns = period_ns

    def at(self, at: int, repeat: Repeat) -> int:
        """Return the value in force at a time."""
        place = at % self.period_ns if repeat == "wrap" else at
        return self._values[max(0, bisect_right(self._starts, place) - 1)]
