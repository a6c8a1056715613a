"""The event camera: a moving picture in, pixel events out, in whole numbers only.

A pixel remembers the log intensity at its last event and reports ON (OFF) whenever it has risen
(fallen) by its contrast threshold (Lichtsteiner et al. 2008). Between two rendered instants log
intensity is taken as linear in time, which gives each crossing its own time (Rebecq et al. 2018,
"ESIM"). A pixel that has just spoken is silent for its refractory time. All arithmetic is on
integers (positions in 2^-16 pixel, log intensity in 2^-16), so frames are the same everywhere.
"""

# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import unlocked_leaf
from simedge.sensors.events import SHOT_BITS, TIME_BITS

__all__ = [
    "EVENTS_PER_PIXEL_MAX",
    "PICTURE_SIDE",
    "Camera",
    "Scene",
    "film",
    "keep_apart",
    "pack_pictures",
    "unpack_pictures",
]

PICTURE_SIDE: Final = 10
"""Texels a side of a picture, with a border of one texel."""
EVENTS_PER_PIXEL_MAX: Final = 16
"""What the readout can carry a presentation; what comes later is lost."""
_PIXEL_MASK: Final = 0xFFF
_MIDDLE: Final = (PICTURE_SIDE - 1) << 15
_FAR: Final = ((PICTURE_SIDE - 1) << 16) - 1
"""Beyond the border nothing changes."""


class Scene(NamedTuple):
    """What is shown: pictures with their border, and per shot picture, matrix, path and gain.

    Attributes
    ----------
    pictures
        Pictures in rows as `pack_pictures` gives them, int64 [pictures, 100].
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


def pack_pictures(pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return each texel with that to its right, below and below right, a byte each.

    So a pixel finds all that it interpolates in one place.
    """
    packed = np.zeros((*pictures.shape, 8), np.uint8)
    for number, step in enumerate((0, 1, PICTURE_SIDE, PICTURE_SIDE + 1)):
        packed[:, : PICTURE_SIDE**2 - step, number] = pictures[:, step:]
    return packed.view("<i8")[..., 0].astype(np.int64, copy=False)


def unpack_pictures(packed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the texels of packed pictures."""
    return packed & 0xFF


@unlocked_leaf
def film(  # noqa: C901, PLR0913, PLR0915  # parts and tuples are slow to compile
    pictures: NDArray[np.int64],
    plans: NDArray[np.int64],
    paths: NDArray[np.int64],
    size: int,
    instants_us: NDArray[np.int64],
    thresholds: NDArray[np.int64],
    levels: NDArray[np.int64],
    keys: NDArray[np.int64],
    across: NDArray[np.int64],
    down: NDArray[np.int64],
    blend: NDArray[np.int64],
    light: NDArray[np.int64],
    before: NDArray[np.int64],
    reference: NDArray[np.int64],
    speaking: NDArray[np.int64],
) -> int:
    """Collect the packed events of all shots, instant by instant, and return how many.

    Each instant takes one step after another over all pixels, so that all but the look-ups become
    vector code: where a pixel looks, the four texels there, their brightness, its log intensity.

    Parameters
    ----------
    keys
        Room for `EVENTS_PER_PIXEL_MAX` events a pixel and shot.
    across, down, blend, light, before, reference, speaking
        Scratch, int64 [pixels]: where each pixel looks (2^-16 texel) while the picture is in the
        middle; how it mixes the texels there; what it sees; its log intensity an instant ago and
        at its last event; which pixels speak.
    """
    pixels, count = thresholds.shape[0], 0
    for shot in range(plans.shape[0]):
        end = count + pixels * EVENTS_PER_PIXEL_MAX
        picture, gain = plans[shot, 0], plans[shot, 5] & 0xFFFF  # a short factor multiplies faster
        ux, uy, vx, vy = plans[shot, 1], plans[shot, 2], plans[shot, 3], plans[shot, 4]
        for pixel in range(pixels):
            row = pixel // size
            across[pixel] = ux * (pixel - row * size) + uy * row
            down[pixel] = vx * (pixel - row * size) + vy * row
        for instant in range(instants_us.shape[0]):
            x = ((1 - size) << 15) - paths[shot, instant, 0]
            y = ((1 - size) << 15) - paths[shot, instant, 1]
            u_first = ((ux * x + uy * y) >> 16) + _MIDDLE
            v_first = ((vx * x + vy * y) >> 16) + _MIDDLE
            for pixel in range(pixels):
                u, v = across[pixel] + u_first, down[pixel] + v_first
                # `min` and `max` would each be compiled as a function of its own
                u = 0 if u < 0 else _FAR if u > _FAR else u  # noqa: FURB136
                v = 0 if v < 0 else _FAR if v > _FAR else v  # noqa: FURB136
                light[pixel] = (v >> 16) * PICTURE_SIDE + (u >> 16)
                blend[pixel] = v & 0xFF00 | u >> 8 & 0xFF
            for pixel in range(pixels):
                light[pixel] = pictures[picture, np.uint64(light[pixel])]
            for pixel in range(pixels):
                quad, right, low = light[pixel], blend[pixel] & 0xFF, blend[pixel] >> 8 & 0xFF
                left, high = (right ^ 0xFF) + 1, (low ^ 0xFF) + 1
                upper = (quad & 0xFF) * left + (quad >> 8 & 0xFF) * right
                lower = (quad >> 16 & 0xFF) * left + (quad >> 24 & 0xFF) * right
                light[pixel] = (upper * high + lower * low) * gain >> 20
            speakers = 0
            for pixel in range(pixels):
                now = light[pixel] = levels[np.uint64(light[pixel])]
                if instant == 0:
                    reference[pixel] = now
                speaking[speakers] = pixel  # stays only if it speaks: no branch to guess wrong
                speakers += abs(now - reference[pixel]) >= thresholds[pixel]
            past_us, now_us = instants_us[instant - 1], instants_us[instant]
            for speaker in range(speakers):
                pixel = speaking[speaker]
                now, past, threshold = light[pixel], before[pixel], thresholds[pixel]
                step = threshold if now > reference[pixel] else -threshold
                while abs(now - reference[pixel]) >= threshold and count < end:
                    reference[pixel] += step
                    # exact: a quotient below 2^52 never rounds up to the next integer
                    part = abs(reference[pixel] - past) * (now_us - past_us) / abs(now - past)
                    t_us = past_us + np.int64(part)
                    keys[count] = shot << SHOT_BITS | t_us << TIME_BITS | pixel << 1 | (step > 0)
                    count += 1
            light, before = before, light
    return count


@unlocked_leaf
def keep_apart(keys: NDArray[np.int64], refractory_us: int, last: NDArray[np.int64]) -> int:
    """Drop events too soon after one of the same pixel, in place; return how many stay.

    Parameters
    ----------
    keys
        Packed events, ascending.
    last
        Scratch, int64 [pixels].
    """
    for pixel in range(last.shape[0]):
        last[pixel] = -refractory_us
    kept = 0
    for number in range(keys.shape[0]):
        # the shot is in the upper bits of the time: another shot is always long after
        t_us = keys[number] >> TIME_BITS
        place = np.uint64(keys[number] >> 1 & _PIXEL_MASK)
        if t_us - last[place] >= refractory_us:
            last[place] = t_us
            keys[kept] = keys[number]
            kept += 1
    return kept
