"""Messages in a stream of bytes: u32 length, big-endian, then the message."""

from typing import Final

from simedge.protocol.shape import RELIABLE_BYTES_MAX

__all__ = ["HEADER_BYTES", "Deframer", "framed"]

HEADER_BYTES: Final = 4


def framed(message: bytes) -> bytes:
    """Return a message as it stands in a stream.

    >>> framed(b"abc").hex()
    '00000003616263'
    """
    return len(message).to_bytes(HEADER_BYTES, "big") + message


class Deframer:
    """Cuts a stream into its messages, however it arrives; never raises.

    Parameters
    ----------
    limit
        Most bytes of a message, known before its first byte is kept.

    Examples
    --------
    >>> deframer = Deframer()
    >>> deframer.feed(framed(b"one") + framed(b"two")[:5])
    [b'one']
    >>> deframer.partial, deframer.feed(b"wo"), deframer.partial
    (True, [b'two'], False)
    """

    def __init__(self, limit: int = RELIABLE_BYTES_MAX) -> None:
        self._limit = limit
        self._held = bytearray()
        self.broken = False
        """Whether a length was 0 or above the limit: nothing more can be read."""

    @property
    def partial(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes of the stream; return the messages that they complete."""
        if self.broken:
            return []
        self._held += data
        messages: list[bytes] = []
        begin = 0
        while len(self._held) - begin >= HEADER_BYTES:
            size = int.from_bytes(self._held[begin : begin + HEADER_BYTES], "big")
            if not 0 < size <= self._limit:
                self.broken = True
                break
            end = begin + HEADER_BYTES + size
            if len(self._held) < end:
                break
            messages.append(bytes(self._held[begin + HEADER_BYTES : end]))
            begin = end
        del self._held[: len(self._held) if self.broken else begin]
        return messages
