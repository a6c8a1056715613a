"""Kind 6: what is written is read, what is not sound is refused, nothing counts twice."""

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.params import (
    FLOAT32,
    Code,
    Once,
    Parcel,
    bytes_of,
    check_size,
    read_message,
    send_params,
    shape_on,
    values_of,
)
from simedge.protocol.post import Post
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Kind, Message, encode, too_short, unsound

GROUND = Ground(classes=4, blocks=1, rows=1, pset=bytes(32), tau_ns=1, params=3)
SHAPE = shape_on(GROUND)
V8 = "9b0106070304020cce03938700cd02800fc40c0000803f000000bf0000803eb1bc5993"


def sent(payload, *, code=Code.MODEL, post=None, tag=0, **fields):
    parcel = Parcel(code=code, payload=payload, **{"captured_ns": 0} | fields)
    return send_params(post or Post(7), parcel, dst=0, tag=tag)


def test_a_delta_is_written_as_others_write_it():
    post = Post(7)
    post.sender.load([3, [[Kind.PARAMS, 3]]])
    payload = bytes_of(np.array([1.0, -0.5, 0.25], np.float32))
    send = sent(payload, code=Code.DELTA, post=post, g=12, n=640, captured_ns=60 * 10**9, tag=5)
    assert send.data.hex() == V8
    assert (send.cls, send.reliability, send.tag) == ("delta", "reliable", 5)
    message = read_message(bytes.fromhex(V8), SHAPE)
    assert (message.blk, message.g, message.n, message.enc) == (Code.DELTA, 12, 640, FLOAT32)
    assert values_of(message, 3).tolist() == [1.0, -0.5, 0.25]


def test_only_predictions_are_datagrams():
    ways = {code: sent(b"", code=code).reliability for code in Code}
    assert [code for code, way in ways.items() if way == "datagram"] == [Code.PREDICTION]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=400))
def test_values_come_back_and_unsound_ones_do_not(numbers):
    values = np.array(numbers, np.float32)
    data = sent(bytes_of(values)).data
    again = values_of(read_message(data, SHAPE), len(numbers))
    assert again.tobytes() == values.tobytes()
    assert 17 <= len(data) - 4 * len(numbers) <= 53
    for bad, count in ((data, len(numbers) + 1), *_spoilt(data, len(numbers))):
        with pytest.raises(WireError, match="malformed"):
            values_of(read_message(bad, SHAPE), count)


def _spoilt(data, count):
    return [(unsound(data), count), (too_short(data), count)] if count else []


@given(st.binary(max_size=2_000))
def test_no_bytes_raise_anything_but_a_refusal(data):
    try:
        message = read_message(data, SHAPE)
    except WireError:
        return
    assert encode(message) == data


def test_a_message_that_no_datagram_holds_is_read_and_one_beyond_all_limits_is_not():
    assert read_message(sent(bytes(2**20)).data, SHAPE).payload == bytes(2**20)
    with pytest.raises(WireError, match="oversize"):
        read_message(bytes(2**26 + 1), SHAPE)
    most = 2**24 - 14
    assert check_size(Ground(classes=4, blocks=1, rows=1, pset=bytes(32), tau_ns=1, params=most))
    for params in (0, most + 1):
        ground = Ground(classes=4, blocks=1, rows=1, pset=bytes(32), tau_ns=1, params=params)
        with pytest.raises(ProtocolError, match="params must be in"):
            check_size(ground)


STAMPS = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 4))


@given(st.lists(STAMPS, max_size=30))
def test_each_message_counts_at_most_once_and_never_after_a_newer_one(stamps):
    once, highest = Once(), {}
    for dev, boot, seq in stamps:
        message = Message(kind=Kind.PARAMS, dev=dev, boot=boot, seq=seq, t_us=0, payload=b"")
        assert once.take(message) == ((boot, seq) > highest.get(dev, (0, 0)))
        highest[dev] = max(highest.get(dev, (0, 0)), (boot, seq))
        twin = Once()
        twin.load(msgpack.unpackb(msgpack.packb(once.dump())))
        assert twin.dump() == once.dump()
        once = twin
