"""Laws of the digits: frames are pure functions of (seed, device, index), and roles stay apart."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.sensors import Frame, Sensor, SensorError, open_sensor
from simedge.sensors.digits import DigitsSensor
from simedge.sensors.frames import ITEM, UNLABELLED
from simedge.sensors.settings import DigitsSettings
from simedge.sensors.table import digits

SMALL: dict[str, Any] = {"proxy": {"blocks": 2, "rows": 10}}
TURN = {"kind": "rotate", "at": "500 ms", "degrees": 90.0}


def _open(seed: int = 1, **said: object) -> DigitsSensor:
    return DigitsSensor(DigitsSettings.model_validate({**SMALL, **said}), seed)


def _same(one: Frame, other: Frame) -> bool:
    columns = ("x", "y", "t_us", "p")
    return (one.index, one.label, one.source) == (other.index, other.label, other.source) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in columns
    )


def _each(ones: Sequence[Frame], others: Sequence[Frame]) -> list[bool]:
    return [_same(one, other) for one, other in zip(ones, others, strict=True)]


REFERENCE = _open(split={"kind": "dirichlet"})
FRAMES = {name: REFERENCE.frames(name, 0, 80) for name in ("cam-1", "box-2")}


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.sampled_from(["cam-1", "box-2"]), st.integers(0, 70), st.integers(0, 9)),
        max_size=4,
    )
)
def test_a_frame_is_the_same_in_any_order_batch_and_company(
    calls: list[tuple[str, int, int]],
) -> None:
    sensor = _open(split={"kind": "dirichlet"})
    for device, first, count in calls:
        got = sensor.frames(device, first, count)
        expected = FRAMES[device][first : first + count]
        assert all(_each(got, expected))
        assert _same(sensor.frame(device, first), FRAMES[device][first])


def test_a_frame_is_the_same_in_any_thread() -> None:
    sensor = _open(split={"kind": "dirichlet"})
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(sensor.frames, "cam-1", first, 4) for first in range(0, 80, 4)]
        got = [frame for job in jobs for frame in job.result()]
    assert all(_each(got, FRAMES["cam-1"]))


def test_seeds_devices_and_presentations_differ() -> None:
    frames = [
        _open(1).frame("cam-1", 0),
        _open(2).frame("cam-1", 0),
        _open(1).frame("cam-2", 0),
        _open(1).frame("cam-1", 1),
    ]
    assert len({frame.t_us.tobytes() for frame in frames}) == 4


def test_pixel_events_are_in_order_inside_the_picture_and_the_presentation() -> None:
    for frame in FRAMES["cam-1"]:
        assert (np.diff(frame.t_us) >= 0).all()
        assert frame.t_us[0] >= 0
        assert frame.t_us[-1] * 1000 <= REFERENCE.span_ns
        assert max(frame.x.max(), frame.y.max()) < REFERENCE.width
        assert set(frame.p.tolist()) <= {0, 1}


def test_a_pixel_is_silent_for_its_refractory_time() -> None:
    sensor = _open(camera={"refractory": "5 ms"})
    for frame in sensor.frames("cam-1", 0, 10):
        pixel = frame.y.astype(np.int64) * sensor.width + frame.x
        order = np.lexsort((frame.t_us, pixel))
        gaps = np.diff(frame.t_us[order])[np.diff(pixel[order]) == 0]
        assert gaps.min() >= 5000


@pytest.mark.parametrize(
    ("size", "least", "most"), [(8, 100, 250), (16, 500, 900), (34, 2000, 4500)]
)
def test_events_grow_with_the_area(size: int, least: int, most: int) -> None:
    mean = np.mean([len(frame.x) for frame in _open(size=size).frames("cam-1", 0, 40)])
    assert least < mean < most


def test_presentations_follow_each_other_at_the_exact_rate() -> None:
    sensor = _open(rate="7 Hz")
    assert [sensor.start_ns(i) for i in (0, 1, 7, 10**9)] == [
        0,
        142857142,
        10**9,
        10**18 // 7,
    ]
    assert sensor.span_ns == 114285714
    frame = sensor.frame("cam-1", 3)
    assert sensor.arrival_ns(frame) == sensor.start_ns(3) + int(frame.t_us[-1]) * 1000


def test_a_frame_without_events_arrives_at_its_end() -> None:
    sensor = _open(
        camera={"contrast": "100%", "noise": None}, shift={"kind": "dim", "at": 0, "light": 0}
    )
    frame = sensor.frame("cam-1", 2)
    assert len(frame.t_us) == 0
    assert sensor.arrival_ns(frame) == sensor.start_ns(2) + sensor.span_ns


def test_there_are_no_frames_before_the_first_and_items_have_no_time() -> None:
    for call in (lambda: REFERENCE.frame("cam-1", -1), lambda: REFERENCE.frames("cam-1", 0, -1)):
        with pytest.raises(SensorError, match="numbered from 0"):
            call()
    with pytest.raises(SensorError, match="numbered from 0"):
        REFERENCE.arrival_ns(REFERENCE.proxy[0])
    assert REFERENCE.frames("cam-1", 0, 0) == []


def test_training_test_and_proxy_images_are_disjoint() -> None:
    train = {frame.source for frames in FRAMES.values() for frame in frames}
    test = {frame.source for frame in REFERENCE.evaluation(400, shifted=False)}
    proxy = {frame.source for frame in REFERENCE.proxy}
    assert train.isdisjoint(test)
    assert train.isdisjoint(proxy)
    assert test.isdisjoint(proxy)


def test_frames_are_labelled_and_proxy_items_are_not() -> None:
    labels = digits().labels
    for frame in (*FRAMES["cam-1"], *REFERENCE.evaluation(20, shifted=False)):
        assert frame.label == labels[frame.source]
    assert {(item.index, item.label) for item in REFERENCE.proxy} == {(ITEM, UNLABELLED)}


def test_items_are_balanced_over_the_classes() -> None:
    labels = digits().labels
    for items in (REFERENCE.evaluation(100, shifted=True), _open(proxy={"blocks": 5}).proxy):
        counts = Counter(int(labels[item.source]) for item in items)
        assert len(counts) == 10
        assert max(counts.values()) - min(counts.values()) <= 1


def test_a_frame_that_starts_at_the_shift_or_later_is_shifted() -> None:
    plain, turned = _open(rate="4 Hz"), _open(rate="4 Hz", shift=TURN)
    same = [_same(plain.frame("cam-1", i), turned.frame("cam-1", i)) for i in range(4)]
    assert same == [True, True, False, False]
    assert (plain.shifts_ns, turned.shifts_ns) == ((), (500_000_000,))


def test_a_shift_changes_what_is_seen_and_not_which_image() -> None:
    sensor = _open(shift=TURN)
    before, after = (sensor.evaluation(20, shifted=shifted) for shifted in (False, True))
    assert [item.source for item in before] == [item.source for item in after]
    assert not any(_each(before, after))


def test_proxy_items_are_never_shifted_and_the_same_for_every_run_of_the_seed() -> None:
    plain, turned = _open(), _open(shift={**TURN, "at": 0}, split={"kind": "dirichlet"})
    assert all(_each(plain.proxy, turned.proxy))
    assert plain.pset == turned.pset
    assert len(plain.pset) == 32


def test_the_name_of_the_proxy_set_tells_sets_apart() -> None:
    names = {
        _open().pset,
        _open(2).pset,
        _open(size=20).pset,
        _open(proxy={"blocks": 4, "rows": 5}).pset,
        _open(camera={"contrast": "30%"}).pset,
    }
    assert len(names) == 5


def test_inverting_exchanges_on_and_off() -> None:
    camera = {"noise": None, "refractory": 0}
    sensor = _open(camera=camera, shift={"kind": "invert", "at": "1 s"})
    one, other = (sensor.evaluation(30, shifted=shifted) for shifted in (False, True))
    # the first saccade goes down and right: count both polarities on each pixel's first event
    for before, after in zip(one, other, strict=True):
        first = {
            (int(x), int(y)): int(p) for x, y, p in zip(before.x, before.y, before.p, strict=True)
        }
        told = {(int(x), int(y)): int(p) for x, y, p in zip(after.x, after.y, after.p, strict=True)}
        both = first.keys() & told.keys()
        assert sum(first[pixel] != told[pixel] for pixel in both) > 0.7 * len(both)


def test_mirroring_mirrors_and_dimming_dims() -> None:
    def count(shift: dict[str, object]) -> tuple[float, float]:
        items = _open(camera={"noise": None}, shift={"at": 0, **shift}).evaluation(40, shifted=True)
        events = sum(len(item.x) for item in items)
        return sum(item.x.sum() for item in items) / events, events

    middle, events = count({"kind": "dim", "light": "100%"})
    mirrored, _ = count({"kind": "mirror"})
    _, dimmed = count({"kind": "dim", "light": "40%"})
    assert abs(middle + mirrored - 15) < 0.5
    assert dimmed < 0.75 * events


def test_cameras_differ_by_their_gain_and_their_pixels() -> None:
    def spread(**camera: object) -> float:
        sensor = _open(camera={"gain_spread": 0, "mismatch": 0, "noise": None, **camera})
        counts = [sum(len(frame.x) for frame in sensor.frames(f"cam-{i}", 0, 40)) for i in range(6)]
        return float(np.std(counts) / np.mean(counts))

    assert spread(gain_spread="50%") > 2 * spread()
    even, uneven = (
        _open(camera={"gain_spread": 0, "mismatch": mismatch}).frame("cam-1", 0)
        for mismatch in (0, "5%")
    )
    assert not _same(even, uneven)


def test_items_are_seen_by_even_cameras() -> None:
    even, uneven = (
        _open(camera={"mismatch": mismatch}).evaluation(10, shifted=False)
        for mismatch in (0, "20%")
    )
    assert all(_each(even, uneven))


def test_every_device_has_its_own_proportions_of_the_classes() -> None:
    sensor = _open(split={"kind": "dirichlet", "alpha": 0.3})
    shares = {name: sensor.proportions(name) for name in ("cam-1", "cam-2")}
    assert shares["cam-1"] != shares["cam-2"]
    counts = Counter(frame.label for frame in sensor.frames("cam-1", 0, 400))
    for label, share in enumerate(shares["cam-1"]):
        error = float(share * (1 - share) / 400) ** 0.5
        assert abs(counts[label] / 400 - float(share)) <= 4.42 * error + 1e-9


def test_without_a_split_every_class_is_as_frequent() -> None:
    assert _open().proportions("cam-1") == [Fraction(1, 10)] * 10
    counts = Counter(frame.label for frame in _open().frames("cam-1", 0, 400))
    assert max(abs(counts[label] - 40) for label in range(10)) < 4.42 * 6


def test_the_door_opens_every_kind_and_names_nothing_else() -> None:
    import simedge.sensors

    sensor: Sensor = open_sensor(DigitsSettings.model_validate(SMALL), 1)
    assert (sensor.classes, sensor.width, sensor.height, sensor.frames_due) == (10, 16, 16, True)
    assert _same(sensor.frame("cam-1", 5), _open().frame("cam-1", 5))
    with pytest.raises(AttributeError, match="no attribute 'shut_sensor'"):
        _ = simedge.sensors.shut_sensor


def test_frames_are_the_same_on_every_machine() -> None:
    sha = hashlib.sha256()
    for frame in (*FRAMES["cam-1"][:16], *REFERENCE.proxy, *REFERENCE.evaluation(10, shifted=True)):
        for column in (frame.x, frame.y, frame.t_us, frame.p):
            sha.update(column.astype("<i8").tobytes())
    assert sha.hexdigest()[:16] == "66f136ebd1bbd30e"
    assert REFERENCE.pset.hex()[:16] == "fb86573b1dc34d66"
