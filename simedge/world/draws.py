"""Draws of a link: four words for each datagram and try, keyed by its uid on the link's stream."""

from functools import lru_cache

from simedge.core.streams import Streams, flow64, integer_between
from simedge.world.datagrams import Datagram, LinkError

__all__ = ["Draws", "Words"]

Words = tuple[int, int, int, int]
_flow = lru_cache(maxsize=2**17)(flow64)


class Draws:
    """The stream of one link, opened at its first draw."""

    __slots__ = ("_key", "_link", "_random")

    def __init__(self, streams: Streams, link: str) -> None:
        self._random = streams
        self._link = link
        self._key: tuple[int, int] | None = None

    def words(self, datagram: Datagram, attempt: int, *, copy: int = 0, block: int = 0) -> Words:
        """Return the words of a try of a datagram, or of a copy of it."""
        # A plain tuple comes apart in a fifth of the time of a named one.
        source, destination, cls, boot, seq, fragment, resend = datagram.uid[:]
        if (fragment | resend | attempt) >> 16 or (boot | seq) >> 32:
            raise LinkError(f"{datagram.uid} leaves the range of a draw (link {self._link})")
        if self._key is None:
            self._key = self._random.stream("link", self._link, "datagram").key
        w0 = resend << 48 | fragment << 32 | attempt << 16 | block
        counter = (w0, boot << 32 | seq, _flow(source, destination, cls), copy)
        return self._random.one(self._key, counter)

    def flip(self, datagram: Datagram, attempt: int) -> Datagram:
        """Return a datagram with one bit of its message flipped; block 1 lane 0 says which."""
        word = self.words(datagram, attempt, block=1)[0]
        bit = integer_between(word, 0, 8 * len(datagram.data) - 1)
        data = bytearray(datagram.data)
        data[bit // 8] ^= 1 << bit % 8
        return datagram._replace(data=bytes(data))
