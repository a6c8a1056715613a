"""Laws of series files: what is written comes back; what is wrong is named with its line."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import MOTIONS, TS_HEAD, csv_text, needs_data, ts_line, ts_text

from simedge.sensors import RecordingError, SensorError, read_csv, read_ts

NUMBERS = st.floats(-1e9, 1e9).map(repr)
GOOD_TS = TS_HEAD.replace("20", "3")
TS = GOOD_TS + "1,2,3:4,5,6:flat\n7,8,9:1,2,3:slow\n"
CSV = "recording,t_s,left,label\na,0,1,up\na,0.5,2,up\nb,0,3,down\nb,1,4,down\n"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("series")


def read(folder, text, suffix=".ts", **said):
    path = folder / f"some{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_ts(path) if suffix == ".ts" else read_csv(path, **said)


@settings(max_examples=50)
@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=2, max_size=2), NUMBERS)
def test_numbers_come_back_from_both_formats(folder, rows, other):
    line = ":".join(",".join(row) for row in rows) + ":slow\n"
    (recording,) = read(folder, GOOD_TS + line).recordings
    assert recording.values.tolist() == [[float(v) for v in row] for row in rows]
    assert recording.label == "slow"
    assert recording.seconds is None
    text = "".join(f"a,{n},{v},{other},x\n" for n, v in enumerate(rows[0]))
    (recording,) = read(folder, "recording,t_s,u,v,label\n" + text, ".csv").recordings
    assert recording.values.tolist() == [[float(v) for v in rows[0]], [float(other)] * 3]
    assert recording.seconds.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: "\ufeff" + t,
        lambda t: t.replace("@data", "@DATA").replace("@classLabel", "@CLASSLABEL"),
        lambda t: t.replace("@dimensions 2\n", ""),
        lambda t: t.replace("@missing false\n", ""),
        lambda t: t.replace("1,2,3:4,5,6", " 1, 2 ,3 : 4,5e0,+6 "),
        lambda t: t.replace("@data\n", "@data\n\n# a comment\n"),
        lambda t: t.rstrip("\n"),
    ],
)
def test_a_file_may_be_written_otherwise(folder, change):
    plain, other = read(folder, TS), read(folder, change(TS))
    assert other.channels == plain.channels == ("channel-1", "channel-2")
    for one, two in zip(plain.recordings, other.recordings, strict=True):
        assert one.values.tolist() == two.values.tolist()
    assert other.classes == ("flat", "slow", "fast")


def test_recordings_may_be_of_unequal_length(folder):
    text = TS.replace("@equalLength true\n@seriesLength 3\n", "@equalLength false\n")
    file = read(folder, text + "1,2:3,4:fast\n")
    assert [r.values.shape for r in file.recordings] == [(2, 3), (2, 3), (2, 2)]


def test_missing_values_are_on_a_straight_line_and_counted(folder):
    head = GOOD_TS.replace("@missing false", "@missing true").replace("3\n", "5\n")
    file = read(folder, head + "?,1,?,?,4:5,?,7,8,?:flat\n")
    assert file.recordings[0].values.tolist() == [[1, 1, 2, 3, 4], [5, 6, 7, 8, 8]]
    assert file.missing == 5
    csv = read(folder, "recording,u,label\na,1,x\na,?,x\na,,x\na,7,x\n", ".csv")
    assert csv.recordings[0].values.tolist() == [[1, 3, 5, 7]]


def test_times_in_the_file_count_from_the_first(folder):
    head = GOOD_TS.replace("@timeStamps false", "@timeStamps true").replace("@dimensions 2", "")
    head = head.replace("\n\n", "\n").replace("@seriesLength", "#")
    file = read(folder, head + "(5,1),(6,2),(8,9):(5,3),(6,4),(8,5):flat\n")
    assert file.recordings[0].seconds.tolist() == [0, 1, 3]
    assert file.recordings[0].values.tolist() == [[1, 2, 9], [3, 4, 5]]


BROKEN_TS = {
    "empty": (lambda _: "", 1, "the file is empty"),
    "header only": (lambda _: GOOD_TS, 10, "no recording after @data"),
    "no @data": (lambda _: GOOD_TS.replace("@data\n", ""), 9, "ends without @data"),
    "no header": (lambda t: t.replace(GOOD_TS, ""), 1, "wrong header: expected a directive"),
    "unknown directive": (lambda t: t.replace("@missing", "@nothing"), 4, "unknown directive"),
    "said twice": (lambda t: "@missing false\n" + t, 5, "@missing is said twice"),
    "no number": (lambda t: t.replace("@dimensions 2", "@dimensions two"), 6, "a whole number"),
    "no truth": (lambda t: t.replace("true\n@series", "yes\n@series"), 7, "true or false"),
    "no classes": (lambda t: re.sub("@class.*\n", "", t), 9, "no @classLabel"),
    "no class names": (lambda t: t.replace("true flat slow fast", "true"), 9, "at least two"),
    "classes false": (lambda t: t.replace("true flat slow fast", "false"), 9, "no class labels"),
    "a target": (lambda t: t.replace("@classLabel", "@targetLabel"), 9, "no classes"),
    "unlike dimensions": (
        lambda t: t.replace("@univariate false", "@univariate true"),
        10,
        "@univariate true, but @dimensions 2",
    ),
    "a dimension less": (lambda t: t.replace("1,2,3:4", "4"), 11, "1 dimensions, expected 2"),
    "ragged": (lambda t: t.replace("1,2,3:", "1,2:"), 11, "ragged: dimensions of 2 and 3 values"),
    "too long": (lambda t: t.replace("3:4,5,6", "3,4:3,4,5,6"), 11, "4 samples, the header says 3"),
    "text": (lambda t: t.replace("1,2,3", "1,two,3"), 11, "not a number: 'two'"),
    "NaN": (lambda t: t.replace("8", "nan"), 12, "not a number: 'nan'"),
    "infinite": (lambda t: t.replace("8", "-inf"), 12, "not a number: '-inf'"),
    "out of range": (lambda t: t.replace("8", "1e999"), 12, "not a number: '1e999'"),
    "underscores": (lambda t: t.replace("8", "1_0"), 12, "not a number: '1_0'"),
    "missing": (lambda t: t.replace("8", "?"), 12, "missing although the header says"),
    "no label": (lambda t: t.replace(":slow", ":"), 12, "the class is missing"),
    "unknown label": (lambda t: t.replace(":slow", ":sloww"), 12, "unknown class 'sloww'"),
    "cut off": (lambda t: t[:-8], 12, "unknown class '3'|unknown class '1,2"),
    "binary": (lambda t: t.replace("8", "\0"), 12, "binary data"),
    "no text": (lambda t: t.encode().replace(b"8", b"\xff"), 12, "no text at byte 2"),
}


@pytest.mark.parametrize(("spoil", "line", "said"), BROKEN_TS.values(), ids=BROKEN_TS.keys())
def test_a_broken_ts_file_is_named_with_the_line(folder, spoil, line, said):
    with pytest.raises(RecordingError, match=rf"some\.ts:{line}: .*({said})"):
        read(folder, spoil(TS))


BROKEN_CSV = {
    "empty": (lambda _: "", 1, "the file is empty"),
    "header only": (lambda t: t.split("\n")[0], 1, "no sample below the header"),
    "no header": (lambda t: t.split("\n", 1)[1], 1, "columns recording and label"),
    "numbers for a header": (lambda _: "1,2,3\n4,5,6\n", 1, "expected names of columns"),
    "two alike": (lambda t: t.replace("left", "t_s", 1), 1, "a name of its own"),
    "no channel": (lambda _: "recording,t_s,label\na,1,b\n", 1, "no column is a channel"),
    "ragged": (lambda t: t.replace("a,0.5,2,up", "a,0.5,2"), 3, "ragged: 3 columns"),
    "text": (lambda t: t.replace("a,0.5,2", "a,0.5,two"), 3, "not a number: 'two'"),
    "NaN": (lambda t: t.replace("a,0.5,2", "a,0.5,NaN"), 3, "not a number: 'NaN'"),
    "no time": (lambda t: t.replace("a,0.5", "a,"), 3, "time goes from"),
    "unsorted": (lambda t: t.replace("b,1", "b,-1"), 5, "time goes from 0 s to -1 s"),
    "no label": (lambda t: t.replace("2,up", "2,"), 3, "the label is missing"),
    "two labels": (lambda t: t.replace("2,up", "2,down"), 3, "has two labels"),
    "no name": (lambda t: t.replace("a,0,", ",0,"), 2, "name of the recording is missing"),
    "apart": (lambda t: t + "a,9,1,up\n", 6, "do not stand together"),
    "one sample": (lambda t: t.replace("a,0.5,2,up\n", ""), 2, "needs 2 samples"),
    "all missing": (lambda t: t.replace(",3,", ",,").replace(",4,", ",,"), 4, "every value"),
    "too long": (lambda t: t.replace("b,1", "b,1e9"), 4, "a recording of 1e.09 s"),
    "an open quote": (lambda t: t.replace("b,1", '"b,1'), 5, "no CSV"),
    "binary": (lambda t: t.replace("b,1", "b,\0"), 5, "binary data"),
}


@pytest.mark.parametrize(("spoil", "line", "said"), BROKEN_CSV.values(), ids=BROKEN_CSV.keys())
def test_a_broken_csv_file_is_named_with_the_line(folder, spoil, line, said):
    with pytest.raises(RecordingError, match=rf"some\.csv:{line}: .*{said}"):
        read(folder, spoil(CSV), ".csv")


def test_a_file_in_a_class_folder_names_no_class(folder):
    file = read(folder, "t_s,u,v\n0,1,2\n1,3,4\n", ".csv", label="walk")
    assert [(r.label, r.values.tolist()) for r in file.recordings] == [("walk", [[1, 3], [2, 4]])]
    with pytest.raises(RecordingError, match="the folder names the class"):
        read(folder, "t_s,u,label\n0,1,2\n", ".csv", label="walk")


def test_lines_have_a_limit(folder, monkeypatch):
    monkeypatch.setattr("simedge.sensors.series_rows._LINE_BYTES_MAX", 40)
    with pytest.raises(RecordingError, match=r"some\.ts:1: longer than"):
        read(folder, "#" + "x" * 40 + "\n")


@given(
    st.sampled_from([".ts", ".csv"]),
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=3)), max_size=4),
    st.integers(0, 10**6),
)
def test_whatever_befalls_a_file_is_read_or_named_with_its_line(folder, suffix, edits, stop):
    data = bytearray((ts_text(1) if suffix == ".ts" else csv_text(1)).encode())
    for place, put in edits:
        place %= len(data)  # noqa: PLW2901
        data[place : place + len(put)] = put
    data = bytes(data[: max(stop % (3 * len(data)), 0)])
    file = None
    try:
        file = read(folder, data, suffix)
    except SensorError as error:
        said = str(error)
    if file is None:
        assert re.search(rf"some\{suffix}:\d+: ", said)
    else:
        assert all(np.isfinite(r.values).all() for r in file.recordings)
        assert len({len(r.values) for r in file.recordings}) == 1


@given(st.sampled_from([".ts", ".csv"]), st.binary(max_size=200))
def test_garbage_is_no_series(folder, suffix, data):
    with pytest.raises(RecordingError, match=rf"some\{suffix}:\d+: "):
        read(folder, data, suffix)


@needs_data
def test_real_recordings_are_read_as_any_reader_would():
    for part in ("TRAIN", "TEST"):
        path = MOTIONS / f"BasicMotions_{part}.ts"
        file = read_ts(path)
        lines = [line for line in path.read_text().splitlines() if line[:1] not in "@#"]
        assert file.classes == ("Standing", "Running", "Walking", "Badminton")
        assert len(file.recordings) == len(lines) == 40
        for recording, line in zip(file.recordings, lines, strict=True):
            assert recording.values.shape == (6, 100)
            assert recording.values.ravel().tolist() == [
                float(value) for value in re.split("[,:]", line)[:-1]
            ]
            assert line.endswith(":" + recording.label)


def test_what_the_tests_write_is_what_the_reader_reads(folder):
    values = np.array([[1.5, -2.0, 3.0], [0.0, 1.0, 2.0]])
    (recording,) = read(folder, GOOD_TS + ts_line(values, "fast")).recordings
    assert recording.values.tolist() == values.tolist()
