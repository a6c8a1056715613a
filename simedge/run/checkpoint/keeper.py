"""When checkpoints of a run are taken, and how one is taken back."""

from collections.abc import Sequence
from typing import Any

from simedge.drivers.virtual import VirtualDriver
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.overlay import lay
from simedge.run.checkpoint.store import Saved
from simedge.run.checkpoint.survey import Picture, Survey
from simedge.run.eventlog import LogState

__all__ = ["Keeper"]


class Keeper:
    """Takes the state of a run between two records.

    Made when the run is built and nothing has begun.

    Parameters
    ----------
    others
        Whatever counts or listens beside the driver.
    every_ns
        Virtual time between two checkpoints.
    """

    def __init__(self, driver: VirtualDriver, others: Sequence[Any], *, every_ns: int) -> None:
        self._driver = driver
        self._survey = Survey([driver, *others])
        self._every_ns = every_ns
        self.next_ns = every_ns
        """Records up to then come before the next checkpoint."""

    @property
    def due(self) -> bool:
        """Whether all records have come that are to be in the next checkpoint."""
        return not self._driver.kernel.has_before(self.next_ns)

    def picture(self) -> Picture:
        """Return the state of the run; what was computed ahead is thrown away for it."""
        driver = self._driver
        driver.rest()
        for device in driver.devices:
            device.feed.rest()
        return self._survey.picture(self._at_hand())

    def take(self, log: LogState, *, records: int, wall_s: float) -> Saved:
        """Return the state of the run, and set the time of the next."""
        driver = self._driver
        saved = Saved(
            picture=self.picture(),
            log=log,
            feeds=[device.feed.rest() for device in driver.devices],
            records=records,
            wall_s=wall_s,
            at_ns=driver.kernel.now_ns,
        )
        while self.due and self.next_ns < driver.duration_ns:
            self.next_ns += self._every_ns
        return saved

    def take_back(self, saved: Saved) -> None:
        """Let the run, of which nothing has begun, stand where it was saved.

        Raises
        ------
        CheckpointError
            If it is another run, or no state; then the run is of no use.
        """
        driver = self._driver
        try:
            for device, feed in zip(driver.devices, saved.feeds, strict=True):
                device.feed.go_back(*feed)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint is of other devices: {error}") from error
        lay(saved.picture, self._survey, self._at_hand())
        self.next_ns = (driver.kernel.now_ns // self._every_ns + 1) * self._every_ns

    def _at_hand(self) -> list[object]:
        return [thing for device in self._driver.devices for thing in device.feed.at_hand()]
