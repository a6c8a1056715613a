"""What the rows of a device are about: the items of the proxy set, or the labels of its frames."""

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import ClassTable, SetClassPrior
from simedge.protocol.bookkeeping import OpenCall
from simedge.protocol.elal_kit import Kit
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import Effect, KlPart, KlStep, ProxyPass
from simedge.protocol.shape import address_of

__all__ = ["ClassRows", "ProxyRows", "Rows", "open_rows"]


class Rows(Protocol):
    """What rows are about; one variant for each ``x_mode``."""

    def forget(self) -> None:
        """Be as new."""

    def restart(self) -> None:
        """Go on after a crash: what the learner was told last is not known."""

    def dump(self) -> object:
        """Return the state."""

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""

    def ask(self, turn: int, now: int) -> Effect:
        """Ask the learner for the rows of the address whose turn it is."""

    def take(self, call: OpenCall, value: object) -> NDArray[np.float32]:
        """Return the rows that it answered with, all of the address."""

    def pull(self, address: int, now: int) -> list[Effect]:
        """Step towards what is held, after the rows of an address were taken."""

    def watch(self, now: int) -> list[Effect]:
        """Take notice of what is held now: a prior came, a frame went, or all begins anew."""


def open_rows(kit: Kit) -> Rows:
    """Return what rows are about in a run."""
    return ClassRows(kit) if kit.settings.x_mode == "class" else ProxyRows(kit)


class ProxyRows:
    """Rows about unlabelled items: the learner passes them, and steps towards what is held of them.

    Parameters
    ----------
    kit
        Shared with the device's other parts.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self._passed: set[int] = set()

    def restart(self) -> None:
        """Do nothing: passes are asked for one by one."""

    def watch(self, now: int) -> list[Effect]:
        """Do nothing: steps are made after passes alone."""
        del now
        return []

    def dump(self) -> list[int]:
        """Return the state."""
        return sorted(self._passed)

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._passed = set(cast("list[int]", state))

    def ask(self, turn: int, now: int) -> Effect:
        """Ask for the pass of a turn."""
        kit = self._kit
        address = _address(kit, turn % (kit.shape.blocks << kit.settings.part_level))
        start, count = _span(kit, address)
        return kit.calls.proxy_pass(ProxyPass(address=address, first=start, count=count), now)

    def take(self, call: OpenCall, value: object) -> NDArray[np.float32]:
        """Return the rows that a pass gave."""
        (address,) = call.addresses
        count = self._kit.shape.span(address)[2]
        if not isinstance(value, np.ndarray) or len(value) != count:
            raise ProtocolError(f"a proxy pass must return {count} rows of probabilities")
        self._passed.add(address)
        return value

    def pull(self, address: int, now: int) -> list[Effect]:
        """Step towards what is held, after the pass of an address."""
        kit, settings = self._kit, self._kit.settings
        if settings.kl == 0:
            return []
        addresses = sorted(self._passed) if settings.kl_blocks == "held" else [address]
        parts = []
        for each in addresses:
            held = kit.priors.held(each, now - kit.age_ns_max)
            if held is not None:
                parts.append(KlPart(each, held.rows, held.mask))
        if not parts:
            return []
        step = KlStep(parts=tuple(parts), alpha=settings.kl, steps=settings.kl_steps)
        return [kit.calls.kl_step(step)]


class ClassRows:
    """Rows about labels: what the learner said of each, and every frame is pulled to its own.

    Parameters
    ----------
    kit
        Shared with the device's other parts.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        shape = kit.shape
        self._turns = -(-shape.classes // (shape.rows >> kit.settings.part_level))
        self.forget()

    def forget(self) -> None:
        """Be as new: the learner was told nothing."""
        shape = self._kit.shape
        self._given: NDArray[np.uint64] | None = np.zeros(shape.blocks * shape.rows, np.uint64)

    def restart(self) -> None:
        """Go on after a crash: what the learner was told last is not known."""
        self._given = None

    def dump(self) -> list[object]:
        """Return the state."""
        return [] if self._given is None else [plain_of(self._given)]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        given = cast("list[object]", state)
        self._given = cast("NDArray[np.uint64]", array_of(given[0])) if given else None

    def ask(self, turn: int, now: int) -> Effect:
        """Ask for the table of a turn; addresses beyond the last class have none."""
        address = _address(self._kit, turn % self._turns)
        first, count = _span(self._kit, address)
        count = min(count, self._kit.shape.classes - first)
        return self._kit.calls.class_table(ClassTable(first=first, count=count), address, now)

    def take(self, call: OpenCall, value: object) -> NDArray[np.float32]:
        """Return the rows of a table; those of labels that were not seen are absent."""
        (address,) = call.addresses
        first, count = _span(self._kit, address)
        classes = self._kit.shape.classes
        known = min(count, classes - first)
        if not isinstance(value, np.ndarray) or value.shape != (known, classes):
            raise ProtocolError(f"a class table must return {known} rows of probabilities")
        rows = np.zeros((count, classes), np.float32)
        rows[:known] = value
        return rows

    def pull(self, address: int, now: int) -> list[Effect]:
        """Do nothing: frames are pulled one by one."""
        del address, now
        return []

    def watch(self, now: int) -> list[Effect]:
        """Tell the learner the rows that are in force, whenever they are not those it was told."""
        kit, classes = self._kit, self._kit.shape.classes
        if kit.settings.kl == 0:
            return []
        force = kit.priors.in_force(now - kit.age_ns_max)
        if self._given is not None and np.array_equal(force, self._given):
            return []
        self._given = force
        mask = force[:classes] > 0
        args = SetClassPrior(
            target=kit.priors.rows[:classes] * mask[:, None],
            mask=mask,
            alpha=kit.settings.kl,
            steps=kit.settings.kl_steps,
        )
        blocks = np.unique(np.flatnonzero(mask) // kit.shape.rows)
        return [kit.calls.set_class_prior(args, tuple(blocks.tolist()))]


def _address(kit: Kit, turn: int) -> int:
    level = kit.settings.part_level
    return address_of(turn >> level, level=level, part=turn & ((1 << level) - 1))


def _span(kit: Kit, address: int) -> tuple[int, int]:
    """Return (first row of all, rows) of an address."""
    block, first, count = kit.shape.span(address)
    return block * kit.shape.rows + first, count
