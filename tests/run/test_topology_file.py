"""A topology from a file: found beside the scenario, taken into it, and refused with its place."""

import networkx as nx
import pytest

from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario, load
from simedge.run.sense import notes

TEXT = """\
simedge: 1
name: small
duration: 2 s
sensors: {kind: silent, size: 8, proxy: {blocks: 2, rows: 4}}
devices:
  - {id: cam, count: 3}
topology: {kind: file, path: net.gml}
learner: {kind: linear}
protocol: {kind: elal}
"""


def written(folder, *pairs):
    nx.write_gml(nx.Graph(list(pairs)), folder / "net.gml")
    (folder / "small.yaml").write_text(TEXT)
    return folder / "small.yaml"


CHAIN = [("server", "cam-1"), ("cam-1", "cam-2"), ("cam-2", "cam-3")]


def test_a_scenario_takes_its_topology_in_and_stands_without_the_file(tmp_path):
    scenario = load(written(tmp_path, *CHAIN))
    assert len(scenario.topology.edges) == 3
    (tmp_path / "net.gml").unlink()
    again = Scenario.parse(scenario.dump())
    assert again == scenario
    assert scenario.vary({"duration": "1 s"}).topology == scenario.topology


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (None, "7:30 topology.path: .*net.gml: No such file"),
        (CHAIN[:2], "7:30 topology.path: no path from cam-3 to the server"),
        ([("server", "camm-1")], "7:30 topology.path: net.gml: there is no device 'camm-1' .did"),
    ],
)
def test_what_is_wrong_with_the_file_is_told_at_the_place_that_names_it(tmp_path, pairs, message):
    path = written(tmp_path, *(pairs or CHAIN))
    if pairs is None:
        (tmp_path / "net.gml").unlink()
    with pytest.raises(ScenarioError, match=message):
        load(path)


def test_a_fault_beyond_the_end_is_allowed_and_told():
    text = TEXT.replace("{kind: file, path: net.gml}", "{kind: ring}")
    fault = "faults: [{kind: split, at: 2 s}, {kind: crash, devices: 1, at: 1 s}]\n"
    noted = notes(Scenario.parse(text + fault))
    assert noted == [(("faults", 0, "at"), "the run ends before the fault 'split' begins")]
