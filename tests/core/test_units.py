"""Laws of exact quantities."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core import SimedgeError, units

WHOLE = [
    (units.parse_duration_ns, units.format_duration),
    (units.parse_rate_bps, units.format_rate),
    (units.parse_bytes, units.format_bytes),
    (units.parse_signed_duration_ns, units.format_signed_duration),
]
EXACT = [
    (units.parse_frequency, units.format_frequency),
    (units.parse_power_w, units.format_power),
    (units.parse_energy_j, units.format_energy),
]
decimals = st.builds(
    Fraction, st.integers(1, 10**9), st.sampled_from([1, 2, 5, 8, 10, 1000, 10**6])
)


@pytest.mark.parametrize(("parse", "write"), WHOLE)
@given(value=st.integers(0, 2**63 - 1))
def test_writing_a_whole_quantity_and_reading_it_back_changes_nothing(parse, write, value):
    assert parse(write(value)) == value


@pytest.mark.parametrize(("parse", "write"), EXACT)
@given(value=decimals)
def test_writing_an_exact_quantity_and_reading_it_back_changes_nothing(parse, write, value):
    assert parse(write(value)) == value


@given(st.integers(1, 2**63 - 1))
def test_a_duration_may_be_negative_where_that_makes_sense(ns):
    assert units.parse_signed_duration_ns(units.format_signed_duration(-ns)) == -ns
    with pytest.raises(units.UnitError, match="negative"):
        units.parse_duration_ns(units.format_signed_duration(-ns))


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_every_factor_survives_its_text(numerator, denominator):
    factor = Fraction(numerator, denominator)
    assert units.parse_factor(units.format_share(factor)) == factor


@pytest.mark.parametrize("none", [0, "0%", "-1", "fast", True])
def test_a_factor_is_a_number_above_0(none):
    with pytest.raises(units.UnitError):
        units.parse_factor(none)


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_every_share_survives_its_text(numerator, denominator):
    share = Fraction(min(numerator, denominator), denominator)
    assert units.parse_share(units.format_share(share)) == share


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.parse_duration_ns, "20 ms", 20_000_000),
        (units.parse_duration_ns, "1.5 us", 1_500),
        (units.parse_duration_ns, "1.5 µs", 1_500),
        (units.parse_duration_ns, "2min", 120_000_000_000),
        (units.parse_duration_ns, "1e-3 s", 1_000_000),
        (units.parse_duration_ns, 0, 0),
        (units.parse_duration_ns, "0", 0),
        (units.parse_rate_bps, "5 Mbit/s", 5_000_000),
        (units.parse_bytes, "512 MiB", 536_870_912),
        (units.parse_bytes, "1.2 kB", 1_200),
        (units.parse_share, "20%", Fraction(1, 5)),
        (units.parse_share, 0.1, Fraction(1, 10)),
        (units.parse_share, "1/3", Fraction(1, 3)),
        (units.parse_share, Decimal("0.25"), Fraction(1, 4)),
        (units.parse_share, 1, Fraction(1)),
        (units.parse_frequency, "2.5 Hz", Fraction(5, 2)),
        (units.parse_power_w, "350 mW", Fraction(7, 20)),
        (units.parse_energy_j, "1 Wh", Fraction(3600)),
    ],
)
def test_quantities_are_read_exactly(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "finding"),
    [
        (units.parse_duration_ns, "20", "needs a unit"),
        (units.parse_duration_ns, 20, "needs a unit"),
        (units.parse_duration_ns, True, "must be a number with a unit"),
        (units.parse_duration_ns, None, "must be a number with a unit"),
        (units.parse_duration_ns, "20 MS", "did you mean 'ms'"),
        (units.parse_duration_ns, "20 parsec", "known: ns"),
        (units.parse_duration_ns, "soon", "such as"),
        (units.parse_duration_ns, "-1 s", "must not be negative"),
        (units.parse_duration_ns, "0.5 ns", "whole number of nanoseconds"),
        (units.parse_duration_ns, "300000 d", "below 2"),
        (units.parse_duration_ns, "1e999 s", "such as"),
        (units.parse_rate_bps, "5 Mbits", "did you mean 'Mbit/s'"),
        (units.parse_bytes, "5 mib", "did you mean 'MiB'"),
        (units.parse_share, "120%", "in .0, 1."),
        (units.parse_share, -0.1, "in .0, 1."),
        (units.parse_share, "1/0", "such as '20%'"),
        (units.parse_share, "a lot", "such as '20%'"),
        (units.parse_share, False, "a number or a percentage"),
        (units.parse_frequency, "0 Hz", "above 0"),
        (units.parse_power_w, "-1 W", "negative"),
        (units.parse_energy_j, "-1 J", "negative"),
    ],
)
def test_bad_quantities_say_what_is_wrong(parse, text, finding):
    with pytest.raises(units.UnitError, match=finding) as caught:
        parse(text)
    assert isinstance(caught.value, SimedgeError)


def outcome(parse, text):
    try:
        return parse(text)
    except units.UnitError as error:
        return str(error)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_with_the_text_in_the_message(text):
    for parse, _ in [*WHOLE, *EXACT, (units.parse_share, None)]:
        found = outcome(parse, text)
        assert repr(text) in found if isinstance(found, str) else found >= 0
