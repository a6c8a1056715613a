"""Laws of packed events: nothing is lost in cutting; noise is even in time and space."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.sensors.events import SHOT_BITS, TIME_BITS, cut, noise

EVENT = st.tuples(
    st.integers(0, 3), st.integers(0, 80_000_000), st.integers(0, 399), st.integers(0, 1)
)


@given(st.lists(EVENT, max_size=60))
def test_cutting_gives_back_every_event_of_every_shot_in_order(
    events: list[tuple[int, int, int, int]],
) -> None:
    events.sort()
    packed = [s << SHOT_BITS | t << TIME_BITS | pixel << 1 | p for s, t, pixel, p in events]
    tags = [(7 + shot, shot, 100 * shot) for shot in range(4)]
    frames = cut(np.array(packed, np.int64), tags, size=20)
    found = [
        (shot, t, int(y) * 20 + int(x), p)
        for shot, frame in enumerate(frames)
        for x, y, t, p in zip(frame.x, frame.y, frame.t_us.tolist(), frame.p.tolist(), strict=True)
    ]
    assert found == events
    assert [(frame.index, frame.label, frame.source) for frame in frames] == tags
    assert [frame.x.dtype.str + frame.t_us.dtype.str + frame.p.dtype.str for frame in frames] == [
        "<u2<i8|u1"
    ] * 4


def test_frames_cannot_be_written() -> None:
    frame = cut(np.array([5], np.int64), [(0, 0, 0)], size=16)[0]
    assert not any(c.flags.writeable for c in (frame.x, frame.y, frame.t_us, frame.p))


def test_noise_has_its_count_a_shot_and_stays_inside() -> None:
    words = Streams(1).stream("test", "noise", "words").block(64).reshape(4, 64)
    keys = np.sort(noise(words, np.array([3, 0, 64, 1]), pixels=100, span_us=1000))
    frames = cut(keys, [(0, 0, 0)] * 4, size=10)
    assert [len(frame.x) for frame in frames] == [3, 0, 64, 1]
    assert max(frame.t_us.max(initial=0) for frame in frames) < 1000
    assert max(frame.y.max(initial=0) for frame in frames) < 10


def test_noise_is_even_over_pixels_time_and_polarity() -> None:
    words = Streams(2).stream("test", "noise", "words").block(4096).reshape(1, -1)
    keys = np.sort(noise(words, np.array([words.size]), pixels=16, span_us=8000))
    frame = cut(keys, [(0, 0, 0)], size=4)[0]
    for values, classes in (
        (frame.x + 4 * frame.y, 16),
        (frame.t_us // 1000, 8),
        (frame.p, 2),
    ):
        counts = np.bincount(values.astype(np.int64), minlength=classes)
        mean = words.size / classes
        assert ((counts - mean) ** 2 / mean).sum() < classes - 1 + 4.42 * np.sqrt(2 * classes)
