"""What must hold in every run: pure checks over tallies and records.

``check_tally`` looks at the totals of a run, an ``Audit`` at the records as they come. A breach
names the law, the culprit and the finding.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from simedge.drivers.tally import DeviceTally, Flow, LinkTally, Tally
from simedge.run.eventlog import Atom, LogRecord, Value

__all__ = ["Audit", "Breach", "check_bill", "check_records", "check_tally"]

_BREACHES_MAX = 100
_UID_PARTS = 7
_WATCHED_MAX = 1_000_000  # messages remembered; in a longer run the oldest laws are checked no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One broken law."""

    law: str
    culprit: str
    finding: str

    def line(self) -> str:
        """Write the breach as one line."""
        return f"{self.law}: {self.culprit}: {self.finding}"


def check_tally(tally: Tally) -> tuple[int, list[Breach]]:
    """Check the totals of a run; return how many checks were made and what broke."""
    checks = [
        *(_conservation(link, unit) for link in tally.links for unit in ("fragments", "octets")),
        *(_datagrams(link) for link in tally.links),
        *(_frames(device) for device in tally.devices),
        *(_power(device) for device in tally.devices),
        *(_memory(device) for device in tally.devices),
        _frame_totals(tally),
        _tokens(tally),
        _causes(tally),
        *_transfers(tally),
    ]
    return len(checks), [breach for breach in checks if breach is not None]


def _conservation(link: LinkTally, unit: str) -> Breach | None:
    """Offered + duplicated = delivered + every drop + what is still under way."""
    flow: Flow = getattr(link, unit)
    came = flow.offered + flow.duplicated
    dropped = flow.queue_drop + flow.lost + flow.down + flow.mtu
    went = flow.delivered + dropped + flow.queued + flow.in_service + flow.in_flight
    if came == went:
        return None
    finding = f"{came} {unit} came in, {went} are accounted for"
    return Breach(law="conservation", culprit=link.name, finding=finding)


def _datagrams(link: LinkTally) -> Breach | None:
    """Whole datagrams: the same, and one that lacks a fragment is one reassembly failure."""
    flow = link.datagrams
    came = flow.offered + flow.duplicated
    dropped = flow.queue_drop + flow.lost + flow.down + flow.mtu + flow.reassembly
    went = flow.delivered + dropped + flow.queued + flow.in_service + flow.in_flight
    if came == went:
        return None
    finding = f"{came} datagrams came in, {went} are accounted for"
    return Breach(law="conservation", culprit=link.name, finding=finding)


def _frames(device: DeviceTally) -> Breach | None:
    """Every frame that arrived was learned, sent on, dropped, lost in a crash, or still waits."""
    used = device.frames_learned + device.frames_taken
    ended = used + device.frames_dropped + device.frames_lost
    if device.frames_arrived == ended + device.frames_waiting:
        return None
    finding = f"{device.frames_arrived} frames arrived, {ended} ended, {device.frames_waiting} wait"
    return Breach(law="frames", culprit=device.name, finding=finding)


def _power(device: DeviceTally) -> Breach | None:
    """Nothing computes while it is off, and no energy is negative."""
    energies = (device.compute_fj, device.radio_fj, device.idle_fj, device.ops_fj)
    if device.busy_ns <= device.on_ns and min(energies) >= 0:
        return None
    finding = f"busy {device.busy_ns} ns of {device.on_ns} ns on, energies {energies} fJ"
    return Breach(law="power", culprit=device.name, finding=finding)


def _memory(device: DeviceTally) -> Breach | None:
    """Memory stays within the limit, where there is one."""
    limit = device.memory_limit_bytes
    if not limit or device.memory_peak_bytes <= limit:
        return None
    finding = f"{device.memory_peak_bytes} bytes of {limit}"
    return Breach(law="memory", culprit=device.name, finding=finding)


def _frame_totals(tally: Tally) -> Breach | None:
    """See that the totals of the run are the sums over its devices."""
    names = ("frames_arrived", "frames_learned", "frames_dropped", "frames_taken")
    for name in names:
        total = sum(getattr(device, name) for device in tally.devices)
        if total != getattr(tally.counts, name):
            finding = f"{getattr(tally.counts, name)} counted, {total} over the devices"
            return Breach(law="totals", culprit=name, finding=finding)
    return None


def _tokens(tally: Tally) -> Breach | None:
    """No token counts that was not sent; a copy may reach each server of a split once."""
    sent, accepted = tally.counts.tokens_sent, tally.counts.tokens_accepted
    if accepted <= sent * tally.servers:
        return None
    return Breach(law="tokens", culprit="server", finding=f"{accepted} accepted of {sent} sent")


def _causes(tally: Tally) -> Breach | None:
    """Every bit has one cause."""
    total, causes = tally.bits_up + tally.bits_down, tally.bits_by_cause
    again, proxy = causes["retransmission"], causes["proxy"]
    known = again == tally.bits_retransmitted and proxy >= tally.bits_preinstalled
    if known and sum(causes.values()) == total:
        return None
    finding = f"{total} bits counted, {sum(causes.values())} by cause ({causes})"
    return Breach(law="bill", culprit="causes", finding=finding)


def _transfers(tally: Tally) -> list[Breach | None]:
    """Transfers and their bytes: what began ended, failed or is under way."""
    books = tally.transfers
    carried = sum(link.bulk_bytes for link in tally.links)
    gone = books.passed_bytes + books.abandoned_bytes + books.left_bytes
    ends = books.ended + books.failed + books.under_way
    pairs = (
        ("transfers", books.started, ends, "started"),
        ("bytes", books.offered_bytes, gone, "had to pass"),
        ("bytes", max(carried, books.passed_bytes), carried, "passed paths"),
    )
    return [
        None
        if came == went
        else Breach(
            law="conservation",
            culprit="transfers",
            finding=f"{came} {unit} {verb}, {went} are accounted for",
        )
        for unit, came, went, verb in pairs
    ]


def check_bill(tally: Tally, audit: "Audit") -> Breach | None:
    """Check that the bits counted are those of the records, and of transfers under way."""
    bill = tally.bits_up + tally.bits_down - tally.bits_preinstalled
    bill -= 8 * tally.transfers.billed_bytes
    if audit.bits == bill:
        return None
    finding = f"{bill} bits counted, {audit.bits} in the records"
    return Breach(law="bill", culprit="links", finding=finding)


def check_records(records: Iterable[LogRecord]) -> list[Breach]:
    """Check a whole event log; return what broke."""
    audit = Audit()
    for record in records:
        audit.take(
            record.at, record.target, record.kind, subject=record.subject, detail=record.detail
        )
    return audit.breaches


class Audit:
    """Checks records as they come, in constant time each.

    Laws: time never falls; nothing is received that was not sent; ``seq`` rises strictly within a
    boot; a message counts at most once; versions of a prior never fall at the server; boots rise;
    what crashed is not up. ``bits`` sums the bill, to be compared with the run's totals.
    """

    def __init__(self) -> None:
        self.breaches: list[Breach] = []
        self.checked = 0
        self.bits = 0
        self._now = 0
        self._sent: set[str] = set()
        self._said: set[tuple[str, ...]] = set()
        self._merged: set[tuple[str, str]] = set()
        self._transfers: dict[str, int] = {}
        self._newest: dict[tuple[str, ...], int] = {}
        self._down: set[str] = set()

    def take(self, at: int, target: str, kind: str, *, subject: Atom, detail: Value) -> None:
        """Check one record against all before it."""
        self.checked += 1
        if at < self._now:
            self._broken("time", target, f"at {at} after {self._now}")
        self._now = at
        match kind:
            case "sent":
                self._sent_look(target, _text(subject), detail)
            case "transfer-started" | "transfer-ended" | "transfer-failed":
                self._transfer_look(target, kind, _text(subject), detail=detail)
            case "received":
                self._received_look(target, _text(subject))
            case "merged":
                self._merged_look(target, _text(subject))
            case "fault-started" if "rollback" in (detail, *_parts(detail)):
                self._begin_anew(target)
            case "published":
                self._published_look(target, subject, detail)
            case "crashed" | "restarted":
                self._power_look(target, kind, subject)
            case _:
                pass

    def _sent_look(self, target: str, uid: str, detail: Value) -> None:
        if len(self._sent) < _WATCHED_MAX:
            self._sent.add(uid)
        if isinstance(detail, tuple) and isinstance(detail[-1], int):
            self.bits += 8 * detail[-1]
        source, destination, cls, boot, seq, fragment, resend = _uid(uid)
        again = isinstance(detail, tuple) and "retransmission" in detail
        if target.split(".", maxsplit=1)[0] == source and fragment == resend == "0" and not again:
            self._said_look(target, (source, cls, boot, seq), destination)

    def _said_look(self, target: str, message: tuple[str, ...], destination: str) -> None:
        """See that numbers rise, in what is new to all and in what is said to the same again.

        What went to others before may come late to this one: it joined late, or was away.
        """
        source, cls, boot, seq = message
        here = (*message, destination)
        told = message in self._said
        if told and here not in self._said:
            key = ("seq", source, destination, cls, boot)
            self._newest[key] = max(int(seq), self._newest.get(key, 0))
        elif told or len(self._said) < _WATCHED_MAX:
            self._rises(("seq", source, destination, cls, boot), int(seq), target)
        if len(self._said) < _WATCHED_MAX:
            self._said |= {message, here}

    def _transfer_look(self, target: str, kind: str, uid: str, *, detail: Value) -> None:
        if kind == "transfer-started":
            if len(self._sent) < _WATCHED_MAX:
                self._sent.add(uid)
                self._transfers[uid] = self._transfers.get(uid, 0) + 1
            return
        if isinstance(detail, tuple) and isinstance(detail[-1], int):
            self.bits += 8 * detail[-1]
        if len(self._sent) < _WATCHED_MAX:
            self._transfers[uid] = self._transfers.get(uid, 0) - 1
            if self._transfers[uid] < 0:
                self._broken("once", target, f"{uid} ended, and had not started")

    def _received_look(self, target: str, uid: str) -> None:
        if uid not in self._sent and len(self._sent) < _WATCHED_MAX:
            self._broken("causality", target, f"{uid} was never sent")

    def _merged_look(self, target: str, uid: str) -> None:
        message = "/".join(_uid(uid)[:5])
        if (target, message) in self._merged:
            self._broken("once", target, f"{message} counts twice")
        if len(self._merged) < _WATCHED_MAX:
            self._merged.add((target, message))

    def _published_look(self, target: str, block: Atom, detail: Value) -> None:
        version = detail[0] if isinstance(detail, tuple) else detail
        if isinstance(version, int) and isinstance(block, int):
            self._rises(("version", target, str(block)), version, target)

    def _power_look(self, target: str, kind: str, boot: Atom) -> None:
        crashed = kind == "crashed"
        if crashed == (target in self._down):
            self._broken("power", target, f"{kind} twice")
        if crashed:
            self._down.add(target)
            return
        self._down.discard(target)
        if isinstance(boot, int):
            self._rises(("boot", target), boot, target)
        self._begin_anew(target)  # a server's versions begin again with its boot

    def _begin_anew(self, target: str) -> None:
        """Let the versions of a server fall: it restarted, or was rolled back."""
        for key in [k for k in self._newest if k[:2] == ("version", target)]:
            del self._newest[key]

    def _rises(self, key: tuple[str, ...], value: int, target: str) -> None:
        held = self._newest.get(key)
        if held is not None and value <= held:
            self._broken(f"{key[0]} rises", target, f"{value} after {held}")
        self._newest[key] = value

    def _broken(self, law: str, target: str, finding: str) -> None:
        if len(self.breaches) < _BREACHES_MAX:
            where = f"{finding} (record {self.checked - 1})"
            self.breaches.append(Breach(law=law, culprit=target, finding=where))


def _parts(detail: Value) -> tuple[Atom, ...]:
    return detail if isinstance(detail, tuple) else ()


def _text(subject: Atom) -> str:
    return subject if isinstance(subject, str) else repr(subject)


def _uid(text: str) -> tuple[str, ...]:
    """Split ``source/destination/class/boot/seq/fragment/resend``."""
    parts = tuple(text.split("/"))
    return (
        parts
        if len(parts) == _UID_PARTS and parts[4].isdecimal()
        else (text, "", "", "", "0", "", "-")
    )
