"""Laws of the temporal patterns: counts say nothing, the order says all."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.sensors import Frame, open_sensor
from simedge.sensors.frames import ITEM, UNLABELLED
from simedge.sensors.settings import TemporalSettings
from simedge.sensors.temporal import TemporalSensor

seeds = st.integers(0, 2**62)
STILL = {"jitter": "0 s", "keep": 1, "noise": None}


def sensor(seed: int = 1, **said: Any) -> TemporalSensor:
    return TemporalSensor(TemporalSettings(**said), seed)


def counts(frame: Frame, side: int = 8) -> list[int]:
    """Return how many events each line (pixel and polarity) sends."""
    lines = (frame.y.astype(int) * side + frame.x) * 2 + frame.p
    return np.bincount(lines, minlength=2 * side**2).tolist()


def bits(frame: Frame) -> tuple[bytes, ...]:
    return tuple(column.tobytes() for column in (frame.x, frame.y, frame.t_us, frame.p))


@settings(max_examples=20)
@given(seed=seeds, events=st.integers(1, 8), classes=st.integers(2, 10))
def test_undisturbed_every_pixel_sends_equally_often_in_every_class(
    seed: int, events: int, classes: int
) -> None:
    shown = sensor(seed, events=events, classes=classes, **STILL).evaluation(classes, shifted=False)
    assert [frame.label for frame in shown] == [*range(classes)]
    assert {tuple(counts(frame)) for frame in shown} == {(0, events) * 64}


@settings(max_examples=20)
@given(seed=seeds, item=st.integers(0, 20))
def test_losses_strays_and_noise_do_not_know_the_class(seed: int, item: int) -> None:
    seen = []
    for classes in (2, 3, 5, 7):
        # The same draws, shown as another class.
        frame = sensor(seed, classes=classes).evaluation(item + 1, shifted=False)[item]
        seen.append((frame.label, counts(frame)))
    assert len({tuple(count) for _, count in seen}) == 1
    assert {label for label, _ in seen} == {item % classes for classes in (2, 3, 5, 7)}


@settings(max_examples=20)
@given(seed=seeds)
def test_a_class_is_the_same_moments_in_an_order_of_its_own(seed: int) -> None:
    patterns = [sensor(seed).moments_us(label) for label in range(4)]
    rows = [sorted(map(tuple, pattern.tolist())) for pattern in patterns]
    assert all(row == rows[0] for row in rows)
    for one, two in itertools.combinations(patterns, 2):
        assert (one != two).any(1).mean() > 0.5
    assert not any((sensor(seed + 1).moments_us(0) == patterns[0]).all(1))


@settings(max_examples=20)
@given(seed=seeds)
def test_a_frame_shows_the_moments_of_its_label(seed: int) -> None:
    still = sensor(seed, **STILL)
    for frame in still.frames("dev-1", 0, 3):
        sent = sorted(zip((frame.y * 8 + frame.x).tolist(), frame.t_us.tolist(), strict=True))
        exact = still.moments_us(frame.label).tolist()
        assert sent == sorted((pixel, t) for pixel, row in enumerate(exact) for t in row)


@settings(max_examples=15)
@given(first=st.integers(0, 100), count=st.integers(0, 70))
def test_a_frame_is_the_same_in_any_batch_and_at_any_opening(first: int, count: int) -> None:
    opened = open_sensor(TemporalSettings(), 4)
    for frame in opened.frames("dev-1", first, count)[-2:]:
        alone = open_sensor(TemporalSettings(), 4).frame("dev-1", frame.index)
        assert (alone.label, bits(alone)) == (frame.label, bits(frame))
        assert (np.diff(frame.t_us) >= 0).all()
        assert 0 <= frame.t_us[0] <= frame.t_us[-1] < opened.span_ns // 1000


def test_no_test_item_is_a_proxy_item_or_a_frame_of_any_device() -> None:
    opened = sensor(3)
    kinds = [
        opened.evaluation(200, shifted=False),
        opened.proxy,
        opened.frames("dev-1", 0, 200),
        opened.frames("dev-2", 0, 200),
    ]
    shown = [bits(frame) for frames in kinds for frame in frames]
    assert len(set(shown)) == len(shown)
    assert {frame.label for frame in opened.proxy} == {UNLABELLED}
    assert {frame.index for frame in kinds[0] + opened.proxy} == {ITEM}


def test_events_stray_get_lost_and_are_joined_by_noise_as_the_settings_say() -> None:
    frames = sensor(5, noise=None).frames("dev-1", 0, 500)
    sent = sum(len(frame.t_us) for frame in frames)
    assert sent == pytest.approx(0.9 * 500 * 128, abs=4.42 * (0.09 * 500 * 128) ** 0.5)
    noisy = sum(len(frame.t_us) for frame in sensor(5).frames("dev-1", 0, 500)) - sent
    assert noisy == pytest.approx(0.3 * 500 * 64, abs=4.42 * (0.3 * 500 * 64) ** 0.5)
    whole = sensor(5, keep=1, noise=None, events=1)
    strays = []
    for frame in whole.frames("dev-1", 0, 100):
        order = np.argsort(frame.y * 8 + frame.x)
        exact = whole.moments_us(frame.label)[:, 0]
        inside = (exact > 10_000) & (exact < 90_000)
        strays += (frame.t_us[order] - exact)[inside].tolist()
    assert np.std(strays) == pytest.approx(2000, rel=0.05)
    labels = np.bincount([frame.label for frame in frames])
    assert np.abs(labels - 125).max() < 4.42 * (500 * 0.25 * 0.75) ** 0.5


def test_items_are_the_same_before_and_after_anything_and_named_by_what_they_show() -> None:
    opened, again, other = (sensor(seed, proxy={"blocks": 2, "rows": 3}) for seed in (1, 1, 2))
    before, after = (opened.evaluation(20, shifted=shifted) for shifted in (False, True))
    assert list(map(bits, before)) == list(map(bits, after))
    assert len(opened.proxy) == 6
    assert opened.pset == again.pset != other.pset


def test_a_linear_reader_of_counts_sees_nothing_and_one_of_moments_all() -> None:
    opened = sensor(7)
    learnt, held = opened.frames("dev-1", 0, 400), opened.evaluation(200, shifted=False)
    shares = []
    for bins in (1, 10):
        features = [
            np.array([_binned(frame, bins, opened.span_ns // 1000) for frame in frames])
            for frames in (learnt, held)
        ]
        means = np.array(
            [features[0][[f.label == c for f in learnt]].mean(0) for c in range(opened.classes)]
        )
        away = ((features[1][:, None] - means) ** 2).sum(2)
        shares.append(float(np.mean(away.argmin(1) == [frame.label for frame in held])))
    assert shares[0] < 0.25 + 4.42 * (0.25 * 0.75 / 200) ** 0.5
    assert shares[1] > 0.95


def _binned(frame: Frame, bins: int, span_us: int) -> list[int]:
    lines = (frame.y.astype(int) * 8 + frame.x) * bins + frame.t_us * bins // span_us
    return np.bincount(lines, minlength=64 * bins).tolist()
