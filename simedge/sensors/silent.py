"""A camera in the dark: no frame is ever due, and there is nothing to compare or to test."""

import hashlib
from typing import Final

from simedge.sensors.frames import Frame, Lean, Rhythm, SensorError
from simedge.sensors.settings import SilentSettings

__all__ = ["SilentSensor"]

_CLASSES: Final = 10


class SilentSensor(Rhythm):
    """Delivers nothing, for studies of what silence costs."""

    classes = _CLASSES
    frames_due = False
    shifts_ns: tuple[int, ...] = ()
    proxy: tuple[Frame, ...] = ()

    def __init__(self, settings: SilentSettings) -> None:
        super().__init__(settings.rate)
        self.width = self.height = settings.size
        self.pset = hashlib.sha256(f"silent|{settings.size}".encode()).digest()

    def frame(self, device: str, index: int) -> Frame:
        """Refuse: no frame is due."""
        raise SensorError(f"a silent sensor has no frame {index} for {device}")

    def frames(
        self, device: str, first: int, count: int, *, leans: tuple[Lean, ...] = ()
    ) -> list[Frame]:
        """Refuse, unless no frame is asked for."""
        del leans
        return [self.frame(device, index) for index in self.checked(first, count)]

    def evaluation(self, items: int, *, shifted: bool) -> tuple[Frame, ...]:
        """Return nothing, however many items are asked for."""
        del items, shifted
        return ()
