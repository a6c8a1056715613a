"""Laws of cameras: how frames are rendered never shows, and many devices do not fill memory."""

from concurrent.futures import Future

from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import lossy

from simedge.drivers.feed import Feed
from simedge.sensors.registry import open_sensor

SENSOR = open_sensor(lossy().sensors, 1)


class Counted:
    """Prepares frames, and renders ahead at once; counts both."""

    def __init__(self):
        self.rendered = self.ahead = 0

    def prepare(self, frames):
        self.rendered += len(frames)
        return tuple(frames)

    def submit(self, work):
        self.ahead += 1
        done = Future()
        done.set_result(work())
        return done


def feed_of(counted, devices, until_ns=None):
    kit = {"prepare": counted.prepare, "executor": counted, "devices": devices}
    return Feed(SENSOR, "cam-1", until_ns=until_ns, **kit)


@settings(max_examples=20)
@given(st.integers(1, 20_000), st.integers(0, 120))
def test_the_same_frames_come_however_many_devices_there_are(devices, count):
    one, many = Counted(), Counted()
    feeds = feed_of(one, 1), feed_of(many, devices)
    for _ in range(count):
        (plain, (ways, at)), other = feeds[0].peek(), feeds[1].peek()[0]
        assert ways[at] is plain
        assert plain.t_us.tolist() == other.t_us.tolist()
        assert (plain.index, plain.label, plain.source) == (other.index, other.label, other.source)
        assert [feed.pop().index for feed in feeds] == [plain.index] * 2


@given(st.integers(1, 20_000))
def test_before_the_first_arrival_nothing_is_rendered_ahead_and_little_at_all(devices):
    counted = Counted()
    feed = feed_of(counted, devices)
    feed.arrival_ns()
    assert counted.ahead == 0
    assert devices * counted.rendered <= max(8192, 2 * devices)
    feed.pop()
    assert counted.ahead == 1


@settings(max_examples=20)
@given(st.integers(1, 1_000), st.integers(0, 120), st.none() | st.integers(0, 20 * 10**9))
def test_a_feed_goes_on_where_another_rested(devices, count, until_ns):
    """However many devices there are: their batches are shorter."""
    feeds = [feed_of(Counted(), devices, until_ns) for _ in range(2)]
    for _ in range(count):
        feeds[0].pop()
    feeds[1].go_back(*feeds[0].rest())
    assert [feeds[1].pop().index for _ in range(100)] == list(range(count, count + 100))
    assert feeds[0].pop().index == count


@given(st.integers(0, 60))
def test_of_what_starts_after_the_end_little_is_rendered(whole):
    counted = Counted()
    feed = feed_of(counted, 1, SENSOR.start_ns(whole))
    for _ in range(whole):
        feed.pop()
    assert counted.rendered <= whole + 3
