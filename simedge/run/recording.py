"""A run's event log as a recording of messages: what became of each on each link."""

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from simedge.run.errors import RunDirectoryError
from simedge.run.eventlog import LogReader, LogRecord
from simedge.run.parts import LOG
from simedge.world.traces.messages import write_messages
from simedge.world.traces.rows import Message

__all__ = ["messages_of", "write_run"]


def messages_of(records: Iterable[LogRecord]) -> list[Message]:
    """Return what became of each datagram on each link, in the order of sending.

    It has come when it is received or sent on.
    """
    sent: dict[tuple[str, str], Message] = {}
    under_way: dict[str, tuple[str, str]] = {}
    for at, _, target, kind, subject, detail in records:
        uid = str(subject)
        if kind in {"sent", "received"} and uid in under_way:
            key = under_way.pop(uid)
            if sent[key].recv_ns is None:
                sent[key] = sent[key]._replace(recv_ns=at)
        if kind == "sent" and isinstance(detail, tuple):
            down, _, _, size = detail
            assert isinstance(size, int)
            direction = "down" if down else "up"
            sent[uid, target] = Message(0, uid, target, direction, size, at, None)
            under_way[uid] = (uid, target)
        elif kind == "lost":
            under_way.pop(uid, None)
    for key in under_way.values():
        if sent[key].recv_ns is None:
            sent[key] = sent[key]._replace(under_way=True)
    return list(sent.values())


def write_run(path: Path, out: TextIO) -> str | None:
    """Write the messages of a run directory; return what is wrong with its log, if anything is.

    Of a damaged log the messages up to the damage are written.

    Raises
    ------
    RunDirectoryError
        If there is no event log.
    """
    log = path / LOG
    if not log.is_file():
        raise RunDirectoryError(f"{path}: no {LOG}: the run kept no records")
    reader = LogReader(log)
    write_messages(messages_of(reader), out)
    return reader.damage
