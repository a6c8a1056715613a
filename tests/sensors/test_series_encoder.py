"""Laws of the series encoders: what events tell of a signal, and what they are fitted to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError

from simedge.sensors import RecordingError
from simedge.sensors.series_encoder import DeltaEncoder, LevelEncoder, fit
from simedge.sensors.series_rows import Recording
from simedge.sensors.settings import DeltaEncoderSettings, LevelEncoderSettings

SHAPES = st.tuples(st.integers(1, 4), st.integers(2, 30))
SIGNALS = arrays.arrays(np.float64, SHAPES, elements=st.floats(-50, 50, width=32))
THRESHOLDS = st.floats(0.25, 20)
LEVELS = st.lists(st.integers(-40, 40), min_size=1, max_size=6, unique=True).map(sorted)


def seconds(values, hz=10.0):
    return np.arange(values.shape[1]) / hz


def recording(values):
    return Recording("a", None, np.asarray(values, np.float64), "here:1")


def of(encoder, values):
    return encoder.encode(seconds(values), values)


@given(SIGNALS, THRESHOLDS)
def test_the_events_of_a_channel_add_up_to_it_within_one_threshold(values, threshold):
    events = of(DeltaEncoder(np.full(len(values), threshold)), values)
    sample_us = np.floor(seconds(values) * 1e6)
    for channel, signal in enumerate(values):
        mine = events.x == channel
        steps, t_us = 2 * events.p[mine].astype(int) - 1, events.t_us[mine]
        for at, value in zip(sample_us, signal, strict=True):
            told = signal[0] + threshold * steps[t_us <= at].sum()
            assert abs(value - told) <= threshold * (1 + 1e-6) + 1e-9


@given(SIGNALS, LEVELS)
def test_a_level_is_crossed_as_often_as_the_signal_changes_sides(values, levels):
    events = of(LevelEncoder(np.tile(np.array(levels, float), (len(values), 1))), values)
    for channel, signal in enumerate(values):
        for row, level in enumerate(levels):
            sides = signal >= level
            changes = np.flatnonzero(sides[1:] != sides[:-1]) + 1
            mine = (events.x == channel) & (events.y == row)
            order = np.argsort(events.t_us[mine], kind="stable")
            assert events.p[mine][order].tolist() == sides[changes].tolist()


@given(SIGNALS, THRESHOLDS, LEVELS)
def test_events_are_in_order_and_within_the_recording(values, threshold, levels):
    encoders = (
        DeltaEncoder(np.full(len(values), threshold)),
        LevelEncoder(np.tile(np.array(levels, float), (len(values), 1))),
    )
    for encoder in encoders:
        events = of(encoder, values)
        assert [c.dtype for c in events] == [np.uint16, np.uint16, np.int64, np.uint8]
        assert (np.diff(events.t_us) >= 0).all()
        if len(events.t_us):
            assert events.t_us[0] >= 0
            assert events.t_us[-1] <= seconds(values)[-1] * 1e6
            assert events.x.max() < len(values)
            assert events.y.max() < encoder.height


def test_an_event_has_the_time_of_its_crossing():
    ramp = np.array([[0.0, 10.0, 4.0]])
    delta = DeltaEncoder(np.array([2.0])).encode(np.array([0.0, 1.0, 2.0]), ramp)
    assert delta.t_us.tolist() == [200_000, 400_000, 600_000, 800_000, 10**6, 1_333_333, 1_666_666,
                                   2_000_000]  # fmt: skip
    assert delta.p.tolist() == [1] * 5 + [0] * 3
    level = LevelEncoder(np.array([[5.0, 9.0]])).encode(np.array([0.0, 1.0, 2.0]), ramp)
    assert list(zip(level.t_us, level.y, level.p, strict=True)) == [
        (500_000, 0, 1),
        (900_000, 1, 1),
        (1_166_666, 1, 0),
        (1_833_333, 0, 0),
    ]


@given(SIGNALS, st.integers(-20, 20), st.sampled_from(["delta", "level-crossing"]))
def test_relative_thresholds_see_no_scale(values, power, kind):
    settings = DeltaEncoderSettings() if kind == "delta" else LevelEncoderSettings()
    scaled = values * 2.0**power
    plain = of(fit(settings, [recording(values)]), values)
    again = of(fit(settings, [recording(scaled)]), scaled)
    for column, other in zip(plain, again, strict=True):
        assert column.tolist() == other.tolist()


@given(st.lists(SIGNALS.filter(lambda v: len(v) == 2), min_size=1, max_size=3))
def test_thresholds_are_the_deviation_over_all_recordings_together(parts):
    encoder = fit(DeltaEncoderSettings(threshold=0.5), [recording(part) for part in parts])
    sd = np.concatenate(parts, axis=1).std(axis=1)
    for own, expected in zip(encoder.thresholds, sd, strict=True):
        if expected > 1e-6:
            assert own == pytest.approx(0.5 * expected)
        assert own > 0


def test_a_channel_that_never_changes_is_silent():
    values = np.array([[1.0] * 4, [0.0, 9.0, 0.0, 9.0]])
    for settings in (DeltaEncoderSettings(), LevelEncoderSettings()):
        encoder = fit(settings, [recording(values)])
        assert set(of(encoder, values).x.tolist()) == {1}
        assert set(of(encoder, values[::-1].copy()).x.tolist()) <= {1}


def test_absolute_thresholds_are_as_said():
    some = [recording([[0.0, 100.0]])]
    assert fit(DeltaEncoderSettings(threshold=3, unit="absolute"), some).thresholds == [3.0]
    levels = fit(LevelEncoderSettings(levels=(1, 2), unit="absolute"), some).levels
    assert levels.tolist() == [[1, 2]]
    assert fit(LevelEncoderSettings(levels=5), some).levels.tolist() == [[-50, 0, 50, 100, 150]]
    assert fit(LevelEncoderSettings(levels=1), some).levels.tolist() == [[50]]


def test_steps_that_are_too_fine_are_refused():
    values = np.array([[0.0, 1e6, 0.0]])
    for threshold in (1e-300, 1e-6, 1.5):
        with pytest.raises(RecordingError, match="too fine"):
            of(DeltaEncoder(np.array([threshold])), values)
    noisy = np.tile([[-1.0, 1.0]], 10_000)
    with pytest.raises(RecordingError, match="too fine"):
        of(LevelEncoder(np.linspace(-0.9, 0.9, 60)[None]), noisy)


def test_levels_ascend_and_absolute_ones_are_listed():
    with pytest.raises(ValidationError, match="must ascend"):
        LevelEncoderSettings(levels=(1.0, 1.0))
    with pytest.raises(ValidationError, match="listed one by one"):
        LevelEncoderSettings(levels=3, unit="absolute")
