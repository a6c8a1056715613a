"""The page on testing: its code runs, its bug is found, its cure helps; and the command line."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simedge.run.scenario import Scenario
from simedge.run.sense import sense
from simedge.testing import BrokenInvariant
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
