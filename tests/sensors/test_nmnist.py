"""Laws of the N-MNIST sensor: recordings have one role each, and look as they are told to."""

import os
import shutil
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from recorded import clip, columns, packed, write_nmnist

from simedge.sensors import Events, SensorError, open_sensor, read_nmnist
from simedge.sensors.clips import Kept
from simedge.sensors.frames import ITEM, UNLABELLED
from simedge.sensors.nmnist import address_map, list_files
from simedge.sensors.settings import NmnistSettings, RotateShift


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return write_nmnist(tmp_path_factory.mktemp("nmnist"), train=6, test=3)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_nmnist(tmp_path_factory.mktemp("small"), train=4, test=2)


@pytest.fixture
def spoilt(tmp_path):
    return write_nmnist(tmp_path / "nmnist", train=4, test=2)


def look(root, seed=1, **said):
    said = {"proxy": {"blocks": 2, "rows": 5}} | said
    return open_sensor(NmnistSettings(root=str(root), **said), seed)


def names(root, frames):
    files = list_files(root).files
    return [files[frame.source] for frame in frames]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**40), first=st.integers(0, 500), count=st.integers(0, 30))
def test_a_frame_is_the_same_in_any_batch(root, seed, first, count):
    frames = look(root, seed).frames("cam-1", first, count)
    assert [frame.index for frame in frames] == list(range(first, first + count))
    for frame in frames[-2:]:
        alone = look(root, seed).frame("cam-1", frame.index)
        assert (alone.label, alone.source) == (frame.label, frame.source)
        assert columns(alone) == columns(frame)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**40), held_out=st.sampled_from([None, "30%"]))
def test_a_recording_serves_for_one_thing_only(root, seed, held_out):
    sensor = look(root, seed, held_out=held_out)
    learnt = sensor.frames("cam-1", 0, 300) + sensor.frames("cam-2", 0, 300)
    tests, proxies = sensor.evaluation(30, shifted=False), sensor.proxy
    sources = [{frame.source for frame in frames} for frames in (learnt, tests, proxies)]
    assert sum(map(len, sources)) == len(set().union(*sources))
    part = "Test/" if held_out is None else "Train/"
    assert all(name.startswith(part) for name in names(root, tests))
    assert all(name.startswith("Train/") for name in names(root, [*learnt, *proxies]))


def test_labels_are_the_folders_and_proxies_have_none(root):
    sensor = look(root)
    for frames in (sensor.frames("cam-1", 0, 50), sensor.evaluation(30, shifted=False)):
        for frame, name in zip(frames, names(root, frames), strict=True):
            assert name.split("/")[1] == str(frame.label)
    assert [item.label for item in sensor.evaluation(20, shifted=False)] == [*range(10)] * 2
    assert {(item.index, item.label) for item in sensor.proxy} == {(ITEM, UNLABELLED)}
    assert (sensor.classes, sensor.width, sensor.height, len(sensor.proxy)) == (10, 34, 34, 10)


def test_the_proxy_set_has_the_same_name_where_it_is_the_same(root):
    said = [look(root).pset, look(root).pset, look(root, 2).pset, look(root, size=17).pset]
    assert said[0] == said[1]
    assert len(set(said)) == 3
    assert all(len(name) == 32 for name in said)


def test_uneven_splits_are_those_of_the_law(root):
    sensor = look(root, split={"kind": "dirichlet", "alpha": 0.1})
    assert sensor.proportions("cam-1") != sensor.proportions("cam-2")
    seen = np.bincount([f.label for f in sensor.frames("cam-1", 0, 1500)], minlength=10) / 1500
    assert np.abs(seen - np.array(sensor.proportions("cam-1"), float)).max() < 0.06
    assert set(look(root).proportions("cam-1")) == {Fraction(1, 10)}


def test_a_recording_is_shown_in_the_time_of_a_presentation(root):
    sensor = look(root, rate="4 Hz")
    for frame in sensor.evaluation(10, shifted=False):
        (name,) = names(root, [frame])
        events = read_nmnist(root / name)
        assert len(frame.x) == len(events.x)
        assert frame.t_us.tolist() == (events.t_us * 200_000 // 315_000).tolist()
        assert (frame.t_us < sensor.span_us).all()


@settings(max_examples=20)
@given(window=st.integers(1, 400), rate=st.sampled_from(["1/4 Hz", "8 Hz", "100 Hz"]))
def test_only_the_window_is_shown(root, window, rate):
    rate = "0.25 Hz" if rate == "1/4 Hz" else rate
    sensor = look(root, window=f"{window} ms", rate=rate)
    for frame in sensor.evaluation(3, shifted=False):
        (name,) = names(root, [frame])
        assert len(frame.x) == (read_nmnist(root / name).t_us < 1000 * window).sum()
        assert (frame.t_us < sensor.span_us).all()
        assert (np.diff(frame.t_us) >= 0).all()


@given(size=st.integers(8, 34))
def test_pixels_that_share_an_address_are_neighbours(size):
    places = address_map(size, None).reshape(34, 34)
    assert set(places.ravel().tolist()) == set(range(size**2))
    steps = np.diff(places % size, axis=1), np.diff(places // size, axis=0)
    assert {step for part in steps for step in part.ravel().tolist()} <= {0, 1}


def test_a_pixel_says_a_thing_once_a_microsecond(spoilt):
    for path in (spoilt / "Test" / "0").iterdir():
        path.write_bytes(packed([0, 1, 1, 5], [0, 0, 1, 5], [7, 7, 7, 7], [1, 1, 0, 1]))
    whole, half = (look(spoilt, size=n).evaluation(1, shifted=False)[0] for n in (34, 17))
    assert [len(frame.x) for frame in (whole, half)] == [4, 3]
    assert list(zip(half.y, half.x, half.p, strict=True)) == [(0, 0, 0), (0, 0, 1), (2, 2, 1)]


def test_merged_polarities_are_all_on(root):
    both, merged = look(root).frame("cam-1", 0), look(root, polarity="merged").frame("cam-1", 0)
    assert set(both.p.tolist()) == {0, 1}
    assert set(merged.p.tolist()) == {1}
    assert (merged.x == both.x).all()


@pytest.mark.parametrize("degrees", [0, 180, -180, 90])
def test_right_angles_turn_every_pixel_to_a_pixel(degrees):
    turned = address_map(34, RotateShift(at="1 s", degrees=float(degrees))).reshape(34, 34)
    straight = np.arange(34**2).reshape(34, 34)
    # np.rot90 turns what is at an address; a map says where it goes: the way back
    assert (turned == np.rot90(straight, -degrees // 90)).all()


@given(degrees=st.floats(-180, 180))
def test_turning_keeps_the_distance_from_the_middle_to_a_pixel(degrees):
    turned = address_map(34, RotateShift(at="1 s", degrees=degrees))
    here = np.flatnonzero(turned >= 0)
    radius = [np.hypot(at % 34 - 16.5, at // 34 - 16.5) for at in (here, turned[here])]
    assert np.abs(radius[0] - radius[1]).max() < 0.71
    assert len(here) >= 34**2 * 0.75


@pytest.mark.parametrize("kind", ["mirror", "invert", "rotate"])
def test_a_shift_changes_later_frames_and_the_second_list_only(root, kind):
    plain, sensor = look(root), look(root, shift={"kind": kind, "at": "1 s"})
    assert sensor.shifts_ns == (10**9,)
    before, after = sensor.frames("cam-1", 7, 2)
    assert columns(before) == columns(plain.frame("cam-1", 7))
    old = plain.frame("cam-1", 8)
    assert columns(after) != columns(old)
    assert (after.source, after.label) == (old.source, old.label)
    if kind == "mirror":
        assert sorted(after.x.tolist()) == sorted((33 - old.x).tolist())
    if kind == "invert":
        assert sorted(after.p.tolist()) == sorted((1 - old.p).tolist())
    first, second = (sensor.evaluation(20, shifted=shifted) for shifted in (False, True))
    assert [f.source for f in first] == [f.source for f in second]
    assert [columns(f) for f in first] != [columns(f) for f in second]
    assert [columns(f) for f in sensor.proxy] == [columns(f) for f in plain.proxy]


def test_what_a_recording_cannot_do_is_refused():
    with pytest.raises(ValidationError, match="cannot be dimmed"):
        NmnistSettings(root="x", shift={"kind": "dim", "at": "1 s"})
    with pytest.raises(ValidationError, match="cannot be inverted"):
        NmnistSettings(root="x", polarity="merged", shift={"kind": "invert", "at": "1 s"})


def test_damaged_recordings_are_passed_over_and_counted(spoilt):
    (spoilt / "Train" / "3" / "00001.bin").write_bytes(b"")
    (spoilt / "Train" / "3" / "00002.bin").write_bytes(clip(3, 1)[:-1])
    (spoilt / "Test" / "5" / "00001.bin").write_bytes(packed([40], [1], [1], [1]))
    sensor = look(spoilt)
    frames = [*sensor.frames("cam-1", 0, 200), *sensor.evaluation(20, shifted=False)]
    assert {"Test/5/00002.bin"} == {n for n in names(spoilt, frames) if n.startswith("Test/5")}
    told = sensor.origin()
    assert told["skipped"]["count"] == 3
    reasons = "\n".join(told["skipped"]["first"])
    for said in ("00001.bin: byte 0: the file is empty", "00002.bin: byte 145", "(40, 1)"):
        assert said in reasons
    assert told["recordings"] == {"train": 28, "test": 20, "proxy": 10}
    assert told["files"] == 60


def test_the_list_of_files_has_a_name(root, spoilt):
    again, other = look(root).origin(), look(spoilt).origin()
    assert again["files_sha256"] == look(root, 2).origin()["files_sha256"]
    assert again["files_sha256"] != other["files_sha256"]
    (spoilt / "Train" / "3" / "00001.bin").write_bytes(b"12345")
    assert look(spoilt).origin()["files_sha256"] != other["files_sha256"]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 59), st.integers(0, 10**6), st.integers(0, 7))
def test_no_bit_of_a_recording_changes_without_the_name_of_all(small, number, place, bit):
    file = small / list_files(small).files[number]
    names, raw = [], bytearray(file.read_bytes())
    for turn in range(3):
        names.append(list_files(small).sha256(small))
        raw[place % len(raw)] ^= 1 << bit if turn < 2 else 0
        file.write_bytes(raw)
        changed_ns = file.stat().st_mtime_ns + 10**9  # a clock of files may tick every 10 ms
        os.utime(file, ns=(changed_ns, changed_ns))
    assert names[1] != names[0]
    assert names[2] == names[0], "the age of a file is no part of it"


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


LAYOUTS = {
    "no folder at all": (remove, "no such folder; expected FOLDER/{Train,Test}"),
    "no test part": (lambda root: remove(root / "Test"), "no folder Test, found Train; expected"),
    "a class is missing": (lambda root: remove(root / "Train" / "7"), "Train: no folder 7; expect"),
    "a class is empty": (
        lambda root: [remove(p) for p in (root / "Test" / "2").iterdir()],
        "Test/2: no .bin file there; expected",
    ),
    "a class is all cut off": (
        lambda root: [p.write_bytes(b"1234") for p in (root / "Test" / "2").iterdir()],
        "Test/2: every recording is damaged; .*byte 0: the last event is cut off",
    ),
    "a class is all garbage": (
        lambda root: [p.write_bytes(b"\xfe" * 10) for p in (root / "Test" / "2").iterdir()],
        "no recording of its class is sound; .*Test/2/0000.*bin: byte 0: event at",
    ),
    "a class to learn from is all garbage": (
        lambda root: [p.write_bytes(b"\xfe" * 10) for p in (root / "Train" / "2").iterdir()],
        "class 2 has 4 recordings to learn from, too few sound ones: .*; .*bin: byte 0: event at",
    ),
    "a class has one": (
        lambda root: [remove(p) for p in (root / "Train" / "2").glob("*[2-9].bin")],
        "class 2 has 1 recordings to learn from, too few sound ones",
    ),
    "one folder too high": (
        lambda root: shutil.copytree(root, root / "n") and remove(root / "Train"),
        "no folder Train, but there is one in .*n; expected",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_another_layout_is_refused_with_the_one_expected(spoilt, spoil, said):
    spoil(spoilt)
    with pytest.raises(SensorError, match=said):
        look(spoilt)


def test_what_is_kept_has_a_bound_and_changes_nothing(root, monkeypatch):
    frames = look(root).frames("cam-1", 0, 60)
    monkeypatch.setattr("simedge.sensors.clips._KEPT_EVENTS", 70)
    again = look(root).frames("cam-1", 0, 60)
    assert [columns(f) for f in again] == [columns(f) for f in frames]
    made, kept = [], Kept()
    shown = Events(*(getattr(frames[0], name) for name in Events._fields))  # 30 events

    def make():
        made.append(1)
        return shown

    for clip_number in (0, 1, 0, 2, 0, 1):  # room for two: 1 has gone when it is asked for again
        assert kept.get((clip_number, False), make) is shown
        assert kept.events <= 70
    assert len(made) == 4
