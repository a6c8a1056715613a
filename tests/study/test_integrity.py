"""What is counted in a study is what was asked for, whatever was put into its directory."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario
from simedge.study import directory as directories
from simedge.study.errors import StudyDirectoryError
from simedge.study.ready import prepare
from simedge.study.study import Study
from simedge.study.study_file import read_study
from simedge.study.table import Row, Table

TINY = Scenario.parse("""
simedge: 1
name: tiny
duration: 1 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
""")
FIGURE = "counts.kernel_events"
PATH = "links.default.delay"


def study(seeds=1, metrics=(FIGURE,)) -> Study:
    return Study(TINY, seeds=seeds, metrics=metrics).vary(PATH, ["5 ms", "80 ms"])


def run(what: Study, out: Path) -> Table:
    with ThreadPoolExecutor(1) as executor:
        return what.run(engine=executor, jobs=1, out=out)


def row(seed: int, value: float | None, *labels: str) -> Row:
    summary = {"log_sha256": "", "x": value}
    factors = {str(place): label for place, label in enumerate(labels)}
    return Row(run="r", factors=factors, seed=seed, status="done", summary=summary)


NO_SEEDS = ["[[1], 2]", "[-5]", "[x]", f"[{10**23}]", "[true]", "[1, 1]", "true", "{a: 1}", "0"]


@pytest.mark.parametrize("seeds", NO_SEEDS)
def test_whatever_a_study_that_is_there_has_for_seeds_is_refused_in_words(tmp_path, seeds) -> None:
    text = directories.plan_text(study(1).plan())
    assert text.count("seeds: [1]\n") == 1
    (tmp_path / "study.yaml").write_text(text.replace("seeds: [1]\n", f"seeds: {seeds}\n"))
    with pytest.raises(StudyDirectoryError, match=r"study\.yaml: seeds: .*seed"):
        prepare(study(1).plan(), tmp_path)


@pytest.mark.parametrize("version", ["true", "1.0", "2"])
def test_a_study_of_another_version_is_not_gone_on_with(tmp_path, version) -> None:
    text = directories.plan_text(study(1).plan())
    (tmp_path / "study.yaml").write_text(text.replace("study: 1", f"study: {version}"))
    with pytest.raises(StudyDirectoryError, match="only version 1"):
        prepare(study(1).plan(), tmp_path)
    with pytest.raises(ScenarioError, match="only version 1"):
        read_study(tmp_path / "study.yaml")


LABEL = st.text(alphabet='pq, ",', max_size=4)


@settings(max_examples=40)
@given(st.sets(st.tuples(LABEL, LABEL), min_size=1, max_size=6))
def test_every_cell_has_a_name_of_its_own_whatever_its_labels_hold(cells) -> None:
    rows = [row(1, float(k), one, other) for k, (one, other) in enumerate(sorted(cells))]
    levels = Table(rows, factors={}, metrics=["x"]).levels("x")
    assert sorted(levels.values(), key=lambda one: one[1]) == [
        {1: float(k)} for k in range(len(cells))
    ]
