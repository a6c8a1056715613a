"""Liveness of `elal`: once nothing goes wrong any more, every device soon hears a fresh prior.

The law has a bound only where nothing is lost for ever: a star of links without loss, faults that
end, and a run that goes on long enough after them. Elsewhere it is silent.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from simedge.core.records import SECOND_NS
from simedge.run.settings import ScenarioSettings
from simedge.world.spells import Spell

__all__ = ["bound_ns", "calm_ns", "unheard"]

_JOIN_GAP_MAX_NS: Final = 60 * SECOND_NS
"""Longest wait between two tries to join: the gap doubles, so it is no longer than all before."""
_SLACK_NS: Final = 3 * SECOND_NS
"""What faults have left on links, a second between two rejections, a first try to join."""
_PERIODS: Final = 4
"""Token periods until a token is heard, and another that changes a row: frames come by chance."""


def calm_ns(scenario: ScenarioSettings) -> int | None:
    """Return when the last fault ends; None if one never does, or may leave something behind."""
    ends = [0]
    for fault in scenario.faults:
        # Reboots go on beyond their span, and a clock that has jumped stays wrong.
        lasting = fault.kind == "reboot-loop" or fault.kind.startswith("clock-")
        if lasting or not isinstance(fault, Spell):
            return None
        lag: int = getattr(fault, "lag", 0) or 0
        ends += [end + lag for _, end in fault.windows(scenario.duration)]
    return max(ends)


def bound_ns(scenario: ScenarioSettings, calm: int) -> int | None:
    """Return how long after that a device may wait for a prior; None where nothing bounds it.

    A join may be a retry gap away; then tokens change rows, all blocks have their turn to be
    published, and a have vector asks for what was missed.
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
    gap = min(_JOIN_GAP_MAX_NS, calm)
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
