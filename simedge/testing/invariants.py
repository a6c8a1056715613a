"""Laws that hold in every run, read off its event log, its samples and its summary.

Each law is a plain function of a `Result` that yields what breaks it; `check` asks all of them and
raises one error for the first. Those that need to know the limits of a device take the scenario as
well, and are asked if there is one.
"""

# ruff: noqa: D401 -- the docstring of a law states the law

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from simedge.run.eventlog import LogRecord
from simedge.run.invariants import Audit, Breach
from simedge.run.result import Result
from simedge.run.settings import ScenarioSettings
from simedge.testing.errors import BrokenInvariant
from simedge.testing.liveness import asked, astray, unheard

__all__ = [
    "LAWS",
    "LAWS_OF_SCENARIOS",
    "Evidence",
    "Finding",
    "boots_rise",
    "check",
    "counts_are_those_of_the_records",
    "devices_hear_again",
    "energy_adds_up",
    "findings",
    "frames_end_once",
    "idle_energy_is_that_of_the_time_on",
    "losses_are_counted",
    "messages_count_once",
    "nothing_arrives_unsent",
    "nothing_measured_is_negative",
    "power_alternates",
    "priors_are_within_their_age",
    "queues_keep_their_limits",
    "sequence_numbers_rise",
    "the_books_balance",
    "the_dead_do_nothing",
    "time_never_falls",
    "versions_never_fall",
]

_MEASURES: Final = ("_age_s", "latency_s", "rtt_s", "staleness_versions", "bits", "battery_j")
_WORK: Final = frozenset({"frame-learned", "frame-sloped", "frame-taken", "learner-done", "merged"})
_FRAME_ENDS: Final = frozenset({"frame-learned", "frame-sloped", "frame-taken", "frame-dropped"})
_POWER: Final = frozenset({"crashed", "restarted"})
_ODD_CLOCKS: Final = frozenset({"clock-offset", "clock-drift", "clock-jump"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that breaks a law."""

    at_ns: int
    entity: str
    finding: str


@dataclass(kw_only=True)
class Evidence:
    """What laws look at: a result, read once for all of them."""

    result: Result
    scenario: ScenarioSettings | None = None

    @cached_property
    def records(self) -> list[LogRecord]:
        """The event log."""
        return list(self.result.records)

    @cached_property
    def breaches(self) -> list[tuple[int, Breach]]:
        """What the audit of the records finds, each with its time."""
        audit, found = Audit(), list[tuple[int, Breach]]()
        for at, _, target, kind, subject, detail in self.records:
            audit.take(at, target, kind, subject=subject, detail=detail)
            if len(audit.breaches) > len(found):
                found += [(at, breach) for breach in audit.breaches[len(found) :]]
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """The summary."""
        return self.result.summary

    @property
    def end_ns(self) -> int:
        """When the run ended."""
        end: float = self.summary["virtual_s"]
        return round(end * 1e9)

    def of_law(self, *laws: str) -> Iterator[Finding]:
        """Yield what the audit found against some laws."""
        for at, breach in self.breaches:
            if breach.law in laws:
                yield Finding(at_ns=at, entity=breach.culprit, finding=breach.finding)


Law = Callable[["Result | Evidence"], Iterator[Finding]]


def _law(read: Callable[[Evidence], Iterator[Finding]]) -> Law:
    def law(result: Result | Evidence) -> Iterator[Finding]:
        return read(result if isinstance(result, Evidence) else Evidence(result=result))

    law.__name__, law.__doc__ = read.__name__, read.__doc__
    law.__qualname__, law.__module__ = read.__qualname__, read.__module__
    return law


def check(result: Result, scenario: ScenarioSettings | None = None) -> None:
    """Ask all laws of a result.

    Parameters
    ----------
    result
        With its records: `record.events` must be on.
    scenario
        What was run, for the laws that need its limits.

    Raises
    ------
    BrokenInvariant
        For the breach that came first.
    """
    found = findings(result, scenario)
    if found:
        name, first = min(found, key=lambda pair: pair[1].at_ns)
        raise BrokenInvariant(name, at_ns=first.at_ns, entity=first.entity, finding=first.finding)


def findings(result: Result, scenario: ScenarioSettings | None = None) -> list[tuple[str, Finding]]:
    """Return all that breaks a law, each with the name of the law."""
    evidence = Evidence(result=result, scenario=scenario)
    laws = {**LAWS, **(LAWS_OF_SCENARIOS if scenario is not None else {})}
    return [(name, found) for name, law in laws.items() for found in law(evidence)]


# ------------------------------------------------------------------------- what the audit watches
@_law
def time_never_falls(evidence: Evidence) -> Iterator[Finding]:
    """Records come in the order of their times."""
    return evidence.of_law("time")


@_law
def nothing_arrives_unsent(evidence: Evidence) -> Iterator[Finding]:
    """What is received was sent before."""
    return evidence.of_law("causality")


@_law
def sequence_numbers_rise(evidence: Evidence) -> Iterator[Finding]:
    """Within a boot a sender numbers the messages of a class upwards."""
    return evidence.of_law("seq rises")


@_law
def messages_count_once(evidence: Evidence) -> Iterator[Finding]:
    """A message is merged at most once by each receiver, however often it arrives."""
    return evidence.of_law("once")


@_law
def versions_never_fall(evidence: Evidence) -> Iterator[Finding]:
    """What a server publishes of a block bears a higher version each time, until a rollback."""
    return evidence.of_law("version rises")


@_law
def boots_rise(evidence: Evidence) -> Iterator[Finding]:
    """Each restart has a higher boot number than the one before."""
    return evidence.of_law("boot rises")


@_law
def power_alternates(evidence: Evidence) -> Iterator[Finding]:
    """Who crashes was up, who restarts was down."""
    return evidence.of_law("power")


# ------------------------------------------------------------------------------- more of the log
@_law
def the_dead_do_nothing(evidence: Evidence) -> Iterator[Finding]:
    """Between a crash and its restart nothing is learned, merged or published."""
    down: set[str] = set()
    for at, _, target, kind, _, _ in evidence.records:
        if kind == "crashed":
            down.add(target)
        elif kind == "restarted":
            down.discard(target)
        elif target in down and (kind in _WORK or kind in {"published", "applied"}):
            yield Finding(at_ns=at, entity=target, finding=f"{kind} while it is down")


@_law
def frames_end_once(evidence: Evidence) -> Iterator[Finding]:
    """A frame ends no more often than it arrived."""
    left: dict[tuple[str, object], int] = {}
    for at, _, target, kind, subject, _ in evidence.records:
        key = (target, subject)
        if kind == "frame-arrived":
            left[key] = left.get(key, 0) + 1
        elif kind in _FRAME_ENDS:
            left[key] = left.get(key, 0) - 1
            if left[key] < 0:
                text = f"{kind}: frame {subject!r} had ended already, or never arrived"
                yield Finding(at_ns=at, entity=target, finding=text)


@_law
def losses_are_counted(evidence: Evidence) -> Iterator[Finding]:
    """Of every link as many datagrams are counted as lost as the log loses, where none is cut."""
    if evidence.scenario is not None and evidence.scenario.links.default.fragment:
        return
    lost = [record for record in evidence.records if record.kind == "lost"]
    known = sum(record.detail != "no_route" for record in lost)
    counted = evidence.summary["communication"]["datagrams"]["lost"]
    if counted < known:
        text = f"{counted} datagrams counted as lost, the log loses {known}"
        at = lost[min(counted, len(lost) - 1)].at
        yield Finding(at_ns=at, entity=lost[-1].target, finding=text)


# ---------------------------------------------------------------------------------- the numbers
@_law
def the_books_balance(evidence: Evidence) -> Iterator[Finding]:
    """Nothing vanishes on a link or in a device: what the run itself found when it ended."""
    audited = {breach.line() for _, breach in evidence.breaches}
    for line in evidence.summary["invariants"]["broken"]:
        if line not in audited:
            _, culprit, finding = line.split(": ", 2)
            yield Finding(at_ns=evidence.end_ns, entity=culprit, finding=finding)


@_law
def counts_are_those_of_the_records(evidence: Evidence) -> Iterator[Finding]:
    """What the summary counts is in the log."""
    seen: dict[str, int] = {}
    for record in evidence.records:
        seen[record.kind] = seen.get(record.kind, 0) + 1
    counts = evidence.summary["counts"]
    learned = seen.get("frame-learned", 0) + seen.get("frame-sloped", 0)
    lost = sum(r.kind == "frame-dropped" and r.detail == "crash" for r in evidence.records)
    pairs = {
        "frames_arrived": seen.get("frame-arrived", 0),
        "frames_learned": learned,
        "frames_dropped": seen.get("frame-dropped", 0) - lost,
    }
    for name, count in pairs.items():
        if counts[name] != count:
            text = f"{counts[name]} {name} counted, {count} in the log"
            yield Finding(at_ns=evidence.end_ns, entity="run", finding=text)


@_law
def nothing_measured_is_negative(evidence: Evidence) -> Iterator[Finding]:
    """Ages, latencies and staleness are at least 0, where clocks are right."""
    kinds = {fault.kind for fault in evidence.scenario.faults} if evidence.scenario else set()
    if kinds & _ODD_CLOCKS:
        return
    for sample in evidence.result.samples:
        if sample.metric.endswith(_MEASURES) and sample.value < 0:
            text = f"{sample.metric} is {sample.value:g}"
            yield Finding(at_ns=sample.at_ns, entity=sample.entity, finding=text)


@_law
def energy_adds_up(evidence: Evidence) -> Iterator[Finding]:
    """The energies of all devices, and of all causes, sum to the total; none is negative."""
    energy = evidence.summary["energy_j"]
    total = energy["total"]
    sums = {
        "causes": sum(energy[name] for name in ("compute", "radio", "idle")),
        "devices": sum(energy["per_device"].values()),
    }
    for name, value in sums.items():
        if abs(value - total) > 1e-9 * max(1.0, abs(total)):
            text = f"{value:g} J over the {name}, {total:g} J in total"
            yield Finding(at_ns=evidence.end_ns, entity="run", finding=text)
    for name, value in energy["per_device"].items():
        if value < 0:
            yield Finding(at_ns=evidence.end_ns, entity=name, finding=f"{value:g} J")


# ------------------------------------------------------------------- what a scenario has to say
@_law
def queues_keep_their_limits(evidence: Evidence) -> Iterator[Finding]:
    """No device holds more frames than its queue and the one that it works on."""
    limits = _by_device(evidence, lambda group: group.queue + 1)
    held = dict.fromkeys(limits, 0)
    for at, _, target, kind, _, _ in evidence.records:
        if target not in limits or not (kind == "frame-arrived" or kind in _FRAME_ENDS):
            continue
        held[target] += 1 if kind == "frame-arrived" else -1
        # What arrives is dropped by the next record, if it is.
        if held[target] > limits[target] + 1:
            text = f"holds {held[target] - 1} frames, at most {limits[target]} fit"
            yield Finding(at_ns=at, entity=target, finding=text)


@_law
def idle_energy_is_that_of_the_time_on(evidence: Evidence) -> Iterator[Finding]:
    """The idle energy of all devices is their idle power for as long as the log has them up."""
    from simedge.world.compute import board  # noqa: PLC0415  # only this law needs it

    powers = _by_device(evidence, lambda group: board(group.compute).idle_uw)
    if any("~" in name for name in evidence.summary["energy_j"]["per_device"]):
        return
    end = evidence.end_ns
    on = dict.fromkeys(powers, end)
    for at, _, target, kind, _, _ in evidence.records:
        if target in on and kind in {"crashed", "restarted"}:
            on[target] += (at - end) if kind == "crashed" else (end - at)
    wanted = sum(on[name] * power for name, power in powers.items()) / 1e15
    found = evidence.summary["energy_j"]["idle"]
    if abs(found - wanted) > 1e-9 * max(1.0, wanted):
        text = f"{found:g} J idle, {wanted:g} J by the time on"
        yield Finding(at_ns=end, entity="devices", finding=text)


@_law
def priors_are_within_their_age(evidence: Evidence) -> Iterator[Finding]:
    """No prior is made of rows that are older than `protocol.age_max`."""
    limit = getattr(evidence.scenario and evidence.scenario.protocol, "age_max", None)
    if limit is None:
        return
    for sample in evidence.result.samples:
        if sample.metric == "published_age_s" and sample.value > limit / 1e9:
            text = f"a prior's newest row is {sample.value:g} s old, at most {limit / 1e9:g} s"
            yield Finding(at_ns=sample.at_ns, entity=sample.entity, finding=text)


@_law
def devices_hear_again(evidence: Evidence) -> Iterator[Finding]:
    """Once all faults have ended, every device that is up has a fresh prior within a bound."""
    scenario = evidence.scenario
    span = None if scenario is None else asked(scenario, evidence.end_ns)
    if scenario is None or span is None:
        return
    priors = [s for s in evidence.result.samples if s.metric == "prior_age_s"]
    heard = [(sample.at_ns, sample.entity) for sample in priors]
    power = [(r.at, r.target, r.kind) for r in evidence.records if r.kind in _POWER]
    struck = [(r.target, str(r.subject)) for r in evidence.records if r.kind == "fault-started"]
    devices = sorted(_by_device(evidence, lambda _: 0).keys() - astray(scenario, struck))
    for name in unheard(devices, heard=heard, power=power, span=span):
        text = f"no prior came within {(len(span) - 1) / 1e9:g} s of the end of the last fault"
        yield Finding(at_ns=span[-1], entity=name, finding=text)


def _by_device(evidence: Evidence, read: Callable[[Any], int]) -> dict[str, int]:
    groups = evidence.scenario.devices if evidence.scenario is not None else ()
    return {f"{g.id}-{i}": read(g) for g in groups for i in range(1, g.count + 1)}


def _named(laws: Iterable[Law]) -> Mapping[str, Law]:
    return MappingProxyType({law.__name__: law for law in laws})


LAWS: Final = _named(
    [
        time_never_falls,
        nothing_arrives_unsent,
        sequence_numbers_rise,
        messages_count_once,
        versions_never_fall,
        boots_rise,
        power_alternates,
        the_dead_do_nothing,
        frames_end_once,
        losses_are_counted,
        the_books_balance,
        counts_are_those_of_the_records,
        nothing_measured_is_negative,
        energy_adds_up,
    ]
)
"""Laws of any result, by name."""

LAWS_OF_SCENARIOS: Final = _named(
    [
        queues_keep_their_limits,
        idle_energy_is_that_of_the_time_on,
        priors_are_within_their_age,
        devices_hear_again,
    ]
)
"""Laws that need the scenario as well, by name."""
