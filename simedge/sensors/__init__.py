"""What is seen: frames and pixel events, splits over devices, shifts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simedge.sensors.frames import Frame, Sensor, SensorError
    from simedge.sensors.registry import open_sensor

__all__ = ["Frame", "Sensor", "SensorError", "open_sensor"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever the room's door names
    """Load a public name when it is first used: settings must not pay for native kernels."""
    if name == "open_sensor":
        from simedge.sensors.registry import open_sensor

        return open_sensor
    if name in __all__:
        from simedge.sensors import frames

        return getattr(frames, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
