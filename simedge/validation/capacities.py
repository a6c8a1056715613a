"""C15 to C21: recorded capacity, shared links, transfers and duty cycles."""

import heapq
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np

from simedge.core.streams import Streams
from simedge.validation import formulas
from simedge.validation.crank import MS, S, a_link, arrivals, deliver, exponentials
from simedge.validation.finding import Case, Finding, Row, exact, within
from simedge.world.bulk import bulk
from simedge.world.capacity import Opportunities, OpportunityCapacity, StepCapacity, Steps
from simedge.world.flows import Flows, max_min
from simedge.world.links import Link
from simedge.world.profiles import resolve
from simedge.world.settings import LinkSettings

__all__ = ["ROWS"]

_EIGHT: Final = 8_000_000
_MEGABYTE: Final = 8 * 10**6
_IP_HEADERS: Final = 28


# ----------------------------------------------------------------------------------- C15 and C16
def _on_steps(seed: int, *, octets: int, end_ns: int) -> tuple[Finding, ...]:
    rows = [(0, 10**6), (S, 0), (2 * S, 4 * 10**6)]
    link = a_link(seed, capacity=StepCapacity(Steps(rows)))
    ((at, _),) = deliver(link, [(S // 2, octets)]).arrived
    return (exact("arrival, ns", end_ns, at),)


def _on_lines(
    seed: int, *, offers: Sequence[tuple[int, int]], ends_ns: tuple[int, ...]
) -> tuple[Finding, ...]:
    shared = Opportunities([MS, 2 * MS, 2 * MS, 5 * MS])
    link = a_link(seed, capacity=OpportunityCapacity(shared))
    found = tuple(at for at, _ in deliver(link, offers).arrived)
    return (exact("arrivals, ns", ends_ns, found),)


def _one_line(seed: int) -> tuple[Finding, ...]:
    n = 1000
    link = a_link(seed, capacity=OpportunityCapacity(Opportunities([MS])))
    run = deliver(link, [(0, 1504)] * n)
    found = sum(d.wire_bytes for _, d in run.arrived) * 8 * S // run.arrived[-1][0]
    return (exact("rate, bit/s", 12_032_000, found, n=n),)


# ----------------------------------------------------------------------------------- C17 to C20
def _play(events: Sequence[tuple[int, int, int]], rate_bps: int) -> dict[int, int]:
    """Start flows (at, number, bits) on one link; return when each ends."""
    flows, ends = Flows({1: rate_bps}), dict[int, int]()
    waiting = list(events)
    heapq.heapify(waiting)
    end = None
    while waiting or end:
        if waiting and (end is None or waiting[0][0] <= end[0]):
            at, flow, bits = heapq.heappop(waiting)
            flows.start(flow, bits, [1], now=at)
        else:
            assert end is not None
            ends |= dict.fromkeys(flows.finish(end[0]), end[0])
        end = flows.next_end()
    return ends


def _shared(
    _seed: int, *, events: Sequence[tuple[int, int, int]], ends_ns: tuple[int, ...]
) -> tuple[Finding, ...]:
    found = tuple(at for _, at in sorted(_play(events, _EIGHT).items()))
    return (exact("ends, ns", ends_ns, found),)


def _fair(
    _seed: int,
    *,
    paths: Mapping[int, Sequence[int]],
    free: Mapping[int, int],
    rates: tuple[int, ...],
) -> tuple[Finding, ...]:
    return (exact("rates, bit/s", rates, tuple(max_min(paths, free).values())),)


def _sharing(seed: int, *, law: str) -> tuple[Finding, ...]:
    """Let flows come without a memory to a link that one of them alone would fill."""
    n, load, mean = 60_000, 0.5, MS
    times = arrivals(seed, n, mean_ns=int(mean / load))
    drawn = exponentials(seed, "sizes", n, mean=mean)
    coins = Streams(seed).stream("validation", "sizes", "coin").block(-(-n // 4))[:n]
    heads = (coins >> np.uint64(63)).tolist()
    sizes = {
        "constant": [mean] * n,
        "exponential": [size + 1 for size in drawn],
        # One half three times as long as the other, each exponential.
        "hyper-exponential": [
            size * (1 + 2 * head) // 2 + 1 for size, head in zip(drawn, heads, strict=True)
        ],
    }[law]
    ends = _play(list(zip(times, range(n), sizes, strict=True)), S)
    found = sum(ends[i] - times[i] for i in range(n)) / n / mean
    expected = 1 / (1 - load)
    return (within("mean stay, in services", expected, found, n=n, tolerance=0.05 * expected),)


def _transfer(_seed: int) -> tuple[Finding, ...]:
    message, ppm, rtt_ns = 2_000_026, 200_000, 40 * MS
    costs = bulk(message, ppm)
    assert costs is not None
    size = message + 4
    segments = -(-size // 1448)
    again = -(-segments * 10**6 // (10**6 - ppm))
    first = size + 52 * segments
    resent = -(-first * (again - segments) // segments)
    rounds = next(z for z in range(1, 99) if 2 * segments * ppm**z < 10 ** (6 * z))
    wire_ns = formulas.serialisation_ns(first + resent, _EIGHT)
    end_ns = rtt_ns + wire_ns + (rounds - 1) * rtt_ns + rtt_ns // 2
    ((_, passed),) = _play([(rtt_ns, 1, 8 * costs.wire_bytes)], _EIGHT).items()
    return (
        exact("bytes again", resent, costs.again_bytes),
        exact("rounds", rounds, costs.rounds),
        exact("end, ns", end_ns, passed + (costs.rounds - 1) * rtt_ns + rtt_ns // 2),
    )


# ------------------------------------------------------------------------------------------- C21
def _lora(seed: int, *, spread: int, octets: int, air_ns: int) -> tuple[Finding, ...]:
    """Send 1000 bytes, full datagrams, at 1 % of the time."""
    model = resolve(LinkSettings(profile=f"lora-sf{spread}"), upwards=True)  # type: ignore[arg-type]
    link = Link(model, name="dev03.up", number=9, src=1, dst=2, streams=Streams(seed))
    n = -(-1000 // octets)
    served = deliver(link, [(0, octets + _IP_HEADERS)] * n).served
    airs = {end - start for start, end in served}
    periods = {after - start for (start, _), (after, _) in pairwise(served)}
    return (
        exact("largest datagram, B", octets + _IP_HEADERS, model.mtu or 0),
        exact("air time, ns", (air_ns,), tuple(airs), n=n),
        exact("period, ns", (100 * air_ns,), tuple(periods), n=n - 1),
    )


def _duty(seed: int, *, share: Fraction) -> tuple[Finding, ...]:
    """Look at every window of a busy link, from the start of a use to the end of one."""
    n = 200
    link = a_link(seed, duty=share, rate_bps=8 * S)
    sizes = [100 + 37 * (seq % 11) for seq in range(n)]
    served = deliver(link, ((7 * seq, size) for seq, size in enumerate(sizes))).served
    excess = Fraction(0)
    for i, (start, _) in enumerate(served):
        used = 0
        for begun, end in served[i:]:
            used += end - begun
            excess = max(excess, used - share * (end - start))
    # Pauses end on whole nanoseconds: none is shorter than it must be.
    burst = (1 - share) * max(sizes)
    return (exact("greatest use above r window, ns", float(burst), float(excess), n=n),)


_LORA: Final = (
    (7, 222, 368_896_000),
    (8, 222, 655_872_000),
    (9, 115, 676_864_000),
    (10, 51, 698_368_000),
    (11, 51, 1_560_576_000),
    (12, 51, 2_793_472_000),
)
_T3: Final = (2_999_999_626, 2_999_999_626, 3_000_000_001)

ROWS: Final = (
    Row(
        id="C15",
        check="end of a datagram on a recorded rate: 1 s each of 1, 0, 4 Mbit/s, from .5 s",
        formula="min {t: W(t) >= W(t0) + 8n 1e9}",
        rule="exact",
        cases=tuple(
            Case(parameters=f"{octets} B", run=partial(_on_steps, octets=octets, end_ns=end_ns))
            for octets, end_ns in (
                (62_500, S),
                (62_501, 2_000_002_000),
                (250_000, 2_375_000_000),
                (10**6, 5_625_000_000),
            )
        ),
    ),
    Row(
        id="C16",
        check="delivery opportunities, lines 1 2 2 5",
        formula="each carries 1504 B; shared, spanned, wasted if nobody waits",
        rule="exact",
        cases=(
            *(
                Case(parameters=name, run=partial(_on_lines, offers=offers, ends_ns=ends_ns))
                for name, offers, ends_ns in (
                    ("4000 B at 0", [(0, 4000)], (2 * MS,)),
                    ("7000 B at 0", [(0, 7000)], (6 * MS,)),
                    ("three of 1000 B", [(0, 1000)] * 3, (MS, 2 * MS, 2 * MS)),
                    ("100 B at 2 ms", [(2 * MS, 100)], (5 * MS,)),
                )
            ),
            Case(parameters="line 1 alone", run=_one_line),
        ),
    ),
    Row(
        id="C17",
        check="transfers that share a link of 8 Mbit/s",
        formula="equal shares, the remainder 1 bit/s each to the lowest",
        rule="exact",
        cases=tuple(
            Case(parameters=name, run=partial(_shared, events=events, ends_ns=ends_ns))
            for name, events, ends_ns in (
                ("2 x 1 MB", [(0, 1, _MEGABYTE), (0, 2, _MEGABYTE)], (2 * S, 2 * S)),
                (
                    "1 MB at 0, 250 kB at .5 s",
                    [(0, 1, _MEGABYTE), (S // 2, 2, _MEGABYTE // 4)],
                    (1250 * MS, S),
                ),
                ("3 x 1 MB", [(0, i, _MEGABYTE) for i in (1, 2, 3)], _T3),
            )
        ),
    ),
    Row(
        id="C18",
        check="max-min rates of transfers",
        formula="least share first, then what is left",
        rule="exact",
        cases=tuple(
            Case(parameters=name, run=partial(_fair, paths=paths, free=free, rates=rates))
            for name, paths, free, rates in (
                ("A 10, B 4; on A+B, A, B", {1: [1, 2], 2: [1], 3: [2]}, {1: 10, 2: 4}, (2, 8, 2)),
                ("1 000 001 for two", {1: [1], 2: [1]}, {1: 1_000_001}, (500_001, 500_000)),
            )
        ),
    ),
    Row(
        id="C19",
        check="M/G/1 processor sharing: mean stay of transfers, load .5",
        formula="E[S]/(1 - a), whatever the law of S",
        rule="5 %",
        cases=tuple(
            Case(parameters=law, run=partial(_sharing, law=law))
            for law in ("constant", "exponential", "hyper-exponential")
        ),
    ),
    Row(
        id="C20",
        check="a transfer over a lossy link",
        formula="segments, sends again, least z with n p^z < 1/2; set-up + W + (z - 1) RTT + d",
        rule="exact",
        cases=(Case(parameters="2 000 026 B, p .2, 8 Mbit/s, RTT 40 ms", run=_transfer),),
    ),
    Row(
        id="C21",
        check="duty cycles: a token bucket in time",
        formula="used <= b + r window in any window, b = (1 - r) x the longest use",
        rule="exact; the bound is reached",
        cases=(
            *(
                Case(
                    parameters=f"lora-sf{spread}, 1 %",
                    run=partial(_lora, spread=spread, octets=octets, air_ns=air_ns),
                )
                for spread, octets, air_ns in _LORA
            ),
            *(
                Case(parameters=f"r {share}", run=partial(_duty, share=Fraction(share)))
                for share in ("1/100", "1/10", "1")
            ),
        ),
    ),
)
