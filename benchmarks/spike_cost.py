"""What one more spike costs: seconds = a + b * spikes, over three decades of input.

Run: ``python benchmarks/spike_cost.py``. One device, a camera of Poisson noise, every spike learns.
The larger circuits get the same number of pixel events in all, so more of their neurons idle. Of
several repeats the fastest counts. `b` is also given from one rate to the next: if it grows, the
simulator pays for more than what happens. Both are fitted to processor time, which other work on
the machine disturbs less than the wall time that stands beside it.
"""

import argparse
import time

import numpy as np

import simedge

__all__ = ["main"]

# Pixel events a second in the whole picture.
RATES_HZ = (40, 400, 4_000, 40_000)
SIDES = (16, 32, 64)
MAPS, KERNEL, STRIDE = 8, 5, 2
# Low and constant: nearly every pixel event makes spikes, at every rate.
LAYER = {
    "kind": "conv",
    "maps": MAPS,
    "kernel": KERNEL,
    "stride": STRIDE,
    "threshold": 0.1,
    "homeostasis": {"rate": 0},
}
LEARNER = {
    "kind": "spiking",
    "layers": [LAYER],
    "rule": {"kind": "hebbian-stdp", "lambda": 0.5, "limit": "none"},
}


def main(words=None):
    """Run every rate and size; print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--duration", default="40 s", help="virtual time of a run")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args(words)
    measure(scenario_of(SIDES[0], RATES_HZ[0], "1 s"), 1)  # compiles
    figures = {
        side: [measure(scenario_of(side, rate, asked.duration), asked.repeats) for rate in RATES_HZ]
        for side in SIDES
    }
    print(rates_table(figures), fits_table(figures), sep="\n\n")


def scenario_of(side, rate_hz, duration):
    pixel_rate = f"{rate_hz / side**2:.9f} Hz"
    return simedge.load("two_devices").vary(
        {
            "sensors": {"kind": "poisson", "size": side, "rate": "8 Hz", "pixel_rate": pixel_rate},
            "devices": [{"id": "box", "compute": "cpu-large", "memory": "2 GiB"}],
            "learner": LEARNER,
            "duration": duration,
            "evaluate": {"every": duration, "items": 1},
            "record.events": False,
        }
    )


def measure(scenario, repeats):
    """Return (spikes, synaptic events, wall seconds, processor seconds) of the fastest repeat."""
    walls, processors = [], []
    for _ in range(repeats):
        began = time.process_time()
        summary = simedge.simulate(scenario).summary
        processors.append(time.process_time() - began)
        walls.append(summary["wall_s"])
    counts = summary["counts"]
    return counts["spikes"], counts["synaptic_events"], min(walls), min(processors)


def rates_table(figures):
    rows = []
    for side, runs in figures.items():
        for number, (rate, run) in enumerate(zip(RATES_HZ, runs, strict=True)):
            slope = ""
            if number and run[0] > runs[number - 1][0]:
                before = runs[number - 1]
                slope = f"{(run[3] - before[3]) / (run[0] - before[0]) * 1e6:.2f}"
            rows.append(
                [f"{neurons(side):,}", f"{rate:,}"]
                + [f"{count:,}" for count in run[:2]]
                + [f"{seconds:.3f}" for seconds in run[2:]]
                + [slope]
            )
    heads = ["neurons", "pixel events/s", "spikes", "synaptic events", "wall s", "processor s"]
    return table([*heads, "us a spike more"], rows)


def fits_table(figures):
    rows = []
    for side, runs in figures.items():
        spikes, synaptic, _, seconds = (np.array(column) for column in zip(*runs, strict=True))
        a, b, determined = fit(spikes, seconds)
        c = fit(synaptic, seconds)[1]
        rows.append(
            [
                f"{neurons(side):,}",
                f"{a:.3f}",
                f"{b * 1e6:.2f}",
                f"{c * 1e9:.1f}",
                f"{determined:.4f}",
            ]
        )
    return table(["neurons", "a, s", "b, us a spike", "ns a synaptic event", "R² of b"], rows)


def neurons(side):
    return MAPS * ((side - KERNEL) // STRIDE + 1) ** 2


def fit(counts, seconds):
    """Return a, b and R² of seconds = a + b * counts, by least squares."""
    a, b = np.linalg.lstsq(np.stack([np.ones(len(counts)), counts], axis=1), seconds, rcond=None)[0]
    rest = seconds - a - b * counts
    return a, b, 1 - (rest @ rest) / ((seconds - seconds.mean()) @ (seconds - seconds.mean()))


def table(heads, rows):
    lines = [heads, ["--:"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    main()
