"""The page of results judges what studies found, and nothing else."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = (0.0, 10.0, 20.0, 30.0, 40.0)


def fabricated(folder, factors, cells):
    """Write a study: its runs have an accuracy, bits a second, joules, seconds, bytes."""
    rows = []
    for labels, figures in cells.items():
        for seed in (1, 2, 3):
            accuracy, bits, joules = (value * (1 + seed / 1000) for value in figures)
            name = f"{'-'.join(labels)}-{seed}".replace(" ", "_")
            place = folder / "runs" / name
            place.mkdir(parents=True)
            summary = {
                "accuracy": {
                    "final": accuracy,
                    "before_shift": accuracy,
                    "curve": [[t, 0.1 if t == 0 else accuracy] for t in SECONDS],
                },
                "communication": {
                    "bits_up": 40 * bits,
                    "bits_down": 0,
                    "bits_to_target": None,
                    "bits_preinstalled": 0,
                },
                "latency_ms": {"update": {"p95": 1.0}},
                "energy_j": {"total": joules, "compute": joules / 2, "radio": joules / 2},
                "energy_ops_j": joules / 9,
                "information_age_s": {"mean": None},
                "staleness": {"mean": None},
                "convergence": {"t90_s": 10.0, "recovery_s": None},
                "memory_bytes": {"peak_per_device": {"cam-1": 61e6 if "spik" in name else 301e6}},
            }
            (place / "summary.json").write_text(json.dumps(summary))
            lines = [f"{t},server,bits,{bits * t}" for t in SECONDS]
            lines += [f"40,gpu-1,update_p95_ms,{60.0 if 'fedavg' in name else 2.0}"]
            (place / "metrics.csv").write_text("\n".join(["t_s,entity,metric,value", *lines]))
            pairs = dict(zip(factors, labels, strict=True))
            rows.append(
                {"run": name, **pairs, "seed": seed, "status": "done", "dir": f"runs/{name}"}
            )
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    arms = {
        ("deep elal",): (0.85, 60.0, 100.0),
        ("deep fedavg",): (0.9, 100.0, 120.0),
        ("deep aedfl_style",): (0.9, 70.0, 100.0),
        ("deep central_bp",): (0.9, 70.0, 100.0),
        ("spiking elal",): (0.7, 1.0, 90.0),
        ("spiking fedavg",): (0.9, 9.0, 90.0),
    }
    fabricated(folder / "methods", ["method"], arms)
    falls = {("spiking elal", s): (0.9 - f, 1.0, 1.0) for s, f in (("none", 0), ("20%", 0.2))}
    fabricated(folder / "dropout", ["method", "crashed"], falls)
    fabricated(folder / "interval", ["method", "interval"], {("deep elal", "4"): (0.9, 1.0, 1.0)})
    asked = [folder / name for name in ("methods", "dropout", "interval")]
    command = [sys.executable, ROOT / "benchmarks" / "results.py", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- ours
    return done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "deep elal against deep fedavg, to 80 %: 40% [40%, 40%] saved: **holds**.",
        "deep elal against deep aedfl_style, to 80 %: 14% [14%, 14%] saved: **fails**.",
        "spiking elal reached it in 0 of 3 seeds, spiking fedavg reached it in 3 of 3 seeds",
        "- spiking elal: **holds**.",
        "- deep fedavg: **fails**.",
        "spiking elal against deep fedavg: 25% [25%, 25%] less: **holds**.",
        "spiking elal against deep central_bp: 10% [10%, 10%] less: **fails**.",
        "- spiking elal: 20.04 points lost [",
        "(0 of 3 seeds recovered in time)",
        "spiking elal against deep fedavg: 80% [80%, 80%] less: **holds**.",
    ],
)
def test_the_page_judges_by_the_figures_of_the_runs(page, line):
    assert line in page


def test_no_place_is_left_empty(page):
    assert "\n@" not in page
    assert page.count("\n## ") == 9
