"""Transfers: reliable sends, whole and in order or not at all, as a pure object.

What a driver needs::

    turn = transfers.start(message, tag, source=number, now=now)
    turn = transfers.handle(target, kind, payload, now=now)  # kinds of TRANSFER_KINDS
    turn = transfers.device_down(number, now)  # after the network's own
    turn = transfers.device_up(number, now)
    turn = transfers.look(links, now)  # a fault took links down, or changed their rate
    step = transfers.watch(step, now, at=link)  # each step of the network, while `active`
    transfers.charge(now)
    bill = transfers.bill()  # what is to be billed since
    account = transfers.account(now)

A turn has a step (what to schedule and to log of datagrams), the transfers that started, ended or
failed, a message that has arrived, and the outcome for the sender at whom the record was.

A transfer costs what `bulk` says of the mean loss of its path at its start (after hop ARQ), and
moves as a fluid flow over the links of its path (see `Sharing`). When its last byte has passed
there come a set-up and z - 1 more round trips and the one-way delay of the path as it then is.
Transfers of a pair arrive in order: one that is whole early waits. On a change of route it goes
on with what is left. It fails

- after `reliable_timeout` without progress: no way, links down or without capacity, all lost;
- at once when its sender crashes, and nobody is told;
- when its receiver crashes: the connection is gone, also if the receiver is back soon; the sender
  learns it after the time in which a dead neighbour is detected, or by its timeout.
"""

from collections import deque
from collections.abc import Iterable
from operator import add
from typing import Final, NamedTuple

from simedge.core.records import Due, Order
from simedge.world.datagrams import NOTHING, Datagram, LinkError, Step
from simedge.world.fluid import lost_ppm, mathis_bps, one_way_ns
from simedge.world.network import Network
from simedge.world.shared_link import SharedLink
from simedge.world.sharing import SHARING_KINDS, Sharing
from simedge.world.transfer import Stage, Transfer
from simedge.world.transfer_settings import TransferSettings

__all__ = ["TRANSFER_KINDS", "Account", "Bill", "News", "Outcome", "Transfers", "Turn"]

TRANSFER_KINDS: Final = SHARING_KINDS | {"transfer-whole", "transfer-told", "transfer-stalled"}
_SERVER: Final = 0
_OPEN_MAX: Final = 4096
"""Transfers that a sender may have at once; one more fails as soon as it starts."""


class Bill(NamedTuple):
    """Bytes on the wire, hop by hop, and those within them that were sent again, by cause.

    ``again`` counts what was sent again, ``acks`` acknowledgements, ``proxy`` what first moved a
    proxy set; the rest is what first moved all else.
    """

    up: int = 0
    down: int = 0
    again: int = 0
    acks: int = 0
    proxy: int = 0


class Account(NamedTuple):
    """How many transfers there were, and what became of the bytes that had to pass their paths."""

    started: int
    ended: int
    failed: int
    under_way: int
    offered_bytes: int
    passed_bytes: int
    abandoned_bytes: int
    left_bytes: int
    billed_bytes: int
    """Of those under way, over all links."""


class News(NamedTuple):
    """A line of the event log: started, ended or failed; (message bytes, billed over all links)."""

    kind: str
    transfer: Transfer


class Outcome(NamedTuple):
    """What the sender is told."""

    tag: int
    ok: bool


class Turn(NamedTuple):
    """What a record of transfers led to."""

    step: Step = NOTHING
    news: tuple[News, ...] = ()
    arrived: Datagram | None = None
    outcome: Outcome | None = None


class Transfers:
    """All transfers of a run.

    Parameters
    ----------
    network
        Links and routes.
    settings
        Timeout and model.
    detect_ns
        After which a sender knows that a receiver crashed.
    """

    def __init__(self, network: Network, *, settings: TransferSettings, detect_ns: int) -> None:
        self._network = network
        self._settings = settings
        self._detect_ns = detect_ns
        self._between = {(link.src, link.dst): link for link in network.links}
        self._sharing = Sharing(network.links)
        self._live: dict[int, Transfer] = {}
        self._told: dict[int, Transfer] = {}
        self._flows: dict[int, Transfer] = {}
        self._pairs: dict[tuple[int, int], deque[Transfer]] = {}
        self._open: dict[int, int] = {}
        self._dues: list[Due] = []
        self._led: set[int] = set()
        self._hopeless: set[int] = set()
        """Transfers that began while their path lost everything: they have no price yet."""
        self._started = self._ended = self._failed = 0
        self._offered = self._passed = self._abandoned = 0
        self._bill = Bill()
        self.active = self._sharing.active
        """Whether steps of the network concern transfers or a medium."""

    def start(self, message: Datagram, tag: int, *, source: int, now: int) -> Turn:
        """Begin a transfer to the last device of the message's path."""
        self._started += 1
        transfer = Transfer(
            self._started, message, tag=tag, source=source, destination=message.path[-1]
        )
        self._live[transfer.number] = transfer
        self._pairs.setdefault(transfer.pair, deque()).append(transfer)
        self._open[source] = self._open.get(source, 0) + 1
        if self._open[source] > _OPEN_MAX:
            self._fail_at(transfer, now)
        else:
            self._lead(transfer, now)
        return Turn(self._settled(now), (News("started", transfer),))

    def handle(self, target: int, kind: str, payload: object, *, now: int) -> Turn:
        """Take a record of one's own."""
        if kind in SHARING_KINDS:
            step, flows = self._sharing.handle(target, kind, payload, now=now)
            for flow in flows:
                self._through(self._flows[flow], now)
            return Turn(self._settled(now, step))
        if kind == "transfer-told":
            assert isinstance(payload, int)
            transfer = self._told.pop(payload)
            news = (News("ended", transfer),)
            return Turn(news=news, outcome=Outcome(transfer.tag, ok=True))
        if kind == "transfer-whole":
            assert isinstance(payload, int)
            return self._whole(self._live.get(payload), now)
        assert isinstance(payload, tuple)
        return self._stalled(self._live.get(payload[0]), payload[1], now)

    def watch(self, step: Step, now: int, *, at: int | None = None) -> Step:
        """Take a step of the network before it is carried out; `at` is the target of its record."""
        step = self._sharing.watch(step, now, at=at)
        for number in sorted(self._hopeless):
            if any(link.number == at for link in self._live[number].links):
                self._lead(self._live[number], now)
        for source, destination, _ in step.changes:
            for transfer in self._pairs.get((source, destination), ()):
                if transfer.stage is Stage.MOVING:
                    self._lead(transfer, now)
        return self._settled(now, step)

    def look(self, links: Iterable[int], now: int) -> Turn:
        """Look at links again, of which any may have gone down, come back or changed its rate."""
        self._sharing.look(links, now)
        return Turn(self._settled(now))

    def device_down(self, number: int, now: int) -> Turn:
        """Take notice of a crash, after the network has."""
        news = []
        for transfer in list(self._live.values()):
            if transfer.source == number:
                self._remove(transfer, now)
                self._failed += 1
                news.append(News("failed", transfer))
            elif transfer.destination == number and transfer.stage is not Stage.BROKEN:
                self._halt(transfer, now)
                transfer.stage = Stage.BROKEN
                known = now + self._detect_ns
                self._fail_at(transfer, min(known, transfer.deadline or known))
        self._sharing.look((link.number for link in self._network.links_of(number)), now)
        return Turn(self._settled(now), tuple(news))

    def device_up(self, number: int, now: int) -> Turn:
        """Take notice of a restart, after the network has."""
        return self.look((link.number for link in self._network.links_of(number)), now)

    def charge(self, now: int) -> None:
        """Bill what has passed by now; it does not matter how often."""
        for transfer in self._live.values():
            self._advance(transfer, now)

    def bill(self) -> Bill:
        """Return what has to be billed since one asked last."""
        bill, self._bill = self._bill, Bill()
        return bill

    def account(self, now: int) -> Account:
        """Return how the transfers of the run stand."""
        self.charge(now)
        left_bits = [self._sharing.left_bits(flow, now) for flow in self._flows]
        under_way = [*self._live.values(), *self._told.values()]
        return Account(
            started=self._started,
            ended=self._ended - len(self._told),
            failed=self._failed,
            under_way=len(under_way),
            offered_bytes=self._offered,
            passed_bytes=self._passed,
            abandoned_bytes=self._abandoned,
            left_bytes=sum(-(-bits // 8) for bits in left_bits),
            billed_bytes=sum(transfer.spent.data + transfer.spent.acks for transfer in under_way),
        )

    def _lead(self, transfer: Transfer, now: int) -> None:
        """Lead a transfer over the present path, or let it wait for one."""
        self._led.add(transfer.number)
        self._advance(transfer, now)
        links = transfer.links = self._path(*transfer.pair)
        if links and transfer.flow is None and transfer.price(lost_ppm(links, now)):
            transfer.flow = self._sharing.begin(8 * transfer.wire_bytes, now)
            self._flows[transfer.flow] = transfer
            self._offered += transfer.wire_bytes
        (self._hopeless.add if links and transfer.flow is None else self._hopeless.discard)(
            transfer.number
        )
        if transfer.flow is None:
            return
        cap_bps = None
        if self._settings.reliable_model == "mathis":
            cap_bps = mathis_bps(self._trip_ns(links, now), lost_ppm(links, now))
        self._sharing.lay(transfer.flow, links, now, cap_bps=cap_bps)
        for link in links:
            link.touch(now)

    def _path(self, source: int, destination: int) -> tuple[SharedLink, ...]:
        path = self._network.routes.path(source, destination)
        links = [self._between[hop] for hop in zip((source, *path), path, strict=False)]
        shared = tuple(link for link in links if isinstance(link, SharedLink))
        if len(shared) < len(links):
            raise LinkError(
                f"a link that replays messages (mode uid) carries no transfer ({links[0].name})"
            )
        return shared

    def _back(self, links: Iterable[SharedLink]) -> list[SharedLink]:
        back = [self._between[link.dst, link.src] for link in links]
        return [link for link in back if isinstance(link, SharedLink)]

    def _trip_ns(self, links: tuple[SharedLink, ...], now: int) -> int:
        return one_way_ns(links, now) + one_way_ns(self._back(links), now)

    def _through(self, transfer: Transfer, now: int) -> None:
        """Let the round trips follow once the last byte has passed."""
        assert transfer.cost is not None
        self._halt(transfer, now)
        transfer.stage, transfer.deadline = Stage.PASSED, None
        trips = transfer.cost.rounds  # one of them is the set-up
        rest = trips * self._trip_ns(transfer.links, now) + one_way_ns(transfer.links, now)
        self._tell_whole(transfer, now + rest)

    def _tell_whole(self, transfer: Transfer, at: int) -> None:
        due = Due(at, Order.RECEIVED, transfer.destination, "transfer-whole", transfer.number)
        self._dues.append(due)

    def _whole(self, transfer: Transfer | None, now: int) -> Turn:
        if transfer is None or transfer.stage is Stage.BROKEN:
            return Turn()
        transfer.stage = Stage.WHOLE
        if self._pairs[transfer.pair][0] is not transfer:
            return Turn()
        self._remove(transfer, now)
        self._ended += 1
        self._told[transfer.number] = transfer
        told = Due(now, Order.OUTCOME, transfer.source, "transfer-told", transfer.number)
        return Turn(self._settled(now, Step((told,))), arrived=transfer.message)

    def _stalled(self, transfer: Transfer | None, deadline: int, now: int) -> Turn:
        if transfer is None or transfer.deadline != deadline:
            return Turn()  # it moved in between, or is no more
        self._remove(transfer, now)
        self._failed += 1
        step = self._settled(now)
        return Turn(step, (News("failed", transfer),), outcome=Outcome(transfer.tag, ok=False))

    def _fail_at(self, transfer: Transfer, at: int) -> None:
        transfer.deadline = at
        payload = (transfer.number, at)
        self._dues.append(Due(at, Order.OUTCOME, transfer.source, "transfer-stalled", payload))

    def _halt(self, transfer: Transfer, now: int) -> None:
        """Take the flow of a transfer out."""
        self._hopeless.discard(transfer.number)
        self._advance(transfer, now)
        if transfer.flow is None:
            return
        self._sharing.end(transfer.flow, now)
        del self._flows[transfer.flow]
        transfer.flow = None
        self._abandoned += transfer.wire_bytes - transfer.passed_bytes
        for link in transfer.links:
            link.touch(now)

    def _remove(self, transfer: Transfer, now: int) -> None:
        """Take a transfer out; the next one of its pair may have waited for that."""
        self._halt(transfer, now)
        del self._live[transfer.number]
        self._open[transfer.source] -= 1
        pair = self._pairs[transfer.pair]
        pair.remove(transfer)
        if not pair:
            del self._pairs[transfer.pair]
        elif pair[0].stage is Stage.WHOLE:
            self._tell_whole(pair[0], now)

    def _advance(self, transfer: Transfer, now: int) -> None:
        """Bill what has passed of a transfer by now."""
        if transfer.flow is None:
            return
        left_bytes = -(-self._sharing.left_bits(transfer.flow, now) // 8)
        passed = transfer.wire_bytes - left_bytes
        if passed == transfer.passed_bytes:
            return
        self._passed += passed - transfer.passed_bytes
        spent = transfer.advance(passed, self._back(transfer.links))
        first = spent.data - spent.again
        if transfer.source == _SERVER:
            up, down = spent.acks, spent.data
        elif transfer.destination == _SERVER:
            up, down = spent.data, spent.acks  # acknowledgements of the server go down
        else:
            up, down = spent.data + spent.acks, 0
        proxy = first if transfer.message.cause == "proxy" else 0
        more = Bill(up, down, spent.again, spent.acks, proxy)
        self._bill = Bill(*map(add, self._bill, more))

    def _settled(self, now: int, step: Step = NOTHING) -> Step:
        """Return a step with all that is to be scheduled; see who makes progress."""
        dues = (*step.dues, *self._sharing.plan(now))
        turned = self._sharing.turned()
        led, self._led = self._led, set()
        if turned:
            led.update(self._flows[flow].number for flow in turned & self._flows.keys())
        for number in sorted(led & self._live.keys()) if led else ():
            transfer = self._live[number]
            if transfer.stage is not Stage.MOVING:
                continue
            if transfer.flow is not None and self._sharing.moves(transfer.flow):
                transfer.deadline = None
            elif transfer.deadline is None:
                self._fail_at(transfer, now + self._settings.reliable_timeout)
        own, self._dues = self._dues, []
        self.active = bool(self._live) or self._sharing.active
        return step._replace(dues=(*dues, *own))
