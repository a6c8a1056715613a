"""Settings: frozen, strict, quantities written back as they are read."""

from fractions import Fraction

import pydantic
import pytest

from simedge.core.quantities import (
    Duration,
    Energy,
    Frequency,
    Power,
    Rate,
    Settings,
    Share,
    Size,
)


class Everything(Settings):
    """All quantities."""

    duration: Duration = 20_000_000
    rate: Rate = 5_000_000
    size: Size = 2**20
    share: Share = Fraction(1, 5)
    frequency: Frequency = Fraction(8)
    power: Power = Fraction(9, 5)
    energy: Energy = Fraction(10)
    numbers: tuple[int, ...] = ()


TEXT = {
    "duration": "20 ms",
    "rate": "5 Mbit/s",
    "size": "1 MiB",
    "share": "20%",
    "frequency": "8 Hz",
    "power": "1800 mW",
    "energy": "10 J",
    "numbers": [],
}


def test_defaults_are_written_with_units_and_read_back_equal():
    assert Everything().model_dump(mode="json") == TEXT
    assert Everything.model_validate(TEXT) == Everything()


def test_lists_are_taken_as_tuples():
    assert Everything.model_validate({"numbers": [1, 2]}).numbers == (1, 2)


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        ({"duration": 20}, "needs a unit"),
        ({"numbers": ["1"]}, "valid integer"),
        ({"numbers": [True]}, "valid integer"),
        ({"unknown": 1}, "Extra inputs"),
        ("text", "valid dictionary"),
    ],
)
def test_what_does_not_fit_is_refused(data, finding):
    with pytest.raises(pydantic.ValidationError, match=finding):
        Everything.model_validate(data)


def test_settings_are_frozen():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Everything().duration = 1


def test_the_schema_names_an_example_of_each_quantity():
    schema = Everything.model_json_schema()["properties"]
    assert schema["duration"]["examples"] == ["20 ms"]
    assert {"type": "number"} in schema["share"]["anyOf"]
