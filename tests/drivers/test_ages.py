"""Laws of ages: the exact time mean and quantile of a saw-tooth."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.drivers.ages import Ages, mean_ns, quantile_ns

SEGMENTS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 50)).map(lambda pair: (pair[0], sum(pair))),
    min_size=1,
    max_size=6,
)


@given(SEGMENTS)
def test_the_mean_is_the_integral_by_the_time(segments: list[tuple[int, int]]) -> None:
    steps = [age + Fraction(1, 2) for low, high in segments for age in range(low, high)]
    assert mean_ns(segments) == sum(steps) / len(steps)


@given(SEGMENTS, st.fractions(Fraction(1, 100), 1, max_denominator=100))
def test_so_much_of_the_time_is_spent_below_the_quantile(segments, share: Fraction) -> None:
    age = quantile_ns(segments, share)
    assert age is not None
    below = sum(min(max(age - low, 0), high - low) for low, high in segments)
    assert below == share * sum(high - low for low, high in segments)


def test_a_saw_tooth_of_one_period_has_half_of_it_as_mean() -> None:
    ages = Ages()
    for now in range(0, 100, 10):
        ages.hold("block", made_ns=now - 3, now=now)
    segments = ages.end(100)
    assert segments == [(3, 13)] * 10
    assert mean_ns(segments) == 8
    assert quantile_ns(segments, Fraction(99, 100)) == Fraction(129, 10)


def test_time_before_the_first_arrival_and_after_a_loss_does_not_count() -> None:
    ages = Ages()
    ages.hold("a", made_ns=50, now=60)
    ages.drop("a", now=70)
    ages.drop("a", now=80)
    ages.hold("a", made_ns=90, now=90)
    ages.hold("a", made_ns=90, now=90)
    assert ages.end(100) == [(10, 20), (0, 10)]


@pytest.mark.parametrize("segments", [[], [(5, 5)]])
def test_no_time_has_no_age(segments: list[tuple[int, int]]) -> None:
    assert mean_ns(segments) is None
    assert quantile_ns(segments, Fraction(1, 2)) is None
