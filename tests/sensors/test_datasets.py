"""Laws of the loaders of whole data sets, on tiny ones that the tests write."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.sensors.datasets.aedat import read_aedat2, read_aedat31
from simedge.sensors.datasets.binning import Bins, counted
from simedge.sensors.datasets.official import load_official
from simedge.sensors.frames import Events, RecordingError, SensorError

OBJECTS = "airplane automobile bird cat deer dog frog horse ship truck".split()  # noqa: SIM905
events = st.lists(
    st.tuples(st.integers(0, 127), st.integers(0, 127), st.integers(0, 9999), st.integers(0, 1)),
    min_size=1,
    max_size=40,
)


def aedat31(rows, *, overflow=0, packets=2, valid=1):
    """Rows of x, y, t, p as a file of version 3.1, with a packet of another type in between."""
    data = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
    for part in np.array_split(np.arange(len(rows)), packets):
        data += struct.pack("<hhiiiiii", 6, 0, 4, 0, overflow, 1, 1, 1) + b"\0\0\0\0"
        data += struct.pack("<hhiiiiii", 1, 0, 8, 4, overflow, len(part), len(part), len(part))
        for n in part:
            x, y, t, p = rows[n]
            data += struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t)
    return data


def aedat2(rows):
    data = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n"
    for x, y, t, p in rows:
        data += struct.pack(">II", (127 - x) << 8 | (127 - y) << 1 | (1 - p), t)
    return data


def columns(found):
    return [np.asarray(part).tolist() for part in (found.x, found.y, found.t_us, found.p)]


@given(events)
def test_recordings_of_both_versions_come_back_in_order_of_time(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("aedat")
    rows = sorted(rows, key=lambda row: row[2])
    wanted = [list(column) for column in zip(*rows, strict=True)]
    (folder / "a").write_bytes(aedat31(rows))
    (folder / "b").write_bytes(aedat2(rows))
    assert columns(read_aedat31(folder / "a")) == wanted
    assert columns(read_aedat2(folder / "b")) == wanted


def test_overflown_times_go_on_and_invalid_events_are_left_out(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(aedat31([(1, 2, 5, 1)], overflow=1))
    assert read_aedat31(path).t_us.tolist() == [2**31 + 5]
    path.write_bytes(aedat31([(1, 2, 5, 1)], valid=0))
    with pytest.raises(RecordingError, match="no pixel event"):
        read_aedat31(path)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "no AEDAT 3.1 header"),
        (b"#!AER-DAT3.1\r\n", "no end"),
        (aedat31([(1, 1, 1, 1)])[:-1], "cut off"),
        (aedat31([(1, 1, 1, 1)])[:60], "head of a packet"),
        (aedat31([(200, 1, 1, 1)]), "outside"),
    ],
)
def test_damaged_recordings_are_refused_with_file_and_reason(tmp_path, data, match):
    (tmp_path / "damaged").write_bytes(data)
    with pytest.raises(RecordingError, match=match) as told:
        read_aedat31(tmp_path / "damaged")
    assert "damaged" in str(told.value)


@pytest.mark.parametrize("data", [b"x", aedat2([(1, 1, 1, 1)])[:-1], b"#!AER-DAT2.0"])
def test_damaged_recordings_of_version_2_are_refused(tmp_path, data):
    (tmp_path / "damaged").write_bytes(data)
    with pytest.raises(RecordingError, match="damaged"):
        read_aedat2(tmp_path / "damaged")


@given(events, st.integers(1, 7), st.integers(1, 64), st.none() | st.integers(1, 4000))
def test_every_event_of_the_span_is_counted_once_in_its_cell(rows, ticks, side, tick_us):
    x, y, t, p = (
        np.array(column) for column in zip(*sorted(rows, key=lambda r: r[2]), strict=True)
    )
    counts = counted(
        Events(x, y, t, p), Bins(ticks, side, tick_us), sensor=128, first_us=100, stop_us=8100
    )
    slow = np.zeros((ticks, 2, side, side))
    for n in range(len(x)):
        since = t[n] - 100
        tick = since * ticks // 8000 if tick_us is None else since // tick_us
        if 0 <= since < 8000 and tick < ticks:
            slow[tick, p[n], y[n] * side // 128, x[n] * side // 128] += 1
    assert counts.dtype == np.float32
    assert np.array_equal(counts, slow)


def test_bins_that_cannot_be_are_refused(tmp_path):
    one = np.array([1])
    with pytest.raises(SensorError, match="cells a side"):
        counted(Events(one, one, one, one), Bins(1, 8), sensor=4, first_us=0, stop_us=2)
    with pytest.raises(SensorError, match="ticks must be"):
        load_official(tmp_path, "nmnist", ticks=-1)
    with pytest.raises(SensorError, match="format must be"):
        load_official(tmp_path, "mnist")
    with pytest.raises(SensorError, match="no such folder"):
        load_official(tmp_path / "gone", "nmnist")


def test_nmnist(tmp_path):
    for part in ("Train", "Test"):
        for digit in range(10):
            folder = tmp_path / part / str(digit)
            folder.mkdir(parents=True)
            for n in range(2):
                (folder / f"{n:05}.bin").write_bytes(bytes([digit, n, 0x80, 0, 9]))
    found = load_official(tmp_path, "nmnist", ticks=3, samples_max=10)
    assert found.train.frames.shape == (10, 3, 2, 34, 34)
    assert found.train.labels.tolist() == list(range(10))
    assert found.test is not None
    assert found.test.frames[4].sum() == 1
    assert found.test.frames[4, 2, 1, 0, 4] == 1


def write_gestures(folder):
    rows = [(0, 0, 100, 0), (127, 127, 399, 1), (64, 0, 400, 1), (5, 5, 900, 1)]
    for name, trial in (("train", "user01_led"), ("test", "user24_lab")):
        (folder / f"trials_to_{name}.txt").write_text(f"{trial}.aedat\n\n")
        (folder / f"{trial}.aedat").write_bytes(aedat31(rows))
        text = "class,startTime_usec,endTime_usec\n3,100,400\n11,400,600\n"
        (folder / f"{trial}_labels.csv").write_text(text)


def test_gestures_are_cut_out_of_their_trial(tmp_path):
    write_gestures(tmp_path)
    found = load_official(tmp_path, "dvs-gesture", ticks=3, side=2)
    assert found.train.labels.tolist() == [2, 10]
    places = [list(map(int, place)) for place in np.argwhere(found.train.frames)]
    assert places == [[0, 0, 0, 0, 0], [0, 2, 1, 1, 1], [1, 0, 1, 0, 1]]
    assert found.test is not None
    short = load_official(tmp_path, "dvs-gesture", side=2, ticks=2, tick_us=100)
    assert short.train.frames.sum((1, 2, 3, 4)).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("class\n1\n", "line 1: expected"),
        ("class,startTime_usec,endTime_usec\n1,2\n", "line 2: expected three"),
        ("class,startTime_usec,endTime_usec\n12,2,3\n", "line 2: no gesture"),
        ("é", "not plain text"),
    ],
)
def test_labels_of_gestures_are_checked(tmp_path, text, match):
    write_gestures(tmp_path)
    (tmp_path / "user01_led_labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(RecordingError, match=match):
        load_official(tmp_path, "dvs-gesture")
    (tmp_path / "trials_to_train.txt").unlink()
    with pytest.raises(SensorError, match="cannot be read"):
        load_official(tmp_path, "dvs-gesture")


def test_cifar10_dvs(tmp_path):
    for n, name in enumerate(OBJECTS):
        (tmp_path / name).mkdir()
        for number in (2, 10):
            path = tmp_path / name / f"cifar10_{name}_{number}.aedat"
            path.write_bytes(aedat2([(n, number, 70, 1), (127, 0, 90, 0)]))
    found = load_official(tmp_path, "cifar10-dvs", ticks=2, side=128, samples_max=10)
    assert found.test is None
    assert found.train.labels.tolist() == list(range(10))
    assert found.train.frames[3, 0, 1, 2, 3] == 1
    assert found.train.frames[3, 1, 0, 0, 127] == 1
    (tmp_path / "truck" / "cifar10_truck_2.aedat").unlink()
    (tmp_path / "truck" / "cifar10_truck_10.aedat").unlink()
    with pytest.raises(SensorError, match=r"no \.aedat file"):
        load_official(tmp_path, "cifar10-dvs")


def test_shd(tmp_path):
    h5py = pytest.importorskip("h5py", reason="spoken digits need h5py")
    for name in ("train", "test"):
        with h5py.File(tmp_path / f"shd_{name}.h5", "w") as file:
            file["labels"] = np.array([19, 4], np.uint16)
            times = file.create_dataset("spikes/times", (2,), h5py.vlen_dtype(np.float16))
            units = file.create_dataset("spikes/units", (2,), h5py.vlen_dtype(np.uint16))
            times[0], units[0] = [0.0, 0.25, 1.5], [0, 699, 3]
            times[1], units[1] = [0.125], [350]
    found = load_official(tmp_path, "shd")
    assert found.train.labels.tolist() == [19, 4]
    places = [list(map(int, place)) for place in np.argwhere(found.train.frames)]
    assert places == [[0, 0, 0, 0, 0], [0, 25, 0, 0, 699], [1, 12, 0, 0, 350]]
    (tmp_path / "shd_test.h5").write_bytes(b"no")
    with pytest.raises(RecordingError, match="shd_test"):
        load_official(tmp_path, "shd")


@pytest.mark.parametrize(("form", "marks"), [("cifar10", 1), ("cifar100", 2)])
def test_cifar(tmp_path, form, marks):
    names = {
        "cifar10": [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"],
        "cifar100": ["train.bin", "test.bin"],
    }[form]
    picture = np.arange(3 * 32 * 32, dtype=np.uint64).reshape(3, 32, 32) // 32 % 256
    for n, name in enumerate(names):
        record = bytes([7, n][-marks:]) + picture.astype(np.uint8).tobytes()
        (tmp_path / name).write_bytes(record)
    found = load_official(tmp_path, form, side=16)
    assert found.train.labels.tolist() == list(range(len(names) - 1))
    assert found.test is not None
    assert found.test.frames.shape == (1, 3, 16, 16)
    np.testing.assert_allclose(found.train.frames.mean((0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(found.train.frames.std((0, 2, 3)), 1, atol=1e-5)
    assert found.train.frames[0, 0, 0, 0] == found.train.frames[0, 0].min()
    with pytest.raises(SensorError, match="divide"):
        load_official(tmp_path, form, side=7)
    (tmp_path / names[0]).write_bytes(b"12")
    with pytest.raises(RecordingError, match="whole records"):
        load_official(tmp_path, form)
