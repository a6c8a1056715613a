"""What sockets owe to machines: whole messages, in order, and nothing raised by what comes in."""

import asyncio
import itertools
import zlib
from collections import Counter

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.drivers.live_book import Address, AddressBook
from simedge.drivers.live_end import Endpoint, EndpointError
from simedge.drivers.live_envelope import envelope_of
from simedge.drivers.live_framing import Deframer, framed
from simedge.drivers.live_intake import Connections
from simedge.drivers.live_outlet import OUTBOX_MAX, Outlet, Patience
from simedge.protocol.wire import Kind, Message, encode

_SOON = Patience(first_s=0.001, most_s=0.01)
_TEST_S = 60


def message(kind=Kind.PARAMS, dev=1, seq=1, *, blk=1, payload=b"\x01"):
    return encode(
        Message(kind=kind, dev=dev, boot=1, seq=seq, blk=blk, t_us=0, enc=0, payload=payload)
    )


def on_a_loop(main):
    """Run a test's coroutine, which has to end within reason."""

    async def bounded():
        async with asyncio.timeout(_TEST_S):
            return await main

    return asyncio.run(bounded())


# ------------------------------------------------------------------------------------- framing
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
def test_messages_survive_any_cut_of_their_stream(messages, data):
    stream = b"".join(map(framed, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    deframer = Deframer(40)
    assert [m for piece in pieces for m in deframer.feed(piece)] == messages
    assert not deframer.partial
    assert not deframer.broken


@given(
    st.lists(st.binary(min_size=1, max_size=9), max_size=3),
    st.sampled_from([0, 10, 2**32 - 1]),
    st.binary(),
)
def test_a_length_of_nothing_or_too_much_ends_a_stream_and_keeps_none_of_it(before, size, after):
    deframer = Deframer(9)
    stream = b"".join(map(framed, before)) + size.to_bytes(4, "big") + after
    assert deframer.feed(stream) == before
    assert deframer.broken
    assert not deframer.partial
    assert deframer.feed(framed(b"x")) == []


# ----------------------------------------------------------------------------- envelopes, book
@given(st.binary(max_size=80))
def test_no_bytes_make_the_reader_of_envelopes_raise(body):
    assert envelope_of(body) is None or len(body) >= 17
    envelope_of(body + zlib.crc32(body).to_bytes(4, "big"))


_ODD = [None, True, -1, 2**32, 2**63, 0.5, b"", [], {}, {1: 2}]


def test_an_envelope_is_read_of_an_array_of_eleven_with_fitting_numbers_alone():
    for at, odd, size in itertools.product(range(11), _ODD, range(9, 13)):
        fields = [1, 6, 3, 1, 2, 1, 0, 70_000, 70_000, 0, b"", 5][:size]
        if at < size:
            fields[at] = odd
        body = msgpack.packb(fields)
        envelope = envelope_of(body + zlib.crc32(body).to_bytes(4, "big"))
        fits = size == 11 and not 1 <= at <= 5 and odd != {1: 2}
        assert envelope == ((6, 3, 1, 2, 1) if fits else None)


@pytest.mark.parametrize(
    ("kind", "dev", "blk", "cls"),
    [
        (Kind.TOKEN, 3, 0, "token"),
        (Kind.PRIOR, 0, 0, "prior"),
        (Kind.REPORT, 0, 0, "report"),
        (Kind.REPORT, 3, 0, "have"),
        (Kind.JOIN, 0, 0, "reply"),
        (Kind.JOIN, 3, 0, "join"),
        (Kind.PROXY, 0, 0, "proxy"),
        (Kind.PARAMS, 3, 7, "prediction"),
        (Kind.PARAMS, 3, 9, "unknown"),
    ],
)
def test_envelopes_name_the_flow_of_a_message(kind, dev, blk, cls):
    envelope = envelope_of(message(kind, dev, blk=blk))
    assert (envelope.cls, envelope.joins) == (cls, cls == "join")


def test_a_server_learns_addresses_and_only_a_join_moves_anybody():
    here, there = Address("127.0.0.1", 1), Address("127.0.0.1", 2)
    book = AddressBook(0)
    token, join = envelope_of(message(Kind.TOKEN, 4)), envelope_of(message(Kind.JOIN, 4))
    assert not book.vouches(token, "127.0.0.1")
    assert book.admit(token, here)
    assert not book.admit(token, there)
    assert (book.find(4), book.who(here), book.who(there)) == (here, 4, None)
    assert book.admit(join, there)
    assert (book.find(4), book.admit(token, here)) == (there, False)
    assert book.vouches(token, "127.0.0.1")
    assert not book.vouches(token, "127.0.0.2")


def test_a_device_hears_whom_it_was_told_of_and_nobody_else():
    server, other = Address("127.0.0.1", 1), Address("127.0.0.1", 2)
    book = AddressBook(4, {0: server})
    reply = envelope_of(message(Kind.JOIN, 0))
    assert book.admit(reply, server)
    assert not book.admit(reply, other)
    assert not book.admit(envelope_of(message(Kind.JOIN, 5)), other)
    assert not book.vouches(envelope_of(message(dev=4)), "127.0.0.1")


# ------------------------------------------------------------------------------------- sockets
class Ear:
    """An endpoint of number 0 that keeps what it hears, and lets a test wait for it."""

    def __init__(self, **options):
        self.heard = []
        self._changed = asyncio.Event()
        self.end = Endpoint(AddressBook(0, {1: Address("127.0.0.1", 0)}), self._hear, **options)
        self.end.counts = Watched()

    def _hear(self, sender, _, data):
        self.heard.append((sender, data))
        self._changed.set()

    async def has(self, count):
        while len(self.heard) < count:
            self._changed.clear()
            await self._changed.wait()


class Watched(Counter):
    """Counts, and lets a test wait for a count: the only sign that an endpoint gives of much."""

    def __init__(self):
        super().__init__()
        self._changed = asyncio.Event()

    def __setitem__(self, cause, count):
        super().__setitem__(cause, count)
        self._changed.set()

    async def has(self, cause):
        while not self[cause]:
            self._changed.clear()
            await self._changed.wait()


async def told_of(outlet, data):
    outcome = asyncio.get_running_loop().create_future()
    outlet.send(data, outcome.set_result)
    return await outcome


@settings(max_examples=10)
@given(st.lists(st.integers(0, 700_000), min_size=1, max_size=5))
def test_messages_arrive_once_whole_and_in_order_whatever_their_size(sizes):
    async def main():
        ear = Ear()
        outlet = Outlet(await ear.end.open(), Counter())
        sent = [message(seq=i + 1, payload=bytes(size)) for i, size in enumerate(sizes)]
        outcomes = await asyncio.gather(*(told_of(outlet, data) for data in sent))
        await ear.has(len(sent))
        await outlet.close()
        await ear.end.close()
        assert outcomes == [True] * len(sent)
        assert ear.heard == [(1, data) for data in sent]
        assert not ear.end.counts

    on_a_loop(main())


def test_who_is_away_is_called_again_until_he_is_back():
    async def main():
        ear, counts = Ear(), Watched()
        at = await ear.end.open()
        outlet = Outlet(at, counts, patience=_SOON)
        assert await told_of(outlet, message(seq=1))
        await ear.has(1)
        await ear.end.close()
        late = asyncio.create_task(told_of(outlet, message(seq=2)))
        await counts.has("no_connection")
        again = Ear(at=at)
        await again.end.open()
        assert await late
        await again.has(1)
        await outlet.close()
        await again.end.close()
        assert again.heard == [(1, message(seq=2))]

    on_a_loop(main())


def test_who_stays_away_is_given_up_and_the_outbox_has_an_end():
    async def main():
        ear, counts = Ear(), Counter()
        at = await ear.end.open()
        await ear.end.close()
        outlet = Outlet(at, counts, patience=Patience(progress_s=0.01, first_s=0.001))
        outcomes = await asyncio.gather(
            *(told_of(outlet, message(seq=i + 1)) for i in range(OUTBOX_MAX + 3))
        )
        await outlet.close()
        assert outcomes == [False] * (OUTBOX_MAX + 3)
        assert counts["outbox"] == 3

    on_a_loop(main())


def test_who_has_moved_is_not_sent_to_where_he_was():
    """What waits for the old address is given up at once, and only one way out is kept."""

    async def main():
        near, far = Ear(), Ear()
        gone = await far.end.open()
        await far.end.close()
        far = Ear()
        there = await far.end.open()
        await near.end.open()
        loop, outcomes = asyncio.get_running_loop(), []
        for at in (gone, gone, there):
            near.end.book.tell(1, at)
            outcomes.append(loop.create_future())
            near.end.send_message(1, message(seq=len(outcomes)), outcomes[-1].set_result)
            await asyncio.sleep(0)
        assert await asyncio.gather(*outcomes) == [False, False, True]
        await far.has(1)
        await near.end.close()
        await far.end.close()
        assert far.heard == [(1, message(seq=3))]

    on_a_loop(main())


def test_a_message_that_was_cut_is_sent_again_whole():
    """The first connection is closed in the middle of it, by who hears."""

    async def main():
        data, counts = message(payload=bytes(2**23)), Counter()
        got, done = [], asyncio.Event()

        async def serve(reader, writer):
            got.append(await reader.readexactly(1_000 if not got else len(framed(data))))
            writer.transport.abort()
            if len(got) == 2:
                done.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        outlet = Outlet(Address(*server.sockets[0].getsockname()), counts, patience=_SOON)
        assert await told_of(outlet, data)
        await done.wait()
        await outlet.close()
        server.close()
        await server.wait_closed()
        assert got[1] == framed(data)
        assert counts["lost_connection"] == 1

    on_a_loop(main())


def test_a_message_that_is_cut_whenever_it_is_sent_is_given_up():
    async def main():
        async def serve(reader, writer):
            await reader.readexactly(1_000)
            writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        patience = Patience(progress_s=0.05, first_s=0.001, most_s=0.001)
        outlet = Outlet(Address(*server.sockets[0].getsockname()), Counter(), patience=patience)
        assert not await told_of(outlet, message(payload=bytes(2**24)))
        await outlet.close()
        server.close()
        await server.wait_closed()

    on_a_loop(main())


WRONG_STREAMS = {
    "framing": b"\x00\x00\x00\x00",
    "unread": framed(b"nonsense that is no message at all"),
    "stranger": framed(message(dev=9)),
    "cut": framed(message())[:-1],
}


@pytest.mark.parametrize(("cause", "stream"), WRONG_STREAMS.items(), ids=WRONG_STREAMS)
def test_what_is_wrong_with_a_stream_is_counted_and_ends_it_alone(cause, stream):
    async def main():
        ear = Ear()
        at = await ear.end.open()
        reader, writer = await asyncio.open_connection(*at)
        writer.write(stream)
        if cause == "cut":
            writer.write_eof()
        assert await reader.read() == b""  # the other end closes, and says nothing
        writer.close()
        await ear.end.counts.has(cause)
        outlet = Outlet(at, Counter())
        assert await told_of(outlet, message())
        await ear.has(1)
        await outlet.close()
        await ear.end.close()
        assert ear.end.counts == {cause: 1}
        assert ear.heard == [(1, message())]

    on_a_loop(main())


def test_a_message_that_stands_still_does_not_hold_its_connection():
    async def main():
        counts = Counter()
        connections = Connections(lambda *_: True, counts, stall_s=0.01)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(connections, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(framed(b"12")[:-1])
        assert await reader.read() == b""
        writer.close()
        server.close()
        await server.wait_closed()
        assert counts["stalled"] == 1
        assert len(connections) == 0

    on_a_loop(main())


def test_datagrams_of_nobody_or_of_too_much_are_counted():
    async def main():
        ear, other = Ear(), Ear()
        at = await ear.end.open()
        loop = asyncio.get_running_loop()
        away, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=at)
        for data in (b"noise", message(dev=1), bytes(1_201), message(Kind.JOIN, 7)):
            away.sendto(data)
        await ear.has(1)
        away.close()
        await ear.end.close()
        assert ear.heard == [(7, message(Kind.JOIN, 7))]
        assert ear.end.counts == {"unread": 1, "stranger": 1, "oversize": 1}
        assert other.end.send_datagram(5, b"x") == "no_address"

    on_a_loop(main())


def test_a_port_that_is_taken_is_refused_with_a_reason():
    async def main():
        ear = Ear()
        at = await ear.end.open()
        with pytest.raises(EndpointError, match="cannot listen on"):
            await Endpoint(AddressBook(0), lambda *_: None, at=at).open()
        await ear.end.close()

    on_a_loop(main())
