"""Shapes, codings and addresses: sizes are known before anything is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.protocol.errors import ProtocolError
from simedge.protocol.shape import (
    DATAGRAM_BYTES_MAX,
    ENVELOPE_BYTES_MIN,
    Coding,
    Ground,
    Shape,
    address_of,
    part_of,
)


@given(block=st.integers(0, 65_535), level=st.integers(0, 6), data=st.data())
def test_addresses_name_every_part_of_every_block_once(block, level, data):
    part = data.draw(st.integers(0, 2**level - 1))
    assert part_of(address_of(block, level=level, part=part)) == (block, level, part)


@given(address=st.integers(0, 65_536 * 127 - 1))
def test_every_address_is_that_of_its_part(address):
    block, level, part = part_of(address)
    assert address_of(block, level=level, part=part) == address
    assert 0 <= part < 2**level


@pytest.mark.parametrize(
    ("classes", "top", "rows", "payload"),
    [
        (10, 0, 64, 640),
        (11, 0, 64, 704),
        (101, 8, 64, 1_024),
        (400, 8, 56, 1_008),
        (101, 4, 8, 68),
    ],
)
def test_payloads_have_the_sizes_of_the_table(classes, top, rows, payload):
    shape = Shape(classes=classes, blocks=1, rows=rows, coding=Coding(bits=8, top=top))
    assert shape.payload_bytes(rows) == payload
    assert shape.message_bytes_max(rows) == payload + 51 <= DATAGRAM_BYTES_MAX
    assert ENVELOPE_BYTES_MIN == 17


def test_parts_of_a_block_shrink_with_their_level():
    shape = Shape(classes=101, blocks=8, rows=64, coding=Coding(bits=8, top=8))
    assert [shape.payload_bytes(64 >> level) for level in range(1, 7)] == [
        512,
        256,
        128,
        64,
        32,
        16,
    ]
    assert shape.span(address_of(3, level=2, part=1)) == (3, 16, 16)


def test_many_classes_are_coded_by_their_top_eight():
    assert Coding.default(16) == Coding(bits=8, top=0)
    assert Coding.default(17) == Coding(bits=8, top=8)
    assert Coding(bits=8, top=2).enc == 0x28


@pytest.mark.parametrize(("bits", "top"), [(0, 0), (13, 0), (15, 1), (16, 0), (8, 16), (8, -1)])
def test_impossible_codings_are_refused(bits, top):
    with pytest.raises(ProtocolError, match="must be in"):
        Coding(bits=bits, top=top)


@pytest.mark.parametrize(
    "change", [{"classes": 1}, {"blocks": 0}, {"rows": 0}, {"coding": Coding(bits=8, top=4)}]
)
def test_impossible_shapes_are_refused(change):
    fine = {"classes": 4, "blocks": 2, "rows": 2, "coding": Coding(bits=8)}
    Shape(**fine)
    with pytest.raises(ProtocolError, match="must be"):
        Shape(**fine | change)


def test_blocks_that_no_datagram_holds_are_refused():
    shape = Shape(classes=10, blocks=1, rows=128, coding=Coding(bits=8))
    with pytest.raises(ProtocolError, match="1331 bytes"):
        shape.check_level(0)
    shape.check_level(1)
    with pytest.raises(ProtocolError, match="cannot be cut"):
        Shape(classes=10, blocks=1, rows=6, coding=Coding(bits=8)).check_level(2)
    Shape(classes=400, blocks=1, rows=128, coding=Coding(bits=15)).check_level(0)


@pytest.mark.parametrize(
    "address", [4, address_of(0, level=2, part=0), address_of(0, level=7, part=0)]
)
def test_addresses_outside_the_proxy_set_are_refused(address):
    shape = Shape(classes=4, blocks=4, rows=2, coding=Coding(bits=8))
    with pytest.raises(ProtocolError, match="no block"):
        shape.span(address)


@pytest.mark.parametrize("change", [{"pset": b"short"}, {"tau_ns": 0}])
def test_a_ground_needs_a_digest_and_a_period(change):
    fine = {"classes": 4, "blocks": 2, "rows": 2, "pset": bytes(32), "tau_ns": 1}
    assert Ground(**fine).ahead_ns_max == 0
    assert Ground(**fine, shared_clock=False).ahead_ns_max == 2_000_000_000
    with pytest.raises(ProtocolError, match="must be"):
        Ground(**fine | change)


def test_blocks_of_floats_know_no_datagram():
    assert Coding(bits=15).rows_max(10) == Coding(bits=15).rows_max(1000) == 64
    assert Coding(bits=8).rows_max(1000) == 1
