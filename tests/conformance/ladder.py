"""A world of the script on sockets: every machine a node of its own, all in one process."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from script import story_of

from simedge.drivers.live import LiveNode
from simedge.drivers.loop_crank import RunClock
from simedge.run.build import build

__all__ = ["LiveWorld", "live_world"]

_PATIENCE_S = 60


class LiveWorld:
    """Nodes by number, the log that they write together, and their clock, which stands at 0."""

    def __init__(self, scenario, executor, *, speed):
        self.clock = RunClock(end_ns=scenario.duration, speed=speed)
        self.lines = []
        self._written = asyncio.Event()
        self.nodes = {}
        driver, self.tally = build(scenario, self._write, executor=executor, rehouse=self._rehouse)
        self.hosts = {host.number: host for host in (driver.server, *driver.devices)}

    def _rehouse(self, place):
        self.nodes[place.number] = LiveNode(place.number, clock=self.clock)
        return self.nodes[place.number].rehouse(place)

    def _write(self, *line):
        self.lines.append(line)
        self._written.set()

    @property
    def story(self):
        return story_of(self.lines)

    async def open(self, *, peers):
        """Open all sockets: devices are told where the server is, peers where all are."""
        at = {number: await node.open() for number, node in self.nodes.items()}
        for number, node in self.nodes.items():
            for other in set(at) - {number} if peers else {0} - {number}:
                node.book.tell(other, at[other])
        for number, node in self.nodes.items():
            node.start(self.hosts[number])

    async def until(self, holds):
        """Wait until the log tells a story; it fails the test if that takes unreasonably long."""
        async with asyncio.timeout(_PATIENCE_S):
            while not holds(self.story):
                self._written.clear()
                await self._written.wait()

    async def finish(self):
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*(node.finish() for node in self.nodes.values()))

    async def close(self):
        for node in self.nodes.values():
            await node.close()

    @property
    def counts(self):
        return {k: v for node in self.nodes.values() for k, v in node.end.counts.items()}


@asynccontextmanager
async def live_world(scenario, *, speed, peers=False):
    with ThreadPoolExecutor(1) as executor:
        world = LiveWorld(scenario, executor, speed=speed)
        try:
            await world.open(peers=peers)
            yield world
        finally:
            await world.close()
