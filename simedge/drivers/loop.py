"""The driver of asyncio without sockets: a world in process, turned by an event loop.

Links, machines and devices are those of virtual time, and so is every record of the log. Only who
turns the crank is another.
"""

import asyncio

from simedge.drivers.loop_crank import Crank, RunClock
from simedge.drivers.loop_time import VirtualTimeLoop
from simedge.drivers.virtual import VirtualDriver

__all__ = ["drive", "drive_at_once"]


async def drive(driver: VirtualDriver, *, speed: float = 1.0) -> None:
    """Turn a world that has not started, on the running event loop, to the end of its run.

    Parameters
    ----------
    speed
        Seconds of the run in a second of the event loop.
    """
    clock = RunClock(end_ns=driver.duration_ns, speed=speed)
    crank = Crank(driver.kernel, clock)
    driver.start()
    crank.start()
    clock.go()
    try:
        await crank.finish()
    finally:
        crank.stop()


def drive_at_once(driver: VirtualDriver) -> None:
    """Turn a world on an event loop of its own, whose time is virtual."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(drive(driver))
