"""What if the links lost twice as much? Paired seeds answer with few runs.

Both arms of a pair have the same frames and the same crashes at the same times, because every
chance has a stream of its own. So a difference within a pair comes of the loss alone, and the
differences vary far less than the accuracies themselves.
"""

import simedge

calm = simedge.load("k5_star_clean").vary(
    {
        "duration": "12 s",
        "sensors.split": {"kind": "dirichlet", "alpha": 0.3},
        "sensors.proxy.blocks": 8,
        "learner": {"kind": "linear"},
        "protocol.interval": 8,
        "links.default": {
            "profile": "wifi-air",
            "arq": {"retries": 0},
            "loss": {"kind": "gilbert-elliott", "mean": "30%", "burst": "200 ms"},
        },
        "faults": [{"kind": "crash", "devices": "20%", "at": "5 s", "for": "2 s"}],
        "evaluate": {"every": "2 s", "items": 100},
    }
)
storm = calm.vary({"links.default.loss.mean": "60%"})


def world(result: simedge.Result) -> list[tuple[int, str, str]]:
    """Return what happens to a run from outside: its frames and its faults."""
    kinds = {"frame-arrived", "crashed", "restarted"}
    return [(r.at, r.target, r.kind) for r in result.records if r.kind in kinds]


points = []
for seed in range(1, 5):
    a, b = (simedge.simulate(arm, seed=seed) for arm in (calm, storm))
    costs = 100 * (a.summary["accuracy"]["final"] - b.summary["accuracy"]["final"])
    points.append(costs)
    about = 5 * round(costs / 5)
    print(f"seed {seed}: same world {world(a) == world(b)}, it costs about {about} points")

mean = sum(points) / len(points)
print(f"mean {mean:.0f} points, range {min(points):.0f} to {max(points):.0f}")
