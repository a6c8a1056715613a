"""Laws of the sums over silence: the closed forms are the sums."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simedge.learning.rules.pseudo_derivative import pseudo_derivative
from simedge.learning.rules.silence import (
    eligible_sums,
    geometric,
    past_sums,
    ticks_near_threshold,
)


def eligible_sum(u, law, reached, first):
    flat, bent = eligible_sums(law, reached, first)
    return flat + u * bent


def past_after(state, law, reached, gap):
    (u, past, psi), own = state, law[2]
    flat, bent = past_sums(law, reached, gap)
    return own**gap * past + own ** (gap - 1) * psi + flat + u * bent


def summed(u, k, law, first=1):
    leak, threshold, decay = law
    near_it = ticks_near_threshold(u, leak, threshold, k)
    return eligible_sum(u, (leak, threshold, decay), near_it, first)


def test_known_sums_over_silence():
    assert summed(0.25, 4, (0.5, 0.6, 0.5)) == pytest.approx(0.13740234375, abs=1e-15)
    assert summed(-1.2, 4, (0.5, 0.6, 0.5)) == pytest.approx(0.02296875, abs=1e-15)
    assert summed(1.0, 6, (0.5, 1.2, 0.5)) == pytest.approx(0.04875, abs=1e-15)
    reached = ticks_near_threshold(0.25, 0.5, 0.6, 4)
    past = past_after((0.25, 0.1, 0.2), (0.5, 0.6, 0.2), reached, 4)
    assert past == pytest.approx(0.165185, abs=1e-15)


decays = st.one_of(st.sampled_from([0.0, 0.5, 0.999999, 1.0]), st.floats(0.01, 0.99))


@example(u=-3.0, law=(1.0, 0.6), decay=0.5, gap=9, first=1)
@given(
    u=st.floats(-4, 3),
    law=st.tuples(decays, st.sampled_from([0.3, 0.6, 1.0, 1.2, 1.7])),
    decay=decays,
    gap=st.integers(1, 60),
    first=st.integers(1, 70),
)
@example(u=0.5, law=(0.0, 0.6), decay=0.0, gap=3, first=1)  # nothing is left after a tick
def test_closed_sums_are_the_sums(u, law, decay, gap, first):
    leak, threshold = law
    u = min(u, threshold / max(leak, 0.05))
    kappa = np.arange(1, gap + 1)
    psi = pseudo_derivative("triangle", u * leak**kappa - threshold)
    known = (psi * decay**kappa)[first - 1 :].sum()
    assert summed(u, gap, (leak, threshold, decay), first) == pytest.approx(known, abs=1e-12)
    for own in (decay, leak):
        past, late = 0.4, 0.2
        for one in psi:
            past, late = own * past + late, one
        reached = ticks_near_threshold(u, leak, threshold, gap)
        value = past_after((u, 0.4, 0.2), (leak, threshold, own), reached, gap)
        assert value == pytest.approx(past, abs=1e-12)


def test_an_empty_sum_is_nothing():
    assert (geometric(0.5, 0), geometric(0.5, 1), geometric(1.0, 7)) == (0.0, 1.0, 7.0)
