"""Laws of the saccades and of the views."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.sensors.presentation import GAIN_ONE, LEGS, View, gains, paths, pick
from simedge.sensors.settings import DimShift, InvertShift, MirrorShift, RotateShift

PIXEL = 65536


@given(
    seed=st.integers(0, 2**32),
    width=st.fractions(Fraction(1, 10), 30),
    steps=st.integers(1, 30),
)
def test_every_path_is_three_straight_saccades_and_returns(
    seed: int, width: Fraction, steps: int
) -> None:
    words = Streams(seed).stream("test", "paths", "words").block(4).reshape(8, 2)
    path = paths(words, width, instants=LEGS * steps + 1)
    assert path.shape == (8, LEGS * steps + 1, 2)
    assert (path[:, 0] == path[:, -1]).all()
    for leg in range(LEGS):
        part = path[:, leg * steps : (leg + 1) * steps + 1]
        ends = part[:, -1] - part[:, 0]
        along = np.arange(steps + 1)[:, None]
        assert np.abs(part - part[:, :1] - ends[:, None] * along / steps).max() <= 1


@given(seed=st.integers(0, 2**32), width=st.fractions(Fraction(1, 10), 30))
def test_a_path_stays_within_its_triangle_and_what_it_may_wander(
    seed: int, width: Fraction
) -> None:
    words = Streams(seed).stream("test", "paths", "words").block(4).reshape(8, 2)
    reach = float(width) * PIXEL * (0.5 + 0.5 + 0.15) + 2
    assert np.abs(paths(words, width, instants=7)).max() <= reach


def test_paths_differ_in_start_and_shape() -> None:
    words = Streams(1).stream("test", "paths", "words").block(32).reshape(64, 2)
    path = paths(words, Fraction(2), instants=4)
    assert len(np.unique(path[:, 0], axis=0)) == 64
    assert len(np.unique(path[:, 1] - path[:, 0], axis=0)) == 64


@given(st.integers(8, 64))
def test_a_picture_fills_four_fifths_of_the_view(size: int) -> None:
    view = View.straight(size=size, side=8)
    assert abs(view.matrix[0] * size * Fraction(4, 5) - 8 * PIXEL) <= size


@given(st.integers(8, 64), st.floats(-180, 180))
def test_turning_there_and_back_is_no_turn(size: int, degrees: float) -> None:
    view = View.straight(size=size, side=8)
    there, back = (
        np.array(view.shifted(RotateShift(at=0, degrees=angle)).matrix).reshape(2, 2)
        for angle in (degrees, -degrees)
    )
    scale = view.matrix[0]
    assert np.abs(there @ back / scale - scale * np.eye(2)).max() < 3


def test_a_quarter_turn_counter_clockwise_brings_the_right_side_to_the_top() -> None:
    view = View.straight(size=16, side=8).shifted(RotateShift(at=0, degrees=90.0))
    ux, uy, vx, vy = view.matrix
    x, y = 0, -1  # a pixel above the middle
    assert ux * x + uy * y > 0
    assert vx * x + vy * y == 0


def test_each_shift_changes_its_own_part_of_the_view() -> None:
    view = View.straight(size=16, side=8)
    assert view.shifted(InvertShift(at=0)) == view._replace(invert=True)
    assert view.shifted(DimShift(at=0, light="1/4")) == view._replace(light=Fraction(1, 4))
    mirrored = view.shifted(MirrorShift(at=0))
    assert mirrored.matrix == (-view.matrix[0], 0, 0, view.matrix[3])


@given(st.floats(-4, 4), st.fractions(0, Fraction(1, 2)))
def test_gains_stay_within_a_half_and_two(normal: float, spread: Fraction) -> None:
    gain = int(gains(np.array([normal]), spread)[0])
    assert GAIN_ONE // 2 <= gain <= 2 * GAIN_ONE
    assert abs(gain - GAIN_ONE * min(max(1 + float(spread) * normal, 0.5), 2)) <= 1


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 500)), min_size=1))
def test_a_pick_is_in_range_and_monotone(pairs: list[tuple[int, int]]) -> None:
    words, sizes = (list(column) for column in zip(*pairs, strict=True))
    picked = pick(np.array(words, np.uint64), np.array(sizes, np.int64))
    for word, size, number in zip(words, sizes, picked.tolist(), strict=True):
        assert number == (word >> 33) * size >> 31
        assert 0 <= number < size
