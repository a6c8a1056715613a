"""Small scenarios for the laws of whole runs."""

from simedge.run.scenario import Scenario
from simedge.run.simulate import Run, simulate

__all__ = ["SPIKING", "Run", "lossy", "records_of", "run"]

_TEXT = """
simedge: 1
name: small
seed: 1
duration: 6 s
sensors:
  kind: digits
  size: 10
  rate: 8 Hz
  split: {kind: dirichlet, alpha: 0.3}
  proxy: {blocks: 4, rows: 4}
devices:
  - {id: cam, count: 2, compute: cpu-small, memory: 512 MiB}
  - {id: box, count: 2, compute: cpu-large, memory: 2 GiB}
topology: {kind: small-world, neighbours: 2, rewire: 0.1, uplinks: all}
links:
  default:
    profile: wifi-air
    arq: {retries: 0}
    loss: {kind: gilbert-elliott, mean: 20%, burst: 200 ms}
learner: {kind: linear}
protocol:
  kind: elal
  interval: 4
  kl: 8
  kl_steps: 2
  prior_period: 1 s
  prior_budget: 4
  report_period: 1 s
  have_period: 2 s
  policy: {kind: fixed, lambda: 0.5}
faults:
  - {kind: crash, devices: [box-1], at: 2 s, for: 2 s, state: kept}
evaluate: {every: 2 s, items: 20}
"""

SPIKING = {
    "learner.kind": "spiking",
    "learner.layers": [{"kind": "conv", "maps": 4, "kernel": 3, "stride": 2}],
}


def lossy(**values):
    """The small scenario with values changed; dots in keys are written as two underscores."""
    scenario = Scenario.parse(_TEXT)
    changes = {key.replace("__", "."): value for key, value in values.items()}
    return scenario.vary(changes) if changes else scenario


def run(scenario, **options):
    return simulate(scenario, **options)


def records_of(result):
    return list(result.records)
