"""What is counted in a study is what was asked for, whatever was put into its directory."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import ts_text, write_ts

from simedge.run.parts import sealed, unsealed
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


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Return a study of two cells and two seeds."""
    out = tmp_path_factory.mktemp("studies") / "s"
    run(study(2), out)
    return out


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "s"))


def missing(out: Path) -> dict[str, str]:
    """Return the runs of the study that count as missing, and why."""
    ready = prepare(study(2).plan(), out)
    return {one.name: ready.rows[one.name].reason for one in ready.missing}


@settings(max_examples=12, deadline=None)
@given(st.permutations(range(4)))
def test_a_directory_counts_for_the_run_that_is_in_it_alone(finished, tmp_path_factory, order):
    out = Path(shutil.copytree(finished, tmp_path_factory.mktemp("mixed") / "s"))
    names = sorted(path.name for path in (out / "runs").iterdir())
    for place, other in enumerate(order):
        shutil.rmtree(out / "runs" / names[place])
        shutil.copytree(finished / "runs" / names[other], out / "runs" / names[place])
    strangers = {names[place] for place, other in enumerate(order) if place != other}
    found = missing(out)
    assert set(found) == strangers
    assert all("another run" in reason and "asked for" in reason for reason in found.values())


def test_a_summary_of_another_seed_is_run_again(copied) -> None:
    one, other = (min((copied / "runs").glob(f"*-s{seed}*")) for seed in (1, 2))
    for part in ("summary.json", "provenance.json", "events.msgpack"):
        shutil.copy(other / part, one / part)
    said = unsealed((one / "provenance.json").read_bytes())
    said["parts"].pop("scenario.yaml")
    (one / "provenance.json").write_text(sealed(said))
    assert missing(copied) == {
        one.name: "it is of another run: its summary is of seed 2, 1 was asked for"
    }


@pytest.mark.parametrize("damage", ["gone", "cut", "longer", "changed"])
def test_a_log_that_is_not_what_was_written_is_run_again(copied, damage) -> None:
    first = min((copied / "runs").iterdir())
    raw = (first / "events.msgpack").read_bytes()
    (first / "events.msgpack").write_bytes(raw[:-1] if damage == "cut" else raw + b"0")
    if damage == "changed":
        half = len(raw) // 2
        changed = raw[:half] + bytes([raw[half] ^ 1]) + raw[half + 1 :]
        (first / "events.msgpack").write_bytes(changed)
    if damage == "gone":
        (first / "events.msgpack").unlink()
    (found,) = missing(copied).items()
    assert found[0] == first.name
    assert "events.msgpack" in found[1]
    table = run(study(2), copied)
    assert table.counts()["done"] == 4
    assert (first / "events.msgpack").read_bytes() == raw


def test_runs_of_other_code_are_told_of(copied) -> None:
    first = min((copied / "runs").iterdir())
    assert run(study(2), copied).notes == ()
    said = unsealed((first / "provenance.json").read_bytes())
    (first / "provenance.json").write_text(sealed({**said, "code": "of another day"}))
    (note,) = run(study(2), copied).notes
    assert f"other states of simedge's code: {first.name} unlike 3 others" in note
    assert json.loads((copied / "summary.json").read_text())["notes"] == [note]


def test_runs_that_read_other_recordings_are_told_of(tmp_path) -> None:
    root = write_ts(tmp_path / "waves")
    sensors = {
        "kind": "series",
        "root": str(root),
        "encoder": {"kind": "level-crossing", "levels": 4},
    }
    base = TINY.vary({"sensors": sensors, "protocol": {"kind": "isolated"}})
    assert run(Study(base, seeds=2), tmp_path / "s").notes == (), "what was read is the same"
    (root / "Waves_TRAIN.ts").write_text(ts_text(4, first=20))
    (note,) = [
        one for one in run(Study(base, seeds=3), tmp_path / "s").notes if "recordings" in one
    ]
    assert "-s3" in note
    assert "unlike 2 others" in note


def test_a_figure_that_no_run_has_is_told_of(tmp_path) -> None:
    metrics = [FIGURE, "convergence.recovery_s", "accuracy.per_device.nosuch"]
    table = run(study(metrics=metrics), tmp_path / "s")
    assert table.notes == ("no run has a figure accuracy.per_device.nosuch",)
