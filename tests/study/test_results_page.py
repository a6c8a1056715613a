"""The page of results judges what studies found, and nothing else."""

import contextlib
import csv
import importlib
import io
import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = (0.0, 10.0, 20.0, 30.0, 40.0)


RECOVERY = {
    **{("deep_central_bp", seed): 20.0 for seed in (1, 2, 3)},
    **{("spiking_elal", seed): value for seed, value in ((1, 10.0), (2, 40.0))},
}
SCENARIO = """
simedge: 1
name: made
duration: 1 min
sensors: {kind: silent}
devices: [{id: cam, count: 1, runtime: 50 MB}]
learner: {kind: LEARNER}
protocol: {kind: isolated}
"""


def fabricated(folder, factors, cells, commit="0" * 40):
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
                    "datagrams": {"sent": 200, "lost": 50},
                },
                "latency_ms": {"update": {"p95": 1.0}},
                "energy_j": {"total": joules, "compute": joules / 2, "radio": joules / 2},
                "energy_ops_j": joules / 9,
                "information_age_s": {"mean": None, "p99": None},
                "staleness": {"mean": None},
                "counts": {"frames_learned": 4800},
                "convergence": {
                    "t90_s": 10.0,
                    "recovery_s": RECOVERY.get((name.rstrip("-123"), seed)),
                },
                "memory_bytes": {"peak_per_device": {"cam-1": 51e6 if "spik" in name else 292e6}},
            }
            learner = "linear" if "spik" in name else "deep"
            (place / "scenario.yaml").write_text(SCENARIO.replace("LEARNER", learner))
            (place / "provenance.json").write_text(json.dumps({"commit": commit}))
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
def studies(tmp_path_factory):
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
    lossy = {(x, "2 s"): (0.9 - y, 1.0, 1.0) for x, y in (("0%", 0), ("40%", 0.1))}
    fabricated(folder / "loss", ["loss", "burst"], lossy)
    turned = {("elal", "45"): (0.9, 1.0, 1.0)}
    fabricated(folder / "shift", ["protocol", "sensors.shift.degrees"], turned)
    odd = {("deep elal", "4"): (0.9, 1.0, 1.0)}
    fabricated(folder / "odd", ["method", "interval"], odd, commit="f" * 40)
    return folder


def results(studies, *names):
    """Return what the program prints of studies; it ends itself if it refuses them."""
    program = ROOT / "benchmarks" / "results.py"
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(sys, "argv", [str(program), *(str(studies / name) for name in names)])
        patch.syspath_prepend(str(program.parent))
        runpy.run_path(str(program), run_name="__main__")
    return out.getvalue()


@pytest.fixture(scope="module")
def page(studies):
    return results(studies, "methods", "dropout", "interval", "loss", "shift")


@pytest.mark.parametrize(
    "line",
    [
        "deep elal against deep fedavg, to 80 %: 40% [40%, 40%] saved: **holds**.",
        "deep elal against deep aedfl_style, to 80 %: 14% [14%, 14%] saved: **fails**.",
        "**fails** (spiking elal reached it in 0 of 3 seeds, spiking fedavg in 3 of 3).",
        "- spiking elal: 2 [2, 2] ms: **holds**.",
        "- deep fedavg: 60 [60, 60] ms: **fails**.",
        "spiking elal against deep fedavg: 25% [25%, 25%] less: **holds**.",
        "spiking elal against deep central_bp: 10% [10%, 10%] less: **fails**.",
        "- spiking elal: 20.04 [19.99, 20.09] points lost: **fails**.",
        "spiking elal against deep central_bp: 0% (2 of 3) faster: **not shown**.",
        "deep elal against deep central_bp: - faster: **fails**.",
        "spiking elal against deep fedavg: 83% [83%, 83%] less: **holds**.",
        "the same without runtimes: 50% [50%, 50%] less: ",
        "| spiking elal | 2 of 3 | 25 ± 21 (2 of 3) |",
        "| 40% | 2 s | 25 ± 0 | 80.16 ± 0.08 | 10.02 [10.00, 10.04] |",
        "| elal | 45 | 90.18 ± 0.09 | 90.18 ± 0.09 | 0.00 [0.00, 0.00] | 0 of 3 | - |",
    ],
)
def test_the_page_judges_by_the_figures_of_the_runs(page, line):
    assert line in page


def test_no_place_is_left_empty(page):
    assert "\n@" not in page
    assert "-0%" not in page
    assert page.count("\n## ") == 12


def test_a_study_that_is_not_there_has_no_section(studies):
    bare = results(studies, "methods", "dropout", "interval")
    assert bare.count("\n## ") == 10
    assert "Over the loss" not in bare


def test_runs_of_two_commits_make_no_page_and_the_odd_ones_are_named(studies):
    with pytest.raises(SystemExit) as refused:
        results(studies, "methods", "dropout", "odd")
    assert f"of {'f' * 40}: {studies / 'odd/runs/deep_elal-4-1'}" in str(refused.value.code)
    assert "methods/runs" not in str(refused.value.code)


def test_the_moment_of_a_shift_is_one_evaluation_of_three(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    run = importlib.import_module("claims.finished").Run(tmp_path)
    times = (0, 10, 19.999999999, 20, 30)
    lines = [f"{t},server,bits,{t * 10}" for t in times]
    (tmp_path / "metrics.csv").write_text("\n".join(["t_s,entity,metric,value", *lines]))
    for last, bits in ((0.9, 100), (0.1, None)):
        curve = [*zip(times, (0.1, 0.9, 0.9, 0.9, last), strict=True)]
        (tmp_path / "summary.json").write_text(json.dumps({"accuracy": {"curve": curve}}))
        run.__dict__.pop("summary", None)
        assert run.bits_to(0.8) == bits
