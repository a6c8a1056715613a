"""Laws of the sensors' settings: exact, closed, written back as read."""

import subprocess
import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from simedge.sensors.settings import DigitsSettings, PoissonSettings, SensorSettings

ADAPTER: TypeAdapter[Any] = TypeAdapter(SensorSettings)


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    alpha = draw(st.none() | st.floats(0.01, 100))
    degrees = draw(st.none() | st.floats(-180, 180))
    at = f"{draw(st.integers(0, 10**6))} ms"
    return {
        "kind": "digits",
        "size": draw(st.integers(8, 64)),
        "rate": f"{draw(st.integers(1, 100))} Hz",
        "split": {"kind": "iid"} if alpha is None else {"kind": "dirichlet", "alpha": alpha},
        "camera": {"contrast": f"{draw(st.integers(5, 100))}%", "refractory": "1 ms"},
        "shift": None if degrees is None else {"kind": "rotate", "at": at, "degrees": degrees},
    }


@given(said())
def test_settings_survive_being_written_and_read(said: dict[str, Any]) -> None:
    settings = ADAPTER.validate_python(said)
    assert settings.rate == Fraction(said["rate"].removesuffix(" Hz"))
    assert ADAPTER.validate_python(ADAPTER.dump_python(settings, mode="json")) == settings


@pytest.mark.parametrize("kind", ["digits", "silent", "poisson"])
def test_every_kind_has_sane_defaults(kind: str) -> None:
    settings = ADAPTER.validate_python({"kind": kind})
    assert (settings.size, settings.rate, settings.proxy.blocks * settings.proxy.rows) == (
        16,
        8,
        256,
    )
    assert ADAPTER.validate_python(ADAPTER.dump_python(settings, mode="json")) == settings


@pytest.mark.parametrize(
    ("said", "culprit"),
    [
        ({"kind": "digit"}, "kind"),
        ({"kind": "digits", "sise": 16}, "sise"),
        ({"kind": "digits", "size": 7}, "size"),
        ({"kind": "digits", "size": 65}, "size"),
        ({"kind": "digits", "rate": 8}, "needs a unit"),
        ({"kind": "digits", "rate": "2 kHz"}, "rate must be from 0.01 Hz to 1 kHz"),
        ({"kind": "silent", "rate": "1 mHz"}, "rate must be from 0.01 Hz to 1 kHz"),
        ({"kind": "digits", "split": {"kind": "dirichlet", "alpha": 0}}, "alpha"),
        ({"kind": "digits", "shift": {"kind": "rotate", "degrees": 25}}, "at"),
        ({"kind": "digits", "shift": {"kind": "spin", "at": "1 s"}}, "spin"),
        ({"kind": "digits", "camera": {"contrast": "1%"}}, "contrast"),
        ({"kind": "digits", "camera": {"noise": "1 kHz"}}, "more than the 16"),
        ({"kind": "poisson", "pixel_rate": "1 kHz"}, "more than the 16"),
        ({"kind": "digits", "proxy": {"blocks": 0}}, "blocks"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(said: dict[str, object], culprit: str) -> None:
    with pytest.raises(ValidationError, match=culprit):
        ADAPTER.validate_python(said)


def test_noise_may_be_switched_off() -> None:
    settings = ADAPTER.validate_python({"kind": "digits", "camera": {"noise": None}})
    assert settings.noise_per_pixel(settings.camera.noise) == 0


def test_noise_counts_the_time_of_presentations_only() -> None:
    assert PoissonSettings().noise_per_pixel(Fraction(10)) == 1
    assert DigitsSettings(rate="16 Hz").noise_per_pixel(Fraction(10)) == Fraction(1, 2)


def test_settings_load_without_arrays_and_without_kernels() -> None:
    code = "import sys, simedge.sensors.settings as s; print({'numpy', 'numba'} & set(sys.modules))"
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
