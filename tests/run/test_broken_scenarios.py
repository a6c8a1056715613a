"""Broken scenarios: each names every mistake with line, column and, where there is one, a hint."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario, load
from simedge_cli.commands import app

GOOD = """\
simedge: 1
name: small
duration: 20 s
sensors: {kind: digits, size: 16, rate: 8 Hz, proxy: {blocks: 8, rows: 16}}
devices:
  - {id: cam, count: 5, compute: cpu-small, memory: 512 MiB}
  - id: box
    compute: cpu-large
    memory: 2 GiB
topology: {kind: star}
links:
  default:
    profile: lte
    loss: {kind: gilbert-elliott, mean: 10%, burst: 200 ms}
  overrides:
    - {devices: [cam], profile: wifi-air}
learner:
  kind: spiking
  layers:
    - {kind: conv, maps: 16, kernel: 5, stride: 2}
protocol: {kind: elal, interval: 16, policy: {kind: fixed, lambda: 0.5}}
faults:
  - {kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}
evaluate: {every: 5 s, items: 100}
"""

# What is put in place of what, and every line that must be said (without the file's name).
BROKEN = {
    "an unknown key": (
        "duration: 20 s",
        "duraton: 20 s",
        ["1:1 duration: is missing", "3:1 duraton: unknown key (did you mean 'duration'?)"],
    ),
    "an unknown key deep inside": (
        "memory: 512 MiB",
        "memroy: 512 MiB",
        ["6:45 devices[cam].memroy: unknown key (did you mean 'memory'?)"],
    ),
    "an unknown key in a chosen kind": (
        "burst: 200 ms",
        "burts: 200 ms",
        [
            "14:5 links.default.loss.burst: is missing",
            "14:46 links.default.loss.burts: unknown key (did you mean 'burst'?)",
        ],
    ),
    "a key of another kind": (
        "loss: {kind: gilbert-elliott, mean: 10%, burst: 200 ms}",
        "loss: {kind: bernoulli, mean: 10%, burst: 200 ms}",
        ["14:40 links.default.loss.burst: unknown key (known: kind, mean)"],
    ),
    "an unknown kind": (
        "kind: gilbert-elliott",
        "kind: gilbert-eliott",
        [
            (
                "14:11 links.default.loss: unknown kind 'gilbert-eliott' "
                "(did you mean 'gilbert-elliott'?)"
            ),
        ],
    ),
    "no kind": (
        "protocol: {kind: elal, interval",
        "protocol: {interval",
        ["21:11 protocol: needs the key 'kind'"],
    ),
    "an unknown word": (
        "compute: cpu-large",
        "compute: cpu-lagre",
        ["8:14 devices[box].compute: unknown value 'cpu-lagre' (did you mean 'cpu-large'?)"],
    ),
    "an unknown key in a profile of one's own": (
        "compute: cpu-large",
        "compute: {bas: cpu-large}",
        ["8:15 devices[box].compute.bas: unknown key (did you mean 'base'?)"],
    ),
    "a list for a word": (
        "compute: cpu-large",
        "compute: [cpu-large]",
        ["8:14 devices[box].compute: unknown value"],
    ),
    "a group called like a device": (
        "- id: box",
        "- id: cam-2",
        ["7:9 devices[cam-2].id: a device is called 'cam-2' already"],
    ),
    "an unknown unit": (
        "duration: 20 s",
        "duration: 20 sec",
        ["3:11 duration: a duration has the unknown unit 'sec' in '20 sec' (did you mean 's'?)"],
    ),
    "a unit in the wrong case": (
        "memory: 2 GiB",
        "memory: 2 gib",
        [
            (
                "9:13 devices[box].memory: a size has the unknown unit 'gib' in '2 gib' "
                "(did you mean 'GiB'?)"
            )
        ],
    ),
    "a unit of another quantity": (
        "rate: 8 Hz",
        "rate: 8 ms",
        ["4:41 sensors.rate: a frequency has the unknown unit 'ms' in '8 ms' (known: "],
    ),
    "no unit": (
        "at: 5 s",
        "at: 5",
        ["23:37 faults[0].at: a duration needs a unit"],
    ),
    "a negative loss": (
        "mean: 10%",
        "mean: -10%",
        ["14:41 links.default.loss.mean: a share must be in [0, 1] or 0% to 100%, got '-10%'"],
    ),
    "a loss above all": (
        "mean: 10%",
        "mean: 110%",
        ["14:41 links.default.loss.mean: a share must be in [0, 1] or 0% to 100%, got '110%'"],
    ),
    "a duration of nothing": (
        "duration: 20 s",
        "duration: 0 s",
        ["3:11 duration: must be above 0, got '0 s'"],
    ),
    "a negative duration": (
        "for: 2 s",
        "for: -2 s",
        ["23:47 faults[0].for: a duration must not be negative, got '-2 s'"],
    ),
    "a fraction for a count": (
        "count: 5",
        "count: 2.5",
        ["6:22 devices[cam].count: must be a whole number, got 2.5"],
    ),
    "text for a count": (
        "maps: 16",
        "maps: many",
        ["20:26 learner.layers[0].maps: must be a whole number, got 'many'"],
    ),
    "a count of nothing": (
        "items: 100",
        "items: 0",
        ["24:31 evaluate.items: must be at least 1, got 0"],
    ),
    "a key given twice": (
        "topology: {kind: star}",
        "topology: {kind: star}\nname: again",
        ["11:1 name: given twice (first in line 2)"],
    ),
    "a mapping where a list belongs": (
        "faults:\n  - {",
        "faults:\n    {",
        ["23:5 faults: must be a list, got a mapping"],
    ),
    "a word where a mapping belongs": (
        "topology: {kind: star}",
        "topology: star",
        ["10:11 topology: must be a mapping, got 'star'"],
    ),
    "nothing where a mapping belongs": (
        "evaluate: {every: 5 s, items: 100}",
        "evaluate:",
        ["24:1 evaluate: must be a mapping, got null"],
    ),
    "no devices": (
        GOOD[GOOD.index("devices:") : GOOD.index("topology:")],
        "devices: []\n",
        ["5:10 devices: must be a list of at least 1, got a list"],
    ),
    "an unknown device in an override": (
        "devices: [cam]",
        "devices: [cma]",
        ["16:18 links.overrides[0].devices[0]: no device or group 'cma' (did you mean 'cam'?)"],
    ),
    "an unknown device in a fault": (
        "devices: 10%",
        "devices: [box-1, box-2]",
        ["23:36 faults[0].devices[1]: no device or group 'box-2' (did you mean 'box-1'?)"],
    ),
    "two groups of one name": (
        "- id: box",
        "- id: cam",
        [
            "6:10 devices[cam].id: the id 'cam' is used twice",
            "7:9 devices[cam].id: the id 'cam' is used twice",
        ],
    ),
    "two faults of one name": (
        "state: kept}",
        "state: kept}\n  - {kind: crash, devices: 1, at: 1 s}",
        ["23:5 faults[0].name: two faults are called 'crash'", "24:5 faults[1].name: two faults"],
    ),
    "a fault of devices that are not there": (
        "devices: 10%, at",
        "devices: 50, at",
        ["23:28 faults[0].devices: 50 devices asked for, there are 6"],
    ),
    "an unknown kind of fault": (
        "{kind: crash, devices: 10%",
        "{kind: partitoin, devices: 10%",
        ["23:5 faults[0]: unknown kind 'partitoin' (did you mean 'partition'?)"],
    ),
    "an unknown key of a fault": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: loss, maen: 10%, at: 5 s}",
        [
            "23:5 faults[0].mean: is missing",
            "23:18 faults[0].maen: unknown key (did you mean 'mean'?)",
        ],
    ),
    "a partition of strangers": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: partition, groups: [[cam, bix-1]], at: 5 s}",
        ["23:38 faults[0].groups[0][1]: no device or group 'bix-1' (did you mean 'box-1'?)"],
    ),
    "a fault of a link that is not there": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: flap, links: [cam-1.sever], up: 1 s, down: 1 s, at: 5 s}",
        ["23:26 faults[0].links[0]: no link 'cam-1.sever' (did you mean 'cam-1.server'?)"],
    ),
    "a split brain that shares": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: split-brain, groups: [[cam-1], [cam-1]], at: 5 s}",
        ["23:5 faults[0]: split-brain names 'cam-1' on both sides"],
    ),
    "a split brain of strangers": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: split-brain, groups: [[cam], [bix-1]], at: 5 s}",
        ["23:42 faults[0].groups[1][0]: no device or group 'bix-1' (did you mean 'box-1'?)"],
    ),
    "a moment that lasts": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: clock-jump, devices: 10%, by: -1 s, at: 5 s, for: 2 s}",
        ["23:5 faults[0]: clock-jump takes no for: it is over at once"],
    ),
    "a fault that never rests": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: crash, devices: 10%, at: 5 s, for: 1 ns, every: 2 ns}",
        ["23:60 faults[0].every: 10,000,000,000 times in one run, at most 100,000"],
    ),
    "a clock that is right": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: clock-offset, devices: 10%, by: 0 s, at: 5 s}",
        ["23:44 faults[0].by: must not be 0"],
    ),
    "a link without a rate": (
        "{kind: crash, devices: 10%, at: 5 s, for: 2 s, state: kept}",
        "{kind: bandwidth, factor: 0%, at: 5 s}",
        ["23:31 faults[0].factor: a factor must be above 0, got '0%'"],
    ),
    "a device that nothing reaches": (
        "topology: {kind: star}",
        "topology: {kind: small-world, neighbours: 6}",
        ["10:43 topology.neighbours: 6 neighbours need more than 6 devices"],
    ),
    "more uplinks than devices": (
        "topology: {kind: star}",
        "topology: {kind: small-world, neighbours: 2, uplinks: 7}",
        ["10:55 topology.uplinks: 7 uplinks for 6 devices"],
    ),
    "a proxy block that no datagram holds": (
        "rows: 16",
        "rows: 160",
        ["4:72 sensors.proxy.rows: a message of 160 rows takes up to 1651 bytes"],
    ),
    "a share too many in the rule": (
        "  kind: spiking\n",
        "  kind: spiking\n  rule: {kind: hebbian-stdp, lambda: [0.1, 0.2]}\n",
        ["19:38 learner.rule.lambda: 2 shares for 1 hidden layers"],
    ),
    "a layer that is not there": (
        "  kind: spiking\n",
        "  kind: spiking\n  readout: {from: [input, hidden-2]}\n",
        ["19:27 learner.readout.from[1]: there is no source 'hidden-2' (did you mean 'hidden-1'?)"],
    ),
    "a share too many": (
        "lambda: 0.5",
        "lambda: [0.5, 0.5]",
        ["21:68 protocol.policy.lambda: 2 shares for 1 hidden layers"],
    ),
    "an impossible pair of bounds": (
        "mean: 10%, burst: 200 ms",
        "mean: 90%, burst: 200 ms, bad: 50%",
        ["14:11 links.default.loss: loss must have good <= mean <= bad, got mean 9/10"],
    ),
    "a name that no directory could have": (
        "name: small",
        "name: ../small",
        ["2:7 name: must be text that matches"],
    ),
    "another version": ("simedge: 1", "simedge: 2", ["1:10 simedge: unknown value 2 (known: 1)"]),
    "an alias": (
        "profile: lte",
        "profile: &p lte",
        ["13:14 links.default.profile: anchors are refused (&p)"],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_every_mistake_is_named_with_its_place(old: str, new: str, expected: list[str]) -> None:
    assert GOOD.count(old) == 1, "the mistake is made at one place"
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(GOOD.replace(old, new), source="bad.yaml")
    lines = [problem.line() for problem in caught.value.problems]
    assert len(lines) == len(expected)
    for line, text in zip(lines, expected, strict=True):
        assert line.startswith(f"bad.yaml:{text}")


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize(("old", "new", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_a_command_ends_with_exit_3_and_no_traceback(
    old: str, new: str, expected: list[str], *, command: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    done = CliRunner().invoke(app, [command, str(file)])
    assert done.exit_code == 3
    for text in expected:
        assert f"{file}:{text}" in done.output
    assert "Traceback" not in done.output


def test_the_corpus_starts_from_a_good_scenario() -> None:
    assert Scenario.parse(GOOD).name == "small"


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = GOOD
    for name in ("an unknown unit", "an unknown key deep inside", "an unknown word", "no kind"):
        old, new, _ = BROKEN[name]
        text = text.replace(old, new)
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text + "name: twice\n", source="bad.yaml")
    lines = [problem.place.line for problem in caught.value.problems if problem.place]
    assert lines == [3, 6, 8, 21, 25]


def test_a_missing_file_is_a_problem_with_a_hint() -> None:
    with pytest.raises(
        ScenarioError, match=r"k20_lossi:1:1: no such .* \(did you mean 'k20_lossy'"
    ):
        load("k20_lossi")
    with pytest.raises(
        ScenarioError, match=r"nowhere/x\.yaml:1:1: no such .* \(bundled: event_camera, k20_lossy"
    ):
        load("nowhere/x.yaml")


def test_a_list_is_no_scenario() -> None:
    with pytest.raises(ScenarioError, match=r"bad\.yaml:2:1: a scenario is a mapping"):
        Scenario.parse("# no\n- 1\n", source="bad.yaml")
