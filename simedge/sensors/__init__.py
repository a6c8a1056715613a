"""What is seen: frames and pixel events, splits over devices, shifts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simedge.sensors.frames import Events, Frame, RecordingError, Sensor, SensorError
    from simedge.sensors.nmnist_file import read_nmnist
    from simedge.sensors.registry import open_sensor
    from simedge.sensors.series_csv import read_csv
    from simedge.sensors.series_ts import read_ts

__all__ = [
    "Events",
    "Frame",
    "RecordingError",
    "Sensor",
    "SensorError",
    "open_sensor",
    "read_csv",
    "read_nmnist",
    "read_ts",
]

_PLACES = {
    "Events": "frames",
    "Frame": "frames",
    "RecordingError": "frames",
    "Sensor": "frames",
    "SensorError": "frames",
    "open_sensor": "registry",
    "read_csv": "series_csv",
    "read_nmnist": "nmnist_file",
    "read_ts": "series_ts",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever the room's door names
    """Load a public name when it is first used: settings must not pay for native kernels."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
