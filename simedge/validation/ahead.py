"""Streams whose blocks are drawn ahead: the same words, many at a time."""

from typing_extensions import override

from simedge.core.streams import Stream, Streams

__all__ = ["Ahead"]

_AHEAD = 4096


class _AheadStream(Stream):
    """A stream that keeps the next blocks of consecutive counters w1."""

    __slots__ = ("_first", "_rows")

    def __init__(self, streams: Streams, key: tuple[int, int]) -> None:
        super().__init__(streams, key)
        self._first = 0
        self._rows: list[list[int]] = []

    @override
    def words(
        self, w1: int = 0, w2: int = 0, w3: int = 0, *, w0: int = 0
    ) -> tuple[int, int, int, int]:
        if w2 or w3 or w0:
            return super().words(w1, w2, w3, w0=w0)
        if not 0 <= w1 - self._first < len(self._rows):
            self._first = w1
            self._rows = self.rows(1, range(w1, w1 + _AHEAD)).tolist()
        a, b, c, d = self._rows[w1 - self._first]
        return a, b, c, d


class Ahead(Streams):
    """Streams of a seed for laws that are asked a million times in a row."""

    __slots__ = ()

    @override
    def stream(self, kind: str, name: str, purpose: str) -> Stream:
        return _AheadStream(self, super().stream(kind, name, purpose).key)
