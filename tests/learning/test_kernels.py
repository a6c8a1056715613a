"""Laws of the small kernels: volleys, features, scaling."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.learning.features import Grid, binning_of, count_spikes, levels, shape
from simedge.learning.learner import open_learner
from simedge.learning.rules.convolution import scale_map
from simedge.learning.settings import ConvSettings, ReadoutSettings, SpikingSettings
from simedge.learning.volleys import Camera, prepare


@dataclass
class Frame:
    label: int
    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    p: np.ndarray


CAMERA = Camera(width=5, height=4, tick_ns=700_000, ticks=10)


def frame_of(seed, events):
    words = np.random.Generator(np.random.Philox(seed))
    return Frame(
        label=1,
        x=words.integers(0, 5, events).astype(np.uint16),
        y=words.integers(0, 4, events).astype(np.uint16),
        t_us=np.sort(words.integers(0, 8000, events)),
        p=words.integers(0, 2, events).astype(np.uint8),
    )


@given(seed=st.integers(0, 999), events=st.sampled_from([0, 1, 5, 80, 900]))
def test_volleys_are_the_unlike_lines_of_each_tick(seed, events):
    frame = frame_of(seed, events)
    volleys = prepare([frame], CAMERA)
    tick = np.minimum(frame.t_us * 1000 // CAMERA.tick_ns, CAMERA.ticks - 1)
    line = (frame.y.astype(int) * 5 + frame.x) * 2 + frame.p
    pairs = np.unique(np.stack([tick, line]), axis=1)
    told = np.repeat(volleys.tick, np.diff(volleys.start))
    assert (np.diff(volleys.tick) > 0).all()
    assert told.tolist() == pairs[0].tolist()
    assert volleys.line.tolist() == pairs[1].tolist()


def binning(modes, grids=None):
    grid = Grid(width=4, height=2, channels=1, pool=2, bins=2)
    return binning_of(grids or [grid, None], lines=[8, 8], ticks=10, modes=modes)


def test_spikes_are_counted_where_and_when_they_fire():
    counts = binning(("none", "none"))
    line = np.array([0, 1, 4, 7], np.int32)
    count_spikes(counts, 0, 4, line, (0, 4))
    count_spikes(counts, 0, 5, line, (3, 4))
    count_spikes(counts, 1, 5, line, (0, 4))
    assert counts.spikes.tolist() == [3, 1, 0, 1]


@pytest.mark.parametrize(
    ("mode", "function"), [("none", float), ("sqrt", np.sqrt), ("log", np.log1p)]
)
def test_levels_are_transformed_counts(mode, function):
    counts = binning((mode, "none"))
    counts.spikes[:] = (0, 1, 2, 30)
    raw = np.zeros(4, np.float32)
    levels(counts, raw)
    np.testing.assert_allclose(raw, [function(n) for n in (0, 1, 2, 30)], rtol=1e-6)


@given(seed=st.integers(0, 99), gain=st.sampled_from([0.5, 1.0, 3.0]))
def test_a_unit_norm_is_shared_by_the_sources_as_their_gains_say(seed, gain):
    first = Grid(width=4, height=2, channels=1, pool=2, bins=2, gain=gain)
    second = Grid(width=3, height=1, channels=1, pool=1, bins=1)
    both = binning_of([first, second], lines=[8, 3], ticks=10, modes=("none", "unit"))
    words = np.random.Generator(np.random.Philox(seed))
    raw, mean = words.random((2, 7)).astype(np.float32)
    out = np.zeros(7, np.float32)
    shape(both, raw, mean, out)
    parts = np.linalg.norm(out[:4]), np.linalg.norm(out[4:])
    assert np.hypot(*parts) == pytest.approx(1, abs=1e-5)
    assert parts[0] / parts[1] == pytest.approx(gain, rel=1e-4)


@pytest.mark.parametrize("norm", ["none", "unit", "share", "root-mean"])
def test_nothing_seen_is_no_feature(norm):
    out = np.ones(4, np.float32)
    shape(binning(("none", norm)), np.zeros(4, np.float32), np.ones(4, np.float32), out)
    assert not out.any()
    raw = np.ones(4, np.float32)
    shape(binning(("none", norm)), raw, raw, out)
    assert not out.any()


def scaled(weights, wish):
    scale_map(weights, (0, weights.size, 1), tuple(np.array(wish, np.float32)))


@given(seed=st.integers(0, 99), mode=st.sampled_from([1, 2]), size=st.sampled_from([0.5, 2.0]))
def test_maps_are_scaled_to_their_size(seed, mode, size):
    weights = np.random.Generator(np.random.Philox(seed)).normal(size=20).astype(np.float32)
    scaled(weights, (mode, size, -9, 9))
    if mode == 1:
        assert np.abs(weights).sum() == pytest.approx(size, rel=1e-5)
    else:
        assert np.linalg.norm(weights) == pytest.approx(size, rel=1e-5)
        assert weights.mean() == pytest.approx(0, abs=1e-6)


def test_scaling_keeps_to_the_bounds_and_leaves_nothing_as_it_is():
    weights = np.array((1, 0, 0), np.float32)
    scaled(weights, (1, 5, 0, 2))
    assert weights.tolist() == [2, 0, 0]
    nothing = np.zeros(3, np.float32)
    scaled(nothing, (2, 1, -1, 1))
    assert not nothing.any()


def test_a_whole_learner_takes_its_way_through_the_kernels():
    settings = SpikingSettings(
        layers=(ConvSettings(kernel=2, maps=2, threshold=0.4),),
        readout=ReadoutSettings(sources=("hidden",), pool=1),
    )
    learner = open_learner(
        settings,
        classes=3,
        width=5,
        height=4,
        streams=Streams(2),
        device="dev-1",
        span_ns=8_000_000,
    )
    frames = [frame_of(n, 60) for n in range(3)]
    for frame in frames:
        learner.learn(frame).commit()
    rows = [learner.proxy_row(f, address=0, row=n).commit() for n, f in enumerate(frames)]
    told = learner.predict(learner.prepare(frames))
    assert told.tolist() == [int(row.argmax()) for row in rows]
    prior = np.eye(3)
    learner.kl_step(address=0, target=prior, mask=[True] * 3, alpha=1.0, steps=50).commit()
    assert learner.predict(learner.prepare(frames)).tolist() == [0, 1, 2]


def presented(frame, *, side, ticks, rule, layer):
    """Return the learner that has learned a frame, and the spikes' ticks and neurons."""
    learner = open_learner(
        SpikingSettings.model_validate(
            {"layers": [layer], "rule": {"kind": "hebbian-stdp", "limit": "none", **rule}}
        ),
        classes=2,
        width=side,
        height=side,
        streams=Streams(3),
        device="d",
        span_ns=ticks * 1_000_000,
    )
    work = learner.learn(frame)
    work.advance()
    told = work._outcome.spikes[0, : 2 * work.counts.spikes].reshape(2, -1)  # noqa: SLF001
    work.commit()
    return learner, told


@pytest.mark.parametrize("events", [40, 4000])
def test_spikes_are_told_in_order_of_tick_and_neuron_however_many_there_are(events):
    side, words = 40, np.random.Generator(np.random.Philox(events))
    frame = Frame(
        label=1,
        x=words.integers(0, side, events).astype(np.uint16),
        y=words.integers(0, side, events).astype(np.uint16),
        t_us=np.sort(words.integers(0, 3000, events)),
        p=words.integers(0, 2, events).astype(np.uint8),
    )
    ticks, neurons = presented(frame, side=side, ticks=3, rule={}, layer={"threshold": 0.1})[1]
    keys = ticks.astype(np.int64) << 32 | neurons
    assert keys.size > events // 4
    assert np.all(np.diff(keys) > 0)


@pytest.mark.parametrize("gap", [1, 500, 4096, 4097, 5000])
def test_a_pre_trace_decays_with_its_time_constant_over_any_number_of_ticks(gap):
    # One input fires, and again with another after `gap` ticks: both together make their neuron
    # fire, whose potential has forgotten the first, or nearly (a leak of one tick).
    frame = Frame(
        label=1,
        x=np.zeros(3, np.uint16),
        y=np.zeros(3, np.uint16),
        t_us=np.array([0, gap, gap]) * 1000,
        p=np.array([0, 0, 1], np.uint8),
    )
    weights = {"low": 0.6, "high": 0.6, "scaling": "none"}
    layer = {"maps": 1, "kernel": 1, "stride": 1, "leak": "1 ms", "weights": weights}
    rule = {"lambda": 0, "a_plus": 0.4, "a_minus": 0, "a_hebb": 0, "tau_plus": "5 s", "delay": 0}
    learner, told = presented(frame, side=2, ticks=6000, rule=rule, layer=layer)
    assert told.tolist() == [[gap], [0]]
    change = learner.dump()["held"][:2] - 0.6
    assert change == pytest.approx([0.4 / 4 * np.exp(-gap / 5000), 0.0], abs=1e-5)
