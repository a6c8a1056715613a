"""What the machines of a run agree on before it begins."""

import hashlib

from simedge.core.records import SECOND_NS
from simedge.learning.ports import DeviceLearner
from simedge.protocol.shape import Ground
from simedge.run.extent import extent_of
from simedge.run.fit import params_of
from simedge.run.proxy_set import proxy_set_of
from simedge.run.settings import ScenarioSettings
from simedge.sensors.frames import Sensor

__all__ = ["ground_of"]

_ANY_NS = 2**63  # who goes by arrival does not look at the clocks of others
_LEARNING_RATE = 0.05  # where the learner does not say
_REAL_CLOCKS_NS = 2 * SECOND_NS


def ground_of(
    scenario: ScenarioSettings,
    sensor: Sensor,
    *,
    first: DeviceLearner,
    devices: int,
    live: bool,
) -> Ground:
    """Return it; the token period is the same for all devices.

    Parameters
    ----------
    first
        A learner; all are built alike.
    live
        Whether there are real clocks, which are not shared.
    """
    protocol, rate = scenario.protocol, scenario.sensors.rate
    capture = getattr(protocol, "age_clock", "capture") == "capture"
    blocks, rows = extent_of(scenario, sensor.classes)
    delivered = getattr(protocol, "delivery", None) == "transfer"
    proxy_set = proxy_set_of(sensor) if delivered else b""
    return Ground(
        classes=sensor.classes,
        blocks=blocks,
        rows=rows,
        pset=hashlib.sha256(proxy_set).digest() if delivered else sensor.pset,
        proxy_set=proxy_set,
        tau_ns=int(protocol.interval * SECOND_NS / rate),
        shared_clock=capture and not live,
        tolerance_ns=_REAL_CLOCKS_NS if live else _ANY_NS,
        devices=devices,
        params=params_of(first, scenario),
        frame_ns=int(SECOND_NS / rate),
        duration_ns=scenario.duration,
        learning_rate=getattr(first, "learning_rate", _LEARNING_RATE),
    )
