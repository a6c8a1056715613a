"""Warming up: afterwards a run compiles nothing."""

import os
import subprocess
import sys
import textwrap

import pytest

from simedge.core.native_cache import is_cold
from simedge.run import warm

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
CODE = textwrap.dedent("""
    import sys
    from pathlib import Path
    import simedge
    from simedge.core.native_cache import is_cold
    from simedge.run.warm import warm_up

    def compiled():
        return {path.name for path in Path(sys.argv[1]).rglob("*.nbc")}

    faster = {"duration": "6 s", "protocol.interval": 8, "protocol.prior_period": "500 ms"}
    scenario = simedge.load(sys.argv[2]).vary(faster)
    if sys.argv[3:]:
        learner = {"kind": "spiking", "rule": {"kind": sys.argv[3]}}
        scenario = scenario.vary({"learner": learner})
    assert is_cold()
    warm_up(scenario.learner)
    assert not is_cold()
    before = compiled()
    assert before
    counts = simedge.simulate(scenario).summary["counts"]
    assert counts["priors_applied"] and counts["spikes"]
    assert compiled() == before, compiled() - before
""")


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
@pytest.mark.parametrize(
    "what",
    [
        ("k5_star_clean",),
        ("event_camera",),
        pytest.param(
            ("k5_star_clean", "tess"),
            marks=pytest.mark.skipif(not NIGHTLY, reason="compiles for half a minute: nightly"),
        ),
    ],
    ids=" ".join,
)
def test_a_run_compiles_nothing_that_warming_up_has_not(tmp_path, what):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    code = [sys.executable, "-c", CODE, str(tmp_path), *what]
    subprocess.run(code, env=env, check=True)  # noqa: S603


def test_who_is_warm_starts_nothing(monkeypatch):
    monkeypatch.setattr(warm, "is_cold", lambda _: False)
    monkeypatch.setattr(warm, "_started", lambda _: pytest.fail("started"))
    warm.warm_up()


def test_without_a_second_process_the_first_compiles_its_part(monkeypatch):
    def refuse(*_args, **_options):
        raise OSError

    monkeypatch.setattr(warm, "is_cold", lambda _: True)
    monkeypatch.setattr(warm.subprocess, "Popen", refuse)
    warm.warm_up()
    for kit in warm._KITS.values():  # noqa: SLF001
        kit.here()
        kit.there()  # what the second process does
    assert not is_cold()
