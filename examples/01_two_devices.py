"""The smallest run: two devices on a clean star, each learning alone.

Load a scenario, run it, look at what came of it, change one line and run it again.
"""

import simedge

scenario = simedge.load("two_devices")
result = simedge.simulate(scenario, seed=1)

summary = result.summary
print(f"{summary['devices']} devices learned {summary['counts']['frames_learned']} frames")
print(f"and said {summary['communication']['bits_up']} bits to anyone.")
print(f"better than chance: {summary['accuracy']['final'] > 3 * summary['accuracy']['chance']}")

# One line of the scenario, by its path: half the light, so to speak.
slower = scenario.vary({"sensors.rate": "4 Hz"})
fewer = simedge.simulate(slower, seed=1).summary["counts"]["frames_learned"]
print(f"at 4 Hz they learn {fewer} frames")

# The event log is the history itself; its hash says whether two runs were the same.
again = simedge.simulate(scenario, seed=1)
print(f"same seed, same history: {again.summary['log_sha256'] == summary['log_sha256']}")
first = next(iter(result.records))
print(f"first record: {first.kind} at {first.target}, {first.at} ns")
