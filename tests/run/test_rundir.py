"""Laws of the run directory: readable at every moment, never reused, never half a file."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simedge.run import rundir
from simedge.run.rundir import RunDirectory, RunDirectoryError, read_status, standing


def test_from_the_first_moment_there_is_a_scenario_and_a_status(tmp_path) -> None:
    with RunDirectory(tmp_path / "a" / "run", scenario="name: x\n") as made:
        assert (made.path / "scenario.yaml").read_text() == "name: x\n"
        assert seen(made.path) == {"scenario.yaml", "status.json"}
        assert read_status(made.path) == "running"
        made.set_status("done")
        assert {path.name for path in made.path.iterdir()} == seen(made.path)


def seen(path: Path) -> set[str]:
    """Names that are not hidden: the word of failure lies ready beside them."""
    return {each.name for each in path.iterdir() if not each.name.startswith(".")}


def test_a_directory_that_holds_anything_is_refused(tmp_path) -> None:
    (tmp_path / "left").write_text("over")
    with pytest.raises(RunDirectoryError, match="absent or empty"):
        RunDirectory(tmp_path, scenario="")
    assert [path.name for path in tmp_path.iterdir()] == ["left"]


def test_an_empty_directory_is_taken_and_a_finished_run_never_again(tmp_path) -> None:
    with RunDirectory(tmp_path, scenario="") as made:
        made.set_status("done")
    with pytest.raises(RunDirectoryError, match="absent or empty"):
        RunDirectory(tmp_path, scenario="")


def test_two_writers_cannot_share_a_directory(tmp_path) -> None:
    with (
        RunDirectory(tmp_path, scenario=""),
        pytest.raises(RunDirectoryError, match="another run writes here"),
    ):
        RunDirectory(tmp_path, scenario="")


def test_a_run_whose_process_is_gone_is_told_from_one_that_goes_on(tmp_path) -> None:
    with RunDirectory(tmp_path, scenario="") as made:
        assert standing(tmp_path, read_status(tmp_path)) == "the run has not ended"
        made.close()
        said = standing(tmp_path, read_status(tmp_path))
    assert "its process is gone" in said
    assert f"simedge run --resume {tmp_path}" in said
    assert "--resume" in standing(tmp_path, "failed")
    assert "--resume" not in standing(tmp_path, "done")


def test_names_count_up_and_are_made_exclusively(tmp_path) -> None:
    made = [RunDirectory.create("x-s1-abc", scenario="", root=tmp_path / "runs") for _ in range(3)]
    assert [one.path.name for one in made] == ["x-s1-abc", "x-s1-abc-2", "x-s1-abc-3"]
    for one in made:
        one.close()
        one.close()


def test_a_root_that_is_a_file_is_refused(tmp_path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunDirectoryError, match="not a directory"):
        RunDirectory.create("x", scenario="", root=tmp_path / "runs")
    with pytest.raises(RunDirectoryError, match="Not a directory"):
        RunDirectory(tmp_path / "runs" / "x", scenario="")


def test_too_many_runs_of_a_name_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rundir, "_SUFFIX_MAX", 2)
    RunDirectory.create("x", scenario="", root=tmp_path).close()
    with pytest.raises(RunDirectoryError, match="more than 2 runs of x"):
        RunDirectory.create("x", scenario="", root=tmp_path)


def test_a_name_that_cannot_be_made_is_refused(tmp_path) -> None:
    with pytest.raises(RunDirectoryError, match="File name too long"):
        RunDirectory.create("x" * 300, scenario="", root=tmp_path)


def test_a_failed_write_leaves_the_old_part_and_no_scraps(tmp_path, monkeypatch) -> None:
    with RunDirectory(tmp_path, scenario="") as made:
        made.write("metrics.csv", "old")

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(RunDirectoryError, match=r"metrics\.csv: No space left on device"):
                made.write("metrics.csv", "new")
        assert (tmp_path / "metrics.csv").read_text() == "old"
        assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def end_with_an_error(made: RunDirectory) -> None:
    with pytest.raises(ZeroDivisionError), made:
        _ = 1 // 0


def test_an_error_marks_the_run_as_failed_and_keeps_what_was_written(tmp_path) -> None:
    made = RunDirectory(tmp_path, scenario="x")
    made.write("metrics.csv", b"t_s\n")
    end_with_an_error(made)
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["status"] == "failed"
    assert "ZeroDivisionError" in status["reason"]
    assert (tmp_path / "metrics.csv").exists()


def test_an_error_after_the_end_does_not_unsay_it(tmp_path) -> None:
    made = RunDirectory(tmp_path, scenario="x")
    made.set_status("done")
    end_with_an_error(made)
    assert read_status(tmp_path) == "done"


def test_a_killed_run_leaves_a_readable_directory(tmp_path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from simedge.run.rundir import RunDirectory; from simedge.run.eventlog import EventLog\n"
        "made = RunDirectory(Path(sys.argv[1]), scenario='name: x')\n"
        "log = EventLog(made.log_path)\n"
        "for i in range(2000): log.append(i, 8, 'd', 'k', i, i)\n"
        "log.flush(); log.append(9999, 8, 'd', 'k', 0, 0); os._exit(9)\n"
    )
    path = tmp_path / "run"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)  # noqa: S603  # our own
    from simedge.run.eventlog import LogReader

    assert read_status(path) == "running"
    assert len(list(LogReader(path / "events.msgpack"))) == 2000


def test_numbers_that_are_not_finite_never_reach_a_file(tmp_path) -> None:
    with RunDirectory(tmp_path, scenario="") as made:
        with pytest.raises(ValueError, match="JSON compliant"):
            made.write_json("summary.json", {"x": float("nan")})
        assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("content", [None, "", "[]", '{"schema": 1}', "\xff"])
def test_a_directory_without_a_status_is_no_run(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "status.json").write_text(content, encoding="latin-1")
    with pytest.raises(RunDirectoryError, match="no run directory"):
        read_status(tmp_path)


def test_without_advisory_locks_directories_are_still_made_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(rundir, "fcntl", None)
    RunDirectory(tmp_path, scenario="").close()
    with pytest.raises(RunDirectoryError, match="absent or empty"):
        RunDirectory(tmp_path, scenario="")
