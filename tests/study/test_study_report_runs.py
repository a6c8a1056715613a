"""Laws of reports of studies: whose a directory is, and what qualifies their tables."""

import csv
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simedge.run.parts import sealed, unsealed
from simedge.run.scenario import Scenario
from simedge.study.report.write import report
from simedge.study.study import Study

EXTRA = "the extra 'report' (altair, vl-convert-python) is not installed"
SILENT = Scenario.parse("""
simedge: 1
name: silent
duration: 1 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
""")


def told(path: Path):
    return json.loads(report([path], form="json").text)


@pytest.fixture(scope="module")
def silent(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("studies") / "silent"
    study = Study(SILENT, seeds=2, metrics=["accuracy.final"]).vary(
        "links.default.delay", ["5 ms", "80 ms"]
    )
    with ThreadPoolExecutor(1) as executor:
        study.run(engine=executor, jobs=1, out=out)
    return out


@pytest.fixture
def drawn_by_none(monkeypatch) -> None:
    """Leave out the static charts: drawing them takes seconds."""
    pytest.importorskip("altair", reason=EXTRA)
    pytest.importorskip("vl_convert", reason=EXTRA)
    monkeypatch.setattr("simedge.study.report.page.svg_of", lambda _: "")
    monkeypatch.setattr("simedge.study.report.page._vega", lambda: "")


def swap(one: Path, other: Path) -> None:
    aside = one.with_name(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


@pytest.mark.parametrize("which", [(0, 1), (0, 2), (1, 2)])
def test_runs_in_the_place_of_others_are_told_and_not_averaged(silent, tmp_path, which) -> None:
    mine = Path(shutil.copytree(silent, tmp_path / "mine"))
    runs = sorted((mine / "runs").iterdir())
    swapped = [runs[place] for place in which]
    swap(*swapped)
    found = told(mine)
    assert {one["run"] for one in found["left_out"]} == {run.name for run in swapped}
    assert all("another run" in one["why"] for one in found["left_out"])
    assert found["runs"]["reported"] == 2


@pytest.mark.parametrize(("which", "why"), [((0, 1), "hash of its log"), ((0, 2), "seed")])
def test_without_a_plan_seeds_and_hashes_of_the_index_tell_whose_a_run_is(
    silent, tmp_path, which, why
) -> None:
    mine = Path(shutil.copytree(silent, tmp_path / "mine"))
    (mine / "study.yaml").write_bytes(b"\xff: {")
    assert told(mine)["left_out"] == []
    names = [row["run"] for row in csv.DictReader((mine / "index.csv").read_text().splitlines())]
    swapped = [mine / "runs" / names[place] for place in which]
    swap(*swapped)
    found = told(mine)
    assert {one["run"] for one in found["left_out"]} == {run.name for run in swapped}
    assert all(why in one["why"] for one in found["left_out"])


@pytest.mark.usefixtures("drawn_by_none")
def test_what_qualifies_the_table_stands_beside_it_in_every_form(silent, tmp_path) -> None:
    mine = Path(shutil.copytree(silent, tmp_path / "mine"))
    first = min((mine / "runs").iterdir())
    said = unsealed((first / "provenance.json").read_bytes())
    (first / "provenance.json").write_text(sealed({**said, "code": "of another day"}))
    note = f"other states of simedge's code: {first.name} unlike 3 others"
    assert note in told(mine)["families"][0]["notes"][0]
    after = report([mine], form="md").text.partition("## Figures")[2]
    assert note in after[: after.index("| arm |")]
    page = report([mine]).text
    figures = page[page.index('<section id="headline">') :]
    assert note.replace("'", "&#x27;") in figures[: figures.index("</section>")]
