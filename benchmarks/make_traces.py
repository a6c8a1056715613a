"""Make the traces that come with the package: synthetic, from statistics of real recordings.

    python benchmarks/make_traces.py [DIRECTORY]     # by default traces/

Nothing of a recording is copied. Each second has a rate, a delay and a loss: log rates follow a
first-order autoregression, outages and lossy spells a two-state chain in time. The figures were
measured with `simedge trace inspect` on public recordings of cellular, 5G and satellite links
(medians, spreads, lengths of outages; the correlation of a second with the next is a guess).
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

from simedge.core.streams import Streams, exponential_ns, normal_float

SECOND_NS = 10**9


@dataclass(frozen=True)
class Recipe:
    """One trace: medians and spreads of a kind of network."""

    about: str
    seconds: int
    up_bps: int
    down_bps: int
    sigma: float
    rho: float
    delay_ms: float
    delay_sigma: float
    outage_s: float = 0.0  # mean length
    between_s: float = 1.0  # mean time between outages
    loss: float = 0.0  # within a lossy spell
    spell_s: float = 1.0
    clean_s: float = 1.0


RECIPES = {
    "synthetic-lte": Recipe(
        about="LTE, walking pace: no outage worth the name",
        seconds=600,
        up_bps=5_000_000,
        down_bps=9_000_000,
        sigma=0.6,
        rho=0.9,
        delay_ms=24.5,
        delay_sigma=0.15,
    ),
    "synthetic-5g-drive": Recipe(
        about="5G from a car: handovers, dead seconds, pings lost in spells",
        seconds=600,
        up_bps=8_000_000,
        down_bps=20_000_000,
        sigma=1.3,
        rho=0.9,
        delay_ms=20.0,
        delay_sigma=0.3,
        outage_s=4.0,
        between_s=40.0,
        loss=0.45,
        spell_s=10.0,
        clean_s=140.0,
    ),
    "synthetic-starlink": Recipe(
        about="a satellite dish on a car: fast down, dead under bridges",
        seconds=600,
        up_bps=15_000_000,
        down_bps=200_000_000,
        sigma=0.4,
        rho=0.6,
        delay_ms=26.0,
        delay_sigma=0.2,
        outage_s=2.0,
        between_s=32.0,
        loss=0.1,
        spell_s=1.0,
        clean_s=14.0,
    ),
    "synthetic-outages": Recipe(
        about="a slow cellular uplink on the road that dies for tens of seconds",
        seconds=900,
        up_bps=700_000,
        down_bps=450_000,
        sigma=0.7,
        rho=0.9,
        delay_ms=60.0,
        delay_sigma=0.4,
        outage_s=45.0,
        between_s=60.0,
    ),
}


def spells(streams, name, recipe_s):
    """Yield for each second whether a two-state chain is in its second state."""
    stream = streams.stream("trace", name, "spells")
    inside, number, until_ns, now_ns = False, 0, 0, 0
    while True:
        while now_ns >= until_ns:
            number += 1
            stay = recipe_s[0 if number % 2 else 1]
            inside = number % 2 == 0
            until_ns += max(SECOND_NS, exponential_ns(stream.words(number)[0], stay))
        yield inside
        now_ns += SECOND_NS


def wander(streams, name, *, rho, sigma):
    """Yield a log-normal factor a second, with median 1."""
    stream = streams.stream("trace", name, "wander")
    level, number = 0.0, 0
    while True:
        noise = normal_float(stream.words(number)[0])
        level = rho * level + math.sqrt(1 - rho**2) * noise if number else noise
        yield math.exp(sigma * level)
        number += 1


def rows(name, recipe, streams):
    up = wander(streams, f"{name}.up", rho=recipe.rho, sigma=recipe.sigma)
    down = wander(streams, f"{name}.down", rho=recipe.rho, sigma=recipe.sigma)
    delay = wander(streams, f"{name}.delay", rho=recipe.rho, sigma=recipe.delay_sigma)
    times = [round(s * SECOND_NS) for s in (recipe.between_s, recipe.outage_s)]
    dead = spells(streams, f"{name}.outage", times)
    times = [round(s * SECOND_NS) for s in (recipe.clean_s, recipe.spell_s)]
    lossy = spells(streams, f"{name}.loss", times)
    for second in range(recipe.seconds):
        cut = next(dead) and recipe.outage_s > 0
        rates = [
            0 if cut else round(bps * next(f), -4)
            for bps, f in ((recipe.up_bps, up), (recipe.down_bps, down))
        ]
        spell = next(lossy)
        loss = (recipe.loss if spell else 0) if recipe.loss else ""  # empty: not known
        yield second, int(rates[0]), int(rates[1]), round(recipe.delay_ms * next(delay)), loss


def main(folder):
    streams = Streams(1)
    for name, recipe in RECIPES.items():
        lines = [
            f"# synthetic, no recording: {recipe.about}\n",
            "t_s,up_bps,down_bps,delay_ms,loss\n",
        ]
        lines += [",".join(map(str, row)) + "\n" for row in rows(name, recipe, streams)]
        (folder / f"{name}.csv").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "traces")
