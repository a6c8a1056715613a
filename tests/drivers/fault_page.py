"""Writes docs/faults.md: ``python tests/drivers/fault_page.py > docs/faults.md``."""

import sys
from collections.abc import Mapping
from typing import Any

from simedge.run.schema import scenario_schema

__all__ = ["EXAMPLES", "page"]

EXAMPLES = """\
ack-loss: {share: 50%, at: 1 s, for: 1 s}
bandwidth: {factor: 10%, links: [box-1.server], at: 1 s, for: 1 s}
battery: {devices: [box-1], capacity: 4 J, at: 0 s}
bridge: {device: box-1, at: 1 s, for: 1 s}
clock-drift: {devices: 20%, ppm: 500, at: 0 s}
clock-jump: {devices: [box-1], by: -200 ms, at: 1 s, every: 500 ms}
clock-offset: {devices: 2, by: 150 ms, at: 0 s}
clog: {devices: [box-1], release: paced, at: 1 s, for: 1 s}
corrupt: {share: 20%, bits: 3, at: 1 s, for: 1 s}
crash: {devices: 20%, state: kept, at: 1 s, for: 500 ms}
delay: {extra: 50 ms, jitter: 20 ms, at: 1 s, for: 1 s}
duplicate: {share: 30%, copies: 2, at: 1 s, for: 1 s}
failover: {lag: 1 s, at: 2 s, for: 200 ms}
flap: {links: 1, down: 200 ms, up: 100 ms, at: 1 s, for: 1 s}
frame-burst: {devices: [box-1], factor: 3, at: 1 s, for: 1 s}
frame-silence: {devices: [box-1], at: 1 s, for: 1 s}
half-open: {devices: [box-1], side: server, at: 1500 ms}
isolate: {device: box-1, at: 1 s, for: 1 s}
label-shift: {devices: 2, class: 3, factor: 20, at: 1 s}
link-down: {devices: [box-1], at: 1 s, for: 1 s}
loss: {mean: 30%, burst: 200 ms, at: 1 s, for: 1 s}
mtu-black-hole: {above: 300 B, at: 1 s, for: 1 s}
out-of-memory: {devices: [box-1], limit: 32 MiB, at: 1 s, for: 1 s}
overload: {rate: 200 Hz, senders: 10, at: 1 s, for: 1 s}
partition: {groups: [[box-1, box-2], [server]], mode: refuse, at: 1 s, for: 1 s}
pause: {server: true, at: 1 s, for: 500 ms}
reboot-loop: {devices: [box-1], up: 200 ms, down: 300 ms, count: 3, at: 1 s}
reorder: {share: 30%, extra: 40 ms, at: 1 s, for: 1 s}
replay: {share: 30%, age: 300 ms, at: 1 s, for: 1 s}
rollback: {versions: 1, at: 2500 ms}
same-start: {devices: 100%, at: 1 s, for: 1 s}
slow: {server: true, factor: 20, each: 1 ms, at: 1 s, for: 1 s}
split: {share: 40%, at: 1 s, for: 1 s}
split-brain: {groups: [[box-1, box-2], [box-3, box-4, box-5]], at: 1 s, for: 1 s}
swizzle-clog: {share: 50%, at: 1 s, for: 1 s}
tie-shuffle: {at: 0 s}
token-confident: {devices: [box-1], class: 7, share: 50%, at: 1 s}
token-constant: {devices: [box-1], class: 7, at: 1 s}
token-nan: {devices: [box-1], share: 50%, at: 1 s}
token-shape: {devices: [box-1], at: 1 s}
token-shuffle: {devices: 20%, at: 1 s}
truncate: {share: 20%, keep: 40%, at: 1 s, for: 1 s}
twin: {devices: [box-1], at: 1 s, for: 1 s}
"""
"""One of each kind, for a scenario of five boxes on a star that lasts some seconds."""

HEAD = """\
# Faults

What goes wrong is a list under `faults:`, one entry a fault; from Python the same as plain data:
`scenario.vary({"faults": [{"kind": "crash", "devices": "20%", "at": "1 s"}]})`. This page is
written by `python tests/drivers/fault_page.py > docs/faults.md` from the settings, and a test
compares them; every example is run by a test.

Common to all: `kind`; `at`, when; `for`, how long (without it, to the end; kinds that are over at
once take none); `every`, again and again with this period; `name`, which keys the draws of the
fault (default: the kind, or `token`; no two faults share one). Each fault has streams of its own:
to leave one out changes no draw of another. Beginning and end are in the event log
(`fault-started`, `fault-ended`).

Whom it hits: `devices` (a number, a share, or groups and devices by name), `server: true`,
`links` (`all`, a number, a share, or names such as `cam-1.server`) or, for links, all around some
`devices`.

Clocks: a device's clock is what its machine is told: stamps of messages, ages of what it holds,
timers. With `protocol.age_clock: capture` (the default) the server believes stamps: tokens from
the future are refused, and so is what a server says to a device whose clock is behind. With
`arrival` ages start at arrival, nobody looks at the clock of another, and wrong clocks change no
weight, order or version, as long as what a device holds does not jump beyond `age_max` by its own
clock.

Laws that hold in every run are checked under all of these. The one exception is that versions of
priors fall at the server by a `rollback`, which is logged; at devices they never do.

The disk that a run is kept on fails too: `disk-full`, `torn-write` and others of
[its own page](storage-faults.md).

| kind | hits | what happens | parameters |
|---|---|---|---|
"""
COMMON = {"kind", "name", "at", "for", "every"}
TARGETS = ("devices", "server", "links")


def page() -> str:
    """Return the page."""
    schema = scenario_schema()
    kinds: Mapping[str, str] = schema["properties"]["faults"]["items"]["discriminator"]["mapping"]
    rows = []
    for kind in sorted(kinds):
        made = schema["$defs"][kinds[kind].rsplit("/", 1)[-1]]
        if "storage" in made["properties"]:
            continue
        said = " ".join(made["description"].split())
        hits = ", ".join(f"`{key}`" for key in TARGETS if key in made["properties"])
        rows.append(f"| `{kind}` | {hits} | {said} | {'; '.join(_parameters(made))} |")
    examples = [
        f"- {{kind: {kind}, {rest}"
        for kind, rest in (line.split(": {", 1) for line in EXAMPLES.splitlines())
    ]
    listed = "\n".join(["", "One of each kind:", "", "```yaml", *examples, "```", ""])
    return HEAD + "\n".join(rows) + "\n" + listed


def _parameters(made: Mapping[str, Any]) -> list[str]:
    required = made.get("required", [])
    found = []
    for key, value in made["properties"].items():
        if key not in COMMON and key not in TARGETS:
            text = " ".join(value.get("description", "").split()).rstrip(".")
            text = text[:1].lower() + text[1:]
            found.append(f"`{key}`{'' if key in required else ' (optional)'}: {text}")
    return found


if __name__ == "__main__":
    sys.stdout.write(page())
