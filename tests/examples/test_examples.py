"""Examples are a program and what it prints: both are there, and they agree."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = sorted(ROOT.glob("examples/[0-9]*.py"))
EXAMPLES = [*PATH, *sorted(ROOT.glob("examples/papers/*.py"))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_stands_beside_it(path, tmp_path) -> None:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == path.with_suffix(".out").read_text(encoding="utf-8")


def test_the_reading_path_has_no_gap() -> None:
    assert [int(path.name[:2]) for path in PATH] == list(range(1, len(PATH) + 1))


def test_a_paper_is_named_by_its_year_and_its_address() -> None:
    """The number of an arXiv paper begins with the year and month in which it came out."""
    papers = sorted(ROOT.glob("examples/papers/*.py"))
    assert len(papers) == 6
    for path in papers:
        text = path.read_text(encoding="utf-8")
        found = re.search(r"arXiv (\d\d)\d\d\.\d{5},\s+(\d{4})", text)
        assert found is not None
        assert [f"20{found[1]}", found[2]] == [path.stem.split("_")[1]] * 2
