"""Finished runs for the laws of reports: made once, copied where a law damages them."""

import shutil
from pathlib import Path

import pytest

import simedge
from simedge.run.scenario import Scenario

_TEXT = """
simedge: 1
name: small
about: "Two <cameras> & a | lossy link."
duration: 6 s
sensors:
  kind: digits
  size: 10
  rate: 8 Hz
  proxy: {blocks: 4, rows: 4}
  shift: {at: 4 s, kind: rotate, degrees: 25}
devices:
  - {id: cam, count: 2, compute: cpu-small, memory: 512 MiB}
links:
  default:
    profile: wifi-air
    arq: {retries: 0}
    loss: {kind: gilbert-elliott, mean: 20%, burst: 200 ms}
learner: {kind: linear}
protocol: {kind: elal, interval: 4, kl: 8, prior_period: 1 s, prior_budget: 4}
faults:
  - {kind: crash, devices: [cam-1], at: 3 s, for: 1 s, state: kept}
evaluate: {every: 2 s, items: 20}
"""


@pytest.fixture(scope="session")
def small() -> Scenario:
    return Scenario.parse(_TEXT)


@pytest.fixture(scope="session")
def finished(small, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "small-s1"
    simedge.simulate(small, out=path)
    return path


@pytest.fixture(scope="session")
def hushed(small, tmp_path_factory) -> Path:
    """Return a run that kept the hash of its log alone, over better links."""
    changes = {"record.events": False, "links.default.loss.mean": "5%"}
    path = tmp_path_factory.mktemp("runs") / "hushed-s2"
    simedge.simulate(small.vary(changes), seed=2, out=path)
    return path


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))
