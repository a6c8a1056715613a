"""Books and cameras of a run, as its scenario has them: tallies, and what cameras lean to."""

from collections.abc import Sequence

from simedge.core.streams import Streams
from simedge.drivers.feed import Leaning
from simedge.drivers.holding import Holding
from simedge.drivers.tally import DeviceTally, Tally
from simedge.learning.ports import DeviceLearner
from simedge.run.extent import extent_of
from simedge.run.fit import memory_terms
from simedge.run.proxy_set import preinstalled_bits
from simedge.run.settings import ScenarioSettings
from simedge.sensors.frames import Lean, Sensor
from simedge.world.fault_settings import LabelShiftFault
from simedge.world.faults import targets
from simedge.world.memory import check_memory, limit_bytes
from simedge.world.server_fault_settings import SplitBrainFault
from simedge.world.settings import DeviceSettings
from simedge.world.topology import Member

__all__ = ["holding_of", "leanings_of", "tally_of"]


def tally_of(scenario: ScenarioSettings, sensor: Sensor) -> Tally:
    """Return the tally of a run that has not begun."""
    preinstalled = preinstalled_bits(scenario, sensor)
    shifts = [at for at in sensor.shifts_ns if 0 < at <= scenario.duration]
    tally = Tally(
        scenario=scenario.name,
        seed=scenario.seed,
        protocol=scenario.protocol.kind,
        rule=None,
        classes=sensor.classes,
        target=None if scenario.target is None else float(scenario.target),
        shift_ns=min(shifts, default=None),
        servers=1 + sum(isinstance(fault, SplitBrainFault) for fault in scenario.faults),
        origin=sensor.origin,
        bits_down=preinstalled,
        bits_preinstalled=preinstalled,
    )
    tally.bits_by_cause["proxy"] = preinstalled
    return tally


def holding_of(
    name: str,
    settings: DeviceSettings,
    learner: DeviceLearner,
    *,
    scenario: ScenarioSettings,
    pixels: int,
) -> Holding:
    """Return what a device holds, with its tally; refuse one that cannot hold what it must."""
    terms = memory_terms(settings, learner, scenario, pixels=pixels)
    check_memory(terms, settings.memory, device=name)
    account = DeviceTally(name=name, memory_limit_bytes=limit_bytes(settings.memory))
    return Holding(account, terms, blocks=extent_of(scenario, learner.classes)[0])


def leanings_of(
    scenario: ScenarioSettings, members: Sequence[Member], streams: Streams
) -> dict[int, list[Leaning]]:
    """Return which classes the cameras of some devices are shown more often, and when."""
    found: dict[int, list[Leaning]] = {}
    for fault in scenario.faults:
        if isinstance(fault, LabelShiftFault):
            lean = Lean(fault.class_, fault.factor)
            spans = [(*span, lean) for span in fault.windows(scenario.duration)]
            for member in targets(fault, members, streams):
                found.setdefault(member.number, []).extend(spans)
    return found
