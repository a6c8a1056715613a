"""Laws that links take from tables and recordings."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.errors import SimedgeError
from simedge.core.streams import Streams
from simedge.world.datagrams import LinkError
from simedge.world.jitter import open_jitter
from simedge.world.jitter_settings import LogNormalJitter, ParetoJitter
from simedge.world.jitter_tables import lognormal_table, pareto_table
from simedge.world.link_settings import LinkSettings
from simedge.world.loss import ALWAYS, NEVER, open_loss
from simedge.world.loss_settings import GilbertElliottLoss, TraceLoss
from simedge.world.profiles import LinkModel, resolve
from simedge.world.rates import Constant, LoraAir

MS = 1_000_000
BINS = 4096


@pytest.mark.parametrize(
    ("table", "ratio", "kept"), [(lognormal_table, 2, 0.99), (pareto_table, 2, 0.9)]
)
def test_a_skewed_table_has_mean_one_and_nearly_its_deviation(table, ratio, kept):
    entries = table(ratio * MS, MS)
    assert list(entries) == sorted(entries)
    assert entries[0] > 0
    mean = sum(entries) / BINS / 2**32
    sd = math.sqrt(sum((e / 2**32 - mean) ** 2 for e in entries) / BINS)
    assert mean == pytest.approx(1, abs=1e-6)
    assert kept / ratio < sd < 1.001 / ratio


def test_skewed_jitter_scales_its_table():
    for kind, model in (("lognormal", LogNormalJitter), ("pareto", ParetoJitter)):
        jitter = open_jitter(model.model_validate({"kind": kind, "mean": "10 ms", "sd": "5 ms"}))
        words = [i << 52 for i in range(BINS)]
        delays = [jitter.offset_ns(word) for word in words]
        assert sum(delays) / BINS == pytest.approx(10 * MS, rel=1e-6)
        assert 0 < delays[0] < delays[-1]
    least = 10 * MS * (math.sqrt(5) / (1 + math.sqrt(5)))
    assert delays[0] == pytest.approx(least, rel=1e-3)


class Recorded:
    """A recording: slow and lossy until a time, then quick and clean."""

    def finish_ns(self, begin_ns, octets):
        return begin_ns + octets

    def loss_below(self, at_ns):
        return ALWAYS if at_ns < 10_000 else NEVER

    def delay_ns(self, at_ns):
        return 7 if at_ns >= 20_000 else None


def test_a_recording_says_what_is_lost_and_how_far_it_is(crank, link, datagram):
    target = link(capacity=Recorded(), loss=TraceLoss(kind="trace"), delay_ns=100)
    run = crank(target).offers([(at, datagram(seq, 1000)) for seq, at in
                                enumerate((0, 8_999, 9_000, 12_000, 30_000))])  # fmt: skip
    assert [(at, d.uid.seq) for at, d in run.arrived] == [
        (11_099, 2),
        (13_100, 3),
        (31_007, 4),
    ]
    assert [f.datagram.uid.seq for _, f in run.fates if f.kind == "lost"] == [0, 1]


def test_losses_of_a_recording_need_one():
    with pytest.raises(LinkError, match="needs a recording with losses"):
        open_loss(TraceLoss(kind="trace"), streams=Streams(1), link="a.b")
    loss = {"loss": {"kind": "trace"}}
    with pytest.raises(LinkError, match="needs a trace on the same link"):
        resolve(LinkSettings.model_validate(loss), upwards=True)
    trace = loss | {"trace": {"file": "x", "direction": "up"}}
    assert resolve(LinkSettings.model_validate(trace), upwards=False).loss.kind == "none"
    assert resolve(LinkSettings.model_validate(trace), upwards=True).loss.kind == "trace"


def test_a_capacity_out_of_range_is_refused():
    for wrong in (lambda: Constant(0), lambda: LoraAir(6), lambda: LoraAir(13)):
        with pytest.raises(SimedgeError, match="must be"):
            wrong()
    for duty in (Fraction(0), Fraction(2)):
        with pytest.raises(LinkError, match="duty must be"):
            LinkModel(rate_bps=1, duty=duty)


@given(
    mean=st.fractions(Fraction(1, 100), Fraction(9, 10)),
    burst_ns=st.one_of(st.integers(1, 10**12), st.sampled_from([2**57, 2**60])),
    times=st.lists(st.integers(0, 400), min_size=1, max_size=12),
)
def test_stays_followed_in_native_code_are_those_followed_one_by_one(mean, burst_ns, times):
    law = GilbertElliottLoss.model_construct(
        kind="gilbert-elliott", mean=mean, burst=burst_ns, good=Fraction(0), bad=Fraction(1)
    )
    whens = [min(time * burst_ns // 7, 2**62) for time in times]

    def thresholds():
        opened = open_loss(law, streams=Streams(3), link="cam-1.server")
        return [opened.threshold(None, 0, at) for at in whens]

    quick = thresholds()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simedge.world.loss._stays", lambda: None)
        assert thresholds() == quick
