"""Recordings of live runs: one line a message and link, when it was sent, when it came, or lost.

::

    # simedge-messages 1
    uid,link,direction,size_bytes,t_send_ns,t_recv_ns
    cam-1/server/token/1/1/0/0,cam-1.server,up,1264,2000000000,2031000000
    cam-1/server/token/1/2/0/0,cam-1.server,up,1264,4000000000,lost
    cam-1/server/token/1/3/0/0,cam-1.server,up,1264,6000000000,under way

A message is under way if the recording ended before it came or was lost. A uid is
``source/destination/class/boot/seq/fragment/resend``. Columns after these are not read.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TextIO

from simedge.world.traces.rows import Message, fault
from simedge.world.traces.text import ROWS_MAX, lines, scaled

__all__ = ["COLUMNS", "message_rows", "write_messages"]

COLUMNS: Final = ("uid", "link", "direction", "size_bytes", "t_send_ns", "t_recv_ns")
_HEAD: Final = "# simedge-messages"
_VERSION: Final = "1"
_PARTS: Final = 7
_UNDER_WAY: Final = "under way"


def message_rows(path: Path) -> Iterator[Message]:
    """Yield the messages: each once a link, in the order in which its sender sent them."""
    names: list[str] | None = None
    seen: set[tuple[str, str]] = set()
    newest: dict[str, int] = {}
    for line, text in lines(path):
        if text.startswith("#"):
            _check_version(path, line, text)
            continue
        cells = text.split(",")
        if names is None:
            names = [name.strip().lower() for name in cells]
            if tuple(names[: len(COLUMNS)]) != COLUMNS:
                raise fault(path, line, f"the columns begin with {','.join(COLUMNS)}")
            continue
        if len(cells) != len(names):
            what = f"{len(cells)} of {len(names)} columns: cut off?"
            raise fault(path, line, what if text else "an empty line")
        try:
            message = _message(line, cells)
            _check(message, seen, newest)
        except ValueError as error:
            raise fault(path, line, str(error)) from None
        if len(seen) > ROWS_MAX:
            raise fault(path, line, f"more than {ROWS_MAX:,} messages")
        yield message


def _check_version(path: Path, line: int, text: str) -> None:
    words = text[len(_HEAD) :].split()
    if text.startswith(_HEAD) and (not words or words[0] != _VERSION):
        raise fault(path, line, f"messages of version {_VERSION} can be read, not {words[:1]}")


def _message(line: int, cells: list[str]) -> Message:
    uid, link, direction, size, sent, received = (cell.strip() for cell in cells[: len(COLUMNS)])
    parts = uid.split("/")
    if len(parts) != _PARTS or not all(part.isascii() and part.isdigit() for part in parts[3:]):
        form = "source/destination/class/boot/seq/fragment/resend"
        raise ValueError(f"a uid is {form}, got {uid[:80]!r}")
    if direction not in {"up", "down"}:
        raise ValueError(f"a direction is up or down, got {direction[:40]!r}")
    send_ns = scaled(sent, 1, "t_send_ns")
    told = received not in {"lost", _UNDER_WAY}
    recv_ns = scaled(received, 1, "t_recv_ns") if told else None
    if recv_ns is not None and recv_ns < send_ns:
        raise ValueError(f"received at {recv_ns} ns, before it was sent at {send_ns} ns")
    size_bytes = scaled(size, 1, "size_bytes")
    late = received == _UNDER_WAY
    return Message(line, uid, link, direction, size_bytes, send_ns, recv_ns, late)


def _check(message: Message, seen: set[tuple[str, str]], newest: dict[str, int]) -> None:
    key = (message.uid, message.link)
    if key in seen:
        raise ValueError(f"{message.uid} stands twice on {message.link}")
    seen.add(key)
    if message.send_ns < newest.get(message.link, 0):
        raise ValueError(f"the times of {message.link} are not sorted: {message.send_ns} ns")
    newest[message.link] = message.send_ns


def write_messages(messages: Iterable[Message], out: TextIO) -> None:
    """Write a recording of messages."""
    out.write(f"{_HEAD} {_VERSION}\n{','.join(COLUMNS)}\n")
    for _, uid, link, direction, size, sent, received, late in messages:
        end = (_UNDER_WAY if late else "lost") if received is None else received
        out.write(f"{uid},{link},{direction},{size},{sent},{end}\n")
