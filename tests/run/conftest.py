"""A small talkative world for the laws of watching and replaying."""

import pytest

from simedge.run.scenario import Scenario

_TEXT = """
simedge: 1
name: small
duration: 6 s
sensors: {kind: digits, size: 10, rate: 8 Hz, proxy: {blocks: 4, rows: 4}}
devices:
  - {id: cam, count: 2, compute: cpu-small, memory: 512 MiB}
links:
  default:
    profile: wifi-air
    arq: {retries: 0}
    loss: {kind: gilbert-elliott, mean: 20%, burst: 200 ms}
learner: {kind: linear}
protocol: {kind: elal, interval: 4, kl: 8, prior_period: 1 s, prior_budget: 4}
evaluate: {every: 2 s, items: 20}
"""


@pytest.fixture(scope="session")
def small() -> Scenario:
    return Scenario.parse(_TEXT)
