"""The page on testing: its code runs, its bug is found, its cure helps; and the command line."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simedge.run.scenario import Scenario
from simedge.run.sense import sense
from simedge.testing import BrokenInvariant
from simedge.testing.hunt import Found, keep, kept_seeds
from simedge.testing.trial import Outcome
from simedge_cli.commands import app

ROOT = Path(__file__).parents[2]


def test_the_page_finds_the_bug_and_cures_it():
    text = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)  # noqa: S102 -- the page is ours
    with pytest.raises(BrokenInvariant, match=r"never_raises .*four bytes, please"):
        names["TestMine"]().test_anything_may_happen()
    names["TestMended"]().test_anything_may_happen()
    names["test_my_protocol_keeps_its_promises"]()


def test_a_search_that_finds_nothing_says_so(tmp_path):
    words = ["fuzz", "two_devices", "--set", "duration=1 s", "--set", "learner={kind: surrogate}"]
    ended = CliRunner().invoke(app, [*words, "--runs", "0", "-o", str(tmp_path)])
    assert (ended.exit_code, ended.stdout) == (0, "no law broke in 0 runs\n")
    assert sense(Scenario.load("two_devices")) == []


def test_what_was_kept_is_known_by_the_name_of_its_scenario(tmp_path):
    two = Scenario.load("two_devices")
    others = [two, two.model_copy(update={"name": "two_devices-again"})]
    found = [Found(scenario=each, outcome=Outcome(broken="a_law"), run=1) for each in others]
    paths = [keep(each, tmp_path) for each in found]
    (tmp_path / "two_devices-notes.yaml").write_text("[not a scenario")
    assert [kept_seeds(each, tmp_path) for each in others] == [[path] for path in paths]


def test_a_kind_of_fault_that_there_is_not_is_a_slip_of_the_command_line():
    ended = CliRunner().invoke(app, ["fuzz", "two_devices", "--kind", "crsh"])
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "did you mean 'crash'" in ended.stderr
