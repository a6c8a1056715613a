"""A small world that talks, crashes and is saved often; and how to stop it at any record."""

from pathlib import Path
from unittest.mock import patch

from simedge.run.eventlog import LogReader
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate

TEXT = """
simedge: 1
name: saved
duration: 1500 ms
sensors: {kind: poisson, size: 8, rate: 8 Hz, proxy: {blocks: 2, rows: 2}}
devices:
  - {id: box, count: 2, compute: cpu-large, memory: 2 GiB}
links:
  default: {profile: wifi-air, loss: {kind: gilbert-elliott, mean: 20%, burst: 200 ms}}
learner: {kind: surrogate}
protocol: {kind: elal, interval: 2, prior_period: 300 ms}
faults:
  - {kind: crash, devices: [box-1], at: 500 ms, for: 300 ms, state: checkpoint}
evaluate: {every: 500 ms, items: 10}
checkpoint: {every: 400 ms}
"""


RARELY = {"checkpoint.every": "100 s"}
"""Only when the run is stopped."""


class World:
    """Runs of one scenario that stop and go on."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.straight = told(simulate(scenario))
        """What the run gives that nobody stops."""

    def stopped(self, out: Path, records: int, **changes: object) -> Path:
        """Stop a run after some records."""
        with patch("simedge.run.simulate.SLICE_RECORDS", records):
            simulate(self.scenario.vary({**RARELY, **changes}), out=out, stop=lambda: True)
        return out


def told(result):
    """Return what two equal runs have in common."""
    summary = {key: value for key, value in result.summary.items() if key != "wall_s"}
    return summary, tuple(result.samples)


def damage_of(path: Path):
    """Return what is wrong with the log of a run."""
    reader = LogReader(path / "events.msgpack")
    for _ in reader:
        pass
    return reader.damage, reader.sha256()
