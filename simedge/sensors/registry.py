"""Which sensor stands behind which settings."""

from simedge.sensors.digits import DigitsSensor
from simedge.sensors.frames import Sensor
from simedge.sensors.nmnist import NmnistSensor
from simedge.sensors.poisson import PoissonSensor
from simedge.sensors.series import SeriesSensor
from simedge.sensors.settings import (
    DigitsSettings,
    NmnistSettings,
    PoissonSettings,
    SensorSettings,
    SeriesSettings,
    SilentSettings,
    TemporalSettings,
)
from simedge.sensors.silent import SilentSensor
from simedge.sensors.temporal import TemporalSensor

__all__ = ["open_sensor"]


def open_sensor(settings: SensorSettings, seed: int) -> Sensor:
    """Return the sensor of these settings; two of one seed deliver the same frames.

    >>> from simedge.sensors.settings import DigitsSettings
    >>> sensor = open_sensor(DigitsSettings(), seed=1)
    >>> frame = sensor.frame("cam-1", 0)
    >>> frame.index, len(frame.t_us) > 100
    (0, True)
    """
    match settings:
        case DigitsSettings():
            return DigitsSensor(settings, seed)
        case SilentSettings():
            return SilentSensor(settings)
        case TemporalSettings():
            return TemporalSensor(settings, seed)
        case PoissonSettings():
            return PoissonSensor(settings, seed)
        case NmnistSettings():
            return NmnistSensor(settings, seed)
        case SeriesSettings():
            return SeriesSensor(settings, seed)
