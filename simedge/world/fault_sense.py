"""Do the faults of a scenario make sense: whom they name, how many, and whether they come at all.

Each finding is (path, sentence).
"""

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence

from simedge.world.fault_settings import (
    FaultSettings,
    HalfOpenFault,
    TokenFault,
    TokenFormFault,
    TwinFault,
)
from simedge.world.link_fault_settings import BridgeFault, FlapFault, IsolateFault, PartitionFault
from simedge.world.server_fault_settings import OverloadFault, RollbackFault, SplitBrainFault
from simedge.world.settings import DeviceSettings
from simedge.world.spells import DeviceSpell, HostSpell, LinkSpell, Spell

__all__ = [
    "Finding",
    "fault_problems",
    "idle_faults",
    "late_faults",
    "link_problems",
    "names_links",
    "restless_faults",
]

_TIMES_MAX = 100_000

_OF_TALK = (
    HalfOpenFault,
    OverloadFault,
    RollbackFault,
    SplitBrainFault,
    TokenFault,
    TokenFormFault,
    TwinFault,
)
Finding = tuple[tuple[str | int, ...], str]


def fault_problems(
    faults: Sequence[FaultSettings], devices: Sequence[DeviceSettings]
) -> Iterator[Finding]:
    """Yield what is wrong with faults, in their order."""
    uses = Counter(fault.name for fault in faults)
    groups = [group.id for group in devices]
    names = [f"{group.id}-{i}" for group in devices for i in range(1, group.count + 1)]
    for i, fault in enumerate(faults):
        if uses[fault.name] > 1:
            text = f"two faults are called {fault.name!r}; names key their draws: give each its own"
            yield ("faults", i, "name"), text
        for path, name, known in _named(fault, groups, names):
            if name not in known:
                yield ("faults", i, *path), _unknown(name, known, groups)
        wanted = fault.devices if isinstance(fault, DeviceSpell | HostSpell | LinkSpell) else None
        if isinstance(wanted, int) and wanted > len(names):
            yield ("faults", i, "devices"), f"{wanted} devices asked for, there are {len(names)}"


def late_faults(faults: Sequence[FaultSettings], duration_ns: int) -> Iterator[Finding]:
    """Yield the faults that begin at the end of the run or later: they never happen."""
    for i, fault in enumerate(faults):
        if isinstance(fault, Spell) and fault.at >= duration_ns:
            yield ("faults", i, "at"), f"the run ends before the fault {fault.name!r} begins"


def restless_faults(faults: Sequence[FaultSettings], duration_ns: int) -> Iterator[Finding]:
    """Yield the faults that come more often than anyone can mean: a slip of the unit."""
    for i, fault in enumerate(faults):
        period = getattr(fault, "every", None)
        key = "every"
        if isinstance(fault, FlapFault):
            period, key = fault.down + fault.up, "down"
        if period is not None and duration_ns // period > _TIMES_MAX:
            text = f"{duration_ns // period:,} times in one run, at most {_TIMES_MAX:,}"
            yield ("faults", i, key), text


def idle_faults(faults: Sequence[FaultSettings]) -> Iterator[Finding]:
    """Yield the faults that do nothing where nobody says anything."""
    for i, fault in enumerate(faults):
        if isinstance(fault, _OF_TALK):
            text = f"the protocol sends no messages: the fault {fault.name!r} changes nothing"
            yield ("faults", i, "kind"), text


def names_links(faults: Sequence[FaultSettings]) -> bool:
    """Whether any fault names or counts links."""
    return any(isinstance(f, LinkSpell) and isinstance(f.links, int | tuple) for f in faults)


def link_problems(faults: Sequence[FaultSettings], links: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with the links that faults name or count, given the names of all."""
    known = frozenset(links)
    for i, fault in enumerate(faults):
        wanted = fault.links if isinstance(fault, LinkSpell) else None
        if isinstance(wanted, int) and wanted > len(links):
            yield ("faults", i, "links"), f"{wanted} links asked for, there are {len(links)}"
        for j, name in enumerate(wanted if isinstance(wanted, tuple) else ()):
            if name not in known:
                yield ("faults", i, "links", j), f"no link {name!r}{_hint(name, links)}"


def _named(
    fault: FaultSettings, groups: Sequence[str], names: Sequence[str]
) -> Iterator[tuple[tuple[str | int, ...], str, frozenset[str]]]:
    """Yield the names in a fault, each with its path and what could stand there."""
    match fault:
        case SplitBrainFault():
            known = frozenset([*groups, *names])
            for j, group in enumerate(fault.groups):
                yield from ((("groups", j, k), name, known) for k, name in enumerate(group))
        case PartitionFault():
            known = frozenset(["server", *groups, *names])
            for j, group in enumerate(fault.groups):
                yield from ((("groups", j, k), name, known) for k, name in enumerate(group))
        case IsolateFault() | BridgeFault():
            yield ("device",), fault.device, frozenset(names)
        case DeviceSpell() | HostSpell() | LinkSpell():
            wanted = fault.devices if isinstance(fault.devices, tuple) else ()
            known = frozenset([*groups, *names])
            yield from ((("devices", j), name, known) for j, name in enumerate(wanted))
        case _:
            pass


def _unknown(name: str, known: frozenset[str], groups: Sequence[str]) -> str:
    hint = _hint(name, sorted(known)) or f" (known: {', '.join(groups)})"
    return f"no device or group {name!r}{hint}"


def _hint(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
