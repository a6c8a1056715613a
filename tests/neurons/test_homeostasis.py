"""Laws of the moving threshold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.neurons.errors import CircuitError
from simedge.neurons.homeostasis import Homeostasis, Threshold

KNOWN = Homeostasis(initial=1, low=0.5, high=3, rate=0.01, target=0.1, gamma=0.9)


def test_a_known_course():
    threshold = Threshold(KNOWN)
    assert threshold.at(100) == pytest.approx(0.9, abs=1e-12)
    threshold.fire(100)
    assert threshold.at(101) == pytest.approx(0.909, abs=1e-12)
    threshold.fire(101)
    threshold.fire(102)
    for tick, value in {103: 0.927, 104: 0.926, 503: 0.527, 600: 0.5}.items():
        assert threshold.at(tick) == pytest.approx(value, abs=1e-12)


@given(spikes=st.sets(st.integers(0, 300), max_size=60), rate=st.floats(0, 0.2))
def test_lazy_is_clocked(spikes, rate):
    law = Homeostasis(initial=1, low=0.5, high=1.4, rate=rate, target=0.1, gamma=0.9)
    lazy, theta = Threshold(law), law.initial
    for tick in range(301):
        assert lazy.at(tick) == pytest.approx(theta, abs=1e-12)
        if tick in spikes:
            lazy.fire(tick)
        theta = min(law.high, max(law.low, theta + law.rate * ((tick in spikes) - law.target)))


@pytest.mark.parametrize(("times", "fires"), [(1.0, False), (3.0, True)])
def test_below_the_bound_nothing_fires_from_nothing(times, fires):
    gamma, low = 0.95, 0.3
    drift = times * (1 - gamma) * low
    u, theta, fired = 1.0, 1.0, 0
    for _ in range(200):
        u, theta = gamma * u, max(low, theta - drift)
        fired += u > theta
    assert bool(fired) == fires


@given(gamma=st.floats(0.5, 0.99), low=st.floats(0.1, 1), start=st.floats(0, 1))
def test_the_lemma_holds_for_every_start(gamma, low, start):
    theta = 1.0
    law = Homeostasis(
        initial=theta, low=low, high=3, rate=(1 - gamma) * low * 0.999, target=1, gamma=gamma
    )
    u = start * theta
    for _ in range(300):
        u, theta = gamma * u, max(low, theta - law.drift)
        assert u <= theta


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"rate": 0.5, "target": 0.1}, "fire from nothing"),
        ({"low": 0.0}, "min <= initial"),
        ({"initial": 4.0}, "min <= initial"),
        ({"rate": -1.0}, "rate >= 0"),
        ({"target": 2.0}, "target in"),
        ({"bias": 0.2}, "fire from nothing"),
    ],
)
def test_a_law_that_cannot_hold_is_refused(wrong, words):
    with pytest.raises(CircuitError, match=words):
        Homeostasis(**{"gamma": 0.9, **wrong})
