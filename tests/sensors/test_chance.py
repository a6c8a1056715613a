"""Laws of the thresholds, of the Poisson counts and of the Dirichlet proportions."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.sensors.chance import _power, dirichlet, draw, poisson_thresholds, thresholds

LAST = 2**64 - 1


@given(st.lists(st.fractions(0, 10), min_size=1, max_size=12).filter(lambda w: sum(w) > 0))
def test_a_value_is_drawn_on_its_share_of_all_words(weights: list[Fraction]) -> None:
    law = thresholds(weights)
    edges = [0, *law.tolist(), 2**64]
    for value, weight in enumerate(weights):
        width = edges[value + 1] - edges[value]
        assert abs(Fraction(width, 2**64) - weight / sum(weights)) <= Fraction(2, 2**64)
        if width > 1:
            words = np.array([edges[value], min(edges[value + 1], 2**64) - 1], np.uint64)
            assert draw(words, law).tolist() == [value, value]


def test_a_value_of_weight_zero_is_never_drawn() -> None:
    law = thresholds([Fraction(0), Fraction(1), Fraction(0)])
    assert draw(np.array([0, LAST // 2], np.uint64), law).tolist() == [1, 1]


@pytest.mark.parametrize("mean", [Fraction(1, 3), Fraction(26), Fraction(700)])
def test_poisson_counts_have_their_probabilities(mean: Fraction) -> None:
    law = np.diff([0.0, *(poisson_thresholds(mean).astype(float) / 2**64), 1.0])
    k = np.arange(len(law))
    exact = [math.exp(-float(mean) + n * math.log(mean) - math.lgamma(n + 1)) for n in k]
    assert np.allclose(law, exact, rtol=1e-9, atol=1e-15)
    assert law @ k == pytest.approx(float(mean))
    assert law @ (k - float(mean)) ** 2 == pytest.approx(float(mean))


def test_a_poisson_mean_of_zero_never_counts() -> None:
    assert draw(np.array([0, LAST], np.uint64), poisson_thresholds(Fraction(0))).tolist() == [0, 0]


@settings(max_examples=20)
@given(name=st.integers(0, 10**6), alpha=st.sampled_from([0.01, 0.3, 1.0, 2.5, 100.0]))
def test_proportions_are_shares_of_one(name: int, alpha: float) -> None:
    shares = dirichlet(Streams(1).stream("sensors", f"d-{name}", "split"), alpha, 10)
    assert all(share >= 0 for share in shares)
    assert abs(sum(shares) - 1) < Fraction(1, 10**30)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.5])
def test_proportions_have_mean_and_variance_of_the_dirichlet_law(alpha: float) -> None:
    classes, devices = 10, 200
    streams = Streams(5)
    shares = np.array(
        [
            dirichlet(streams.stream("sensors", f"d-{i}", "split"), alpha, classes)
            for i in range(devices)
        ],
        np.float64,
    )
    variance = (1 / classes) * (1 - 1 / classes) / (classes * alpha + 1)
    error = math.sqrt(variance / devices)
    assert np.abs(shares.mean(axis=0) - 1 / classes).max() < 4 * error
    assert shares.var() == pytest.approx(variance, rel=0.2)


@given(st.integers(1, 2**64 - 1), st.sampled_from(["0.01", "0.05", "0.3", "0.5", "0.7"]))
def test_powers_are_those_of_decimal_to_the_last_digit(word: int, alpha: str) -> None:
    shape = Decimal(alpha)
    with localcontext() as context:
        context.prec = 40
        base = Decimal(word) / 2**64
        for exponent in (1 / shape, shape - 1):
            assert _power(base, exponent) == base**exponent


def test_a_small_alpha_leaves_few_classes_and_a_large_one_all() -> None:
    stream = Streams(1).stream("sensors", "cam-1", "split")
    assert max(dirichlet(stream, 0.01, 10)) > Fraction(9, 10)
    assert max(dirichlet(stream, 100.0, 10)) < Fraction(1, 5)
