"""What a driver counts while a run goes on: plain numbers, in base units, no arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from simedge.drivers.ages import Segment

__all__ = [
    "CAUSES",
    "Counts",
    "DeviceTally",
    "Evaluation",
    "Flow",
    "LinkTally",
    "Sample",
    "Tally",
    "TransferTally",
]

CAUSES: Final = ("payload", "retransmission", "ack", "join", "proxy")
"""Why bits are on the wire, each with its headers; ``proxy`` counts sets that were preinstalled."""


class Sample(NamedTuple):
    """One measurement: at which virtual time, of what, how much; goes to the metrics only."""

    at_ns: int
    entity: str
    metric: str
    value: float


@dataclass(slots=True, kw_only=True)
class Counts:
    """Events of a run, under the names that the summary gives them."""

    kernel_events: int = 0
    jobs: int = 0
    volleys: int = 0
    spikes: int = 0
    synaptic_events: int = 0
    plasticity_updates: int = 0
    frames_arrived: int = 0
    frames_learned: int = 0
    frames_dropped: int = 0
    frames_taken: int = 0
    """Frames that devices sent on as they were, for others to learn."""
    tokens_sent: int = 0
    tokens_accepted: int = 0
    priors_applied: int = 0


@dataclass(slots=True, kw_only=True)
class DeviceTally:
    """One device: energies in femtojoules (1 uW for 1 ns), in both ledgers.

    ``compute_fj`` is what computing drew above idle; ``ops_fj`` is the ledger of operations.
    """

    name: str
    up: bool = True
    crashes: int = 0
    compute_fj: int = 0
    radio_fj: int = 0
    idle_fj: int = 0
    ops_fj: int = 0
    memory_peak_bytes: int = 0
    """The most that was held at any time."""
    memory_now_bytes: int = 0
    """What was held when it was looked at last."""
    memory_limit_bytes: int = 0
    busy_ns: int = 0
    on_ns: int = 0
    frames_arrived: int = 0
    frames_learned: int = 0
    frames_dropped: int = 0
    frames_lost: int = 0
    """Frames that a crash took from the queue or from a running job."""
    frames_taken: int = 0
    """Frames that were sent on as they were, for others to learn."""
    frames_waiting: int = 0
    """Frames in the queue or in a running job at the end."""
    decision_ns: int = 0
    """From the start of each learned presentation until its decision has taken effect, summed."""
    modulator_bytes: int = 0
    """Broadcast within the device to teach its neurons."""


@dataclass(slots=True, kw_only=True)
class Flow:
    """What became of everything offered to a link, in one unit (fragments, bytes, datagrams)."""

    offered: int = 0
    duplicated: int = 0
    delivered: int = 0
    queue_drop: int = 0
    lost: int = 0
    down: int = 0
    mtu: int = 0
    queued: int = 0
    in_service: int = 0
    in_flight: int = 0
    reassembly: int = 0
    """Datagrams that lacked a fragment; counted apart from fragments and bytes."""


@dataclass(slots=True, kw_only=True)
class LinkTally:
    """One direction of one link."""

    name: str
    fragments: Flow = field(default_factory=Flow)
    octets: Flow = field(default_factory=Flow)
    datagrams: Flow = field(default_factory=Flow)
    bulk_bytes: int = 0
    """Bytes of transfers, sent again and acknowledgements included."""


@dataclass(slots=True, kw_only=True)
class TransferTally:
    """Transfers, and what became of the bytes that had to pass their paths."""

    started: int = 0
    ended: int = 0
    failed: int = 0
    under_way: int = 0
    offered_bytes: int = 0
    passed_bytes: int = 0
    abandoned_bytes: int = 0
    """Of failed ones, what had not passed."""
    left_bytes: int = 0
    """Of those under way."""
    billed_bytes: int = 0
    """Of those under way, over all links."""


@dataclass(slots=True, kw_only=True)
class Evaluation:
    """One held-out evaluation: right answers of each device that is up, of ``items`` each.

    ``bits`` and ``frames_learned`` are the run's totals at that time; ``before_shift`` marks the
    evaluation 1 ns before the first shift.
    """

    at_ns: int
    items: int
    correct: dict[str, int]
    bits: int = 0
    frames_learned: int = 0
    before_shift: bool = False


@dataclass(slots=True, kw_only=True)
class Tally:
    """Everything that a run's summary is made of."""

    scenario: str
    seed: int
    protocol: str
    rule: str | None
    classes: int
    duration_ns: int = 0
    """Virtual time reached."""
    wall_s: float = 0.0
    log_sha256: str = ""
    target: float | None = None
    shift_ns: int | None = None
    servers: int = 1
    """With those that a split makes; each takes a token once."""
    counts: Counts = field(default_factory=Counts)
    devices: list[DeviceTally] = field(default_factory=list)
    links: list[LinkTally] = field(default_factory=list)
    transfers: TransferTally = field(default_factory=TransferTally)
    evaluations: list[Evaluation] = field(default_factory=list)
    bits_up: int = 0
    bits_down: int = 0
    bits_preinstalled: int = 0
    """Bits within ``bits_down`` that entered no link: the proxy set that devices came with."""
    bits_retransmitted: int = 0
    bits_by_cause: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    """What ``bits_up`` and ``bits_down`` are made of; each bit has one cause."""
    update_latencies_ns: list[int] = field(default_factory=list)
    decision_latencies_ns: list[int] = field(default_factory=list)
    """From the start of each learned presentation until its decision has taken effect."""
    token_latencies_ns: list[int] = field(default_factory=list)
    share_latencies_ns: list[int] = field(default_factory=list)
    """From sending what was learned until the server, or a peer, merged it."""
    prior_ages: list[Segment] = field(default_factory=list)
    """Stretches of the ages of the priors that devices hold (see `ages`)."""
    staleness: list[int] = field(default_factory=list)
    """Versions behind, at each merge."""
    origin: Callable[[], dict[str, object]] = dict
    """Tells where the sensor's recordings come from, and which it skipped so far."""
    invariants_checked: int = 0
    breaches: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    """What machines and observers measured, in the order in which they did."""
    no_route: int = 0
    """Datagrams that no link took, for want of a path; they are on no link's account."""
    server_crashes: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Messages that receivers did not take, by cause."""
