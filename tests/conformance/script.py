"""One script for every driver: a small world of a protocol, and what is to be compared of it."""

from typing import NamedTuple

from simedge.run.scenario import Scenario

__all__ = ["LOSSY", "PROTOCOLS", "SERVED", "Story", "scenario_of", "story_of"]

_TEXT = """
simedge: 1
name: conformance
seed: 1
duration: 4750 ms
sensors:
  kind: digits
  size: 10
  rate: 8 Hz
  split: {kind: dirichlet, alpha: 0.3}
  proxy: {blocks: 4, rows: 4}
devices:
  - {id: cam, count: 2, compute: cpu-small, memory: 512 MiB}
  - {id: box, count: 2, compute: cpu-large, memory: 2 GiB}
topology: {kind: small-world, neighbours: 2, rewire: 0, uplinks: all}
links:
  default: {profile: ethernet}
learner: {kind: linear}
protocol: {kind: isolated}
evaluate: {every: 2 s, items: 20}
"""

LOSSY = {
    "links.default": {
        "profile": "wifi-air",
        "arq": {"retries": 0},
        "loss": {"kind": "gilbert-elliott", "mean": "20%", "burst": "200 ms"},
    }
}

PROTOCOLS = {
    "elal": {
        "kind": "elal",
        "interval": 8,
        "kl": 8,
        "kl_steps": 2,
        "prior_period": "500 ms",
        "prior_budget": 4,
        "report_period": "1 s",
        "have_period": "2 s",
        "age_clock": "arrival",
        "policy": {"kind": "fixed", "lambda": 0.5},
    },
    "gossip": {"kind": "gossip", "interval": 8},
}
SERVED = {
    "fedasync": {"kind": "fedasync", "frames": 8},
    "fd": {"kind": "fd", "interval": 8, "prior_period": "500 ms"},
}


class Story(NamedTuple):
    """What a run comes to: who joined, what was sent, what was accepted and in which order."""

    joined: set[tuple[str, int, int]]
    sent: set[str]
    merged: list[tuple[str, str]]
    """(who, what) in the order of the log."""


def scenario_of(protocol, **values):
    changes = {key.replace("__", "."): value for key, value in values.items()}
    return Scenario.parse(_TEXT).vary({"protocol": {**PROTOCOLS, **SERVED}[protocol], **changes})


def story_of(lines):
    """Return the story that lines of a log tell: (at, class, target, kind, subject, detail)."""
    joined, sent, merged = set(), set(), []
    for _, _, target, kind, subject, detail in lines:
        if kind == "joined":
            status = detail[0] if isinstance(detail, tuple) else detail  # as the log has it
            joined.add((target, subject, status))
        elif kind == "merged":
            merged.append((target, subject))
        elif kind in {"sent", "transfer-started"} and subject.split("/")[2] in {"token", "model"}:
            sent.add(subject)
    return Story(joined, sent, merged)
