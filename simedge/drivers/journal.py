"""What a driver writes down while a run goes on: log lines and the tally."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from simedge.core.records import LogSink, Order
from simedge.drivers.tally import Sample, Tally
from simedge.world.datagrams import Uid

__all__ = ["Atom", "Journal", "uid_text"]

Atom = int | str | bytes


def uid_text(uid: Uid) -> str:
    """Write the name of a datagram as the event log has it."""
    source, destination, cls, boot, seq, fragment, resend = uid
    return f"{source}/{destination}/{cls}/{boot}/{seq}/{fragment}/{resend}"


@dataclass(slots=True)
class Journal:
    """Writes the event log and counts.

    Parameters
    ----------
    sink
        Takes the lines of the event log.
    names
        Name of every target by its number: server, devices, links.
    tally
        What the summary will be made of.
    """

    sink: LogSink
    names: Sequence[str]
    tally: Tally
    numbers: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = {name: number for number, name in enumerate(self.names)}

    def log(
        self,
        now: int,
        order: Order,
        number: int,
        *,
        kind: str,
        subject: Atom,
        detail: tuple[Atom, ...],
    ) -> None:
        """Write one line of the event log about the target of a number."""
        self.sink(now, int(order), self.names[number], kind, subject, detail)

    def sample(self, now: int, number: int, *, metric: str, value: float) -> None:
        """Keep one measurement of the target of a number."""
        self.tally.samples.append(Sample(now, self.names[number], metric, value))
