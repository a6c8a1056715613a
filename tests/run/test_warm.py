"""Warming up: afterwards a run compiles nothing."""

import os
import subprocess
import sys
import textwrap

import pytest

from simedge.core.native_cache import is_cold
from simedge.run import warm

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
BEGIN = """
    import sys
    from pathlib import Path
    import simedge
    from simedge.core import native_cache
    from simedge.run import warm

    faster = {"duration": "6 s", "protocol.interval": 8, "protocol.prior_period": "500 ms"}
    scenario = simedge.load(sys.argv[1]).vary(faster)
    if sys.argv[2:]:
        learner = {"kind": "spiking", "rule": {"kind": sys.argv[2]}}
        scenario = scenario.vary({"learner": learner})
"""
RUN = """
    counts = simedge.simulate(scenario).summary["counts"]
    assert counts["priors_applied"] and counts["spikes"]
"""
WARM = """
    met, load = set(), native_cache._Cache.load_overload

    def noted(cache, types, target):
        met.add((cache._py_func.__qualname__, str(types)))
        return load(cache, types, target)

    native_cache._Cache.load_overload = noted
    kit = warm._KITS[warm._family(scenario.learner)]
    kit.here()
    kit.there()
    warmed = set(met)
    assert warmed
"""
COLD = """
    def compiled():
        return {path.name for path in Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbc")}

    import os
    assert native_cache.is_cold()
    warm.warm_up(scenario.learner)
    assert not native_cache.is_cold()
    before = compiled()
    assert before
"""
FAMILIES = pytest.mark.parametrize(
    "what", [("k5_star_clean",), ("event_camera",), ("k5_star_clean", "tess")], ids=" ".join
)
pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"
)


def run(code, *words, **environ):
    said = [sys.executable, "-c", textwrap.dedent(code), *words]
    subprocess.run(said, env={**os.environ, **environ}, check=True)  # noqa: S603 -- our own


@FAMILIES
def test_a_run_needs_nothing_native_that_warming_up_does_not(what):
    run(f"{BEGIN}{WARM}{RUN}    assert met == warmed, met - warmed", *what)


@pytest.mark.skipif(not NIGHTLY, reason="each compiles for half a minute: nightly")
@FAMILIES
def test_a_run_compiles_nothing_that_warming_up_has_not(tmp_path, what):
    code = f"{BEGIN}{COLD}{RUN}    assert compiled() == before, compiled() - before"
    run(code, *what, NUMBA_CACHE_DIR=str(tmp_path))


def test_a_second_process_compiles_its_part(monkeypatch):
    started, start = [], warm.subprocess.Popen

    def noted(*words, **options):
        started.append(start(*words, **options))
        return started[-1]

    monkeypatch.setattr(warm, "is_cold", lambda _: True)
    monkeypatch.setattr(warm.subprocess, "Popen", noted)
    warm.warm_up()
    assert [process.returncode for process in started] == [0]


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
