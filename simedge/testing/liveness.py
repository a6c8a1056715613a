"""Liveness of `elal`: once nothing goes wrong any more, every device soon hears a fresh prior.

The law has a bound only where nothing is lost for ever: a star of links without loss, faults that
end, and a run that goes on long enough after them. Elsewhere it is silent.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from simedge.core.records import SECOND_NS
from simedge.run.settings import ScenarioSettings
from simedge.world.clock_fault_settings import ClockDriftFault, ClockFault, ClockJumpFault
from simedge.world.fault_settings import RebootLoopFault, TieShuffleFault
from simedge.world.spells import Spell
from simedge.world.storage_fault_settings import StorageFault

__all__ = ["asked", "astray", "bound_ns", "calm_ns", "unheard"]

_JOIN_GAP_MAX_NS: Final = 60 * SECOND_NS
"""Longest wait between two tries to join: the gap doubles, so it is no longer than all before."""
_SLACK_NS: Final = 3 * SECOND_NS
"""What faults have left on links, a second between two rejections, a first try to join."""
_LASTING: Final = ClockJumpFault | ClockDriftFault
"""After these a clock stays wrong."""
_PERIODS: Final = 4
"""Token periods until a token is heard, and another that changes a row: frames come by chance."""


def asked(scenario: ScenarioSettings, end_ns: int) -> range | None:
    """Return the span in which every device must hear a prior; None if a run is too short for it.

    It begins when the last fault has ended, and ends with the bound.
    """
    calm = calm_ns(scenario)
    wait = bound_ns(scenario, calm)
    return None if wait is None or calm + wait > end_ns else range(calm, calm + wait + 1)


def calm_ns(scenario: ScenarioSettings) -> int:
    """Return when the last fault ends that may hinder a device which must hear again.

    After the end of the run if one does not end. The disk of a run and the order of equals hinder
    nobody, and a clock that stays wrong only its own device (see `astray`).
    """
    ends = [0]
    own = _believes_stamps(scenario)
    for fault in scenario.faults:
        if isinstance(fault, StorageFault | TieShuffleFault) or (
            own and isinstance(fault, _LASTING)
        ):
            continue
        lag: int = getattr(fault, "lag", 0) or 0
        ends += [end + lag for _, end in _windows(fault, scenario.duration)]
    return max(ends)


def _windows(fault: Spell, duration_ns: int) -> Iterator[tuple[int, int]]:
    """Yield when a fault begins and is over; reboots may go on beyond their span."""
    for at, end in fault.windows(duration_ns):
        if isinstance(fault, RebootLoopFault):
            until = min(end, at + fault.count * (fault.up + fault.down))
            yield at, until + fault.down
        else:
            yield at, end


def astray(scenario: ScenarioSettings, struck: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the devices of which nothing is asked, as their clocks stay wrong.

    With `age_clock: capture` all machines are held to share one clock, and nobody takes a message
    from the future. To a device whose clock is behind by more than a message is under way, all
    that the server says is from the future, as long as it is behind: after one jump of 0.9 s back
    it refuses every prior, report and reply, which is right (but for kept bytes of a prior that are
    sent again when its clock has reached their stamp). One whose clock is ahead still hears
    what others make the server say, but cannot join again if it has to: its joins are from the
    future. An offset ends, and then its device must hear again. With `arrival` nobody looks at the
    clock of another, and no clock excuses anyone.

    Parameters
    ----------
    struck
        Devices and the names of the faults that began on them.
    """
    if not _believes_stamps(scenario):
        return frozenset()
    lasting = {fault.name for fault in scenario.faults if isinstance(fault, _LASTING)}
    return frozenset(name for name, fault in struck if fault in lasting)


def _believes_stamps(scenario: ScenarioSettings) -> bool:
    return getattr(scenario.protocol, "age_clock", "capture") == "capture"


def _wander_ns(scenario: ScenarioSettings) -> int:
    """Return how far the clocks of those who must hear go astray at most."""
    total, excused = 0, _LASTING if _believes_stamps(scenario) else ()
    for fault in scenario.faults:
        if not isinstance(fault, ClockFault) or isinstance(fault, excused):
            continue
        for at, end in fault.windows(scenario.duration):
            if isinstance(fault, ClockDriftFault):
                total += abs(fault.ppm) * (end - at) // 1_000_000
            else:
                total += abs(fault.by)
    return total


def bound_ns(scenario: ScenarioSettings, calm: int) -> int | None:
    """Return how long after that a device may wait for a prior; None where nothing bounds it.

    A join may be a retry gap away; then tokens change rows, all blocks have their turn to be
    published, and a have vector asks for what was missed. Timers stand for times of the device's
    own clock: one that is set back delays them by as much.
    """
    elal: Any = scenario.protocol
    default = scenario.links.default
    clean = default.loss is not None and default.loss.kind == "none" and default.trace is None
    alone = not scenario.links.overrides and scenario.topology.kind == "star"
    if elal.kind != "elal" or elal.x_mode != "proxy" or elal.delivery != "preinstalled":
        return None
    rate, proxy = getattr(scenario.sensors, "rate", None), getattr(scenario.sensors, "proxy", None)
    if not (clean and alone) or rate is None or proxy is None:
        return None
    token = int(elal.interval * SECOND_NS / rate)
    turn: int = elal.prior_period * -(-proxy.blocks // elal.prior_budget)
    wander = _wander_ns(scenario)
    gap = min(_JOIN_GAP_MAX_NS, calm + wander) + wander
    wait: int = gap + _SLACK_NS + _PERIODS * token + 2 * turn + int(elal.have_period)
    return wait


def unheard(
    devices: Iterable[str],
    *,
    heard: Iterable[tuple[int, str]],
    power: Iterable[tuple[int, str, str]],
    span: range,
) -> Iterator[str]:
    """Yield the devices that were up all the span, with the server, and heard nothing in it.

    Parameters
    ----------
    heard
        When a prior came, and to whom.
    power
        When who went down or came back, and which of the two, in order.
    span
        From the end of the last fault until the bound.
    """
    down, restless = set[str](), set[str]()
    for at, name, kind in power:
        (down.add if kind == "crashed" and at <= span[0] else down.discard)(name)
        if at in span[1:]:
            restless.add(name)
    if "server" in down | restless:
        return
    spoken = {name for at, name in heard if at in span}
    yield from (name for name in devices if name not in down | restless | spoken)
