"""Laws of studies: nothing lost, nothing run twice, whatever dies or stops on the way."""

import csv
import json
import sys
from collections import Counter
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simedge
from simedge.run.disk import Disk
from simedge.run.errors import RunDirectoryError
from simedge.run.files import Files
from simedge.run.scenario import Scenario
from simedge.study import directory as directories
from simedge.study import worker
from simedge.study.course import Course
from simedge.study.errors import StudyDirectoryError, StudyError
from simedge.study.estimate import estimate
from simedge.study.plan import Cell, planned
from simedge.study.ready import prepare
from simedge.study.study import Study, seed_list
from simedge.study.table import Row, Table
from simedge.study.worker import Outcome, Ticket, carry_out

TINY = Scenario.parse("""
simedge: 1
name: tiny
duration: 2 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
""")
FIGURE = "counts.kernel_events"
PATH = "links.default.delay"


def study(seeds=2, values=("5 ms", "80 ms")) -> Study:
    return Study(TINY, seeds=seeds, metrics=[FIGURE]).vary(PATH, values)


@pytest.fixture
def counted(monkeypatch):
    """Count the runs that are really simulated, by scenario and seed."""
    count = Counter()
    simulate = simedge.simulate

    def counting(scenario, **options):
        count[scenario.run_name] += 1
        return simulate(scenario, **options)

    monkeypatch.setattr("simedge.run.simulate.simulate", counting)
    return count


def run(what: Study, out: Path | None = None, **options) -> Table:
    with ThreadPoolExecutor(1) as executor:
        return what.run(engine=executor, jobs=1, out=out, **options)


def hashes(table: Table) -> list[tuple[str, str]]:
    return [(row.run, row.log_sha256) for row in table]


def rows_in(out: Path) -> list[dict[str, str]]:
    with (out / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_is_the_runs_that_it_is_made_of(tmp_path) -> None:
    table = run(study(), tmp_path / "s")
    assert [row.status for row in table] == ["done"] * 4
    for row in table:
        alone = simedge.simulate(TINY.vary({PATH: row.factors[PATH]}), seed=row.seed)
        assert row.log_sha256 == alone.summary["log_sha256"]
        assert row.path is not None
        again = json.loads((row.path / "summary.json").read_text())
        assert again["log_sha256"] == row.log_sha256
    rows = rows_in(tmp_path / "s")
    assert [row["run"] for row in rows] == [row.run for row in table]
    assert all((tmp_path / "s" / row["dir"] / "scenario.yaml").is_file() for row in rows)
    summary = json.loads((tmp_path / "s" / "summary.json").read_text())
    assert summary["runs"] == {**dict.fromkeys(summary["runs"], 0), "planned": 4, "done": 4}
    assert table.levels(FIGURE) == table.levels(FIGURE, PATH)
    assert set(table.levels(FIGURE)) == {"5 ms", "80 ms"}


def test_a_study_without_a_directory_has_the_same_table_and_leaves_nothing(tmp_path) -> None:
    kept = run(study(1), tmp_path / "s")
    loose = run(study(1))
    assert hashes(kept) == hashes(loose)
    assert [row.path for row in loose] == [None, None]


def test_a_finished_study_runs_nothing_and_more_seeds_only_those(tmp_path, counted) -> None:
    first = run(study(2), tmp_path / "s")
    assert counted.total() == 4
    assert hashes(run(study(2), tmp_path / "s")) == hashes(first)
    assert counted.total() == 4
    more = run(study(3), tmp_path / "s")
    assert counted.total() == 6
    assert set(hashes(first)) <= set(hashes(more))
    assert len(run(study([7]), tmp_path / "s")) == 8, "seeds that are there stay"
    assert max(counted.values()) == 1


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path, counted, after) -> None:
    ended = []

    def watch(progress) -> None:
        ended.extend(progress.news)

    half = run(study(), tmp_path / "s", watch=watch, stop=lambda: len(ended) >= after)
    assert half.counts()["done"] >= after
    assert half.counts()["done"] < 4
    assert len(rows_in(tmp_path / "s")) == 4
    before = dict(counted)
    whole = run(study(), tmp_path / "s")
    assert whole.counts()["done"] == 4
    done = {row.run for row in half if row.status == "done"}
    assert {name for name in done if counted[name] > before[name]} == set()


def test_a_run_that_is_stopped_half_way_is_interrupted_and_run_again(tmp_path) -> None:
    long = TINY.vary({"duration": "10 d"})
    seen = []
    what = Study(long, seeds=1)
    table = run(what, tmp_path / "s", watch=seen.append, stop=lambda: len(seen) > 1)
    assert [row.status for row in table] == ["interrupted"]
    assert prepare(what.plan(), tmp_path / "s").missing[0].name == table[0].run


class PowerLoss(BaseException):
    """Ends a process at once."""


class MortalDisk(Disk):
    """Loses power at its k-th replacement of a file."""

    def __init__(self, last: int) -> None:
        self.left = last

    def replace(self, source, target):
        self.left -= 1
        if self.left < 0:
            raise PowerLoss
        super().replace(source, target)


def test_a_study_that_dies_at_any_of_its_writes_can_be_gone_on_with(tmp_path, monkeypatch) -> None:
    finished = 0
    whole = hashes(run(study(1)))
    for k in range(6):
        out = tmp_path / str(k)
        with monkeypatch.context() as patch:
            disk = MortalDisk(k)
            patch.setattr(directories, "Files", lambda disk=disk: Files(disk))
            try:
                run(study(1), out)
                finished += 1
            except PowerLoss:
                pass
        assert hashes(run(study(1), out)) == whole
        assert json.loads((out / "summary.json").read_text())["runs"]["done"] == 2
    assert 0 < finished < 6


def test_what_a_killed_study_left_half_written_is_written_again(tmp_path, counted) -> None:
    out = tmp_path / "s"
    table = run(study(), out)
    paths = [row.path for row in table]
    (out / "runs" / ".x.host-1.part").mkdir()
    (out / ".halt").touch()
    (paths[0] / "summary.json").write_text("{}")
    (paths[1] / "status.json").unlink()
    (out / "index.csv").unlink()
    assert hashes(run(study(), out)) == hashes(table)
    assert sorted(counted.values()) == [1, 1, 2, 2]
    assert {path.name for path in (out / "runs").iterdir()} == {path.name for path in paths}


def test_a_failed_run_never_loses_the_others_and_is_run_again_only_when_asked(
    tmp_path, monkeypatch
) -> None:
    def failing(ticket: Ticket) -> Outcome:
        with monkeypatch.context() as patch:
            if "seed: 1" in ticket.scenario and "5 ms" in ticket.scenario:
                patch.setattr("simedge.run.simulate.simulate", lambda *_a, **_k: 1 // 0)
            return carry_out(ticket)

    with monkeypatch.context() as patch:
        patch.setattr("simedge.study.engines.carry_out", failing)
        table = run(study(), tmp_path / "s")
        assert [row.status for row in table] == ["failed", "done", "done", "done"]
        assert "ZeroDivisionError" in table[0].reason
        fast = run(study(), tmp_path / "fast", fail_fast=True)
        assert [row.status for row in fast] == ["failed", "missing", "missing", "missing"]
    assert run(study(), tmp_path / "s")[0].status == "failed"
    assert run(study(), tmp_path / "s", retry_failed=True)[0].status == "done"


def test_broken_invariants_are_a_failure() -> None:
    outcome = worker.outcome_of({"invariants": {"broken": ["x"]}}, interrupted=False, wall_s=1.0)
    assert (outcome.status, outcome.reason) == ("failed", "broken invariant: x")


def test_a_directory_of_another_study_is_refused_with_what_differs(tmp_path) -> None:
    run(study(1), tmp_path / "s")
    with pytest.raises(StudyDirectoryError, match=r"80 ms.*there, null asked for"):
        run(study(1, ["5 ms"]), tmp_path / "s")
    other = Study(TINY.vary({"duration": "3 s"}), seeds=1).vary(PATH, ["5 ms", "80 ms"])
    with pytest.raises(StudyDirectoryError, match=r'scenario.duration: "2 s" there, "3 s" asked'):
        run(other, tmp_path / "s")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(StudyDirectoryError, match="neither empty nor a study"):
        run(study(1), tmp_path / "full")
    (tmp_path / "full" / "study.yaml").write_text("a: [")
    with pytest.raises(StudyDirectoryError, match="cannot be read"):
        run(study(1), tmp_path / "full")
    with pytest.raises(StudyDirectoryError, match="not a directory"):
        run(study(1), tmp_path / "full" / "mine.txt")


def test_two_studies_do_not_write_one_directory(tmp_path) -> None:
    plan = study(1).plan()
    with (
        directories.StudyDirectory(tmp_path / "s", plan),
        pytest.raises(RunDirectoryError, match="another run writes here"),
    ):
        run(study(1), tmp_path / "s")


def test_equal_runs_are_reported() -> None:
    arms = {"a": {}, "b": {"duration": "2 s"}, "c": {"devices[cam].count": 1}}
    table = run(Study(TINY, seeds=1).arms("arm", arms))
    ((one, other),) = table.equal_logs()
    assert (one, other) == (table[0].run, table[1].run)
    assert other.startswith(one)


def test_two_processes_with_one_run_leave_it_there_once(tmp_path) -> None:
    ticket = Ticket(scenario=TINY.dump(), out=str(tmp_path / "r"))
    assert carry_out(ticket).status == carry_out(ticket).status == "done"
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_beginning_is_run_and_nothing_kept_of_it(tmp_path) -> None:
    long = TINY.vary({"duration": "10 d"})
    outcome = carry_out(Ticket(scenario=long.dump(), warm=True))
    assert outcome.status == "interrupted"
    assert 0 < outcome.summary["virtual_s"] < 864_000
    halt = tmp_path / "halt"
    halt.touch()
    assert carry_out(Ticket(scenario=long.dump(), halt=str(halt))).status == "missing"


class Dying:
    """Does runs at once; some die a few times first."""

    def __init__(self, deaths: dict[str, int], places: int) -> None:
        self.deaths = dict(deaths)
        self.done = Counter()
        self._places = places

    def places(self) -> int:
        return self._places

    def shares_cache(self) -> bool:
        return self._places > 1

    def submit(self, ticket: Ticket) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        if ticket.warm:
            future.set_exception(BrokenExecutor("gone"))
            return future
        seed = ticket.scenario.split("seed: ")[1].split("\n")[0]
        if self.deaths.get(seed, 0) > 0:
            self.deaths[seed] -= 1
            future.set_exception(BrokenExecutor("gone"))
        else:
            self.done[seed] += 1
            future.set_result(Outcome(status="done", summary={"log_sha256": seed}))
        return future

    def close(self) -> None:
        pass


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(1, 3))
@settings(max_examples=12)
def test_a_run_whose_worker_dies_is_run_once_more_and_no_other_suffers(deaths, places) -> None:
    runs = planned([Cell(labels={}, scenario=TINY)], range(len(deaths)))
    rows = {
        one.name: Row(run=one.name, factors={}, seed=one.seed, status="missing") for one in runs
    }
    crew = Dying({str(seed): count for seed, count in enumerate(deaths)}, places)
    course = Course(rows, crew=crew, places=None, halt=Path("nowhere/halt"))
    assert not course.run(runs)
    for one in runs:
        survives = deaths[one.seed] <= 1
        assert rows[one.name].status == ("done" if survives else "failed")
        assert crew.done[str(one.seed)] == survives


def test_an_executor_that_is_closed_keeps_what_was_done(tmp_path) -> None:
    executor = ThreadPoolExecutor(1)

    def watch(progress) -> None:
        if progress.done:
            executor.shutdown()

    with pytest.raises(StudyError, match="run again"):
        study().run(engine=executor, jobs=1, out=tmp_path / "s", watch=watch)
    assert run(study(), tmp_path / "s").counts()["done"] == 4


def test_an_estimate_counts_what_is_left_by_what_was_measured(tmp_path) -> None:
    ready = prepare(study().plan(), tmp_path / "s")
    first = estimate(ready.rows, ready.missing, ready.cells, places=2)
    assert (first.runs, first.left, first.basis) == (4, 4, "3 s of 2 of 2 cells")
    assert first.wall_s > 0
    assert not (tmp_path / "s").exists()
    known = {name: replace(row, status="done", wall_s=10.0) for name, row in ready.rows.items()}
    later = estimate(known, ready.missing[:3], ready.cells, places=2)
    assert (later.left, later.wall_s) == (3, 15.0)
    with_start = estimate(known, ready.missing[:3], ready.cells, places=2, start_s=4.5).summary()
    assert (with_start["wall_s"], with_start["start_s"]) == (19.5, 4.5)
    assert estimate({}, (), ready.cells, places=2, start_s=4.5).wall_s == 0


def row(seed: int, value: float | None, **labels: str) -> Row:
    summary = {"log_sha256": "", "x": value}
    return Row(run="r", factors=labels, seed=seed, status="done", summary=summary)


def test_levels_of_one_factor_are_means_over_the_others() -> None:
    rows = [
        row(1, 1.0, a="p", b="u"),
        row(1, 3.0, a="p", b="v"),
        row(1, 5.0, a="q", b="u"),
        row(1, None, a="q", b="v"),
    ]
    table = Table(rows, factors={"a": ["p", "q"], "b": ["u", "v"]}, metrics=["x"])
    assert table.levels("x", "a") == {"p": {1: 2.0}, "q": {}}
    assert table.levels("x")["p, v"] == {1: 3.0}
    with pytest.raises(StudyError, match="factors: a, b"):
        table.levels("x", "c")
    with pytest.raises(StudyError, match="no level 'z'"):
        table.paired("x", "p, u", "z")


def test_a_table_is_printed_a_line_a_cell() -> None:
    table = study().run(jobs=1, engine=ThreadPoolExecutor(1))
    head, *cells, about = str(table).splitlines()
    assert head.split() == [PATH, "runs", FIGURE]
    assert [line.split()[:3] for line in cells] == [["5", "ms", "2"], ["80", "ms", "2"]]
    assert all(" ± " in line for line in cells)
    assert "standard deviation" in about


def test_levels_that_were_run_with_unlike_others_are_no_levels() -> None:
    rows = [row(1, 1.0, a="p", b="u"), row(1, 3.0, a="q", b="u"), row(1, 9.0, a="q", b="v")]
    table = Table(rows, factors={"a": ["p", "q"], "b": ["u", "v"]}, metrics=["x"])
    with pytest.raises(StudyError, match="p was not run with v, so their means differ by more"):
        table.levels("x", "a")
    assert len(table.levels("x")) == 3


HUGE = st.integers(10**5, 10**40) | st.just(10**9000)


@given(HUGE | st.lists(HUGE | st.lists(st.integers()) | st.none() | st.booleans(), min_size=1))
def test_whatever_are_no_seeds_is_refused_in_words(seeds) -> None:
    sound = isinstance(seeds, list) and all(type(one) is int and one < 2**63 for one in seeds)
    if sound and len(set(seeds)) == len(seeds):
        assert seed_list(seeds) == tuple(seeds)
        return
    with pytest.raises(StudyError, match="seed"):
        seed_list(seeds)


def test_statistics_are_given_levels_by_seed(monkeypatch) -> None:
    told = SimpleNamespace(
        repeated_measures=lambda levels: levels,
        paired_difference=lambda first, second, *, names: (first, second, names),
    )
    monkeypatch.setitem(sys.modules, "simedge.study.statistics", told)
    rows = [row(1, 1.0, a="p"), row(2, 3.0, a="p"), row(1, 5.0, a="q"), row(2, 6.0, a="q")]
    table = Table(rows, factors={"a": ["p", "q"]}, metrics=["x"])
    assert table.anova("x") == {"p": {1: 1.0, 2: 3.0}, "q": {1: 5.0, 2: 6.0}}
    assert table.paired("x", "p", "q") == (*table.anova("x").values(), ("p", "q"))
