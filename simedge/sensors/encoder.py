"""The event camera: a moving picture in, pixel events out, in whole numbers only.

A pixel remembers the log intensity at its last event and reports ON (OFF) whenever it has risen
(fallen) by its contrast threshold (Lichtsteiner et al. 2008). Between two rendered instants log
intensity is taken as linear in time, which gives each crossing its own time (Rebecq et al. 2018,
"ESIM"). A pixel that has just spoken is silent for its refractory time. All arithmetic is on
integers (positions in 2^-16 pixel, log intensity in 2^-16), so frames are the same everywhere.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native, unlocked
from simedge.sensors.events import SHOT_BITS, TIME_BITS

__all__ = [
    "EVENTS_PER_PIXEL_MAX",
    "PICTURE_SIDE",
    "Camera",
    "Reel",
    "Scene",
    "film",
    "keep_apart",
]

PICTURE_SIDE: Final = 10
"""Texels a side of a picture, with a border of one texel."""
EVENTS_PER_PIXEL_MAX: Final = 16
"""What the readout can carry a presentation; what comes later is lost."""
_PIXEL_MASK: Final = 0xFFF
# Rows of the retina.
_REFERENCE: Final = 0
_BEFORE: Final = 1
_NOW: Final = 2


class Scene(NamedTuple):
    """What is shown: pictures with their border, and per shot picture, matrix, path and gain.

    Attributes
    ----------
    pictures
        Texels of 0..16 in rows, int64 [pictures, 100].
    plans
        Picture, matrix from sensor to picture (2^-16, rows), gain (4096 = 1), int64 [shots, 6].
    paths
        Where the picture is at each instant (2^-16 pixel, right and down), int64 [shots, n, 2].
    """

    pictures: NDArray[np.int64]
    plans: NDArray[np.int64]
    paths: NDArray[np.int64]


class Camera(NamedTuple):
    """What looks.

    Attributes
    ----------
    size
        Pixels a side.
    refractory_us
        Time after an event in which its pixel is silent.
    instants_us
        When it renders, microseconds, int64 [n].
    thresholds
        Contrast thresholds in row order (2^-16), int64 [size * size].
    levels
        Log intensity (2^-16) by brightness after gain (4096 = full ink at gain 1), int64.
    """

    size: int
    refractory_us: int
    instants_us: NDArray[np.int64]
    thresholds: NDArray[np.int64]
    levels: NDArray[np.int64]


class Reel(NamedTuple):
    """Room for what is filmed.

    Attributes
    ----------
    keys
        Packed events of all shots, int64 [shots * size * size * 16].
    retina
        Log intensity at the last event, an instant ago and now, int64 [3, size * size].
    """

    keys: NDArray[np.int64]
    retina: NDArray[np.int64]


@unlocked
def film(scene: Scene, camera: Camera, reel: Reel) -> int:
    """Collect the packed events of all shots, instant by instant, and return how many."""
    count = _zero()
    most = len(camera.thresholds) * EVENTS_PER_PIXEL_MAX
    for shot in range(len(scene.plans)):
        end = count + most
        for instant in range(len(camera.instants_us)):
            _render(scene, camera, reel.retina, shot, instant)
            count = _report(camera, reel, (shot, instant, end), count)
    return count


@native
def _render(  # noqa: PLR0917  # numba takes no keyword-only arguments
    scene: Scene, camera: Camera, retina: NDArray[np.int64], shot: int, instant: int
) -> None:
    """Compute the log intensity of every pixel, by linear interpolation between four texels."""
    picture, ux, uy, vx, vy, gain = scene.plans[shot]
    most = np.int64(((PICTURE_SIDE - 1) << 16) - 1)  # beyond the border nothing changes
    middle = (PICTURE_SIDE - 1) << 15
    x = ((1 - camera.size) << 15) - scene.paths[shot, instant, 0]
    y = ((1 - camera.size) << 15) - scene.paths[shot, instant, 1]
    u_first = ((ux * x + uy * y) >> 16) + middle
    v_first = ((vx * x + vy * y) >> 16) + middle
    pixel = np.uint64(0)
    for row in range(camera.size):
        for column in range(camera.size):
            u = min(max(u_first + ux * column + uy * row, 0), most)
            v = min(max(v_first + vx * column + vy * row, 0), most)
            texel = (v >> 16) * PICTURE_SIDE + (u >> 16)
            right, down = (u >> 8) & 255, (v >> 8) & 255
            a = scene.pictures[picture, np.uint64(texel)]
            b = scene.pictures[picture, np.uint64(texel + 1)]
            c = scene.pictures[picture, np.uint64(texel + PICTURE_SIDE)]
            d = scene.pictures[picture, np.uint64(texel + PICTURE_SIDE + 1)]
            top = (a << 8) + (b - a) * right
            light = (top << 8) + ((c << 8) + (d - c) * right - top) * down
            retina[_BEFORE, pixel] = retina[_NOW, pixel]
            retina[_NOW, pixel] = camera.levels[np.uint64((light * gain) >> 20)]
            pixel += np.uint64(1)


@native
def _report(  # noqa: PLR0917  # numba takes no keyword-only arguments
    camera: Camera, reel: Reel, at: tuple[int, int, int], count: int
) -> int:
    """Report each crossing of a threshold since the last instant; at: shot, instant, most keys."""
    retina, keys = reel.retina, reel.keys
    shot, instant, end = at
    now_us = camera.instants_us[instant]
    before_us = camera.instants_us[max(instant - 1, 0)]
    for pixel in range(len(camera.thresholds)):
        if instant == 0:
            retina[_REFERENCE, pixel] = retina[_NOW, pixel]
        reference, threshold = retina[_REFERENCE, pixel], camera.thresholds[pixel]
        change = retina[_NOW, pixel] - reference
        if -threshold < change < threshold:
            continue
        before = retina[_BEFORE, pixel]
        rise = abs(retina[_NOW, pixel] - before)
        sign = 1 if change > 0 else -1
        while abs(retina[_NOW, pixel] - reference) >= threshold:
            reference += sign * threshold
            # exact: a quotient of integers below 2^52 never rounds up to the next integer
            t_us = before_us + int(abs(reference - before) * (now_us - before_us) / rise)
            if count < end:
                keys[count] = shot << SHOT_BITS | t_us << TIME_BITS | pixel << 1 | (sign > 0)
                count += 1
        retina[_REFERENCE, pixel] = reference
    return count


@native
def _zero() -> int:
    """Return 0, not as a literal, for which numba would compile every callee once more."""
    return np.int64(0)  # type: ignore[return-value]  # a number is an int64 in compiled code


@native
def keep_apart(keys: NDArray[np.int64], refractory_us: int, last: NDArray[np.int64]) -> int:
    """Drop events too soon after one of the same pixel, in place; return how many stay.

    Parameters
    ----------
    keys
        Packed events, ascending.
    last
        Scratch, int64 [pixels].
    """
    for pixel in range(len(last)):
        last[pixel] = -refractory_us
    kept = _zero()
    for key in keys:
        # the shot is in the upper bits of the time: another shot is always long after
        t_us = key >> TIME_BITS
        pixel = (key >> 1) & _PIXEL_MASK
        if t_us - last[pixel] >= refractory_us:
            last[pixel] = t_us
            keys[kept] = key
            kept += 1
    return kept
