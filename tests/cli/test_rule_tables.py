"""Laws of `simedge rules`, `simedge rules table` and `simedge rules costs`."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from simedge.learning.rules.catalogue import RULES
from simedge.learning.rules.published import figures
from simedge_cli import render, rule_tables
from simedge_cli.commands import app

PAGE = Path(__file__).parents[2] / "docs/rule-costs.md"


def said(*words):
    told = CliRunner().invoke(app, ["rules", *words])
    assert told.exit_code == 0
    return told.stdout


@pytest.mark.parametrize("form", ["text", "md", "json"])
def test_rules_alone_is_the_table(form):
    assert said("--format", form) == said("table", "--format", form)


def test_every_rule_is_told_in_every_form():
    found = json.loads(said("--format", "json"))
    assert [rule["name"] for rule in found["rules"]] == [rule.name for rule in RULES]
    assert {rule["where"] for rule in found["rules"]} == {"in a run", "library"}
    assert found["measured"]["seeds"] == [1, 2, 3, 4, 5]
    for form in ("text", "md"):
        text = said("--format", form)
        assert all(text.count(f" {rule.name} ") >= 2 for rule in RULES)
    wrappers = {rule["name"] for rule in found["rules"] if any(rule["five_tasks"].values())}
    assert wrappers <= {"code-cl", "lance"}


def test_the_page_of_costs_is_what_the_command_writes():
    assert PAGE.read_text(encoding="utf-8") == said("costs", "--format", "md")


def test_costs_are_told_in_every_form():
    rows = json.loads(said("costs", "--format", "json"))
    assert [row["verdict"] for row in rows] == [figure.verdict for figure in figures()]
    text = said("costs")
    assert all(figure.shown in text for figure in figures())


def test_no_word_of_the_rules_is_cut_off_on_a_screen_of_a_hundred_columns(monkeypatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(render, "_console", lambda **_: Console(file=out, width=100))
    rule_tables.show_rules(rule_tables.Form.TEXT)
    shown = out.getvalue()
    assert "…" not in shown
    known = rule_tables._properties()  # noqa: SLF001 -- what is to be shown
    words = {word for row in known.rows for cell in row for word in cell.split()}
    assert not {word for word in words if word not in shown}
    for name, what, source, *_ in known.rows:
        assert any(line.split() == f"{name} {what} {source}".split() for line in shown.splitlines())


def test_through_time_does_not_fit_half_a_gibibyte_where_traces_do():
    found = json.loads(said("costs", "--memory", "512 MiB", "--format", "json"))
    fits = {(row["training"], row["rule"]): row["fits"] for row in found["trainings"]}
    assert not fits["VGG-9, DVS Gesture", "bptt"]
    assert fits["VGG-9, DVS Gesture", "s-tllr"]
    assert fits["VGG-9, DVS Gesture", "tess"]
    text, page = (said("costs", "--memory", "512MiB", "--format", form) for form in ("text", "md"))
    assert "| 640.7 | no |" in page
    assert "640.7" in text
    everything = json.loads(said("costs", "--memory", "4 GiB", "--format", "json"))
    assert all(row["fits"] for row in everything["trainings"])


def test_a_memory_that_is_none_is_bad_input():
    done = CliRunner().invoke(app, ["rules", "costs", "--memory", "much"])
    assert done.exit_code == 3
    assert "much" in done.stderr
