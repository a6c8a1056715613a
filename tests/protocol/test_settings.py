"""Settings: two names for a key, but never both; nothing that cannot be sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from simedge.protocol.settings import (
    ElalSettings,
    FixedSettings,
    IsolatedSettings,
    ProtocolSettings,
    ReinforceSettings,
)
from simedge.protocol.shape import Coding, Ground

READ = TypeAdapter(ProtocolSettings).validate_python
GROUND = Ground(classes=10, blocks=16, rows=16, pset=bytes(32), tau_ns=2 * 10**9)


def test_long_and_short_names_mean_the_same():
    long = {
        "kind": "elal",
        "T": 16,
        "alpha_kl": 8,
        "H": "10 s",
        "A_max": "40 s",
        "beta": 0.25,
        "policy_sigma": 0.1,
        "episode": 4,
    }
    short = {
        "kind": "elal",
        "interval": 16,
        "kl": 8,
        "half_life": "10 s",
        "age_max": "40 s",
        "policy": {"kind": "reinforce", "beta": 0.25, "sigma": 0.1, "episode": 4},
    }
    assert READ(long) == READ(short)
    assert READ({"kind": "elal", "plasticity": {"kind": "fixed"}}).policy == FixedSettings()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"T": 16, "interval": 16}, "interval is given twice, also as T"),
        ({"beta": 1, "policy": {"kind": "reinforce", "beta": 1}}, "beta is given twice"),
        ({"beta": 1, "policy": ReinforceSettings()}, "beta belongs to the policy"),
        ({"gamma": 1, "policy": {"kind": "fixed"}}, "gamma"),
        ({"x_mode": "label"}, "x_mode"),
        ({"arq": -1}, "arq"),
        ({"interval": 0}, "interval"),
        ({"prior_period": "0 s"}, "prior_period"),
        ({"floor": 1.5}, "floor"),
        ({"coding": {"bits": 13}}, "bits must be in"),
        ({"policy": {"kind": "fixed", "lambda": 1.5}}, "lambda"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_that_make_no_sense_are_refused(extra, message):
    with pytest.raises(ValidationError, match=message):
        READ({"kind": "elal"} | extra)


def test_settings_must_be_a_mapping():
    with pytest.raises(ValidationError):
        ElalSettings.model_validate(["elal"])


def test_written_settings_read_the_same():
    given = READ({"kind": "elal", "coding": {"bits": 4, "top": 2}, "half_life": "1 s"})
    assert READ(given.model_dump(mode="json", by_alias=True)) == given
    alone = READ({"kind": "isolated", "policy": {"kind": "fixed", "lambda": [0.5, 1]}})
    assert READ(alone.model_dump(mode="json", by_alias=True)) == alone
    assert IsolatedSettings().policy == FixedSettings()


def test_durations_follow_from_blocks_and_periods_unless_set():
    usual = ElalSettings()
    assert usual.half_life_ns(GROUND) == 4 * 16 * 2 * 10**9
    assert usual.age_max_ns(GROUND) == 16 * 16 * 2 * 10**9
    assert READ({"kind": "elal", "H": "3 s"}).age_max_ns(GROUND) == 12 * 10**9
    assert READ({"kind": "elal", "H": "3 s", "A_max": "4 s"}).age_max_ns(GROUND) == 4 * 10**9


def test_the_coding_follows_from_the_classes_unless_set():
    usual = ElalSettings()
    assert usual.shape(classes=101, blocks=8, rows=64).coding == Coding(bits=8, top=8)
    chosen = READ({"kind": "elal", "coding": {"bits": 12, "top": 1}})
    assert chosen.shape(classes=10, blocks=8, rows=64).coding == Coding(bits=12, top=1)
    with pytest.raises(ValueError, match="a datagram holds 1200"):
        usual.shape(classes=10, blocks=8, rows=128)
    halved = READ({"kind": "elal", "part_level": 1})
    assert halved.shape(classes=10, blocks=8, rows=128).rows == 128


@given(st.integers(1, 100), st.integers(1, 300))
def test_a_round_chooses_the_share_as_it_is_written(percent, devices):
    chosen = READ({"kind": "fedavg", "fraction": percent / 100}).chosen(devices)
    assert chosen == max(1, -(-percent * devices // 100))
