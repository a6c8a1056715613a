"""Laws of the series sensor: classes and channels are the files', thresholds the training's."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from recorded import (
    TS_HEAD,
    columns,
    csv_rows,
    csv_text,
    ts_line,
    ts_text,
    wave,
    write_class_folders,
    write_ts,
)

from simedge.sensors import SensorError, open_sensor
from simedge.sensors.frames import UNLABELLED
from simedge.sensors.settings import SeriesSettings

ENCODERS = [{"kind": "delta"}, {"kind": "level-crossing", "levels": 4}]


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return write_ts(tmp_path_factory.mktemp("series"), train=6, test=3)


def look(root, seed=1, **said):
    said = {"proxy": {"blocks": 2, "rows": 3}} | said
    named = {} if root is None else {"root": str(root)}
    return open_sensor(SeriesSettings(**named, **said), seed)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**40),
    first=st.integers(0, 500),
    count=st.integers(0, 30),
    encoder=st.sampled_from(ENCODERS),
)
def test_a_frame_is_the_same_in_any_batch(root, seed, first, count, encoder):
    frames = look(root, seed, encoder=encoder).frames("cam-1", first, count)
    assert [frame.index for frame in frames] == list(range(first, first + count))
    for frame in frames[-2:]:
        alone = look(root, seed, encoder=encoder).frame("cam-1", frame.index)
        assert (alone.label, alone.source) == (frame.label, frame.source)
        assert columns(alone) == columns(frame)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_pixels_are_channels_and_levels(root, encoder):
    sensor = look(root, encoder=encoder)
    assert (sensor.classes, sensor.width) == (3, 2)
    assert sensor.height == encoder.get("levels", 1)
    frames = sensor.frames("cam-1", 0, 60)
    assert {frame.label for frame in frames} == {0, 1, 2}
    assert {int(x) for frame in frames for x in frame.x} == {0, 1}
    assert max(int(frame.y.max(initial=0)) for frame in frames) == sensor.height - 1
    assert all((frame.t_us < sensor.span_us).all() for frame in frames)
    assert len(sensor.proxy) == 6
    assert {item.label for item in sensor.proxy} == {UNLABELLED}
    assert [item.label for item in sensor.evaluation(6, shifted=False)] == [0, 1, 2, 0, 1, 2]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**40), held_out=st.sampled_from([None, "30%"]))
def test_a_recording_serves_for_one_thing_only(root, seed, held_out):
    sensor = look(root, seed, held_out=held_out)
    learnt = sensor.frames("cam-1", 0, 200)
    tests, proxies = sensor.evaluation(9, shifted=False), sensor.proxy
    sources = [{frame.source for frame in frames} for frames in (learnt, tests, proxies)]
    assert sum(map(len, sources)) == len(set().union(*sources))
    assert (min(sources[1]) >= 18) == (held_out is None)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_test_part_changes_nothing_that_is_learned_from(root, tmp_path, encoder):
    other = tmp_path / "other"
    shutil.copytree(root, other)
    text = TS_HEAD + "".join(ts_line(1000 * wave(c, 7), c) for c in ("flat", "slow", "fast"))
    (other / "Waves_TEST.ts").write_text(text)
    one, two = look(root, encoder=encoder), look(other, encoder=encoder)
    assert [columns(f) for f in one.frames("cam-1", 0, 60)] == [
        columns(f) for f in two.frames("cam-1", 0, 60)
    ]
    assert one.pset == two.pset
    assert one.origin()["files_sha256"] != two.origin()["files_sha256"]


def test_all_layouts_give_the_same_recordings(root, tmp_path):
    """Values rounded alike, in files of four layouts, are the same frames."""
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "train.csv").write_text(csv_text(6))
    (tables / "test.csv").write_text(csv_text(3, first=50))
    folders = tmp_path / "folders"
    write_class_folders(folders / "Train", 6)
    write_class_folders(folders / "test", 3, first=50)
    shapes = {}
    for place in (root, tables, folders):
        sensor = look(place)
        counts = sensor.origin()["recordings"]
        shapes[place.name] = counts
        events = {len(f.x) for f in sensor.evaluation(9, shifted=False)}
        assert min(events) == 0 < max(events)
        assert sorted(sensor.origin()["classes"]) == ["fast", "flat", "slow"]
    assert set(map(str, shapes.values())) == {"{'train': 15, 'test': 9, 'proxy': 3}"}
    alone = look(write_class_folders(tmp_path / "alone", 5))
    assert alone.origin()["recordings"] == {"train": 9, "test": 3, "proxy": 3}
    (tmp_path / "one.csv").write_text(csv_text(5))
    single = look(None, file=str(tmp_path / "one.csv"))
    assert single.origin()["recordings"] == {"train": 9, "test": 3, "proxy": 3}
    assert single.origin()["files"] == 1
    (tmp_path / "one.ts").write_text(ts_text(5))
    assert look(None, file=str(tmp_path / "one.ts")).classes == 3


def test_the_sampling_counts_only_where_a_length_is_said(root):
    plain = look(root).frame("cam-1", 1)
    for hz in (1, 10, 1000):
        other = look(root, sampling=f"{hz} Hz").frame("cam-1", 1)
        assert np.abs(other.t_us - plain.t_us).max(initial=0) <= 100
    with pytest.raises(SensorError, match=r"Waves_TRAIN.ts:11: .*gives no times: say the sampling"):
        look(root, window="1 s")
    half = look(root, window="950 ms", sampling="10 Hz").frame("cam-1", 1)
    assert len(half.x) == (plain.t_us < plain.t_us.dtype.type(50_000)).sum()


def test_recordings_of_unequal_length_keep_one_scale_of_time(tmp_path):
    rows = "".join(
        csv_rows(wave(label, n, length), lead=f"{label}{n},", tail=f",{label}")
        for label in ("slow", "fast")
        for n, length in enumerate((41, 41, 41, 41, 21, 21, 21, 21))
    )
    (tmp_path / "all.csv").write_text("recording,t_s,left,right,label\n" + rows)
    sensor = look(None, file=str(tmp_path / "all.csv"))
    ends = {int(f.t_us[-1]) > sensor.span_us // 2 for f in sensor.frames("cam-1", 0, 60)}
    assert ends == {True, False}


def test_missing_and_skipped_are_counted(tmp_path):
    root = write_class_folders(tmp_path / "all", 6)
    (root / "slow" / "0.csv").write_text("t_s,left,right\n0,1,2\n1,x,4\n")
    (root / "fast" / "1.csv").write_bytes(b"")
    (root / "flat" / "1.csv").write_text("t_s,left,right\n0,1,2\n1,?,4\n")
    told = look(root).origin()
    assert told["skipped"]["count"] == 2
    assert any("0.csv:3: not a number: 'x'" in said for said in told["skipped"]["first"])
    assert any("1.csv:1: the file is empty" in said for said in told["skipped"]["first"])
    assert told["values_bridged"] == 1
    assert sum(told["recordings"].values()) == 16


def spoil_label(root):
    text = (root / "Waves_TEST.ts").read_text().replace("slow fast", "slow fast odd")
    (root / "Waves_TEST.ts").write_text(text.replace(":slow\n", ":odd\n"))


def spoil_channels(root):
    text = (root / "Waves_TEST.ts").read_text().replace("@dimensions 2", "@dimensions 1")
    lines = [x.split(":", 1)[-1] if x[:1] not in "@#" else x for x in text.splitlines()]
    (root / "Waves_TEST.ts").write_text("\n".join(lines))


BROKEN = {
    "no folder": (shutil.rmtree, "no such folder; expected NAME_TRAIN.ts"),
    "no test file": (
        lambda root: (root / "Waves_TEST.ts").unlink(),
        "no recordings, found Waves_TRAIN.ts; expected NAME_TRAIN.ts",
    ),
    "two data sets": (
        lambda root: shutil.copy(root / "Waves_TRAIN.ts", root / "Other_TRAIN.ts"),
        "several data sets: other_train.ts, waves_train.ts",
    ),
    "another class": (spoil_label, r"Waves_TEST.ts:12: class 'odd' is not in the training part"),
    "other channels": (spoil_channels, r"Waves_TEST.ts:1: channels 1 .* but 2 .*Waves_TRAIN.ts"),
    "a class without recordings": (
        lambda root: (root / "Waves_TEST.ts").write_text(
            TS_HEAD + ts_line(wave("flat", 1), "flat")
        ),
        "class 'slow' has no test recording",
    ),
    "too few": (
        lambda root: (root / "Waves_TRAIN.ts").write_text(ts_text(1)),
        "class flat has 1 recordings to learn from",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_data_set_is_refused(tmp_path, spoil, said):
    root = write_ts(tmp_path / "waves")
    spoil(root)
    with pytest.raises(SensorError, match=said):
        look(root)


def test_other_things_that_cannot_be(tmp_path, root):
    (tmp_path / "one").mkdir()
    with pytest.raises(SensorError, match="no recordings, found one; expected"):
        look(tmp_path)
    (tmp_path / "one" / "1.csv").write_text("left\n1\n2\n")
    (tmp_path / "one" / "2.csv").write_text("left\n1\n2\n")
    with pytest.raises(SensorError, match="only one class, 'one'"):
        look(tmp_path)
    (tmp_path / "two").mkdir()
    with pytest.raises(SensorError, match=r"two: no .csv file there"):
        look(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.ts").mkdir()
    for path in ("x.txt", "none.csv", "pipe.csv", "folder.ts"):
        with pytest.raises(SensorError, match=rf"{path}: (expected a .ts|cannot be read)"):
            look(None, file=str(tmp_path / path))
    with pytest.raises(SensorError, match="gives times: leave sampling out"):
        look(write_class_folders(tmp_path / "timed", 5), sampling="1 Hz")
    labels = ("flat", "slow", "fast") * 3
    lines = "".join(ts_line(wave(label, 1, 1100), label) for label in labels)
    (tmp_path / "long.ts").write_text(TS_HEAD.replace("20", "1100") + lines)
    with pytest.raises(SensorError, match="a recording of more than 100000 s"):
        look(None, file=str(tmp_path / "long.ts"), sampling="0.01 Hz")
    with pytest.raises(SensorError, match=r"no recording of its class is sound; .*too fine"):
        look(root, encoder={"kind": "delta", "threshold": 1e-9})
    for said in ({}, {"root": "a", "file": "b"}, {"root": "a", "sampling": "2000 kHz"}):
        with pytest.raises(ValidationError, match=r"name either root|sampling must be"):
            SeriesSettings(**said)
