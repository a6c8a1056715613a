"""One camera: its response, its uneven pixels, and the native encoder behind it."""

import functools
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simedge.sensors.encoder import EVENTS_PER_PIXEL_MAX, Camera, Scene, film, keep_apart
from simedge.sensors.presentation import LEGS
from simedge.sensors.settings import CameraSettings

__all__ = ["build_camera", "take"]

_LEVEL: Final = 65536
_DARK: Final = 0.35
_INSTANTS_PER_PIXEL: Final = 3
_INSTANTS_LEAST: Final = 6


@functools.cache
def _levels() -> NDArray[np.int64]:
    """Log intensity, 2^-16, of brightness 0 .. 2 in steps of 1/4096, over the sensor's dark level.

    Rounding to 2^-16 hides the last bit in which mathematical libraries differ.
    """
    table = [round(_LEVEL * math.log(_DARK + step / 4096)) for step in range(8193)]
    return np.array(table, np.int64)


def build_camera(
    settings: CameraSettings, normals: NDArray[np.float64], *, size: int, span_us: int
) -> Camera:
    """Return a camera of `size` x `size` pixels.

    Parameters
    ----------
    normals
        What makes its pixels unlike, standard normal, float64 [size * size].
    """
    mean = float(settings.contrast) * _LEVEL
    uneven = np.rint(mean * (1.0 + float(settings.mismatch) * normals))
    return Camera(
        size=size,
        refractory_us=settings.refractory // 1000,
        instants_us=_instants_us(float(settings.amplitude) * size, span_us),
        thresholds=np.maximum(uneven, mean / 4).astype(np.int64),
        levels=_levels(),
    )


@functools.cache
def _instants_us(moved: float, span_us: int) -> NDArray[np.int64]:
    """Return when a picture that moves so many pixels a saccade is rendered."""
    steps = LEGS * max(_INSTANTS_LEAST, math.ceil(_INSTANTS_PER_PIXEL * moved))
    return np.arange(steps + 1, dtype=np.int64) * span_us // steps


def take(scene: Scene, camera: Camera, noise: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the packed events of all shots with this noise, ascending."""
    pixels = camera.size**2
    room = len(scene.plans) * pixels * EVENTS_PER_PIXEL_MAX + len(noise)
    keys, scratch = np.empty(room, np.int64), np.empty((7, pixels), np.int64)
    looks = camera.instants_us, camera.thresholds, camera.levels
    seen = film(*scene, camera.size, *looks, keys, *scratch)
    keys = keys[: seen + len(noise)]
    keys[seen:] = noise
    keys.sort()
    return keys[: keep_apart(keys, camera.refractory_us, scratch[0])]
