"""Protocols and rules of one's own in a scenario: found, checked, pinned, told when they fail."""

import hashlib
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.run.errors import BuildError
from simedge.run.problems import ScenarioError
from simedge.run.replay import replay
from simedge.run.resume import resume
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate
from simedge.study.worker import Ticket, carry_out
from simedge.testing import conformance
from simedge_cli.commands import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own.md").read_text(encoding="utf-8")
FILES = {
    re.match(r"# (\S+)", block)[1]: block
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
}
GOSSIP = """\
simedge: 1
name: own
duration: 3 s
sensors: {kind: digits, size: 10, rate: 8 Hz}
devices: [{id: cam, count: 3, compute: cpu-small, memory: 512 MiB}]
topology: {kind: complete}
links: {default: {profile: ethernet}}
learner: {kind: linear}
protocol:
  kind: gossip:Gossip
  interval: 4
evaluate: {every: 1 s, items: 20}
"""
RULE = re.sub(r"(?s)topology.*?\n|protocol:.*(?=evaluate)", "", GOSSIP).replace(
    "learner: {kind: linear}",
    "learner:\n  kind: prototypes:Prototypes\n  sharpness: 6\nprotocol: {kind: elal, interval: 4}",
)
LAYERS = GOSSIP.replace(
    "learner: {kind: linear}",
    "learner:\n  kind: spiking\n  hidden: [12]\n  rule: {kind: 'oja:Oja', rate: 0.02}",
).replace("kind: gossip:Gossip", "kind: gossip")
LINES = {name: len(text.strip().splitlines()) for name, text in FILES.items()}


@pytest.fixture
def mine(tmp_path):
    for name in ("gossip.py", "oja.py", "prototypes.py"):
        (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    (tmp_path / "gossip.yaml").write_text(GOSSIP, encoding="utf-8")
    (tmp_path / "rule.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "oja.yaml").write_text(LAYERS, encoding="utf-8")
    return tmp_path


def command(*words):
    ended = CliRunner().invoke(app, [str(word) for word in words])
    return ended.exit_code, ended.stdout, ended.stderr


def edited(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_page_is_short_and_its_laws_hold(mine, monkeypatch):
    assert LINES["gossip.py"] <= 42
    assert LINES["prototypes.py"] <= 34
    assert LINES["oja.py"] <= 25
    monkeypatch.syspath_prepend(str(mine))
    names = {"__name__": "page"}
    exec(FILES["test_mine.py"], names)  # noqa: S102 -- the page is ours
    hold_machines(names["TestGossip"]())
    hold_learner(names["TestPrototypes"]())
    hold_learner(names["TestOja"]())
    for name in ("gossip", "oja", "prototypes"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def hold_machines(suite):
    class Driven(conformance.Protocol.machine):
        numbers = suite.numbers

        def open(self, number):
            return suite.open(number)

    conformance.check_protocol(Driven, examples=10)


def hold_learner(suite):
    for name in dir(suite):
        if name.startswith("test_"):
            getattr(suite, name)()


@pytest.mark.parametrize("name", ["gossip", "rule", "oja"])
def test_a_scenario_names_it_and_its_run_can_be_had_again(mine, name, monkeypatch):
    scenario = Scenario.load(mine / f"{name}.yaml")
    file = mine / {"gossip": "gossip.py", "rule": "prototypes.py", "oja": "oja.py"}[name]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    result = simulate(scenario, out=mine / "out")
    assert result.summary["invariants"]["broken"] == []
    assert result.summary["accuracy"]["final"] > (0.12 if name == "oja" else 0.2)
    assert result.summary["communication"]["bits_up"] > 0 or name == "oja"  # no server
    told = json.loads((mine / "out/provenance.json").read_bytes())["own"]
    assert [(each["file"], each["sha256"]) for each in told] == [(str(file), digest)]
    assert digest in (mine / "out/scenario.yaml").read_text(encoding="utf-8")
    assert Scenario.parse(scenario.dump()) == scenario
    # A worker knows nothing but the resolved text, and stands elsewhere.
    monkeypatch.chdir(ROOT)
    worked = carry_out(Ticket(scenario=scenario.dump())).summary
    assert worked["log_sha256"] == result.summary["log_sha256"]
    assert replay(mine / "out").equal
    file.write_text(FILES[file.name] + "# changed\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"scenario.yaml:\d+:\d+ .*file: .*{file.name} has ch"):
        replay(mine / "out")


def test_a_run_with_a_rule_of_ones_own_goes_on_from_where_it_was_stopped(mine, monkeypatch):
    edited(mine / "oja.py", "    def change", "    seen = 0\n\n    def change")
    edited(mine / "oja.py", "heard = seen", "self.seen += 1\n        heard = seen")
    scenario = Scenario.load(mine / "oja.yaml").vary({"checkpoint.every": "1 s"})
    whole = simulate(scenario).summary["log_sha256"]
    monkeypatch.setattr("simedge.run.simulate.SLICE_RECORDS", 40)
    turns = iter([False] * 2 + [True] * 99)
    simulate(scenario, out=mine / "out", stop=lambda: next(turns))
    assert json.loads((mine / "out/status.json").read_bytes())["status"] == "interrupted"
    assert resume(mine / "out").summary["log_sha256"] == whole


def test_it_is_looked_for_beside_the_scenario_first_then_here(mine, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "gossip.py").write_text("raise SystemExit('not this one')", encoding="utf-8")
    (here / "other.py").write_text(FILES["gossip.py"], encoding="utf-8")
    monkeypatch.chdir(here)
    assert Scenario.load(mine / "gossip.yaml").protocol.file == str(mine / "gossip.py")
    changed = Scenario.load(mine / "gossip.yaml").vary({"protocol.kind": "other:Gossip"})
    assert changed.protocol.file == str(here / "other.py")
    assert changed.vary({"protocol": {"kind": "isolated"}}).protocol.kind == "isolated"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gossip:Gossip", "gosip:Gossip", r":10:9 protocol.kind: no module 'gosip' \(did you mean"),
        ("gossip:Gossip", "gossip:Gosip", r":10:9 protocol.kind: .*no class 'Gosip' \(did you mea"),
        ("gossip:Gossip", "a-b:Gossip", r":10:9 protocol.kind: a class of your own is module:Clas"),
        ("gossip:Gossip", "bad:Raises", r":10:9 .*imported: ZeroDivisionError: .*bad.py:2, in <mo"),
        ("gossip:Gossip", "empty:Empty", r":10:9 .*empty:Empty lacks a method: def open_device\("),
        ("gossip:Gossip", "empty:Needy", r":10:9 .*empty:Needy: needs models, known are parameter"),
        ("interval: 4", "intervall: 4", r":11:3 protocol.intervall: unknown key \(did you mean"),
        ("interval: 4", "share: much", r":11:10 protocol.share: .*valid number.*got 'much'"),
        ("interval: 4", "interval: 0", r":11:13 protocol.interval: must be at least 1"),
        ("kind: linear", "kind: gossip:Gossip", r":8:17 learner.kind: .*subclass of simedge.OwnL"),
        ("kind: linear", "kind: empty:Half", r":8:17 learner.kind: .* lacks a method: def scores"),
        (
            "kind: linear",
            "kind: prototypes:Prototypes",
            r"gossip:Gossip asks for more",
        ),
        (
            "linear}",
            "spiking, rule: {kind: my:Rule}}",
            r":8:39 learner.rule.kind: no module 'my'",
        ),
        (
            "linear}",
            "deep, rule: {kind: 'oja:Oja'}}",
            r":8:36 learner.rule.kind: a rule of your own needs learner.kind: spiking",
        ),
        (
            "linear}",
            "spiking, rule: {kind: 'oja:Oja', rat: 1}}",
            r":8:50 learner.rule.rat: unknown key \(did you mean 'rate'",
        ),
        (
            "linear}",
            "spiking, rule: {kind: 'gossip:Gossip'}}",
            r":8:39 learner.rule.kind: .*subclass of simedge.OwnRule",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(mine, old, new, said):
    (mine / "bad.py").write_text("import simedge\nx = 1 / 0\n", encoding="utf-8")
    (mine / "empty.py").write_text(
        "import simedge\n\nclass Empty:\n    pass\n\nclass Needy(Empty):\n    needs = ('models',)\n"
        "\nclass Half(simedge.OwnLearner):\n    def begin(self, streams):\n        pass\n",
        encoding="utf-8",
    )
    edited(mine / "gossip.yaml", old, new)
    if "empty" in new and "linear" not in old:
        edited(mine / "gossip.yaml", "  interval: 4\n", "")
    code, stdout, stderr = command("validate", mine / "gossip.yaml")
    assert code == 3, stderr
    assert re.search(said, stdout), stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "gossip",
            "self.heard = values",
            "self.heard = 1 / 0",
            r"gossip:Gossip .*ZeroDiv.*in rec",
        ),
        ("gossip", '"set_params", value', '"set_params", value * float("nan")', "NaN or overflow"),
        ("gossip", "self.owes = True", "self._post.dev = 9; self.owes = True", r"\(sender, boot"),
        ("gossip", "self.owes = True", 'self.wake("x", now)', "must lie ahead"),
        ("gossip", '("parameters", "peers")', '("peers",)', r"add needs = \('parameters',\)"),
        ("prototypes", "+= step", "+= step * float('inf')", "Prototypes.* means is not finite"),
        ("prototypes", "+= 1\n", "+= {}['x']\n", r"rule Prototypes .*KeyError.*:\d+, in update"),
        ("oja", "* fired", "* float('nan') * fired", r"Oja, layer 1, failed.* is not finite"),
        ("oja", "seen.fired /", "seen.fird /", r"rule Oja, layer 1, .*AttributeError.*, in change"),
        ("oja", "fired[:, None]", "fired", r"Oja, layer 1, .*(12 x 200 weights|ValueError)"),
        ("prototypes", "@ self.binned", "* 1e999 @ self.binned", "scores must give 10 finite numb"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_fails_in_a_run_is_told_and_leaves_what_was(mine, file, old, new, said):
    edited(mine / f"{file}.py", old, new)
    scenario = mine / f"{'rule' if file == 'prototypes' else file}.yaml"
    code, _, stderr = command("run", scenario, "-o", mine / "out", "-q")
    assert code == 1, stderr
    assert re.search(said, stderr), stderr
    assert re.search(r"failed on device cam-\d at [\d.]+ s of virtual time", stderr)
    status = json.loads((mine / "out/status.json").read_bytes())
    assert (status["status"], "virtual time" in status["reason"]) == ("failed", True)
    again = replay(mine / "out")
    assert again.equal
    assert again.records > 0


def test_what_cannot_be_opened_is_told_before_the_run(mine):
    edited(mine / "gossip.py", "Device(settings,", "Device(settings.no_such,")
    with pytest.raises(BuildError, match=r"protocol gossip:Gossip .* AttributeError: .*no_such"):
        simulate(Scenario.load(mine / "gossip.yaml"))
    edited(mine / "prototypes.py", "np.zeros(self.classes)", "np.zeros(self.clas)")
    with pytest.raises(ScenarioError, match=r"learner: .*rule Prototypes .*clas.*, in begin"):
        Scenario.load(mine / "rule.yaml")


@pytest.mark.parametrize("what", ["protocol", "rule", "rule --layers"])
def test_a_new_one_works_and_overwrites_nothing(tmp_path, what):
    what, *how = what.split()
    code, stdout, _ = command("new", what, "my_own", "-o", tmp_path, *how)
    assert (code, stdout.splitlines()[-1]) == (0, f"simedge run {tmp_path / 'my_own'}.yaml")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    code, _, stderr = command("new", what, "my_own", "-o", tmp_path)
    assert (code, "there already" in stderr) == (2, True)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert command("new", what, "not-a-name", "-o", tmp_path)[0] == 2
    scenario = Scenario.load(tmp_path / "my_own.yaml").vary({"duration": "4 s"})
    summary = simulate(scenario).summary
    assert summary["accuracy"]["final"] > 0.2
    assert summary["invariants"]["broken"] == []
    if how:
        suite = conformance.Rule()
        suite.rule = scenario.learner.rule.owner()
        hold_learner(suite)
    elif what == "rule":
        given = {"classes": 10, "width": 8, "height": 8, "streams": Streams(1)}
        suite = conformance.Learner()
        suite.open = lambda device: open_learner(scenario.learner, device=device, **given)
        hold_learner(suite)
