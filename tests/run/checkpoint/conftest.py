"""The small world that is stopped and goes on."""

import pytest
from saved_worlds import TEXT, World

from simedge.run.scenario import Scenario


@pytest.fixture(scope="session")
def world() -> World:
    return World(Scenario.parse(TEXT))
