"""Laws of the event camera, and its slow twin."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simedge.sensors.encoder import (
    EVENTS_PER_PIXEL_MAX,
    PICTURE_SIDE,
    Camera,
    Scene,
    film,
    keep_apart,
    pack_pictures,
    unpack_pictures,
)
from simedge.sensors.events import SHOT_BITS, TIME_BITS

SIZE = 6
LEVELS = np.array([round(65536 * np.log(0.35 + i / 4096)) for i in range(8193)], np.int64)
LEVELS.setflags(write=False)
ONE = 65536


def _camera(threshold: int = 13107, instants: int = 7, refractory_us: int = 0) -> Camera:
    thresholds = np.full(SIZE * SIZE, threshold, np.int64) + np.arange(SIZE * SIZE) * 10
    instants_us = np.arange(instants, dtype=np.int64) * 7000 // (instants - 1)
    return Camera(SIZE, refractory_us, instants_us, thresholds, LEVELS)


@st.composite
def scenes(draw: st.DrawFn, shots: int = 2, instants: int = 7) -> Scene:
    """Draw pictures, views and paths of any kind, also absurd ones."""
    words = st.integers(0, 2**32 - 1)
    noise = np.random.Generator(np.random.Philox(key=draw(words)))
    pictures = noise.integers(0, 17, (3, PICTURE_SIDE**2))
    matrix = noise.integers(-2 * ONE, 2 * ONE, (shots, 4))
    plans = np.column_stack(
        (noise.integers(0, 3, shots), matrix, noise.integers(2048, 8193, shots))
    )
    paths = noise.integers(-3 * ONE, 3 * ONE, (shots, instants, 2))
    return Scene(
        pack_pictures(pictures.astype(np.uint8)), plans.astype(np.int64), paths.astype(np.int64)
    )


def _film(scene: Scene, camera: Camera) -> NDArray[np.int64]:
    pixels = SIZE * SIZE
    keys = np.empty(len(scene.plans) * pixels * EVENTS_PER_PIXEL_MAX, np.int64)
    scratch = np.zeros((7, pixels), np.int64)
    looks = camera.instants_us, camera.thresholds, camera.levels
    return np.sort(keys[: film(*scene, camera.size, *looks, keys, *scratch)])


def _log_intensity(scene: Scene, pixel: int, *, shot: int, instant: int) -> int:
    """Interpolate with Python's integers, straight from the definition."""
    picture, ux, uy, vx, vy, gain = (int(value) for value in scene.plans[shot])
    texels = unpack_pictures(scene.pictures[picture]).reshape(PICTURE_SIDE, -1).tolist()
    left, top = (int(value) for value in scene.paths[shot, instant])
    row, column = divmod(pixel, SIZE)
    half, middle = (1 - SIZE) * ONE // 2, (PICTURE_SIDE - 1) * ONE // 2
    x, y = half - left, half - top
    u = ((ux * x + uy * y) >> 16) + middle + ux * column + uy * row
    v = ((vx * x + vy * y) >> 16) + middle + vx * column + vy * row
    u, v = (min(max(place, 0), (PICTURE_SIDE - 1) * ONE - 1) for place in (u, v))
    i, j, right, down = u // ONE, v // ONE, u % ONE // 256, v % ONE // 256
    light = (
        texels[j][i] * (256 - right) * (256 - down)
        + texels[j][i + 1] * right * (256 - down)
        + texels[j + 1][i] * (256 - right) * down
        + texels[j + 1][i + 1] * right * down
    )
    return int(LEVELS[light * gain // 2**20])


def _twin(scene: Scene, camera: Camera) -> list[int]:
    """Follow each pixel through its presentation, one after another."""
    times = camera.instants_us.tolist()
    keys = []
    for shot in range(len(scene.plans)):
        for pixel in range(SIZE * SIZE):
            series = [_log_intensity(scene, pixel, shot=shot, instant=n) for n in range(len(times))]
            reference, threshold = series[0], int(camera.thresholds[pixel])
            for n in range(1, len(times)):
                before, now = series[n - 1], series[n]
                for sign, p in ((1, 1), (-1, 0)):
                    while sign * (now - reference) >= threshold:
                        reference += sign * threshold
                        part = (reference - before) * (times[n] - times[n - 1])
                        t_us = times[n - 1] + part // (now - before)
                        keys.append(shot << SHOT_BITS | t_us << TIME_BITS | pixel << 1 | p)
    return sorted(keys)


def test_a_packed_picture_holds_each_texel_and_its_three_neighbours() -> None:
    texels = np.random.Generator(np.random.Philox(key=1)).integers(0, 17, (2, PICTURE_SIDE**2))
    packed = pack_pictures(texels.astype(np.uint8))
    assert (unpack_pictures(packed) == texels).all()
    side = texels.reshape(2, PICTURE_SIDE, PICTURE_SIDE)
    parts = (side[:, :-1, :-1], side[:, :-1, 1:], side[:, 1:, :-1], side[:, 1:, 1:])
    four = sum(part << 8 * number for number, part in enumerate(parts))
    assert (packed.reshape(side.shape)[:, :-1, :-1] == four).all()


@settings(max_examples=25)
@given(scenes())
def test_the_camera_equals_its_slow_twin_event_for_event(scene: Scene) -> None:
    assert _film(scene, _camera()).tolist() == _twin(scene, _camera())


@settings(max_examples=25)
@given(scenes(), st.integers(8000, 60000))
def test_events_add_up_to_the_change_of_log_intensity(scene: Scene, threshold: int) -> None:
    camera = _camera(threshold)
    last = len(camera.instants_us) - 1
    keys = _film(scene, camera)
    assume(np.bincount(keys >> SHOT_BITS, minlength=2).max() < SIZE * SIZE * EVENTS_PER_PIXEL_MAX)
    told = np.zeros((len(scene.plans), SIZE * SIZE), np.int64)
    for key in keys.tolist():
        shot, pixel = key >> SHOT_BITS, (key >> 1) & 0xFFF
        told[shot, pixel] += (1 if key & 1 else -1) * camera.thresholds[pixel]
    for shot in range(len(scene.plans)):
        for pixel in range(SIZE * SIZE):
            change = _log_intensity(scene, pixel, shot=shot, instant=last) - _log_intensity(
                scene, pixel, shot=shot, instant=0
            )
            assert abs(change - told[shot, pixel]) < camera.thresholds[pixel]


@settings(max_examples=25)
@given(scenes())
def test_a_still_picture_is_silent(scene: Scene) -> None:
    still = scene._replace(paths=np.ascontiguousarray(np.repeat(scene.paths[:, :1], 7, axis=1)))
    assert len(_film(still, _camera())) == 0


@settings(max_examples=25)
@given(scenes(shots=3))
def test_a_shot_is_the_same_in_any_company(scene: Scene) -> None:
    together = _film(scene, _camera())
    for shot in range(3):
        part = slice(shot, shot + 1)
        alone = _film(scene._replace(plans=scene.plans[part], paths=scene.paths[part]), _camera())
        assert (alone + (shot << SHOT_BITS)).tolist() == together[
            together >> SHOT_BITS == shot
        ].tolist()


def test_the_readout_carries_so_many_events_a_shot_and_no_more() -> None:
    picture = np.zeros((1, PICTURE_SIDE, PICTURE_SIDE), np.uint8)
    picture[0, :, ::2] = 16
    paths = np.zeros((2, 7, 2), np.int64)
    paths[:, 1::2, 0] = ONE
    plan = np.array([[0, ONE, 0, 0, ONE, 4096]] * 2, np.int64)
    keys = _film(Scene(pack_pictures(picture.reshape(1, -1)), plan, paths), _camera(1000))
    most = SIZE * SIZE * EVENTS_PER_PIXEL_MAX
    assert np.bincount(keys >> SHOT_BITS).tolist() == [most, most]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5000), st.integers(0, 5)), max_size=80),
    st.integers(0, 2000),
)
def test_events_of_a_pixel_keep_their_distance_and_the_first_is_kept(
    events: list[tuple[int, int, int]], refractory_us: int
) -> None:
    events = sorted(set(events))
    packed = [s << SHOT_BITS | t << TIME_BITS | pixel << 1 for s, t, pixel in events]
    keys = np.array(packed, np.int64)
    kept = keys[: keep_apart(keys, refractory_us, np.empty(6, np.int64))].tolist()
    last: dict[tuple[int, int], int] = {}
    expected = []
    for (shot, t, pixel), key in zip(events, packed, strict=True):
        if t - last.get((shot, pixel), -refractory_us) >= refractory_us:
            last[shot, pixel] = t
            expected.append(key)
    assert kept == expected


@pytest.mark.parametrize("polarity", [0, 1])
def test_growing_brighter_is_on_and_growing_darker_is_off(polarity: int) -> None:
    picture = np.zeros((1, PICTURE_SIDE, PICTURE_SIDE), np.uint8)
    picture[0] = np.arange(PICTURE_SIDE)  # brighter to the right
    paths = np.zeros((1, 7, 2), np.int64)
    paths[0, :, 0] = np.arange(7) * (-ONE // 4 if polarity else ONE // 4)
    plan = np.array([[0, ONE // 4, 0, 0, ONE // 4, 4096]], np.int64)
    keys = _film(Scene(pack_pictures(picture.reshape(1, -1)), plan, paths), _camera(2000))
    assert len(keys) > 0
    assert set((keys & 1).tolist()) == {polarity}
