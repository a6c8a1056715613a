"""The page about faults: it says what the settings say, and its examples run."""

import re
from pathlib import Path

import pytest
from fault_page import page

from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^- (\{kind: ([a-z-]+), .*\})$", PAGE, re.MULTILINE)
BASE = """\
simedge: 1
name: five
duration: 3 s
sensors: {kind: digits, size: 10, rate: 8 Hz, split: {kind: iid}, proxy: {blocks: 4, rows: 4}}
devices:
  - {id: box, count: 5, compute: cpu-large, memory: 2 GiB}
topology: {kind: star}
links:
  default: {profile: ethernet}
learner: {kind: linear}
protocol:
  kind: elal
  interval: 4
  kl: 8
  prior_period: 500 ms
  prior_budget: 4
  report_period: 500 ms
  have_period: 1 s
  policy: {kind: fixed, lambda: 1}
evaluate: {every: 3 s, items: 10}
"""


def test_the_page_says_what_the_settings_say():
    assert page() == PAGE, "write it anew: python tests/drivers/fault_page.py > docs/faults.md"


def test_every_kind_has_one_example():
    kinds = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert [kind for _, kind in LISTED] == kinds
    assert len(kinds) > 40


@pytest.mark.parametrize(("line", "kind"), LISTED, ids=[kind for _, kind in LISTED])
def test_the_example_runs_and_all_laws_hold(line, kind):
    scenario = Scenario.parse(f"{BASE}faults:\n  - {line}\n")
    assert Scenario.parse(scenario.dump()) == scenario
    written = [fault.model_dump(mode="json", by_alias=True) for fault in scenario.faults]
    assert scenario.vary({"faults": written}).faults == scenario.faults
    result = simulate(scenario)
    assert result.summary["invariants"]["broken"] == []
    told = [r.kind for r in result.records if r.detail == kind]
    assert "fault-started" in told
