"""Laws of repeated measures and paired differences; vectors by hand; pingouin as the oracle."""

import importlib.util
import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from simedge.study.pairs import holm, interval, student
from simedge.study.statistics import (
    StatisticsError,
    paired_difference,
    repeated_measures,
    repeated_measures_two,
)

NAMES = ("a", "b", "c", "d", "e")
FIGURES = st.floats(-1e3, 1e3).map(lambda x: round(x, 3))


def table(matrix):
    return {NAMES[level]: dict(enumerate(column.tolist())) for level, column in enumerate(matrix.T)}


def drawn(seed: int, subjects: int, levels: int):
    """Return figures with subjects of their own, effects, and variances that differ by level."""
    stream = np.random.Generator(np.random.Philox(seed))
    shared = stream.normal(size=(subjects, 1)) * 2
    return (
        shared
        + stream.normal(size=levels)
        + stream.normal(size=(subjects, levels)) * (1 + np.arange(levels))
    )


def pingouin():
    if importlib.util.find_spec("pingouin") is None:
        pytest.skip("pingouin, the oracle of these tests, is not installed (extra: test)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pingouin as oracle

    return oracle


def long(matrix, shape):
    import pandas as pd

    rows = [
        {
            "subject": subject,
            "value": value,
            "a": f"a{cell // shape[1]}",
            "b": f"b{cell % shape[1]}",
        }
        for subject, row in enumerate(matrix.tolist())
        for cell, value in enumerate(row)
    ]
    return pd.DataFrame(rows)


def column(row, *names):
    """Return the first column of these names, which versions of the oracle spell differently."""
    return float(next(row[name] for name in names if name in row))


def test_fifty_designs_of_one_factor_have_the_figures_of_the_oracle():
    oracle = pingouin()
    for seed in range(50):
        subjects, levels = 3 + seed % 9, 2 + seed % 4
        matrix = drawn(seed, subjects, levels)
        (effect,) = repeated_measures(table(matrix)).effects
        frame = long(matrix, (levels, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = {
                kind: oracle.rm_anova(
                    frame, dv="value", within="a", subject="subject", correction=True, effsize=kind
                ).iloc[0]
                for kind in (("ng2", "np2") if seed % 10 == 0 else ("ng2",))
            }
        row = found["ng2"]
        assert effect.f == pytest.approx(column(row, "F"), rel=1e-9)
        assert effect.epsilon == pytest.approx(column(row, "eps"), rel=1e-9)
        assert effect.p == pytest.approx(column(row, "p-unc", "p_unc"), rel=1e-8)
        assert effect.eta_generalized == pytest.approx(column(row, "ng2"), rel=1e-9)
        if "np2" in found:
            assert effect.eta_partial == pytest.approx(column(found["np2"], "np2"), rel=1e-9)
        if levels > 2:
            corrected = column(row, "p-GG-corr", "p_GG_corr")
            assert effect.p_gg == pytest.approx(corrected, rel=1e-8)


def test_ten_designs_of_two_factors_have_the_figures_of_the_oracle():
    oracle = pingouin()
    for seed in range(10):
        shape = 2 + seed % 2, 2 + seed % 3
        matrix = drawn(seed, 4 + seed % 5, shape[0] * shape[1])
        cells = {
            (f"a{cell // shape[1]}", f"b{cell % shape[1]}"): dict(enumerate(values.tolist()))
            for cell, values in enumerate(matrix.T)
        }
        effects = repeated_measures_two(cells).effects
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = oracle.rm_anova(
                long(matrix, shape), dv="value", within=["a", "b"], subject="subject"
            )
        for effect, (_, row) in zip(effects, found.iterrows(), strict=True):
            assert effect.f == pytest.approx(column(row, "F"), rel=1e-8)
            assert effect.epsilon == pytest.approx(column(row, "eps"), rel=1e-8)
            assert effect.p_gg == pytest.approx(column(row, "p-GG-corr", "p_GG_corr"), rel=1e-7)
            assert effect.eta_generalized == pytest.approx(column(row, "ng2"), rel=1e-8)


def test_a_vector_worked_out_by_hand():
    # Rows 1 2 6 / 2 4 6 / 3 3 9: grand mean 4, levels 2 3 7, subjects 3 4 5, so SS of levels is
    # 3(4 + 1 + 9) = 42, of subjects 3(1 + 0 + 1) = 6, of all 52, and of the error 4 with 4 degrees.
    (effect,) = repeated_measures(table(np.array([[1, 2, 6], [2, 4, 6], [3, 3, 9.0]]))).effects
    assert (effect.df, effect.df_error) == (2, 4)
    assert effect.ss == pytest.approx(42)
    assert effect.ss_error == pytest.approx(4)
    assert effect.f == pytest.approx(21)
    assert effect.eta_partial == pytest.approx(42 / 46)
    assert effect.eta_generalized == pytest.approx(42 / 52)


def test_p_values_by_holm_worked_out_by_hand():
    found = holm([0.01, None, 0.04, 0.03, 0.005])  # five were asked for, four have a test
    by_hand = [0.01 * 4, None, 0.03 * 3, 0.03 * 3, 0.005 * 5]
    assert found == [None if p is None else pytest.approx(p) for p in by_hand]


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_of_two_levels_f_is_the_square_of_t_and_epsilon_is_one(seed, subjects):
    matrix = drawn(seed, subjects, 2)
    found = repeated_measures(table(matrix))
    (effect,), (pair,) = found.effects, found.pairs
    known = stats.ttest_rel(matrix[:, 1], matrix[:, 0])
    assert effect.epsilon == 1
    assert effect.f == pytest.approx(pair.t**2, rel=1e-9)
    assert pair.t == pytest.approx(known.statistic, rel=1e-9)
    assert pair.p == pytest.approx(known.pvalue, rel=1e-8)
    assert pair.p == pair.p_holm == pytest.approx(effect.p_gg, rel=1e-7)
    low, high = known.confidence_interval()
    assert pair.student == (pytest.approx(low), pytest.approx(high))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 5), st.floats(-50, 50))
def test_what_all_levels_of_a_subject_share_changes_no_test(seed, subjects, levels, shift):
    matrix = drawn(seed, subjects, levels)
    moved = matrix + shift * np.arange(subjects)[:, None]
    (one,), (other,) = (repeated_measures(table(m)).effects for m in (matrix, moved))
    assert other.f == pytest.approx(one.f, rel=1e-6)
    assert other.epsilon == pytest.approx(one.epsilon, rel=1e-6)
    assert 1 / (levels - 1) <= one.epsilon <= 1


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.dictionaries(st.integers(1, 5), st.none() | FIGURES | st.just(math.nan)),
        min_size=1,
    )
)
def test_nobody_is_left_out_without_being_named(levels):
    found = repeated_measures(levels)
    told = " ".join(found.notes)
    asked = {subject for figures in levels.values() for subject in figures}
    whole = [one.name for one in found.levels]
    assert set(whole) | {name for name in levels if f"level {name} is left out" in told} == set(
        levels
    )
    if whole:
        assert set(found.subjects) | set(found.left_out) == asked
    assert not set(found.subjects) & set(found.left_out)
    for subject, lacks in found.left_out.items():
        assert f"subject {subject} is left out: no figure of {', '.join(lacks)}" in told
    tested = bool(found.effects)
    assert tested == (len(whole) > 1 and len(found.subjects) > 1)
    assert tested or "nothing" in told
    assert str(found) == found.text()
    assert found.text().count("\n") >= len(found.levels) - 1
    for pair in found.pairs:  # of few seeds a reader has Student's interval before his eyes
        low, high = pair.student or (None, None)
        assert low is None or f"[{low:.4g}, {high:.4g}] (Student)" in found.text()


@given(st.integers(2, 6), st.integers(2, 4), FIGURES)
def test_without_variance_there_is_no_test_and_a_reason(subjects, levels, step):
    base = np.linspace(-0.7, 1.3, subjects)[:, None]
    found = repeated_measures(table(base + step * np.arange(levels)))
    (effect,) = found.effects
    assert effect.f is effect.p is effect.p_gg is effect.epsilon is None
    assert effect.note
    assert effect.eta_partial == (pytest.approx(1) if step else None)
    for pair in found.pairs:
        assert pair.t is pair.p is pair.p_holm is pair.effect is None
        assert pair.interval.low == pair.interval.high == pytest.approx(pair.mean)
        assert "no variance" in pair.notes[0]


def test_one_subject_has_a_difference_and_neither_interval_nor_test():
    pair = paired_difference({7: 1.0, 8: 2.0}, {7: 1.5, 9: 2.0}, names=("old", "new"))
    assert (pair.subjects, pair.mean, pair.p, pair.student) == ((7,), 0.5, None, None)
    assert pair.interval.low is pair.interval.high is None
    assert "subject 8 is left out: no figure of new" in pair.notes
    assert "one subject" in pair.notes[-1]
    assert paired_difference({1: 1.0}, {2: 1.0}) is None


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(3, 15))
def test_an_interval_turns_shifts_and_grows_with_its_values(seed, count):
    values = np.random.Generator(np.random.Philox(seed)).gamma(2, size=count)
    one = interval(values)
    turned, moved = interval(-values), interval(3 * values + 10)
    assert one.low < values.mean() < one.high
    assert (turned.low, turned.high) == (pytest.approx(-one.high), pytest.approx(-one.low))
    assert (moved.low, moved.high) == (
        pytest.approx(3 * one.low + 10),
        pytest.approx(3 * one.high + 10),
    )


def test_an_interval_is_that_of_scipy():
    values = np.random.Generator(np.random.Philox(3)).gamma(2, size=20)
    stream = np.random.Generator(np.random.Philox(4))
    known = stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=stream, method="BCa")
    found = interval(values)
    width = known.confidence_interval.high - known.confidence_interval.low
    assert found.method == "bca"
    assert abs(found.low - known.confidence_interval.low) < 0.03 * width
    assert abs(found.high - known.confidence_interval.high) < 0.03 * width


def test_equal_seeds_draw_equal_intervals_and_others_do_not():
    values = np.array([0.1, 0.7, 0.4, 0.9, 0.3])
    assert interval(values) == interval(values.copy())
    assert interval(values) != interval(values, seed=1)
    low, high = student(values)
    assert low < interval(values).low < interval(values).high < high


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(2, 3))
def test_effects_and_subjects_share_out_all_variance(seed, a, b):
    matrix = drawn(seed, 4, a * b)
    assume(np.isfinite(matrix).all())
    cells = {
        (f"a{cell // b}", f"b{cell % b}"): dict(enumerate(values.tolist()))
        for cell, values in enumerate(matrix.T)
    }
    effects = repeated_measures_two(cells, factors=("x", "y")).effects
    assert [effect.name for effect in effects] == ["x", "y", "x x y"]
    subjects = a * b * ((matrix.mean(axis=1) - matrix.mean()) ** 2).sum()
    shared = subjects + sum(effect.ss + effect.ss_error for effect in effects)
    assert shared == pytest.approx(((matrix - matrix.mean()) ** 2).sum(), rel=1e-9)


def test_a_cell_that_is_not_there_is_named():
    with pytest.raises(StatisticsError, match="a1 x b1 has none"):
        repeated_measures_two(
            {("a0", "b0"): {1: 1.0}, ("a0", "b1"): {1: 2.0}, ("a1", "b0"): {1: 2.0}}
        )
    with pytest.raises(StatisticsError, match="no level"):
        repeated_measures({})
    with pytest.raises(StatisticsError, match="one name"):
        paired_difference({1: 1.0}, {1: 2.0}, names=("a", "a"))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(-307, 306))
def test_whatever_the_unit_figures_are_finite_or_a_note_says_that_there_are_none(seed, power):
    matrix = drawn(seed, 4, 3) * 10.0**power
    found = repeated_measures(table(matrix))
    json.dumps([effect.p_gg for effect in found.effects], allow_nan=False)
    json.dumps(found.facts(), allow_nan=False)
    assert bool(found.effects) == bool(found.pairs) != any("another unit" in n for n in found.notes)
    if found.effects:
        same = repeated_measures(table(drawn(seed, 4, 3))).effects[0]
        assert found.effects[0].p_gg == pytest.approx(same.p_gg, rel=1e-6)
