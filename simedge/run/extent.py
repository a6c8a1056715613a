"""How many rows the devices and the server of a run speak of."""

from simedge.protocol.settings import ElalSettings
from simedge.run.settings import ScenarioSettings

__all__ = ["extent_of"]


def extent_of(scenario: ScenarioSettings, classes: int) -> tuple[int, int]:
    """Return the blocks of a run and the rows of each; where nobody sends any, the proxy set's."""
    proxy, protocol = scenario.sensors.proxy, scenario.protocol
    if isinstance(protocol, ElalSettings):
        return protocol.extent(classes=classes, blocks=proxy.blocks, rows=proxy.rows)
    return proxy.blocks, proxy.rows
