"""Laws of the sensors that show nothing: silent and Poisson."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.sensors import SensorError, open_sensor
from simedge.sensors.frames import UNLABELLED
from simedge.sensors.settings import PoissonSettings, SilentSettings


def test_a_silent_sensor_delivers_nothing_and_costs_nothing() -> None:
    sensor = open_sensor(SilentSettings(), 1)
    assert not sensor.frames_due
    assert (sensor.proxy, sensor.evaluation(100, shifted=False)) == ((), ())
    assert (sensor.classes, sensor.width, sensor.shifts_ns) == (10, 16, ())
    assert sensor.frames("cam-1", 0, 0) == []
    with pytest.raises(SensorError, match="no frame 3 for cam-1"):
        sensor.frame("cam-1", 3)


def test_silence_has_a_name_that_is_not_that_of_another_size() -> None:
    names = [open_sensor(SilentSettings(size=size), 1).pset for size in (16, 16, 20)]
    assert (names[0] == names[1], names[0] == names[2], len(names[0])) == (True, False, 32)


@settings(max_examples=15)
@given(first=st.integers(0, 100), count=st.integers(0, 70))
def test_a_poisson_frame_is_the_same_in_any_batch(first: int, count: int) -> None:
    sensor = open_sensor(PoissonSettings(), 4)
    for frame in sensor.frames("cam-1", first, count)[-2:]:
        alone = open_sensor(PoissonSettings(), 4).frame("cam-1", frame.index)
        assert frame.label == alone.label
        assert frame.t_us.tobytes() == alone.t_us.tobytes()
        assert (np.diff(frame.t_us) >= 0).all()


def test_poisson_counts_have_mean_and_variance_of_their_law() -> None:
    frames = open_sensor(PoissonSettings(), 1).frames("cam-1", 0, 400)
    counts = np.array([len(frame.x) for frame in frames])
    mean = 27 * 0.1 * 256
    assert counts.mean() == pytest.approx(mean, abs=4.42 * (mean / 400) ** 0.5)
    assert counts.var() == pytest.approx(mean, rel=0.3)
    labels = np.bincount([frame.label for frame in frames], minlength=10)
    assert np.abs(labels - 40).max() < 4.42 * 6


def test_poisson_items_are_the_same_before_and_after_anything() -> None:
    sensor = open_sensor(PoissonSettings(proxy={"blocks": 2, "rows": 3}), 1)
    before, after = (sensor.evaluation(20, shifted=shifted) for shifted in (False, True))
    assert [i.t_us.tobytes() for i in before] == [i.t_us.tobytes() for i in after]
    assert [item.label for item in before] == [*range(10), *range(10)]
    assert [item.label for item in sensor.proxy] == [UNLABELLED] * 6
    again = open_sensor(PoissonSettings(proxy={"blocks": 2, "rows": 3}), 1)
    other = open_sensor(PoissonSettings(proxy={"blocks": 2, "rows": 3}), 2)
    assert sensor.pset == again.pset != other.pset
