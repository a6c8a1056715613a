"""C25 and C27: frames that wait for a device, and its time, memory and energy."""

import heapq
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from itertools import count
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from simedge.core.records import Due, Order
from simedge.core.streams import Streams
from simedge.validation.crank import MS, S
from simedge.validation.finding import Case, Finding, Row, exact, within
from simedge.world.compute import Board, board
from simedge.world.datagrams import Datagram, Uid
from simedge.world.device import Device
from simedge.world.energy import Meter, operations_fj
from simedge.world.jobs import Job
from simedge.world.links import Link
from simedge.world.memory import limit_bytes, state_bytes
from simedge.world.profiles import resolve
from simedge.world.settings import ComputeSettings, DeviceSettings, LinkSettings

__all__ = ["ROWS"]

_PERIOD_NS, _SERVICE_NS = 33_333_333, 50_000_000
_FRAMES: Final = 3000
_EVENTFUL: Final = Board(
    conv=1, depthwise=1, dense=1, event=10**9, overhead_ns=0, idle_uw=0, busy_uw=0
)


class _Fifty:
    """A workshop whose every job takes 50 ms of a device without overhead."""

    volleys = 1
    counts = None
    macs: Mapping[str, int] = {}

    def advance(self, count: int | None = None) -> NDArray[np.int64]:
        del count
        return np.array([_SERVICE_NS], np.int64)

    def commit(self) -> None:
        return None

    def discard(self) -> None:
        raise AssertionError

    def begin(self, job: Job) -> "_Fifty":
        del job
        return self

    def rows(self, job: Job, first: int, stop: int) -> tuple["_Fifty", ...]:
        del job
        return (self,) * (stop - first)


def _camera(queue: int, drop: Literal["newest", "oldest"]) -> tuple[Device, int]:
    """Let frames come to a device every period; return it and how many were dropped."""
    device = Device(_EVENTFUL, _Fifty(), number=1, queue=queue, drop=drop)
    order, dropped = count(), 0
    coming: list[tuple[int, int, int, Due | None]] = [
        (i * _PERIOD_NS, Order.FRAME, next(order), None) for i in range(_FRAMES)
    ]
    while coming:
        now, _, _, due = heapq.heappop(coming)
        if due is None:
            dropped += len(device.frame(now, now))
        else:
            device.handle(due.kind, due.payload, now)
        for new in device.start(now):
            heapq.heappush(coming, (new.at, new.order, next(order), new))
    return device, dropped


def _drops(_seed: int, *, queue: int, drop: Literal["newest", "oldest"]) -> tuple[Finding, ...]:
    service, period = _SERVICE_NS, _PERIOD_NS
    share = 1 - Fraction(period, service) if queue else 1 - Fraction(1, -(-service // period))
    _, dropped = _camera(queue, drop)
    slack = (queue + 1) / _FRAMES
    found = dropped / _FRAMES
    return (within("share dropped", float(share), found, n=_FRAMES, tolerance=slack),)


def _latency(
    _seed: int, *, drop: Literal["newest", "oldest"], first: tuple[float, ...], mean: float
) -> tuple[Finding, ...]:
    device, _ = _camera(1, drop)
    found = [ns / MS for ns in device.update_ns]
    bound = 2 * _SERVICE_NS if drop == "newest" else _SERVICE_NS + _PERIOD_NS
    settled = found[len(found) // 4 :]
    average = round(sum(settled) / len(settled), 1)
    # The last frame of all has no successor to displace it.
    late = sum(ns >= bound for ns in device.update_ns[:-1])
    return (
        exact("first updates, ms", first, tuple(round(ms, 1) for ms in found[: len(first)])),
        exact("settled mean, ms", mean, average, n=len(settled)),
        exact("updates above the bound", 0, late, n=len(found)),
    )


# ------------------------------------------------------------------------------------------- C27
def _layers(_seed: int) -> tuple[Finding, ...]:
    figures = {"conv": 15_560_000_000, "bandwidth": 4 * 10**9, "overhead": "300 us"}
    pi = board(ComputeSettings.model_validate({"base": "pi-4b"} | figures))
    conv = pi.layer_ns("conv", 50_000_000)
    dense = pi.layer_ns("dense", 2_000_000, 8_000_000)
    expected = -(-50 * 10**15 // 15_560_000_000) + 8_000_000 * S // (4 * 10**9) + 300_000
    return (exact("update, ns", expected, pi.job_ns(conv + dense)),)


def _states(_seed: int) -> tuple[Finding, ...]:
    p, n, t = 500_000, 20_000, 100
    expected = (4 * (4 * p + 2 * t * n), 4 * (2 * p + 2 * n), 4 * (p + 4 * n))
    methods = ("bptt-adam", "eligibilities", "traces")
    found = tuple(state_bytes(m, parameters=p, neurons=n, steps=t) for m in methods)
    return (
        exact("state, B", expected, found),
        exact("usable of 512 MiB, B", 512 * 2**20 * 70 // 100, limit_bytes(512 * 2**20)),
    )


def _meter(seed: int, profile: Literal["ethernet", "lte"]) -> tuple[Meter, Link]:
    up, down = (
        Link(
            resolve(LinkSettings(profile=profile), upwards=src == 1),
            name=f"n{src}.n{dst}",
            number=src + 5,
            src=src,
            dst=dst,
            streams=Streams(seed),
        )
        for src, dst in ((1, 0), (0, 1))
    )
    return Meter(DeviceSettings(id="cam"), board("pi-4b"), number=1, links=[up, down]), up


def _board(seed: int) -> tuple[Finding, ...]:
    meter, _ = _meter(seed, "ethernet")
    idle_uw, busy_uw, on_s, busy_s = 3_060_000, 6_120_000, 10, 4
    expected = (idle_uw * on_s + (busy_uw - idle_uw) * busy_s) * S
    found = meter.read(on_s * S, on_ns=on_s * S, busy_ns=busy_s * S).total_fj
    return (exact("energy, fJ", expected, found),)


def _operations(_seed: int) -> tuple[Finding, ...]:
    macs = 1_820_000_000
    return (exact("energy, fJ", macs * 4600, operations_fj({"macs": macs})),)


def _tail(seed: int) -> tuple[Finding, ...]:
    """Send one lone message over LTE."""
    meter, link = _meter(seed, "lte")
    uid = Uid("n1", "n0", "token", 1, 1)
    link.offer(Datagram(uid=uid, data=b"", wire_bytes=750, path=(0,)), 0)
    found = meter.read(60 * S, on_ns=60 * S, busy_ns=0).radio_fj
    expected = MS * (1_290_000 + 438 * 6000) + 1_060_000 * 11_600_000_000
    return (exact("radio, fJ", expected, found),)


ROWS: Final = (
    Row(
        id="C25",
        check="frames at a device that is too slow: P 33 333 333 ns, S 50 000 000 ns",
        formula="q 0 drops 1 - 1/ceil(S/P), q >= 1 drops 1 - P/S",
        rule="(q + 1)/n; latencies exact to .1 ms",
        cases=(
            *(
                Case(parameters=f"q {queue}, {drop}", run=partial(_drops, queue=queue, drop=drop))
                for queue in (0, 1, 3)
                for drop in ("newest", "oldest")
            ),
            Case(
                parameters="q 1, newest, latency",
                run=partial(
                    _latency, drop="newest", first=(50.0, 66.7, 83.3, 66.7, 83.3, 66.7), mean=75.0
                ),
            ),
            Case(
                parameters="q 1, oldest, latency",
                run=partial(_latency, drop="oldest", first=(50.0, 66.7, 50.0, 66.7), mean=58.4),
            ),
        ),
    ),
    Row(
        id="C27",
        check="time, memory and energy of boards",
        formula="max(ceil(MAC/rate), ceil(B/bandwidth)); 4(4P + 2TN); P_idle T + dP T_busy",
        rule="exact",
        cases=(
            Case(parameters="pi-4b, conv 50 MMAC, dense 8 MB", run=_layers),
            Case(parameters="P 500 000, N 20 000, T 100", run=_states),
            Case(parameters="pi-4b, 10 s on, 4 s busy", run=_board),
            Case(parameters="1.82 GMAC at 45 nm", run=_operations),
            Case(parameters="750 B over lte, then silence", run=_tail),
        ),
    ),
)
