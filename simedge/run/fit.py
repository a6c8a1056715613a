"""Whether what a device must hold fits into its memory, term by term."""

from typing import cast

from simedge.core.errors import SimedgeError
from simedge.core.streams import Streams
from simedge.drivers.holding import EVENT_BYTES
from simedge.drivers.lookahead import HELD_MAX
from simedge.learning.learner import open_learner
from simedge.learning.ports import DeviceLearner, ParameterLearner
from simedge.protocol.errors import ProtocolError
from simedge.protocol.settings import ElalSettings
from simedge.run.extent import extent_of
from simedge.run.needs import needs_of
from simedge.run.settings import ScenarioSettings
from simedge.run.sight import Sight
from simedge.world.memory import check_memory
from simedge.world.settings import DeviceSettings

__all__ = ["check_fit", "memory_terms", "params_of"]

_VALUE_BYTES = 4
_EVENTS_A_PIXEL = 8


def memory_terms(
    settings: DeviceSettings,
    learner: DeviceLearner,
    scenario: ScenarioSettings,
    *,
    pixels: int,
) -> dict[str, int]:
    """Return the bytes that a device must hold, by term; its sensor has so many pixels."""
    classes, needs = learner.classes, needs_of(scenario.protocol)
    blocks, of_block = extent_of(scenario, classes)
    talks = isinstance(scenario.protocol, ElalSettings)
    rows = blocks * of_block if talks else 0
    own = learner.memory(kept_rows=0 if needs.classes else rows) if needs.model else {}
    frames = settings.queue + 1 + HELD_MAX * needs.sets_aside  # one is being learned
    return {
        "runtime": settings.runtime,
        **own,
        "priors": _VALUE_BYTES * rows * classes,
        "tokens": _VALUE_BYTES * (of_block * classes if talks else 0),
        **_models(learner, scenario),
        "queue": frames * EVENT_BYTES * _EVENTS_A_PIXEL * pixels,
    }


def params_of(learner: DeviceLearner, scenario: ScenarioSettings) -> int:
    """Return how many parameters travel in a run, 0 if none do.

    Raises
    ------
    ProtocolError
        If the learner cannot do what the protocol asks of it.
    """
    needs, kind = needs_of(scenario.protocol), scenario.protocol.kind
    able = hasattr(learner, "get_params") and hasattr(learner, "class_table")
    if (needs.parameters or needs.classes) and not able:
        raise ProtocolError(f"{kind} asks for more than a learner of rule {learner.rule!r} can do")
    return cast("ParameterLearner", learner).params if needs.parameters else 0


def _models(learner: DeviceLearner, scenario: ScenarioSettings) -> dict[str, int]:
    """Return the bytes of what a device sends and has received, where it is models or tables."""
    needs = needs_of(scenario.protocol)
    if needs.classes:
        return {"tables": 2 * _VALUE_BYTES * learner.classes**2}
    held = needs.copies * _VALUE_BYTES * params_of(learner, scenario)
    return {"models": held} if held else {}


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
