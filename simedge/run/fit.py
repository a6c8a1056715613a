"""Whether what a device must hold fits into its memory, term by term."""

from simedge.core.errors import SimedgeError
from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.ports import DeviceLearner
from simedge.protocol.settings import ElalSettings
from simedge.run.settings import ScenarioSettings
from simedge.run.sight import Sight
from simedge.world.memory import check_memory
from simedge.world.settings import DeviceSettings

__all__ = ["check_fit", "memory_terms"]

_VALUE_BYTES = 4
_EVENT_BYTES = 13
"""x, y, polarity and time of a pixel event in a frame that waits."""


def memory_terms(
    settings: DeviceSettings,
    learner: DeviceLearner,
    scenario: ScenarioSettings,
    *,
    pixels: int,
) -> dict[str, int]:
    """Return the bytes that a device must hold, by term; its sensor has so many pixels."""
    proxy, classes = scenario.sensors.proxy, learner.classes
    talks = isinstance(scenario.protocol, ElalSettings)
    rows = proxy.blocks * proxy.rows if talks else 0
    return {
        "runtime": settings.runtime,
        **learner.memory(kept_rows=rows),
        "priors": _VALUE_BYTES * rows * classes,
        "tokens": _VALUE_BYTES * (proxy.rows * classes if talks else 0),
        "queue": settings.queue * _EVENT_BYTES * 8 * pixels,
    }


def check_fit(scenario: ScenarioSettings, sight: Sight) -> list[tuple[int, str]]:
    """Return the device groups (position in the file) whose learner does not fit, and why."""
    streams = Streams(scenario.seed)
    learner = open_learner(
        scenario.learner,
        classes=sight.classes,
        width=sight.width,
        height=sight.height,
        streams=streams,
        device="probe",
    )
    found = []
    for place, settings in enumerate(scenario.devices):
        try:
            pixels = sight.width * sight.height
            terms = memory_terms(settings, learner, scenario, pixels=pixels)
            check_memory(terms, settings.memory, device=f"each {settings.id}")
        except SimedgeError as error:
            found.append((place, str(error)))
    return found
