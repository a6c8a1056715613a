"""Where machines hand in transfers: starts them, schedules, logs and bills what comes of it."""

from collections.abc import Callable

from simedge.core.records import Order
from simedge.drivers.journal import Journal, uid_text
from simedge.drivers.tally import TransferTally
from simedge.kernel.kernel import Record
from simedge.world.datagrams import Datagram, Step
from simedge.world.transfers import News, Transfers, Turn

__all__ = ["TransferDesk"]


class TransferDesk:
    """Carries out what transfers answer.

    Parameters
    ----------
    transfers
        All transfers of the run.
    take
        Schedules and logs a step of the network.
    """

    def __init__(
        self,
        transfers: Transfers,
        *,
        take: Callable[[Step, int, Order], None],
        journal: Journal,
    ) -> None:
        self.transfers = transfers
        self._take = take
        self._journal = journal

    def start(self, message: Datagram, tag: int, *, source: int, now: int) -> None:
        """Begin a transfer."""
        self.turn(self.transfers.start(message, tag, source=source, now=now), now, Order.RECEIVED)

    def handle(self, record: Record, now: int) -> Turn:
        """Take a record of transfers; return what the host at whom it was has to be told."""
        _, order, target, kind, payload = record
        turn = self.transfers.handle(target, kind, payload, now=now)
        if turn.arrived is not None:
            self._journal.log(
                now,
                order,
                target,
                kind="received",
                subject=uid_text(turn.arrived.uid),
                detail=(len(turn.arrived.data),),
            )
        self.turn(turn, now, order)
        return turn

    def set_device_up(self, number: int, now: int, *, up: bool) -> None:
        """Take notice of a crash or a restart, after the network has."""
        change = self.transfers.device_up if up else self.transfers.device_down
        self.turn(change(number, now), now, Order.FAULT)

    def turn(self, turn: Turn, now: int, order: Order) -> None:
        """Schedule, log and bill."""
        self._take(turn.step, now, order)
        self._bill()
        for news in turn.news:
            self._log(news, now, order)

    def charge(self, now: int) -> None:
        """Bill what has passed by now."""
        if self.transfers.active:
            self.transfers.charge(now)
            self._bill()

    def close(self, now: int) -> None:
        """Write the totals of the run as it stands at `now`."""
        account = self.transfers.account(now)
        self._bill()
        self._journal.tally.transfers = TransferTally(**account._asdict())

    def _bill(self) -> None:
        bill, tally = self.transfers.bill(), self._journal.tally
        if not any(bill):
            return
        tally.bits_up += 8 * bill.up
        tally.bits_down += 8 * bill.down
        tally.bits_retransmitted += 8 * bill.again
        first = bill.up + bill.down - bill.again - bill.acks
        tally.bits_by_cause["payload"] += 8 * (first - bill.proxy)
        tally.bits_by_cause["proxy"] += 8 * bill.proxy
        tally.bits_by_cause["ack"] += 8 * bill.acks
        tally.bits_by_cause["retransmission"] += 8 * bill.again

    def _log(self, news: News, now: int, order: Order) -> None:
        kind, transfer = news
        detail: tuple[int, ...] = (len(transfer.message.data),)
        if kind != "started":
            detail += (transfer.spent.data + transfer.spent.acks,)
        self._journal.log(
            now,
            order,
            transfer.source,
            kind=f"transfer-{kind}",
            subject=uid_text(transfer.message.uid),
            detail=detail,
        )
