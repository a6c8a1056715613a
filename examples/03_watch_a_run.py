"""Watching a run from asyncio: its records as they happen, and stopping when it is good enough.

The run goes on only while its records are taken. Leaving the loop stops it and closes its books:
what was done until then is a result like any other.
"""

import asyncio

import simedge

ENOUGH = 0.75


async def watch(scenario: simedge.Scenario) -> None:
    """Print a line at each evaluation; stop when all devices are right often enough."""
    learned = 0
    rights: dict[str, float] = {}
    run = simedge.stream(scenario, seed=1)
    async for record in run:
        if record.kind == "frame-learned":
            learned += 1
        elif record.kind == "evaluated":
            right, asked = record.detail
            rights[record.target] = right / asked
            if len(rights) < len(scenario.devices):
                continue
            good = sum(share >= ENOUGH for share in rights.values())
            print(f"{record.at // 10**9:2} s: {learned:3} frames, {good} devices are good enough")
            if good == len(rights):
                break
            rights.clear()
    assert run.result is not None
    print(f"stopped early: {run.result.interrupted}")
    print(f"invariants broken: {len(run.result.summary['invariants']['broken'])}")


asyncio.run(
    watch(simedge.load("two_devices").vary({"duration": "10 min", "evaluate.every": "3 s"}))
)
