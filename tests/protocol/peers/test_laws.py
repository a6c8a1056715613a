"""What protocols without a server, and distillation by class, compute: vectors and laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.protocol.aedfl import Pulled, chances, choose, pull_weights
from simedge.protocol.credit import Purse, proactive, reactive
from simedge.protocol.draco import close_window
from simedge.protocol.draws import Draws
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.fd_table import means_of_others, open_table
from simedge.protocol.gossip import Aged, merge_aged
from simedge.protocol.machine import Send
from simedge.protocol.mixing import mix, stochastic
from simedge.protocol.opening import open_device
from simedge.protocol.params import FLOAT32, OPAQUE, Code, bytes_of
from simedge.protocol.peer_settings import (
    AedflSettings,
    DracoSettings,
    EveryPeriod,
    GossipSettings,
    Randomised,
    Simple,
)
from simedge.protocol.shape import Ground
from simedge.protocol.sparse import largest, pack_sparse, unpack_sparse
from simedge.protocol.transport import bulk_bits
from simedge.protocol.wire import Kind, Message
from simedge.world.bulk import bulk

STREAM = Streams(3).stream("policy", "cam-1", "draws")
FLOAT = st.floats(width=32, allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**32 - 1)
GROUND = Ground(classes=3, blocks=1, rows=1, pset=bytes(32), tau_ns=10**9, devices=2, params=4)


def pulled(n, version, *values, dev=1):
    return Pulled(dev=dev, n=n, version=version, values=np.array(values, np.float32))


def said(code, payload, *, enc=FLOAT32):
    return Message(
        kind=Kind.PARAMS, dev=1, boot=1, seq=1, t_us=0, blk=code, enc=enc, payload=payload
    )


# ----------------------------------------------------------------------------------- means
@settings(max_examples=40)
@given(st.lists(st.tuples(COUNTS, COUNTS, FLOAT), min_size=1, max_size=8), st.floats(0, 2))
def test_merges_stay_within_their_inputs_and_weights_are_a_stochastic_row(others, sigma):
    models = [pulled(n, version, value) for n, version, value in others]
    row = pull_weights(models, sigma)
    assert min(row) >= 0
    assert abs(sum(row) - 1) <= 1e-12
    values = [model.values for model in models]
    merged = mix(row, values)
    assert merged.dtype == np.float32
    assert min(values) <= merged <= max(values)
    assert mix(row, [values[0]] * len(row)) == values[0]
    first, second = models[0], models[-1]
    mean = merge_aged(Aged(first.n, first.values), Aged(second.n, second.values))
    assert min(first.values, second.values) <= mean.values <= max(first.values, second.values)
    assert mean.age == max(first.n, second.n)


def test_gossip_weighs_by_age():
    merged = merge_aged(Aged(4, np.float32([1, 1])), Aged(12, np.float32([3, 5])))
    assert (merged.age, merged.values.tolist()) == (12, [2.5, 4])
    young = merge_aged(Aged(0, np.float32([1])), Aged(0, np.float32([3])))
    assert (young.age, young.values.tolist()) == (0, [2])


def test_staleness_costs_weight_and_to_be_ahead_gains_none():
    models = [pulled(10, 5, 0), pulled(10, 5, 3), pulled(20, 2, 6)]
    assert pull_weights(models, 0.5) == pytest.approx([1 / 3] * 3, abs=1e-15)
    assert mix(pull_weights(models, 0.5), [m.values for m in models]) == 3
    models[1] = pulled(10, 7, 3)
    assert mix(pull_weights(models, 0.5), [m.values for m in models]) == 3
    assert stochastic([0, 0, 0]) == [1 / 3] * 3


def test_preferences_become_chances():
    expected = [0.843794734, 0.114195199, 0.042010066]
    assert chances([0.3, 0.1, 0.0], 0.1) == pytest.approx(expected, abs=5e-10)
    draws = Draws(STREAM)
    prefs = {4: 0.3, 7: 0.1, 9: 0.0}
    firsts = [choose(prefs, 2, theta=0.1, draws=draws) for _ in range(2000)]
    assert all(len(set(each)) == 2 for each in firsts)
    share = sum(each[0] == 4 for each in firsts) / 2000
    assert abs(share - 0.8438) < 0.03
    assert sorted(choose({1: -1e9, 2: 1e9}, 5, theta=0.1, draws=draws)) == [1, 2]
    assert choose({}, 2, theta=0.1, draws=draws) == []


def test_a_window_averages_own_progress_with_what_came():
    own, came = np.array([1.0, 0.0]), np.array([0.0, 2.0]) + np.array([2.0, 1.0])
    assert close_window(np.float32([0, 0]), own, came, count=2).tolist() == [1, 1]
    assert close_window(np.float32([5, 5]), own, 0 * came, count=0).tolist() == [6, 5]
    most = np.finfo(np.float32).max
    assert close_window(np.float32([most]), np.array([1e39]), np.zeros(1), count=0) == most


# ------------------------------------------------------------------------------ sparse models
@settings(max_examples=40)
@given(st.lists(FLOAT, min_size=1, max_size=40), st.floats(0, 1, exclude_max=True))
def test_the_largest_weights_travel_and_the_others_are_zero(numbers, sparsity):
    values = np.array(numbers, np.float32)
    mask = largest(values, sparsity)
    assert np.count_nonzero(mask) == len(values) - int(sparsity * len(values))
    if not mask.all():
        assert np.abs(values[~mask]).max() <= np.abs(values[mask]).min()
    payload = pack_sparse(values, mask)
    assert len(payload) == -(-len(values) // 8) + 4 * np.count_nonzero(mask)
    again = unpack_sparse(said(Code.SPARSE, payload), len(values))
    assert again.tobytes() == np.where(mask, values, np.float32(0)).tobytes()
    for bad in (payload[:-1], payload + b"\0", b"", payload[:-4] + b"\xff\xff\xff\x7f"):
        with pytest.raises(WireError, match="malformed"):
            unpack_sparse(said(Code.SPARSE, bad), len(values))
    with pytest.raises(WireError, match="malformed"):
        unpack_sparse(said(Code.SPARSE, payload, enc=OPAQUE), len(values))


def test_the_map_begins_with_the_most_significant_bit_and_ends_with_zeros():
    values = np.float32([0, 2, 0, 0, 0, 0, 0, 0, 1])
    payload = pack_sparse(values, largest(values, 7 / 9))
    assert payload == b"\x40\x80" + bytes_of(np.float32([2, 1]))
    with pytest.raises(WireError, match="malformed"):
        unpack_sparse(said(Code.SPARSE, b"\x40\x40" + payload[2:]), 9)


# ------------------------------------------------------------------------------- send credits
def test_credit_says_who_may_send():
    simple, random = Simple(cap=3), Randomised(a=4, cap=8)
    assert [proactive(EveryPeriod(), 0), reactive(EveryPeriod(), 9, news=True)] == [1, 0]
    assert [proactive(simple, a) for a in range(5)] == [0, 0, 0, 1, 1]
    assert [reactive(simple, a, news=False) for a in range(3)] == [0, 1, 1]
    shares = [float(proactive(random, a)) for a in range(10)]
    assert shares == [0, 0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1]
    assert [float(reactive(random, a, news=True)) for a in (0, 2, 4, 8)] == [0, 0.5, 1, 2]
    assert reactive(random, 8, news=False) == 0
    with pytest.raises(ValueError, match="must not exceed"):
        Randomised(a=9, cap=8)


@settings(max_examples=40)
@given(
    st.sampled_from([EveryPeriod(), Simple(cap=3), Randomised(a=2, cap=5), Randomised(a=4, cap=4)]),
    st.lists(st.sampled_from(["period", "news", "old"]), max_size=60),
)
def test_what_is_sent_was_earned(flow, story):
    purse = Purse(flow, Draws(STREAM))
    earned = spent = 0
    for what in story:
        if what == "period":
            earned += not purse.period()
        else:
            spent += purse.answer(news=what == "news")
        assert purse.credit == earned - spent
        assert 0 <= purse.credit <= getattr(flow, "cap", 0)


def test_credit_is_rounded_at_random_to_its_mean():
    flow, draws = Randomised(a=4, cap=8), Draws(STREAM)
    sent = 0
    for _ in range(2000):
        purse = Purse(flow, draws)
        purse.credit = 6
        sent += purse.answer(news=True)
    assert abs(sent / 2000 - 1.5) < 0.05


# --------------------------------------------------------------------------------- chance
def test_draws_are_keyed_by_boot_and_position():
    first, second = Draws(STREAM), Draws(STREAM)
    drawn = [first.below(2**32) for _ in range(4)]
    second.position = 2
    assert [second.below(2**32) for _ in range(2)] == drawn[2:]
    second.boot, second.position = 2, 0
    assert [second.below(2**32) for _ in range(4)] != drawn
    waits = [first.exponential_ns(1000) for _ in range(4000)]
    assert min(waits) >= 1
    assert abs(np.mean(waits) - 1000) < 60
    assert first.exponential_ns(1) >= 1


# ------------------------------------------------------------------------- tables by class
def test_no_device_hears_itself():
    tables = np.zeros((3, 2, 2), np.float32)
    tables[0, 0], tables[1, 0] = (0.8, 0.2), (0.6, 0.4)
    means = means_of_others(tables, tables.any(axis=2))
    expected = [(0.6, 0.4), (0.8, 0.2), (0.7, 0.3)]
    assert means[:, 0] == pytest.approx(np.array(expected), abs=1e-7)
    assert not means[:, 1].any()
    assert not means_of_others(tables[:1], tables[:1].any(axis=2)).any()


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(0, 2**32), st.integers(0, 5))
def test_means_of_others_do_not_depend_on_ones_own_rows_by_a_single_bit(devices, seed, who):
    who %= devices
    words = np.random.Generator(np.random.Philox(seed))
    tables = words.dirichlet([1, 1, 1], (devices, 3)).astype(np.float32)
    tables[words.random((devices, 3)) < 0.3] = 0
    present = np.logical_or.reduce(tables, axis=2)
    means = means_of_others(tables, present)
    other, there = tables.copy(), present.copy()
    other[who], there[who] = words.dirichlet([1, 1, 1], 3), True
    assert means_of_others(other, there)[who].tobytes() == means[who].tobytes()
    for label in range(3):
        rest = [tables[k, label] for k in range(devices) if k != who and present[k, label]]
        mean = np.mean(rest, axis=0) if rest else np.zeros(3)
        assert means[who, label] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("row", [(0.5, 0.6, 0), (-0.5, 1.5, 0), (0.5, 0.4, 0), (np.nan, 0, 1)])
def test_a_table_has_rows_of_probabilities_or_none(row):
    table = np.float32([(0, 0, 0), (0.5, 0.25, 0.25), (0, 1, 0)])
    assert open_table(said(Code.TABLE, bytes_of(table)), 3).tolist() == table.ravel().tolist()
    table[0] = row
    with pytest.raises(WireError, match="malformed"):
        open_table(said(Code.TABLE, bytes_of(table)), 3)
    with pytest.raises(WireError, match="refused"):
        open_table(said(Code.MODEL, bytes_of(table)), 3)


# --------------------------------------------------------------------------------- settings
@pytest.mark.parametrize(
    ("settings", "ground", "culprit"),
    [
        (GossipSettings(), {"params": 0}, "params"),
        (AedflSettings(), {"params": 0}, "params"),
        (DracoSettings(), {"devices": 0, "duration_ns": 60}, "devices"),
        (DracoSettings(), {}, "window is to be set"),
        (
            DracoSettings.model_validate({"window": "5 ns"}),
            {"duration_ns": 9},
            "unify_every is to be set",
        ),
    ],
)
def test_who_does_not_know_enough_is_not_opened(settings, ground, culprit):
    known = replace(GROUND, **ground)
    with pytest.raises(ProtocolError, match=culprit):
        open_device(settings, known, dev=1, layers=0, stream=STREAM, neighbours=[2])


def test_windows_and_unifications_are_shares_of_the_run():
    ground = replace(GROUND, duration_ns=120 * 10**9)
    assert DracoSettings().window_ns(ground) == 2 * 10**9
    assert DracoSettings().unify_ns(ground) == 12 * 10**9


@given(st.integers(0, 10_000))
def test_a_whole_message_weighs_what_its_transfer_costs_where_nothing_is_lost(size):
    cost = bulk(size, 0)
    assert bulk_bits(bytes(size)) == 8 * (cost.wire_bytes + cost.ack_bytes)


@pytest.mark.parametrize("name", ["gossip", "aedfl", "draco", "fd"])
def test_the_reward_knows_the_bits_of_all_that_was_sent_and_received(open_peers, name):
    peers = open_peers(name, policy={"kind": "reinforce"}, interval=2)
    policy, heard = peers.machines[1]._policy, []  # noqa: SLF001 -- it is told nobody else
    decide = policy.decide
    policy.decide = lambda outlook: heard.append(outlook.bits) or decide(outlook)
    peers.run(40)
    moved = sum(
        bulk_bits(effect.data)
        for _, number, effect in peers.effects
        if isinstance(effect, Send) and 1 in {number, effect.dst}
    )
    assert len(heard) == 20
    assert sum(heard) + peers.machines[1].dump()["post"][1] == moved > 0
