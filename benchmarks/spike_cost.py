"""What one more spike costs: seconds = a + b * spikes, over three decades of input.

Run: ``python benchmarks/spike_cost.py``.

First one learner alone. Poisson noise falls on the same few pixels of ever larger pictures: the
same events, the same neurons at work, the same spikes (that is checked), and ever more idle
neurons. Amplitudes are divided by the number of positions, so they are raised by it. What does not
depend on the circuit's size is seen with a readout that pools over the whole picture; the default
readout is dense, and what it costs is part of `a`.

Then the whole simulator: one device, a camera of Poisson noise over the whole picture. There more
neurons work in a larger one, as noise falls on all of them.

Sizes and rates are interleaved, so that a machine that drifts treats those of one round alike. Each
round gives one `a` and one `b`, by least squares of relative errors, and ratios are taken within a
round. What is shown is the median of the rounds and its 95 % interval, which order statistics give
whatever the distribution; `ms` is the fastest. Times are those of the processor: a learner waits
for nothing, and other work on the machine disturbs them less than wall time.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np

import simedge
from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.settings import SpikingSettings

__all__ = ["main"]

# Pixel events a second.
RATES_HZ = (40, 400, 4_000, 40_000)
SIDES = (16, 32, 64, 128)
POISSON_SIDES = (16, 32, 64)
# Pixels a side on which noise falls: all that reach their columns in the smallest picture, too.
PATCH = 12
FRAMES, SPAN_NS, CLASSES = 50, 100_000_000, 10
# Per cent that are within what a machine's caches and pages do.
NOTHING = 5
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
RULE = {"kind": "hebbian-stdp", "lambda": 0.5, "limit": "none"}
# (name, settings) of each readout.
READOUTS = (("pooled", {"from": ["hidden"], "pool": 4096}), ("dense", {}))


@dataclass(frozen=True)
class Noise:
    """One presentation of noise."""

    label: int
    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    p: np.ndarray


def main(words=None):
    """Measure and print all tables, then what they say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=24, help="of a learner")
    parser.add_argument("--runs", type=int, default=6, help="rounds of the simulator")
    parser.add_argument("--duration", default="10 s", help="virtual time of a simulator's run")
    asked = parser.parse_args(words)
    figures = {name: learner_figures(readout, asked.rounds) for name, readout in READOUTS}
    for name, sizes in figures.items():
        print(f"One learner, {name} readout, {FRAMES} presentations:\n")
        print(rates_table(sizes), fits_table(sizes), sep="\n\n", end="\n\n")
    whole = simulator_figures(asked.duration, asked.runs)
    print(f"The whole simulator, noise everywhere, {asked.duration}:\n")
    print(rates_table(whole), fits_table(whole), sep="\n\n", end="\n\n")
    print(verdict(figures["pooled"]))


# What is measured: (counts by rate, processor seconds [round, rate]) by side. Counts are spikes,
# and weights that were added or changed.


def learner_figures(readout, rounds):
    shows = [frames_at(rate) for rate in RATES_HZ]
    learners = {side: learner_of(side, readout) for side in SIDES}
    starts = {side: learner.dump() for side, learner in learners.items()}
    counts = {side: [] for side in SIDES}
    for side, learner in learners.items():
        for frames in shows:
            learner.load(starts[side])
            counts[side].append(counted(learner, frames))
    assert all(of_side == counts[SIDES[0]] for of_side in counts.values()), "other neurons work"
    taken = {side: np.zeros((rounds, len(RATES_HZ))) for side in SIDES}
    for n in range(rounds):
        for number, frames in enumerate(shows):
            for side, learner in learners.items():
                learner.load(starts[side])
                taken[side][n, number] = timed(learner, frames)
    return {side: (np.array(counts[side]), taken[side]) for side in SIDES}


def frames_at(rate_hz):
    words = np.random.Generator(np.random.Philox(rate_hz))
    frames = []
    for n in range(FRAMES):
        count = words.poisson(rate_hz * SPAN_NS / 1e9)
        frames.append(
            Noise(
                label=n % CLASSES,
                x=words.integers(0, PATCH, count).astype(np.uint16),
                y=words.integers(0, PATCH, count).astype(np.uint16),
                t_us=np.sort(words.integers(0, SPAN_NS // 1000, count)),
                p=words.integers(0, 2, count).astype(np.uint8),
            )
        )
    return frames


def learner_of(side, readout):
    step = neurons(side) / MAPS / 256
    rule = {**RULE, "a_plus": step, "a_minus": step, "a_hebb": step}
    settings = {"kind": "spiking", "layers": [LAYER], "rule": rule, "readout": readout}
    return open_learner(
        SpikingSettings.model_validate(settings),
        classes=CLASSES,
        width=side,
        height=side,
        streams=Streams(1),
        device="box",
        span_ns=SPAN_NS,
    )


def counted(learner, frames):
    spikes = updates = 0
    for frame in frames:
        work = learner.learn(frame)
        work.advance()
        spikes += work.counts.spikes
        updates += work.counts.synaptic_events + work.counts.plasticity_updates
        work.commit()
    return spikes, updates


def timed(learner, frames):
    began = time.process_time()
    for frame in frames:
        learner.learn(frame).commit()
    return time.process_time() - began


def simulator_figures(duration, rounds):
    run_of(scenario_of(SIDES[0], RATES_HZ[0], "1 s"))  # compiles
    counts, taken = {}, {side: np.zeros((rounds, len(RATES_HZ))) for side in POISSON_SIDES}
    for n in range(rounds):
        for number, rate in enumerate(RATES_HZ):
            for side in POISSON_SIDES:
                counted, seconds = run_of(scenario_of(side, rate, duration))
                counts[side, number], taken[side][n, number] = counted, seconds
    rates = range(len(RATES_HZ))
    return {
        side: (np.array([counts[side, number] for number in rates]), taken[side])
        for side in POISSON_SIDES
    }


def scenario_of(side, rate_hz, duration):
    pixel_rate = f"{rate_hz / side**2:.9f} Hz"
    return simedge.load("two_devices").vary(
        {
            "sensors": {"kind": "poisson", "size": side, "rate": "8 Hz", "pixel_rate": pixel_rate},
            "devices": [{"id": "box", "compute": "cpu-large", "memory": "2 GiB"}],
            "learner": {"kind": "spiking", "layers": [LAYER], "rule": RULE},
            "duration": duration,
            "evaluate": {"every": duration, "items": 1},
            "record.events": False,
        }
    )


def run_of(scenario):
    began = time.process_time()
    counts = simedge.simulate(scenario).summary["counts"]
    seconds = time.process_time() - began
    return (counts["spikes"], counts["synaptic_events"] + counts["plasticity_updates"]), seconds


def neurons(side):
    return MAPS * ((side - KERNEL) // STRIDE + 1) ** 2


def slopes(counts, seconds):
    """Return what a spike more costs from each rate to the next, seconds [round, decade]."""
    return np.diff(seconds, axis=1) / np.diff(counts[:, 0])


def fits(counts, seconds):
    """Return (a, b) of seconds = a + b * spikes for each round, relative errors squared."""
    columns = np.stack([np.ones(len(counts)), counts[:, 0]], axis=1)
    rows = [np.linalg.lstsq(columns / row[:, None], row / row, rcond=None)[0] for row in seconds]
    return np.array(rows)


def interval(values):
    """Return the median of the rounds' values, and between which bounds it lies."""
    size, low = len(values), max(1, int(len(values) / 2 - 0.98 * len(values) ** 0.5))
    in_order = np.sort(values)
    return np.median(values), in_order[low - 1], in_order[size - low]


def shown(values, factor=1.0):
    median, low, high = interval(values * factor)
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def rates_table(sizes):
    rows = []
    for side, (counts, seconds) in sizes.items():
        steps, work = slopes(counts, seconds), np.diff(counts[:, 1]) / np.diff(counts[:, 0])
        for n, rate in enumerate(RATES_HZ):
            cells = [f"{neurons(side):,}", f"{rate:,}", f"{counts[n, 0]:,}"]
            more = [f"{work[n - 1]:.0f}", shown(steps[:, n - 1], 1e6)] if n else ["", ""]
            rows.append([*cells, f"{seconds[:, n].min() * 1e3:.2f}", *more])
    heads = ["neurons", "pixel events/s", "spikes", "ms", "updates a spike more"]
    return table([*heads, "us a spike more"], rows)


def fits_table(sizes):
    rows, least = [], fits(*next(iter(sizes.values())))[:, 1]
    for side, (counts, seconds) in sizes.items():
        found = fits(counts, seconds)
        a, b = shown(found[:, 0], 1e3), shown(found[:, 1], 1e6)
        rows.append([f"{neurons(side):,}", a, b, shown(found[:, 1] / least)])
    return table(["neurons", "a, ms", "b, us a spike", "b over the first"], rows)


def verdict(sizes):
    """Say whether b grows with idle neurons, and whether it grows with the rate."""
    few, many = min(sizes), max(sizes)
    bs = {side: fits(*of_side)[:, 1] for side, of_side in sizes.items()}
    first, middle, last = np.mean([slopes(*of_side) for of_side in sizes.values()], axis=0).T
    work = np.diff(sizes[few][0][:, 1]) / np.diff(sizes[few][0][:, 0])
    return (
        f"From {neurons(few):,} to {neurons(many):,} neurons, all more of them idle, b "
        f"{grew(bs[many], bs[few])}. From the first decade of the rate to the last b "
        f"{grew(last, first)}; from the second to the last it {grew(last, middle)}, while the "
        f"updates that a spike takes changed by {work[2] / work[1] * 100 - 100:+.0f} %."
    )


def grew(after, before):
    """Say by how much, and what the interval allows to say of it."""
    change, low, high = interval((after / before - 1) * 100)
    word = "grew" if low > 0 else "may have grown or not"
    if high < NOTHING:
        word = f"grew by less than {NOTHING} %" if high > 0 else "did not grow"
    return f"{word} ({change:+.1f} %, interval {low:+.1f} to {high:+.1f} %)"


def table(heads, rows):
    lines = [heads, ["--:"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    main()
