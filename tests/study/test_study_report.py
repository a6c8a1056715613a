"""Laws of reports of studies: what runs say is what is told, and what says nothing is named."""

import csv
import json
import re
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from simedge.run.parts import json_text, listing, sealed, unsealed
from simedge.run.scenario import Scenario
from simedge.run.yaml_writer import dump
from simedge.study.report.errors import MissingExtraError, ReportError
from simedge.study.report.studies.arms import known
from simedge.study.report.studies.reading import is_study
from simedge.study.report.studies.tables import prefixed
from simedge.study.report.write import report
from simedge.study.study import Study
from simedge_cli.commands import app

EXTRA = "the extra 'report' (altair, vl-convert-python) is not installed"
METRICS = ["accuracy.final", "communication.bits_up", "latency_ms.update.p95"]
ARMS = ("elal", "aedfl", "alone")
SEEDS = (1, 2, 3)


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def reseal(run: Path, **summary):
    """Change figures of a run, so that it is whole nevertheless."""
    whole = json.loads((run / "summary.json").read_bytes())
    for key, value in summary.items():
        whole[key] = {**whole[key], **value} if isinstance(value, dict) else value
    (run / "summary.json").write_text(json_text(whole))
    told = unsealed((run / "provenance.json").read_bytes())
    parts = told["parts"]
    for name in ("summary.json", "scenario.yaml"):
        parts[name] = listing((run / name).read_bytes())
    (run / "provenance.json").write_text(sealed(told))


def made_up(run: Path, out: Path, *, arms=ARMS, seeds=SEEDS, factors=("who",)) -> Path:
    """Return a study made of copies of one run without its log; figures tell arm and seed."""
    rows = []
    for seed in seeds:
        for place, arm in enumerate(arms):
            labels = arm if isinstance(arm, tuple) else (arm,)
            target = out / "runs" / f"r-s{seed}-{place:08d}"
            shutil.copytree(run, target, ignore=shutil.ignore_patterns("events.msgpack"))
            share = 0.3 + place / 100 + seed * (place + 1) ** 2 / 10**4
            name = "aedfl" if "aedfl" in labels else "elal"
            curve = [[t, share * t / 6] for t in (0.0, 2.0, 4.0, 6.0)]
            accuracy = {"final": share, "curve": curve}
            log = f"{seed}-{place}"
            reseal(target, seed=seed, protocol=name, log_sha256=log, accuracy=accuracy)
            rows.append([target.name, *labels, seed, "done", "", 1, f"runs/{target.name}", ""])
    with (out / "index.csv").open("w", newline="") as file:
        index = csv.writer(file)
        index.writerow(["run", *factors, "seed", "status", "log_sha256", "wall_s", "dir", "reason"])
        index.writerows(rows)
    labels = [arm if isinstance(arm, tuple) else (arm,) for arm in arms]
    whole = {
        "simedge-study": 1,
        "name": "made",
        "about": "Made <up>.",
        "scenario": {},
        "factors": {f: {"arms": {one[k]: {} for one in labels}} for k, f in enumerate(factors)},
        "design": [dict(zip(factors, one, strict=True)) for one in labels],
        "seeds": list(seeds),
        "metrics": METRICS,
    }
    (out / "study.yaml").write_text(dump(whole))
    return out


@pytest.fixture(scope="session")
def made(finished, tmp_path_factory) -> Path:
    return made_up(finished, tmp_path_factory.mktemp("studies") / "made")


@pytest.fixture
def mine(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "mine"))


def told(path: Path, **options):
    return json.loads(report([path], form="json", **options).text)


def runs_of(path: Path, place: int) -> list[Path]:
    return sorted((path / "runs").glob(f"*-{place:08d}"))


@pytest.fixture(scope="session")
def page(made):
    pytest.importorskip("altair", reason=EXTRA)
    pytest.importorskip("vl_convert", reason=EXTRA)
    return report([made])


def test_means_and_differences_are_those_of_the_runs(made) -> None:
    (family,) = told(made)["families"]
    finals = [
        [json.loads((run / "summary.json").read_bytes())["accuracy"]["final"] for run in runs]
        for runs in (runs_of(made, place) for place in range(3))
    ]
    assert [arm["arm"] for arm in family["arms"]] == list(ARMS)
    for arm, values in zip(family["arms"], finals, strict=True):
        figure = arm["figures"]["accuracy.final"]
        assert figure["by_seed"] == dict(zip(("1", "2", "3"), values, strict=True))
        assert figure["mean"] == pytest.approx(statistics.fmean(values))
        assert figure["low"] < figure["mean"] < figure["high"]
    last = [one for one in family["differences"] if one["figure"] == "accuracy.final"][-1]
    apart = [one - other for one, other in zip(finals[2], finals[0], strict=True)]
    assert (last["a"], last["b"]) == ("elal", "alone")
    assert last["mean"] == pytest.approx(statistics.fmean(apart))


def test_curves_are_means_over_seeds_at_each_evaluation(made) -> None:
    rows = [row for row in told(made)["families"][0]["curves"] if row["arm"] == "elal"]
    shares = [0.3 + seed / 10**4 for seed in SEEDS]
    assert [row["t_s"] for row in rows] == [0.0, 2.0, 4.0, 6.0]
    for row in rows:
        assert row["seeds"] == 3
        assert row["mean"] == pytest.approx(statistics.fmean(shares) * row["t_s"] / 6, rel=1e-5)


def test_bits_are_the_samples_of_the_metrics(made, finished) -> None:
    rows = [row for row in told(made)["families"][0]["accuracy_bits"] if row["arm"] == "elal"]
    with (finished / "metrics.csv").open(newline="") as file:
        samples = [row for row in csv.DictReader(file) if row["metric"] == "bits"]
    bits = {float(row["t_s"]): float(row["value"]) for row in samples}
    assert [row["t_s"] for row in rows] == [t for t in (0.0, 2.0, 4.0, 6.0) if t in bits]
    assert all(row["bits"] == pytest.approx(bits[row["t_s"]], rel=1e-5) for row in rows)


def test_the_arm_named_is_the_one_that_others_are_compared_with(made) -> None:
    (family,) = told(made, against="alone")["families"]
    assert family["reference"] == "alone"
    assert {one["b"] for one in family["differences"]} == {"elal", "aedfl"}
    with pytest.raises(ReportError, match=r"no arm 'aedf'.*did you mean.*aedfl"):
        report([made], form="md", against="aedf")


def test_every_form_says_what_the_study_is(made, page) -> None:
    text = report([made], form="md").text
    for form in (text, page.text):
        assert "made: 9 runs, 3 arms, 3 seeds" in form
        assert "aedfl_style" in form
        assert "reading of the abstract" in form
        assert "Greenhouse and Geisser" in form
        assert "simedge-study: 1" in form
    assert "Made \\<up>." in text
    assert "Made &lt;up&gt;." in page.text


class Loads(HTMLParser):
    """What in a page could make a browser fetch something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, _, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        self.found += [name for name, _ in attrs if name in {"src", "srcset", "href", "data"}]


def test_a_page_of_a_study_loads_nothing_and_is_small(page) -> None:
    seen = Loads(page.text)
    assert seen.found == []
    assert len(seen.ids) == len(set(seen.ids))
    assert {f"chart-{name}" for name in page.charts} <= set(seen.ids)
    assert {"figures", "accuracy", "accuracy-bits", "energy", "latency", "topology"} <= set(
        page.charts
    )
    assert len(page.text.encode()) <= 1_500_000


@pytest.fixture
def drawn_by_none(monkeypatch) -> None:
    """Leave out the static charts: drawing them takes seconds."""
    pytest.importorskip("altair", reason=EXTRA)
    pytest.importorskip("vl_convert", reason=EXTRA)
    monkeypatch.setattr("simedge.study.report.page.svg_of", lambda _: "")


@pytest.mark.usefixtures("drawn_by_none")
def test_very_many_arms_make_no_larger_page(finished, tmp_path) -> None:
    arms = [f"an arm with quite a long name, number {k}" for k in range(60)]
    many = report([made_up(finished, tmp_path / "many", arms=arms, seeds=(1, 2))])
    assert len(many.text.encode()) <= 1_500_000
    assert "accuracy" not in many.charts
    assert "The first 40 of 60 arms." in many.text


def test_learners_of_different_kinds_are_in_tables_of_their_own(mine) -> None:
    for run in runs_of(mine, 2):
        file = run / "scenario.yaml"
        file.write_text(file.read_text().replace("kind: linear", "kind: own_learner"))
        reseal(run)
    found = told(mine)
    assert [[arm["arm"] for arm in one["arms"]] for one in found["families"]] == [
        ["elal", "aedfl"],
        ["alone"],
    ]
    assert any("learners of different kinds are not compared" in note for note in found["notes"])
    tables = re.findall(r"## Figures, (\w+) learners", report([mine], form="md").text)
    assert tables == ["linear", "own_learner"]


@pytest.mark.parametrize("part", ["summary.json", "metrics.csv", "status.json", "scenario.yaml"])
def test_a_damaged_run_is_named_and_left_out(mine, part: str) -> None:
    hurt = runs_of(mine, 1)[0]
    raw = bytearray((hurt / part).read_bytes())
    raw[len(raw) // 2] ^= 0x40
    (hurt / part).write_bytes(raw)
    found = told(mine)
    assert found["runs"]["reported"] == 8
    assert [one["run"] for one in found["left_out"]] == [hurt.name]
    assert found["left_out"][0]["status"] == "damaged"
    assert part in found["left_out"][0]["why"]
    done = call("report", mine, "--format", "md", "-o", "-")
    assert (done.exit_code, hurt.name in done.stdout) == (0, True)
    assert f"skipped {hurt}" in done.stderr


def test_runs_that_failed_or_never_were_are_named_with_their_reasons(mine) -> None:
    gone, failed = runs_of(mine, 0)[0], runs_of(mine, 1)[0]
    shutil.rmtree(gone)
    (failed / "status.json").write_text(
        sealed({"schema": 1, "status": "failed", "reason": "out of luck"})
    )
    text = (mine / "study.yaml").read_text().replace("3]", "3, 4]").replace("- 3\n", "- 3\n  - 4\n")
    (mine / "study.yaml").write_text(text)
    found = {one["run"]: (one["status"], one["why"]) for one in told(mine)["left_out"]}
    assert found.pop(gone.name) == ("missing", "its directory is gone")
    assert found.pop(failed.name) == ("failed", "out of luck")
    assert list(found.values()) == [("missing", "was never run")] * 3


def test_a_study_without_any_run_is_refused_by_name(mine) -> None:
    shutil.rmtree(mine / "runs")
    with pytest.raises(ReportError, match=re.escape(str(mine))):
        report([mine], form="json")
    assert call("report", mine, "--format", "md").exit_code == 3


@pytest.mark.parametrize("part", ["index.csv", "study.yaml"])
def test_one_of_index_and_plan_is_enough_to_tell_the_runs(mine, part: str) -> None:
    (mine / part).write_bytes(b"\xff: {")
    if part == "study.yaml":
        found = told(mine)
        assert found["runs"]["reported"] == 9
        assert any(note.startswith("study.yaml cannot be read") for note in found["notes"])
    else:
        with pytest.raises(ReportError, match="no run of this study"):  # its cells are made up
            report([mine], form="json")


def test_equal_histories_are_told(mine) -> None:
    for place in (0, 2):
        reseal(runs_of(mine, place)[0], log_sha256="f" * 64)
    names = [runs_of(mine, place)[0].name for place in (0, 2)]
    assert told(mine)["equal_logs"] == [names]
    assert ", ".join(names) in report([mine], form="md").text


def test_crossed_factors_have_effects_of_their_own_and_together(finished, tmp_path) -> None:
    arms = [(a, b) for a in ("elal", "aedfl") for b in ("5%", "20%", "40%")]
    path = made_up(finished, tmp_path / "two", arms=arms, factors=("protocol", "loss"))
    analyses = told(path)["families"][0]["analyses"]
    first = next(one for one in analyses if one["figure"] == "accuracy.final")
    assert first["one_way"].keys() == {"protocol", "loss"}
    assert [one["name"] for one in first["two_way"]["effects"]] == [
        "protocol",
        "loss",
        "protocol x loss",
    ]
    assert "| protocol x loss |" in report([path], form="md").text


def test_one_seed_and_one_arm_have_a_report_without_tests(finished, tmp_path) -> None:
    path = made_up(finished, tmp_path / "one", arms=("elal",), seeds=(1,))
    (family,) = told(path)["families"]
    assert (family["differences"], family["analyses"]) == ([], [])
    assert "one: 1" not in report([path], form="md").text


def test_a_study_is_reported_alone_and_found_as_the_newest(
    made, finished, tmp_path, monkeypatch
) -> None:
    with pytest.raises(ReportError, match="name it alone"):
        report([made, finished], form="md")
    with pytest.raises(ReportError, match="no study"):
        report([finished], form="md", against="elal")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path / "runs" / "old")
    target = Path(shutil.copytree(made, tmp_path / "runs" / "new"))
    (target / "index.csv").touch()
    assert is_study(target)
    assert call("report", "--format", "json").stdout.strip() == "runs/new/report.json"


def test_without_its_extra_a_study_ends_as_it_would_and_says_so(
    made, tmp_path, monkeypatch
) -> None:
    def run(ready, **_):
        shutil.copytree(made, ready.out)
        return ready.table()

    def refuse():
        raise MissingExtraError("a page needs altair: pip install it")

    (tmp_path / "s.yaml").write_text("simedge-study: 1\nscenario: two_devices\nseeds: 1\n")
    monkeypatch.setattr("simedge.study.report.write._pages", refuse)
    monkeypatch.setattr("simedge.study.ready.Ready.run", run)
    codes = []
    for place, more in enumerate([[], ["--report"]]):
        words = ["study", tmp_path / "s.yaml", "-o", tmp_path / f"s{place}", "--quiet", *more]
        done = call(*words)
        codes.append(done.exit_code)
    assert done.stderr.splitlines() == ["note: no report: a page needs altair: pip install it"]
    assert codes[0] == codes[1]


SILENT = Scenario.parse("""
simedge: 1
name: silent
duration: 1 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
""")


@pytest.fixture(scope="session")
def silent(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("studies") / "silent"
    study = Study(SILENT, seeds=2, metrics=["accuracy.final"]).vary(
        "links.default.delay", ["5 ms", "80 ms"]
    )
    with ThreadPoolExecutor(1) as executor:
        study.run(engine=executor, jobs=1, out=out)
    return out


def test_a_study_whose_index_lags_behind_has_the_same_report(silent, tmp_path) -> None:
    mine = Path(shutil.copytree(silent, tmp_path / "mine"))
    (mine / "index.csv").unlink()
    (mine / "runs" / "stranger").mkdir()
    before, after = told(silent), told(mine)
    assert after["families"] == before["families"]
    assert after["runs"] == before["runs"]
    assert any("not of this study: stranger" in note for note in after["notes"])


@pytest.mark.usefixtures("drawn_by_none")
def test_runs_that_saw_nothing_have_a_page_too(silent) -> None:
    made = report([silent])
    assert "accuracy" not in made.charts
    assert "energy" in made.charts


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), max_size=8))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    found = known(values)
    assert found.count == len(values)
    assert (found.mean is None) == (not values)
    assert (found.low is None) == (len(values) < 2)
    if found.mean is not None and found.low is not None and found.high is not None:
        near = 1e-9 * max(map(abs, values))
        assert found.low - near <= found.mean <= found.high + near


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 1e13), st.sampled_from(["bit", "B", "J", ""]))
def test_a_prefix_changes_no_value(value: float, unit: str) -> None:
    shown, by = prefixed(unit, [value, None])
    factor = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}[shown.removesuffix(unit) if unit else ""]
    assert factor * by == pytest.approx(1.0)
