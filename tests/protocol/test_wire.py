"""KT/1 to the byte, and the order in which a receiver objects."""

import dataclasses
import zlib

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.protocol.errors import WireError
from simedge.protocol.quantiser import decode_rows, pack_rows, quantise
from simedge.protocol.shape import Coding, Shape
from simedge.protocol.wire import (
    U32_MAX,
    Join,
    Message,
    Reply,
    Report,
    capture_ns,
    decode,
    encode,
    have_code,
)

FOUR_BIT = Shape(classes=4, blocks=8, rows=2, coding=Coding(bits=4))
EIGHT_BIT = Shape(classes=4, blocks=8, rows=2, coding=Coding(bits=8))
TOP_TWO = Shape(classes=101, blocks=8, rows=4, coding=Coding(bits=8, top=2))
PSET = bytes(range(32))

SEEN = "9b01010703cd01590528ce4a817c80cca004c40474224443f44173f1"
VECTORS = {
    "token": (
        SEEN,
        FOUR_BIT,
        Message(
            kind=1,
            dev=7,
            boot=3,
            seq=345,
            blk=5,
            g=40,
            t_us=1_250_000_000,
            n=160,
            enc=0x04,
            payload=pack_rows(np.array([[7, 4, 2, 2], [4, 4, 4, 3]], np.uint16), FOUR_BIT),
        ),
    ),
    "token part": (
        "9b01010c0101ce0002000300000128c40a22aa64990000000000003df74d0b",
        TOP_TWO,
        Message(
            kind=1,
            dev=12,
            boot=1,
            seq=1,
            blk=131_075,
            t_us=0,
            n=1,
            enc=0x28,
            payload=pack_rows(
                np.array([[17, 42, 153, 38, 64], [0, 0, 0, 0, 0]], np.uint16), TOP_TWO
            ),
        ),
    ),
    "prior": (
        "9b01020001630529ce4aa001001108c408b21a1a1900000000b5432718",
        EIGHT_BIT,
        Message(
            kind=2,
            dev=0,
            boot=1,
            seq=99,
            blk=5,
            g=41,
            t_us=1_252_000_000,
            n=17,
            enc=0x08,
            payload=bytes([178, 26, 26, 25, 0, 0, 0, 0]),
        ),
    ),
    "report": (
        "9b010300010c0000ce4aa7a2200000c41000000003000001590000012c0000c350db0dd884",
        EIGHT_BIT,
        Message(
            kind=3,
            dev=0,
            boot=1,
            seq=12,
            t_us=1_252_500_000,
            payload=Report(boot=3, max_seq=345, received=300, hold_us=50_000).pack(),
        ),
    ),
    "have": (
        "9b01030703090000ce4aaf43400000c4080001feff012900293e865e6a",
        EIGHT_BIT,
        Message(
            kind=3,
            dev=7,
            boot=3,
            seq=9,
            t_us=1_253_000_000,
            payload=bytes(have_code(g) for g in (0, 1, 254, 255, 256, 41, 0, 41)),
        ),
    ),
    "join": (
        "9b01040703010000000000c428" + PSET.hex() + "000a004000080001c79b68da",
        EIGHT_BIT,
        Message(
            kind=4,
            dev=7,
            boot=3,
            seq=1,
            t_us=0,
            payload=Join(pset=PSET, classes=10, rows=64, blocks=8, wants_proxy=True).pack(),
        ),
    ),
    "reply": (
        "9b01040001010003cd4e200000c4050000000003347d0943",
        EIGHT_BIT,
        Message(
            kind=4,
            dev=0,
            boot=1,
            seq=1,
            g=3,
            t_us=20_000,
            payload=Reply(status=0, lowest_boot=3).pack(),
        ),
    ),
    "delta": (
        "9b0106070304020cce03938700cd02800fc40c0000803f000000bf0000803eb1bc5993",
        EIGHT_BIT,
        Message(
            kind=6,
            dev=7,
            boot=3,
            seq=4,
            blk=2,
            g=12,
            t_us=60_000_000,
            n=640,
            enc=0x0F,
            payload=np.array([1.0, -0.5, 0.25], "<f4").tobytes(),
        ),
    ),
}


def sealed(body):
    return body + zlib.crc32(body).to_bytes(4, "big")


def cause_of(data, shape=FOUR_BIT, limit=1_200):
    with pytest.raises(WireError) as caught:
        decode(data, shape, limit)
    return caught.value.cause


def altered(**changes):
    """Return the fields of the token vector with some changed, sealed."""
    names = ("ver", "kind", "dev", "boot", "seq", "blk", "g", "t_us", "n", "enc", "payload")
    fields = dict(zip(names, msgpack.unpackb(bytes.fromhex(SEEN)[:-4]), strict=True))
    return sealed(msgpack.packb(list((fields | changes).values())))


@pytest.mark.parametrize("name", VECTORS)
def test_messages_are_the_bytes_of_the_vectors(name):
    hexed, shape, message = VECTORS[name]
    assert encode(message).hex() == hexed
    assert decode(bytes.fromhex(hexed), shape) == message


def test_rows_of_the_vectors_decode_to_their_probabilities():
    part = decode(bytes.fromhex(VECTORS["token part"][0]), TOP_TWO)
    row, absent = decode_rows(part.rows, TOP_TWO)
    assert row[[17, 42, 0]] == pytest.approx([0.598845207, 0.148747360, 0.002549570], abs=1e-9)
    assert not absent.any()
    prior = decode(bytes.fromhex(VECTORS["prior"][0]), EIGHT_BIT)
    expected = [0.697162427, 0.102250489, 0.102250489, 0.098336595]
    assert decode_rows(prior.rows, EIGHT_BIT)[0] == pytest.approx(expected, abs=1e-9)


def test_payloads_of_feedback_and_joins_read_back():
    report = Report(boot=3, max_seq=345, received=300, hold_us=50_000)
    assert Report.unpack(report.pack()) == report
    late = Report(boot=3, max_seq=1, received=1, hold_us=2**40)
    assert Report.unpack(late.pack()).hold_us == U32_MAX
    join = Join(pset=PSET, classes=10, rows=64, blocks=8, x_mode=1, part_level=5)
    assert Join.unpack(join.pack()) == join
    reply = Reply(status=3, lowest_boot=9)
    assert Reply.unpack(reply.pack()) == reply


def test_the_capture_time_of_a_sound_message_can_be_read_alone():
    assert capture_ns(bytes.fromhex(SEEN)) == (5, 1_250_000_000_000)


def test_a_flipped_bit_is_corrupt():
    data = bytearray.fromhex(SEEN)
    data[20] = 0x75
    assert cause_of(bytes(data)) == "corrupt"


def test_a_long_array_header_is_malformed():
    hexed = "dc000b01010703cd01590528ce4a817c80cca004c40474224443894ec28a"
    assert cause_of(bytes.fromhex(hexed)) == "malformed"


def test_the_first_objection_counts():
    assert cause_of(bytes(1_201)) == "oversize"
    assert cause_of(bytes(1_201), limit=2_000) == "corrupt"
    assert cause_of(bytes.fromhex(SEEN)[:16]) == "corrupt"
    assert cause_of(altered(ver=2)) == "bad_version"
    assert cause_of(altered(ver=2, kind=9)) == "bad_version"
    assert cause_of(sealed(msgpack.packb([7, "anything", {}, 1.5]) + bytes(9))) == "bad_version"


@pytest.mark.parametrize(
    "body",
    [
        b"\xc0" * 20,
        msgpack.packb([]) + bytes(20),
        msgpack.packb([True] + [0] * 20),
        msgpack.packb(["1"] + [0] * 20),
        msgpack.packb([[1]] + [0] * 20),
        b"\xdd\xff\xff\xff\xff\xc1" + bytes(20),
        b"\x91" * 40,
        msgpack.packb([1] * 10 + [b"payload"])[:-1] + b"\xc1",
        msgpack.packb([1, 1, 7, 3, 1, 5, 0, 0, 0, 4, b"1234", 0]),
        msgpack.packb([1, 1, 7, 3, 1, 5, 0, 0, 0, b"1234"]) + bytes(9),
        msgpack.packb([1, 1, 7, 3, 1, 5, 0, 0, 0, b"1234567"]),
        msgpack.packb([1, 1, 7, 3, 1, 5, 0, 0, 0, b"1234567", 4]),
        msgpack.packb({1: 1}) + bytes(20),
        bytes.fromhex(SEEN)[:-4] + b"\0",
        msgpack.packb([1, 1, 7, 3, 1, 5, 0, 0, 0, 4, "1234"]),
    ],
)
def test_what_is_no_message_is_malformed(body):
    assert cause_of(sealed(body)) == "malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 0},
        {"kind": 7},
        {"kind": True},
        {"dev": -1},
        {"dev": 2**32},
        {"boot": 0},
        {"boot": 2**32},
        {"seq": 0},
        {"seq": 2**32},
        {"blk": 2**32},
        {"g": 2**32},
        {"g": 1.0},
        {"t_us": -1},
        {"n": 2**32},
        {"enc": 256},
        {"enc": 8},
        {"payload": "text"},
        {"payload": b"123"},
        {"payload": b"\xff" * 4},
        {"blk": 8},
        {"blk": 65_536 * 3},
        {"kind": 2},
        {"dev": 0},
        {"kind": 3},
        {"kind": 3, "dev": 0},
        {"kind": 4},
        {"kind": 4, "dev": 0},
        {"kind": 5},
        {"kind": 6},
        {"kind": 6, "enc": 15, "blk": 8},
    ],
)
def test_fields_out_of_range_and_payloads_that_do_not_fit_are_malformed(changes):
    assert decode(altered(), FOUR_BIT).seq == 345
    assert cause_of(altered(**changes)) == "malformed"


def test_the_proxy_set_comes_from_the_server_alone():
    data = altered(kind=5, dev=0, payload=b"manifest")
    assert decode(data, FOUR_BIT).payload == b"manifest"


@pytest.mark.parametrize(
    ("least", "most"),
    [
        ((1, 1, 0, 0, 0, 0, b""), 17),
        ((U32_MAX, U32_MAX, U32_MAX, U32_MAX, 2**64 - 1, 255, bytes(300)), 351),
        ((U32_MAX, U32_MAX, U32_MAX, U32_MAX, 2**64 - 1, 255, bytes(70_000)), 70_053),
    ],
)
def test_the_envelope_takes_17_to_53_bytes(least, most):
    boot, seq, blk, g, t_us, enc, payload = least
    dev = 0 if boot == 1 else U32_MAX
    n = 0 if boot == 1 else U32_MAX
    message = Message(
        kind=6, dev=dev, boot=boot, seq=seq, blk=blk, g=g, t_us=t_us, n=n, enc=enc, payload=payload
    )
    assert len(encode(message)) == most


@given(data=st.binary(max_size=80), head=st.sampled_from([b"", b"\x9b\x01", b"\x9b\x01\x01\x07"]))
def test_any_byte_string_is_accepted_or_refused_and_never_more(data, head):
    for candidate in (data, sealed(head + data)):
        try:
            message = decode(candidate, FOUR_BIT)
        except WireError:
            continue
        assert encode(message) == candidate


@st.composite
def tokens(draw, shape=EIGHT_BIT):
    counts = draw(
        st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=2, max_size=2)
    )
    raw = np.array(counts, np.float64)
    rows = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1)
    whole = st.integers(1, U32_MAX)
    return Message(
        kind=1,
        dev=draw(whole),
        boot=draw(whole),
        seq=draw(whole),
        blk=draw(st.integers(0, 7)),
        g=draw(st.integers(0, U32_MAX)),
        t_us=draw(st.integers(0, 2**64 - 1)),
        n=draw(st.integers(0, U32_MAX)),
        enc=shape.coding.enc,
        payload=pack_rows(quantise(rows, shape), shape),
    )


@given(message=tokens())
def test_accepted_messages_encode_to_what_was_read(message):
    data = encode(message)
    assert decode(data, EIGHT_BIT) == message
    assert encode(decode(data, EIGHT_BIT)) == data


@given(message=tokens(), data=st.data())
def test_one_or_two_flipped_bits_never_pass(message, data):
    whole = bytearray(encode(message))
    flips = data.draw(st.sets(st.integers(0, 8 * len(whole) - 1), min_size=1, max_size=2))
    for bit in flips:
        whole[bit // 8] ^= 1 << bit % 8
    assert cause_of(bytes(whole), EIGHT_BIT) == "corrupt"


@given(first=tokens(), second=tokens())
def test_what_rows_say_never_shows_in_the_length(first, second):
    other = dataclasses.replace(first, payload=second.payload)
    assert len(encode(first)) == len(encode(other))


def test_rows_of_a_remembered_message_cannot_be_changed():
    rows = decode(bytes.fromhex(SEEN), FOUR_BIT).rows
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1
