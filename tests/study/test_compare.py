"""Laws of comparing: nobody is paired with a stranger, and whoever is left out is named."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import simedge
from simedge.run.eventlog import LogReader
from simedge.run.parts import LOG
from simedge.study.compare import CompareError, compare
from simedge_cli.commands import app

_SHORT = {"duration": "2 s", "faults": [], "sensors.shift": None, "evaluate.every": "1 s"}
_ARMS = {"good": {}, "bad": {"links.default.loss.mean": "40%"}}
SEEDS = 1, 2, 3


@pytest.fixture(scope="module")
def runs(small, tmp_path_factory) -> Path:
    """Return a folder of runs: two arms, three seeds."""
    root = tmp_path_factory.mktemp("arms")
    for arm, changes in _ARMS.items():
        for seed in SEEDS:
            scenario = small.vary({**_SHORT, **changes})
            simedge.simulate(scenario, seed=seed, out=root / f"{arm}-{seed}")
    return root


def study(root: Path, runs: Path, *names: str, index: dict[str, str] | None = None) -> Path:
    """Make a study directory of finished runs, with an index of their cells if there is one."""
    (root / "runs").mkdir(parents=True)
    for name in names:
        shutil.copytree(runs / name, root / "runs" / name)
    if index is not None:
        rows = [f"{name},{index[name]},{name[-1]},done" for name in names]
        (root / "index.csv").write_text("\n".join(["run,loss,seed,status", *rows]) + "\n")
    return root


@pytest.fixture
def good(runs, tmp_path) -> Path:
    return study(tmp_path / "good", runs, *(f"good-{seed}" for seed in SEEDS))


@pytest.fixture
def bad(runs, tmp_path) -> Path:
    return study(tmp_path / "bad", runs, *(f"bad-{seed}" for seed in SEEDS))


def figure(found, path):
    (cell,) = found.cells
    return next(one for one in cell.figures if one.headline.path == path)


def summary_of(path: Path):
    return json.loads((path / "summary.json").read_bytes())


def call(*words):
    return CliRunner().invoke(app, ["compare", *map(str, words)])


def test_a_run_is_equal_to_itself(runs):
    found = compare(runs / "good-1", runs / "good-1")
    (cell,) = found.cells
    count = sum(1 for _ in LogReader(runs / "good-1" / LOG))
    assert cell.setting is None
    assert cell.equal_logs == 1
    assert (found.records.equal, found.records.difference) == (count, None)
    assert all(one.pair.mean == 0 for one in cell.figures if one.pair is not None)


def test_the_first_setting_and_the_first_record_that_differ_are_named(runs):
    found = compare(runs / "good-1", runs / "bad-1")
    setting = found.cells[0].setting
    assert setting.path == "links.default.loss.mean"
    one, other = (list(LogReader(runs / name / LOG)) for name in ("good-1", "bad-1"))
    difference = found.records.difference
    assert one[: difference.index] == other[: difference.index]
    assert difference.recorded == one[difference.index] != other[difference.index]
    assert difference.replayed == other[difference.index]


def test_where_one_log_is_the_beginning_of_the_other_the_next_record_differs(runs, tmp_path):
    part = Path(shutil.copytree(runs / "good-1", tmp_path / "part"))
    whole = LogReader(part / LOG)
    count = sum(1 for _ in whole)
    (part / LOG).write_bytes((part / LOG).read_bytes()[:-3])
    for one, other in ((part, runs / "good-1"), (runs / "good-1", part)):
        records = compare(one, other).records
        assert records.equal == count - 1
        assert "part: the log ends" in records.note


def test_studies_are_paired_by_seed(good, bad, runs):
    found = compare(good, bad)
    (cell,) = found.cells
    assert cell.seeds == SEEDS
    assert found.records is None
    lost = figure(found, "communication.datagrams.lost")
    ends = [
        [summary_of(runs / f"{arm}-{seed}")["communication"]["datagrams"]["lost"] for seed in SEEDS]
        for arm in ("good", "bad")
    ]
    differences = [b - a for a, b in zip(*ends, strict=True)]
    assert lost.a == pytest.approx(sum(ends[0]) / 3)
    assert lost.pair.mean == pytest.approx(sum(differences) / 3)
    assert lost.pair.interval.low <= lost.pair.mean <= lost.pair.interval.high
    assert any("too narrow" in note for note in found.notes)


def test_swapping_the_sides_turns_every_difference(good, bad):
    one, other = compare(good, bad), compare(bad, good)
    for here, there in zip(one.cells[0].figures, other.cells[0].figures, strict=True):
        assert (here.pair is None) == (there.pair is None)
        if here.pair is not None:
            assert here.pair.mean == pytest.approx(-there.pair.mean)


def test_what_is_damaged_or_has_no_partner_is_named_and_left_out(good, bad):
    (good / "runs" / "good-2" / "summary.json").write_text("{}")
    (bad / "runs" / "bad-3" / "status.json").unlink()
    found = compare(good, bad)
    assert found.cells[0].seeds == (1,)
    told = "\n".join(found.notes)
    for text in (
        "good-2: summary.json is not what",
        "bad-3: no run directory",
        "seeds 2",
        "seeds 3",
    ):
        assert text in told


def test_cells_are_matched_by_the_labels_of_the_index(runs, tmp_path):
    names = "good-1", "good-2", "bad-1", "bad-2"
    labels = {name: {"good": "20%", "bad": "40%"}[name[:-2]] for name in names}
    one = study(tmp_path / "one", runs, *names, index=labels)
    other = study(tmp_path / "other", runs, *names[:3], index={**labels, "bad-1": "50%"})
    found = compare(one, other)
    assert [(cell.label, cell.seeds, cell.equal_logs) for cell in found.cells] == [
        ("20%", (1, 2), 2)
    ]
    told = "\n".join(found.notes)
    assert f"cell 40% of {one} is left out" in told
    assert f"cell 50% of {other} is left out" in told


def test_without_an_index_cells_are_told_by_the_settings_that_vary(runs, tmp_path):
    both = study(tmp_path / "both", runs, "good-1", "good-2", "bad-1", "bad-2")
    found = compare(both, both)
    labels = [cell.label for cell in found.cells]
    assert labels == ["links.default.loss.mean=40%", "links.default.loss.mean=20%"]


def test_directories_of_another_age_are_read_as_far_as_they_go(runs, tmp_path):
    old = Path(shutil.copytree(runs / "good-1", tmp_path / "old"))
    (old / "provenance.json").unlink()
    (old / LOG).unlink()
    summary = summary_of(old)
    del summary["information_age_s"], summary["energy_j"]["total"]
    (old / "summary.json").write_text(json.dumps({**summary, "schema": 0}))
    text = (old / "scenario.yaml").read_text()
    (old / "scenario.yaml").write_text(text + "\nbygone: 5\n")
    found = compare(old, runs / "good-1")
    assert figure(found, "energy_j.total").pair is None
    assert figure(found, "energy_j.total").b == summary_of(runs / "good-1")["energy_j"]["total"]
    assert found.cells[0].setting.path == "bygone"
    assert found.records.equal is None
    assert "kept no event log: the hashes are equal" in found.records.note
    assert any("another age" in note for note in found.notes)


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_all_forms_tell_the_same(good, bad, form):
    found = call(good, bad, "--format", form)
    assert found.exit_code == 0, found.output
    mean = figure(compare(good, bad), "counts.frames_learned").a
    if form == "json":
        told = json.loads(found.stdout)
        assert told["cells"][0]["figures"]["counts.frames_learned"]["a"] == mean
        assert told["cells"][0]["first_setting"]["path"] == "links.default.loss.mean"
    else:
        assert "links.default.loss.mean" in found.stdout
        assert "frames learned" in found.stdout


def test_two_runs_that_differ_are_no_failure(runs):
    found = call(runs / "good-1", runs / "bad-1", "--format", "json")
    assert found.exit_code == 0
    records = json.loads(found.stdout)["records"]
    assert records["first"] == records["equal"]
    assert records["a"] != records["b"]
    assert call(runs / "good-1", runs / "bad-1").exit_code == 0
    assert "is the first that differs" in call(runs / "good-1", runs / "bad-1").stdout


def test_what_cannot_be_read_ends_with_3_and_the_place(runs, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (empty, tmp_path / "nowhere"):
        found = call(runs / "good-1", place)
        assert found.exit_code == 3
        assert str(place) in found.stderr
    (empty / "runs").mkdir()
    with pytest.raises(CompareError, match="no run of this study"):
        compare(empty, runs / "good-1")


def test_cells_whose_labels_hold_commas_stay_apart(runs, tmp_path):
    names = ["good-1", "bad-1"]
    two = study(tmp_path / "two", runs, *names)
    rows = ['good-1,"p, v",w,1,done', 'bad-1,p,"v, w",1,done']
    (two / "index.csv").write_text("\n".join(["run,a,b,seed,status", *rows]) + "\n")
    found = compare(two, two)
    assert {cell.label for cell in found.cells} == {'"p, v", "w"', '"p", "v, w"'}
    assert all(cell.equal_logs == 1 for cell in found.cells)
    assert not any("is there already" in note for note in found.notes)


def test_studies_show_what_they_are_about_by_factor_and_in_points(runs, tmp_path):
    sides = []
    for side in ("a", "b"):
        arms = {f"{arm}-{seed}": arm for arm in ("good", "bad") for seed in (1, 2)}
        sides.append(study(tmp_path / side, runs, *arms, index=arms))
        about = {"metrics": ["accuracy.final", "counts.kernel_events"]}
        (sides[-1] / "summary.json").write_text(json.dumps(about))
    shown = call(*sides).stdout
    assert "loss good: 2 seeds" in shown
    assert "+0.00 points" in shown
    assert "counts.kernel_events" in shown
    assert "frames learned" not in shown
    _, _, together = shown.partition("mean of the 2 cells")
    assert "accuracy, mean of the last three" in together
    assert "Student" not in together
    assert "frames learned" in call(*sides, "--all").stdout
    facts = json.loads(call(*sides, "--format", "json").stdout)
    assert facts["cells"][0]["cell"] in {"good", "bad"}


def test_two_runs_have_no_empty_columns(runs):
    shown = call(runs / "good-1", runs / "bad-1").stdout
    assert "B - A" in shown
    assert "Student" not in shown
