"""Every row of the table of closed forms, and the page that was written from it."""

from pathlib import Path

import pytest

from simedge.validation.finding import Finding, exact, near, within
from simedge.validation.table import (
    ROWS,
    SEED,
    ValidationError,
    as_data,
    as_markdown,
    choose,
    run,
    run_all,
    section,
)

PAGE = (Path(__file__).parents[2] / "docs" / "closed-forms.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_we_built_does_what_theory_says_and_what_the_page_says(row):
    report = run(row)
    failed = [(case.parameters, f) for case, found in report.found for f in found if not f.ok]
    assert failed == []
    assert section(report) in PAGE, "simedge closed-forms --markdown > docs/closed-forms.md"


def test_the_page_has_its_head_and_every_row_once_in_order():
    assert PAGE.startswith(as_markdown([], seed=SEED))
    titles = [line.split(":")[0] for line in PAGE.splitlines() if line.startswith("## ")]
    assert titles == [f"## {row.id}" for row in ROWS] == [f"## C{i}" for i in range(1, 28)]


def test_rows_are_chosen_in_the_order_of_the_table():
    assert [row.id for row in choose(["c18", "C2"])] == ["C2", "C18"]
    assert choose([]) == ROWS
    with pytest.raises(ValidationError, match="no row C99, X: there are C1 to C27"):
        choose(["x", "C99"])


def test_the_number_of_processes_changes_nothing_that_was_found():
    rows = choose(["C13", "C17"])
    alone, several = run_all(rows, seed=5), run_all(rows, seed=5, workers=2)
    assert [report.found for report in alone] == [report.found for report in several]


def test_exact_means_equal_and_near_means_within_so_many_errors():
    assert exact("x", (1, 2), (1, 2)).ok
    assert not exact("x", 1, 2).ok
    assert near("x", 1.0, 1.44, n=9, error=0.1).ok
    assert not near("x", 1.0, 1.45, n=9, error=0.1).ok
    assert not within("x", 1.0, float("nan"), n=9, tolerance=5).ok
    with pytest.raises(TypeError, match="one by one"):
        _ = Finding(what="x", expected=(1,), measured=(1,), n=1, tolerance=0.1).ok


def test_a_failed_row_is_told_everywhere():
    row = choose(["C13"])[0]
    report = run(row)
    bad = type(report)(
        row=row, found=((row.cases[0], (exact("dropped", 1, 2),)),), seconds=report.seconds
    )
    assert not bad.ok
    assert as_data([report, bad], seed=SEED)["ok"] is False
    assert "**FAILED**" in section(bad)
