"""Laws of plans: every cell has every seed, names are one run's own, what is wrong is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario
from simedge.study.errors import StudyError
from simedge.study.plan import (
    METRICS,
    Cell,
    Factor,
    Level,
    PlanError,
    figure,
    metric_trouble,
    planned,
    rows_of,
)
from simedge.study.study import Study, seed_list

TINY = Scenario.parse("""
simedge: 1
name: tiny
duration: 2 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
""")

LABELS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)
SEEDS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4, unique=True)


def factor(name: str, labels: list[str]) -> Factor:
    levels = tuple(Level(label=one, changes={name: one}) for one in labels)
    return Factor(name=name, levels=levels)


@given(st.lists(LABELS, max_size=3))
def test_a_grid_has_every_combination_once(several) -> None:
    factors = tuple(factor(str(i), labels) for i, labels in enumerate(several))
    rows = rows_of(factors)
    count = 1
    for labels in several:
        count *= len(labels)
    assert len(rows) == len(set(rows)) == count
    for i, labels in enumerate(several):
        assert {row[i] for row in rows} == set(labels)


def test_a_zip_goes_side_by_side_and_needs_equal_lengths() -> None:
    a, b = factor("a", ["x", "y"]), factor("b", ["u", "v"])
    assert rows_of((a, b), "zip") == (("x", "u"), ("y", "v"))
    with pytest.raises(PlanError, match="a has 2, c has 1"):
        rows_of((a, factor("c", ["u"])), "zip")


@given(st.lists(st.sampled_from(["1 s", "2 s"]), min_size=1, max_size=3), SEEDS)
@settings(max_examples=20)
def test_every_cell_has_every_seed_and_more_seeds_leave_the_first_as_they_were(
    durations, seeds
) -> None:
    cells = [
        Cell(labels={"cell": str(i)}, scenario=TINY.vary({"duration": one}))
        for i, one in enumerate(durations)
    ]
    runs = planned(cells, seeds)
    assert len({run.name for run in runs}) == len(runs) == len(cells) * len(seeds)
    assert {(run.labels["cell"], run.seed) for run in runs} == {
        (str(i), seed) for i in range(len(cells)) for seed in seeds
    }
    assert all(run.scenario.seed == run.seed for run in runs)
    fewer = planned(cells, seeds[:-1])
    assert [run.name for run in fewer] == [run.name for run in runs][: len(fewer)]


@pytest.mark.parametrize("seeds", [0, [], [1, 1], [-1], [2**63], [True], ["1"]])
def test_seeds_are_whole_numbers_each_given_once(seeds) -> None:
    with pytest.raises(StudyError):
        seed_list(seeds)


@pytest.mark.parametrize(
    ("path", "values", "said"),
    [
        ("duratio", ["1 s"], "did you mean 'duration'"),
        ("duration", ["1 parsec"], "duration"),
        ("seed", [1, 2], "seeds are not a factor"),
        ("protocol", [{"kind": "isolated"}], "need labels"),
        ("duration", [], "no values"),
        ("duration", ["1 s", "1 s"], "1 s is given twice"),
        ("links.default", {"x": {"profile": "lte"}}, "changes links.default, and"),
    ],
)
def test_what_cannot_be_varied_is_named(path, values, said) -> None:
    study = Study(TINY, seeds=1).vary("links.default.delay", ["1 ms"])
    with pytest.raises(ScenarioError, match=said):
        study.vary(path, values).run()


def test_metrics_are_figures_of_a_summary() -> None:
    assert [metric_trouble(metric) for metric in METRICS] == [None] * len(METRICS)
    assert metric_trouble("energy_j.per_device.cam-1") is None
    assert "did you mean 'energy_j.total'" in str(metric_trouble("energy_j.totl"))
    assert metric_trouble("accuracy.curve") is not None
    assert metric_trouble("log_sha256") is not None


def test_a_figure_is_found_by_its_path_or_is_none() -> None:
    summary = {"a": {"b": 1, "per_device": {"x.y": 2.0}}, "c": None, "d": "text"}
    assert figure(summary, "a.b") == 1.0
    assert figure(summary, "a.per_device.x.y") == 2.0
    assert [figure(summary, path) for path in ("c", "d", "a", "a.b.c", "z")] == [None] * 5
    assert figure(None, "a") is None
