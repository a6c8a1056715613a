"""Who has joined a server."""

from collections.abc import Iterable
from typing import Final, cast

from simedge.protocol.machine import Plain
from simedge.protocol.window import Window

__all__ = ["Member", "Members"]

_REBUFF_NS: Final = 1_000_000_000


class Member:
    """A device that joined."""

    __slots__ = ("have_stamp", "part_level", "window")

    def __init__(self) -> None:
        self.part_level = 0
        self.have_stamp = 0
        self.window = Window()
        """Tokens of the newest boot heard of, which is the lowest that is accepted."""


class Members:
    """The devices that joined, and when others were last told off."""

    def __init__(self) -> None:
        self._members: dict[int, Member] = {}
        self._rebuffed: dict[tuple[int, int], int] = {}

    def get(self, dev: int) -> Member | None:
        """Return a device if it joined."""
        return self._members.get(dev)

    def admit(self, dev: int, boot: int, *, part_level: int) -> bool:
        """Let a device in with a boot, at least its lowest; return whether that is news."""
        member = self._members.setdefault(dev, Member())
        fresh = boot > member.window.boot
        if fresh:
            member.window.begin(boot)
        member.part_level = part_level
        return fresh

    def forget(self, dev: int) -> None:
        """Forget a device, as if it had never joined."""
        self._members.pop(dev, None)

    def ascending(self) -> Iterable[tuple[int, Member]]:
        """Return all members by number."""
        return sorted(self._members.items())

    def by_level(self) -> dict[int, list[int]]:
        """Return the numbers of members by part level; level 0 if nobody joined."""
        levels: dict[int, list[int]] = {}
        for dev, member in self.ascending():
            levels.setdefault(member.part_level, []).append(dev)
        return dict(sorted(levels.items())) or {0: []}

    def may_rebuff(self, status: int, dev: int, now: int) -> bool:
        """Return whether a device may be told this now: once a second."""
        last = self._rebuffed.get((status, dev))
        if last is not None and now - last < _REBUFF_NS:
            return False
        self._rebuffed[status, dev] = now
        return True

    def dump(self) -> Plain:
        """Return the state as plain data."""
        return {
            "members": [
                [dev, m.part_level, m.have_stamp, m.window.dump()]
                for dev, m in self._members.items()
            ],
            "rebuffed": [[*key, at] for key, at in self._rebuffed.items()],
        }

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        plain = cast("Plain", state)
        self._members = {}
        rows = cast("list[tuple[int, int, int, object]]", plain["members"])
        for dev, part_level, have_stamp, window in rows:
            member = Member()
            member.part_level, member.have_stamp = part_level, have_stamp
            member.window.load(window)
            self._members[dev] = member
        told = cast("list[tuple[int, int, int]]", plain["rebuffed"])
        self._rebuffed = {(status, dev): at for status, dev, at in told}
