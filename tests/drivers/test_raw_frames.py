"""Frames as bytes: what is packed comes back, and any bytes are some frame."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simedge.drivers.raw_frames import EVENT_BYTES, pack_frame, unpack_frame
from simedge.sensors.frames import Frame

EVENTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 2**31 - 1), st.integers(0, 1))
)


@given(EVENTS)
def test_a_frame_comes_back_as_it_was(events):
    events.sort(key=lambda event: event[2])
    x, y, t_us, p = np.array(events, np.int64).reshape(-1, 4).T
    frame = Frame(
        index=4,
        label=2,
        source=7,
        x=x.astype(np.uint16),
        y=y.astype(np.uint16),
        t_us=t_us,
        p=p.astype(np.uint8),
    )
    data = pack_frame(frame)
    assert len(data) == EVENT_BYTES * len(events)
    back = unpack_frame(data, 2, width=10, height=7)
    assert back.label == 2
    for name in ("x", "y", "t_us", "p"):
        before, after = getattr(frame, name), getattr(back, name)
        assert np.array_equal(before, after)
        assert before.dtype == after.dtype


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_within_the_pixels(data):
    frame = unpack_frame(data, 0, width=300, height=200)
    assert (frame.x < 300).all()
    assert (frame.y < 200).all()
    assert (np.diff(frame.t_us) >= 0).all()
