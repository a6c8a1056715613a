"""Laws of the hybrid rule: online it is the sum over pairs, and it stays in its bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.learning.errors import LearnerError
from simedge.learning.rules.convolution import coefficients
from simedge.learning.rules.hebbian_stdp import Bounds, HebbianStdp, Synapse, pair_sum

MS = 1_000_000
KNOWN = HebbianStdp(
    a_plus=0.01,
    a_minus=0.012,
    a_hebb=0.008,
    tau_plus_ns=20 * MS,
    tau_minus_ns=20 * MS,
    oja=False,
)
PRE, POST = (0, 10 * MS, 30 * MS), (5 * MS, 10 * MS, 32 * MS)
trains = st.sets(st.integers(0, 60), max_size=12).map(lambda s: sorted(MS * t for t in s))
shares = st.floats(0, 1)


def online(rule, share, pre, post, weight=0.0):
    synapse = Synapse(rule=rule, share=share, bounds=None, weight=weight)
    course = {}
    for now in sorted({*pre, *post}):
        course[now] = synapse.spikes(now, pre=now in pre, post=now in post)
    return synapse, course


@pytest.mark.parametrize(
    ("share", "total"), [(0, 0.011051144372), (1, 0.042064971869), (0.3, 0.020355292621)]
)
def test_known_sums(share, total):
    assert pair_sum(KNOWN, share, PRE, post_ns=POST) == pytest.approx(total, abs=1e-9)
    assert online(KNOWN, share, PRE, POST)[0].weight == pytest.approx(total, abs=1e-9)


def test_a_known_course():
    synapse, course = online(KNOWN, 0.3, PRE, POST, weight=0.5)
    known = {5: 0.507320727361, 10: 0.510749310864, 30: 0.506823005436, 32: 0.520355292621}
    for ms, weight in known.items():
        assert course[ms * MS] == pytest.approx(weight, abs=1e-9)
    assert synapse.pre == pytest.approx(1.439605019729, abs=1e-9)
    assert synapse.post == pytest.approx(1.592111344344, abs=1e-9)


@given(pre=trains, post=trains, share=shares)
def test_online_is_the_pair_sum(pre, post, share):
    expected = pair_sum(KNOWN, share, pre, post_ns=post)
    assert online(KNOWN, share, pre, post)[0].weight == pytest.approx(expected, abs=1e-12)


def test_soft_bounds_slow_both_ways():
    synapse = Synapse(
        rule=HebbianStdp(a_plus=0.01, a_minus=0.012, oja=False),
        share=0.0,
        bounds=Bounds(mu_plus=1, mu_minus=1),
        weight=0.5,
        pre=0.8,
        post=0.6,
    )
    assert synapse.spikes(0, pre=True, post=True) == pytest.approx(0.5004, abs=1e-9)


def test_oja_approaches_the_trace():
    synapse = Synapse(rule=HebbianStdp(a_hebb=0.1), share=1.0, bounds=Bounds(), weight=0.5, pre=0.8)
    for _ in range(3):
        synapse.spikes(0, post=True)
    assert synapse.weight == pytest.approx(0.5813, abs=1e-9)


def test_delays_shift_the_pair():
    axonal = pair_sum(KNOWN, 0.0, [7 * MS], post_ns=[5 * MS])
    dendritic = pair_sum(KNOWN, 0.0, [0], post_ns=[8 * MS])
    assert axonal == pytest.approx(-0.010858049016, abs=1e-9)
    assert dendritic == pytest.approx(0.006703200460, abs=1e-9)
    assert pair_sum(KNOWN, 0.0, [0], post_ns=[MS]) == pytest.approx(0.009512294245, abs=1e-9)
    assert pair_sum(KNOWN, 0.0, [0], post_ns=[0]) == 0.0


def test_oja_converges_to_the_mean_trace_at_post_spikes():
    # A pre spike every 7 ms and a post spike every 11 ms beat through all phases.
    rule = HebbianStdp(a_hebb=0.005)
    synapse = Synapse(rule=rule, share=1.0, bounds=None, weight=0.9)
    weights, traces = [], []
    for tick in range(11 * 20_000):
        pre, post = tick % 7 == 0, tick % 11 == 0
        if pre or post:
            if post and tick > 11 * 10_000:
                gap = tick * MS - synapse.now
                traces.append(synapse.pre * math.exp(-gap / rule.tau_plus_ns))
                weights.append(synapse.weight)
            synapse.spikes(tick * MS, pre=pre, post=post)
    assert math.fsum(weights) / len(weights) == pytest.approx(
        math.fsum(traces) / len(traces), rel=0.03
    )


@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), max_size=80),
    share=shares,
    mu=st.sampled_from([0.0, 0.5, 1.0]),
    oja=st.booleans(),
)
def test_weights_stay_in_their_bounds(steps, share, mu, oja):
    rule = HebbianStdp(a_plus=0.4, a_minus=0.5, a_hebb=0.4, oja=oja)
    bounds, now = Bounds(mu_plus=mu, mu_minus=mu), 0
    synapse = Synapse(rule=rule, share=share, bounds=bounds, weight=0.3)
    for gap, pre, post in steps:
        now += gap * MS
        assert 0 <= synapse.spikes(now, pre=pre, post=post) <= 1


@given(pre=trains, post=trains, share=shares, later=shares)
def test_a_new_share_is_not_retroactive(pre, post, share, later):
    cut = 30 * MS
    first = online(KNOWN, share, [t for t in pre if t < cut], [t for t in post if t < cut])[0]
    changed = online(KNOWN, share, pre, post)[0]
    moved, _ = online(KNOWN, share, [t for t in pre if t < cut], [t for t in post if t < cut])
    moved.share = later
    assert moved.weight == first.weight
    for now in sorted({*pre, *post}):
        if now >= cut:
            moved.spikes(now, pre=now in pre, post=now in post)
    assert (moved.pre, moved.post) == pytest.approx((changed.pre, changed.post))


def test_the_extremes_are_the_two_rules():
    assert (KNOWN.at_pre(0), KNOWN.at_post(0), KNOWN.at_both(0)) == (-0.012, 0.01, 0)
    assert (KNOWN.at_pre(1), KNOWN.at_post(1), KNOWN.at_both(1)) == (0.008, 0.008, 0.008)
    assert KNOWN.towards_trace(1) == 0
    assert HebbianStdp(a_hebb=0.1).towards_trace(0.5) == 0.05


def test_shared_weights_divide_amplitudes_by_the_columns():
    row = coefficients(KNOWN, 0.3, Bounds(high=2.0, mu_plus=1), columns=4)
    expected = (KNOWN.at_pre(0.3) / 4, KNOWN.at_post(0.3) / 4, KNOWN.at_both(0.3) / 4, 0.0)
    assert row == (*expected, 0.0, 2.0, 1, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: HebbianStdp(a_plus=-1),
        lambda: HebbianStdp(tau_plus_ns=0),
        lambda: Bounds(low=1, high=0),
        lambda: Bounds(mu_plus=-1),
        lambda: Bounds(low=-1, mu_minus=1),
    ],
)
def test_laws_that_make_no_sense_are_refused(wrong):
    with pytest.raises(LearnerError):
        wrong()
