"""What a scenario's sensor shows: how many classes, on how many pixels."""

from typing import NamedTuple

from simedge.run.settings import ScenarioSettings
from simedge.sensors.settings import RecordedSettings, TemporalSettings

__all__ = ["Sight", "sight_of"]

_CLASSES = 10  # of every other sensor that needs no files


class Sight(NamedTuple):
    """Classes, and the pixels of a row and a column."""

    classes: int
    width: int
    height: int


def sight_of(scenario: ScenarioSettings) -> Sight:
    """Return what the sensor of a scenario shows; recordings are looked at for it.

    Raises
    ------
    SensorError
        If there are none, or they are damaged.
    """
    settings = scenario.sensors
    if not isinstance(settings, RecordedSettings):
        classes = settings.classes if isinstance(settings, TemporalSettings) else _CLASSES
        return Sight(classes, settings.size, settings.size)
    # Recordings take numpy, which checking most scenarios does without.
    from simedge.sensors.registry import open_sensor  # noqa: PLC0415

    sensor = open_sensor(settings, scenario.seed)
    return Sight(sensor.classes, sensor.width, sensor.height)
