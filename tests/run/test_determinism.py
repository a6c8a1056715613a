"""What a history does not depend on, where no other file has a law of it; and the page of them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from simedge.run.simulate import simulate

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "determinism.md"


@pytest.mark.parametrize("threads", [1, 5])
def test_how_many_threads_there_are_changes_nothing(small, threads) -> None:
    scenario = small.vary({"duration": "2 s", "learner": {"kind": "spiking"}})
    expected = simulate(scenario).summary["log_sha256"]
    with patch("simedge.run.simulate._THREADS", threads):
        assert simulate(scenario).summary["log_sha256"] == expected


def test_a_learner_without_floats_knows_no_processor(small, tmp_path) -> None:
    path = tmp_path / "small.yaml"
    scenario = small.vary({"learner": {"kind": "surrogate"}, "duration": "2 s"})
    path.write_text(scenario.dump())
    shown = "simedge.simulate(simedge.load(sys.argv[1])).summary['log_sha256']"
    code = f"import sys, simedge; print({shown})"
    others = {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"}
    told = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-W", "ignore", "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **others, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.strip() == simulate(scenario).summary["log_sha256"]


def test_the_page_names_tests_that_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) > 10
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
