"""Laws of N-MNIST recordings: what is written comes back, and nothing else than that error."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import DATA, NMNIST, needs_data, packed

from simedge.sensors import RecordingError, read_nmnist

times = st.lists(st.integers(0, 2**23 - 1), min_size=1, max_size=40).map(sorted)


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("clips") / "00001.bin"


def read(file, data):
    file.write_bytes(data)
    return read_nmnist(file)


@given(t=times, seed=st.integers(0, 2**32 - 1))
def test_events_come_back_as_they_were_written(file, t, seed):
    places = (seed * np.arange(1, len(t) + 1) >> 3) % 34**2
    x, y, p = places % 34, places // 34, places % 2
    events = read(file, packed(x, y, t, p))
    assert [c.dtype for c in events] == [np.uint16, np.uint16, np.int64, np.uint8]
    for column, written in zip(events, (x, y, t, p), strict=True):
        assert column.tolist() == list(written)


@given(t=times, marks=st.lists(st.integers(0, 40), max_size=5))
def test_each_overflow_mark_adds_8192_us_to_all_that_follows_and_is_no_event(file, t, marks):
    plain = packed([1] * len(t), [2] * len(t), t, [1] * len(t))
    rows = [plain[n : n + 5] for n in range(0, len(plain), 5)]
    places = sorted(min(place, len(t)) for place in marks)
    for place in reversed(places):
        rows.insert(place, packed([0], [240], [0], [0]))
    events = read(file, b"".join(rows))
    expected = [time + 8192 * sum(place <= n for place in places) for n, time in enumerate(t)]
    assert events.t_us.tolist() == expected


BROKEN = {
    "empty": (b"", "byte 0: the file is empty"),
    "cut off": (packed([1, 2], [1, 2], [5, 6], [0, 1])[:-2], "byte 5: the last event is cut off"),
    "too far right": (packed([1, 34], [1, 1], [5, 6], [0, 1]), r"byte 5: event at \(34, 1\)"),
    "too far down": (packed([1, 1, 3], [1, 1, 99], [5, 6, 7], [0] * 3), r"byte 10: .*\(3, 99\)"),
    "out of order": (packed([1] * 3, [1] * 3, [5, 9, 8], [0] * 3), "byte 10: .* from 9 to 8 us"),
    "only marks": (packed([0], [240], [0], [0]), "byte 0: no event"),
}


@pytest.mark.parametrize(("data", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_with_the_place_in_it(file, data, said):
    with pytest.raises(RecordingError, match=re.escape(f"{file}: ") + said):
        read(file, data)


def test_a_file_that_is_none_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "none.bin", "a\0b"):
        with pytest.raises(RecordingError, match="cannot be read"):
            read_nmnist(path)


def test_a_file_has_a_limit(file, monkeypatch):
    monkeypatch.setattr("simedge.sensors.nmnist_file._BYTES_MAX", 10)
    with pytest.raises(RecordingError, match="byte 10: more than a recording can have"):
        read(file, packed([1] * 3, [1] * 3, [1, 2, 3], [0] * 3))


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=12).map(lambda b: bytes(5) * 3 + b)))
def test_any_bytes_are_events_in_order_or_an_error_with_their_place(file, data):
    try:
        events = read(file, data)
    except RecordingError as error:
        place = re.search(r": byte (\d+): ", str(error))
        assert place
        assert 0 <= int(place[1]) <= len(data)
    else:
        assert (np.diff(events.t_us) >= 0).all()
        assert len(events.x)
        assert max(events.x.max(), events.y.max()) < 34


@needs_data
def test_real_recordings_are_what_their_provenance_says():
    counts = []
    for path in sorted(NMNIST.glob("*/*/*.bin")):
        events = read_nmnist(path)
        assert len(events.x) == path.stat().st_size / 5
        assert events.t_us[-1] < 340_000
        counts.append(len(events.x))
        assert 0.3 < events.p.mean() < 0.7
    assert min(counts) > 1000
    assert 3500 < np.mean(counts) < 4800
    assert len(read_nmnist(f"{DATA}/event-formats/sample_nmnist.bin").x) == 4325
