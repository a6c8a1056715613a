"""Laws of closed-forms: what is printed, and how it ends."""

import json

import pytest
from typer.testing import CliRunner

from simedge.validation import table
from simedge.validation.finding import Case, Row, exact
from simedge_cli.commands import app


def call(*words: str):
    return CliRunner().invoke(app, ["closed-forms", *words])


def test_rows_are_printed_in_the_order_of_the_table() -> None:
    done = call("C18", "c13", "--workers", "1")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("C")] == ["C13", "C18"]
    assert any("1990" in line for line in lines)


def test_json_holds_every_number() -> None:
    told = json.loads(call("C14", "--json", "--seed", "3").stdout)
    assert (told["ok"], told["seed"], told["rows"][0]["id"]) == (True, 3, "C14")
    finding = told["rows"][0]["findings"][0]
    assert finding["expected"] == finding["measured"] == 1_200_000


def test_markdown_is_the_same_twice() -> None:
    first, second = (call("C14", "--markdown").stdout for _ in range(2))
    assert first == second
    assert "| 1500 B, 10 Mbit/s | arrival, ns | 1200000 | 1200000 | exact | 1 | ok |" in first


def test_the_seed_is_that_of_the_page() -> None:
    assert f"seed {table.SEED}" in call("C14").stdout


@pytest.mark.parametrize("style", [(), ("--json",), ("--markdown",)])
def test_a_row_that_fails_is_an_exit_code(style, monkeypatch) -> None:
    case = Case(parameters="p", run=lambda _seed: (exact("what", 1, 2),))
    row = Row(id="C1", check="a lie", formula="1 = 2", rule="exact", cases=(case,))
    monkeypatch.setattr(table, "ROWS", (row,))
    done = call(*style)
    assert done.exit_code == 1
    assert "FAILED" in done.stdout or json.loads(done.stdout)["ok"] is False


def test_what_there_is_not_is_a_usage_error() -> None:
    done = call("C99")
    assert done.exit_code == 2
    assert "no row C99" in done.stderr
    assert call("C1", "--json", "--markdown").exit_code == 2
