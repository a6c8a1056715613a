"""Streams: the vectors of the generator, and independence of what is keyed apart."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core import streams, tables
from simedge.core.philox import fill
from simedge.core.streams import Streams

FLOW = streams.flow64("dev03", "server", "token")
MESSAGE = 1 << 32 | 5

words64 = st.integers(0, 2**64 - 1)


@pytest.fixture
def stream():
    return Streams(7).stream("link", "dev03.up", "datagram")


def test_philox_at_counter_and_key_zero():
    assert [f"{w:016x}" for w in Streams(0).raw((0, 0), 0, 1).tolist()] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]


def test_keys_and_flows_are_hashes_of_their_names(stream):
    assert stream.key == (0xAA0A430C68F8C060, 0xB63E6E5F245A0F4E)
    assert FLOW == 0x4031636C0A248E13


def test_the_words_of_a_message(stream):
    assert stream.words(MESSAGE, FLOW) == (
        0x8165965FFBE59E84,
        0x09358D6D5B9125DF,
        0x4155D257F2845397,
        0xA93CE6B3210AD418,
    )


@pytest.mark.parametrize(
    ("w0", "w3", "word"),
    [
        (1 << 48, 0, 0x92CBA80CD8B27099),
        (1 << 32, 0, 0x18BB6545D129153A),
        (1 << 16, 0, 0x3DDD3A30419BD165),
        (1, 0, 0x721FD2CDAE5AC0F7),
        (0, 1, 0x0B9AFC4B41F8F6C1),
    ],
)
def test_resend_fragment_try_block_and_copy_have_words_of_their_own(stream, w0, w3, word):
    assert stream.words(MESSAGE, FLOW, w3, w0=w0)[0] == word


def test_losses_at_a_fifth(stream):
    threshold = streams.bernoulli_threshold(Fraction(1, 5))
    assert threshold == 3689348814741910323
    assert streams.bernoulli_threshold(Fraction(1, 100)) == 184467440737095516
    lost = [
        seq
        for seq in range(1, 41)
        if streams.happens(stream.words(1 << 32 | seq, FLOW)[0], threshold)
    ]
    assert lost == [10, 15, 18, 19, 21, 22, 23, 30, 39, 40]


def test_jitter_of_a_message(stream):
    word = stream.words(MESSAGE, FLOW)[1]
    assert streams.integer_between(word, 0, 10**6) == 35973
    assert word >> 52 == 147
    assert streams.exponential_ns(word, 10_000_000) == 366_751


@pytest.mark.parametrize("compute", [tables.compute_exponential, tables.compute_normal])
def test_shipped_tables_are_what_sixty_digits_give(compute):
    name = compute.__name__.removeprefix("compute_")
    computed = compute()
    assert hashlib.sha256(tables.pack(computed)).hexdigest() == tables.TABLE_SHA256[name]
    assert computed == getattr(tables, f"{name}_table")()


def test_entries_and_variances_of_the_tables():
    exponential, normal = tables.exponential_table(), tables.normal_table()
    assert (exponential[0], exponential[2047], exponential[4095]) == (
        524331,
        2975996066,
        40019500958,
    )
    assert (normal[2048], normal[4095]) == (1314195, 15755354311)
    assert np.var(np.array(exponential) / 2**32) == pytest.approx(0.99974, abs=1e-5)
    assert np.var(np.array(normal) / 2**32) == pytest.approx(0.99968, abs=1e-5)


def test_a_damaged_table_is_refused(monkeypatch):
    monkeypatch.setitem(tables.TABLE_SHA256, "normal", "0" * 64)
    tables.normal_table.cache_clear()
    with pytest.raises(tables.TableError, match="damaged"):
        tables.normal_table()
    monkeypatch.undo()
    assert len(tables.normal_table()) == 4096


@given(st.integers(0, 2**64 - 1))
def test_chance_0_never_happens_and_chance_1_always(word):
    assert not streams.happens(word, streams.bernoulli_threshold(Fraction(0)))
    assert streams.happens(word, streams.bernoulli_threshold(Fraction(1)))


@given(st.integers(0, 2**64 - 1), st.integers(-50, 50), st.integers(0, 100))
def test_integers_stay_between_their_ends(word, low, span):
    assert low <= streams.integer_between(word, low, low + span) <= low + span


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8))
def test_batches_and_single_draws_agree(words):
    array = np.array(words, np.uint64)
    assert streams.unit_floats(array).tolist() == [streams.unit_float(w) for w in words]
    assert streams.normals(array).tolist() == [streams.normal_float(w) for w in words]
    assert all(0 <= streams.unit_float(w) < 1 for w in words)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**9))
def test_delays_scale_with_the_table(word, scale):
    index = word >> 52
    assert streams.normal_ns(word, scale) == (scale * tables.normal_table()[index] + 2**31) // 2**32
    assert streams.exponential_ns(word, scale) >= 0


@given(st.integers(0, 9), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_block_is_the_words_of_its_counters(count, w1, w2):
    stream = Streams(3).stream("a", "b", "c")
    block = stream.block(count, w1, w2)
    singles = [word for w0 in range(count) for word in stream.words(w1, w2, w0=w0)]
    assert block.tolist() == singles


@given(st.integers(0, 9), st.integers(0, 2**62), st.integers(0, 4), st.integers(0, 2**32))
def test_rows_are_the_blocks_of_their_counters(count, first, rows, seed):
    stream = Streams(seed).stream("a", "b", "c")
    w1s = range(first, first + rows)
    assert stream.rows(count, w1s).shape == (rows, 4 * count)
    assert stream.rows(count, w1s).tolist() == [stream.block(count, w1).tolist() for w1 in w1s]


@given(st.tuples(words64, words64), st.integers(0, 2**62), st.integers(1, 5))
def test_native_words_are_those_of_numpy_with_and_without_the_compiler(key, first, blocks):
    generator = np.random.Philox(key=np.array(key, np.uint64), counter=((first << 64) - 1) % 2**256)
    expected = generator.random_raw(4 * blocks).tolist()
    for kernel in (fill, getattr(fill, "py_func", fill)):
        words = np.empty((1, blocks, 4), np.uint64)
        with np.errstate(over="ignore"):  # a key wraps around
            kernel(np.array(key, np.uint64), first, words)
        assert words.ravel().tolist() == expected


names = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,9}", fullmatch=True)


@given(st.lists(st.tuples(names, names, names), min_size=2, max_size=5, unique=True))
def test_draws_of_one_stream_do_not_depend_on_draws_of_others(keys):
    alone = [Streams(5).stream(*key).words(1, 2) for key in keys]
    together = Streams(5)
    shuffled = {key: together.stream(*key).words(1, 2) for key in reversed(keys)}
    assert alone == [shuffled[key] for key in keys]
    assert len(set(alone)) == len(keys)


@pytest.mark.parametrize("name", ["", "Upper", "with space", "a|b", "x" * 65, "-a"])
def test_names_outside_the_alphabet_are_refused(name):
    with pytest.raises(streams.StreamError, match="stream names"):
        Streams(1).stream("kind", name, "purpose")


@pytest.mark.parametrize("seed", [1.0, True, "1", 2**63])
def test_seeds_are_plain_integers(seed):
    with pytest.raises(streams.StreamError, match="seed must be an integer"):
        Streams(seed)


def test_a_probability_above_one_is_refused():
    with pytest.raises(streams.StreamError, match=r"in .0, 1."):
        streams.bernoulli_threshold(Fraction(3, 2))


word = st.sampled_from([0, 1, 2**64 - 1]) | st.integers(0, 2**64 - 1)


@given(st.tuples(word, word, word, word))
def test_one_block_is_that_of_its_packed_counter(counter):
    streams, key = Streams(1), (3, 2**64 - 5)
    w0, w1, w2, w3 = counter
    packed = w0 | w1 << 64 | w2 << 128 | w3 << 192
    assert list(streams.one(key, counter)) == streams.raw(key, packed, 1).tolist()
