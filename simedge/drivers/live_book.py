"""Where others are: addresses that were told, and those learned from joins."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from simedge.drivers.live_envelope import Envelope

__all__ = ["Address", "AddressBook"]

_SERVER: Final = 0
_LEARNED_MAX: Final = 65_536


class Address(NamedTuple):
    """One port for datagrams and for connections."""

    host: str
    port: int


class AddressBook:
    """Addresses by number: 0 is the server, devices from 1.

    Parameters
    ----------
    own
        Whose book it is.
    told
        Addresses that are known from the start; no message changes them.
    """

    def __init__(self, own: int, told: Mapping[int, Address] | None = None) -> None:
        self._own = own
        self._told = dict(told or {})
        self._learned: dict[int, Address] = {}

    def tell(self, number: int, address: Address) -> None:
        """Say where somebody is."""
        self._told[number] = address

    def find(self, number: int) -> Address | None:
        """Return where somebody is, if that is known."""
        return self._told.get(number) or self._learned.get(number)

    def admit(self, envelope: Envelope, came_from: Address) -> bool:
        """Return whether a datagram comes from where its sender is; learn that from a join.

        The address of a stranger is learned from anything, so that it can be told to join; that of
        whoever has one is changed by a join alone.
        """
        number = envelope.dev
        if number in self._told:
            return self._told[number] == came_from
        if self._own != _SERVER or number == _SERVER:
            return False
        if number not in self._learned and len(self._learned) >= _LEARNED_MAX:
            return False
        if envelope.joins:
            self._learned[number] = came_from
        return self._learned.setdefault(number, came_from) == came_from

    def who(self, address: Address) -> int | None:
        """Return who is at an address, if anybody is known to be."""
        for known in (self._told, self._learned):
            for number, at in known.items():
                if at == address:
                    return number
        return None

    def vouches(self, envelope: Envelope, host: str) -> bool:
        """Return whether a message may have come over a connection from a host."""
        known = self.find(envelope.dev)
        return envelope.dev != self._own and known is not None and known.host == host
