"""Time, memory and energy of what devices do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.world.accounts import AirTime
from simedge.world.compute import BOARDS, Board, ComputeError, board, work_ns
from simedge.world.energy import PRICES, RADIOS, Meter, board_fj, operations_fj, radio_of
from simedge.world.links import Link
from simedge.world.memory import (
    MemoryBook,
    MemoryLimitError,
    check_memory,
    limit_bytes,
    state_bytes,
)
from simedge.world.profiles import resolve
from simedge.world.settings import ComputeSettings, DeviceSettings, LinkSettings

S = 10**9


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_work_is_rounded_up_and_never_free(amount, rate):
    took = work_ns(amount, rate)
    assert took >= 1
    assert (took - 1) * rate < amount * S <= took * rate
    assert work_ns(0, rate) == 0


@given(
    st.lists(st.lists(st.integers(0, 10**9), max_size=4), min_size=1, max_size=5),
    st.sampled_from([1, 3, 10**6, 3 * 10**8, 5 * 10**9]),
)
def test_each_volley_is_rounded_up_in_one_part_and_in_many(parts, rate):
    own = Board(conv=1, depthwise=1, dense=1, event=rate, idle_uw=0, busy_uw=0)
    expected = [sum(work_ns(events, rate) for events in part) for part in parts]
    arrays = [np.array(part, np.int64) for part in parts]
    assert own.parts_ns(arrays) == [own.volleys_ns(array) for array in arrays] == expected


def test_layers_are_bound_by_arithmetic_or_by_memory():
    settings = ComputeSettings.model_validate(
        {"base": "pi-4b", "conv": 15_560_000_000, "bandwidth": 4_000_000_000, "overhead": "300 us"}
    )
    pi = board(settings)
    conv = pi.layer_ns("conv", 50_000_000)
    dense = pi.layer_ns("dense", 2_000_000, 8_000_000)
    assert (conv, dense) == (3_213_368, 2_000_000)
    assert pi.job_ns(conv + dense) == 5_513_368
    assert pi.job_ns(conv + dense, pace_ppm=1_500_000) == 8_270_052
    assert pi.layer_ns("depthwise", 4_800_000_000) == S
    with pytest.raises(ComputeError, match="got 'softmax'"):
        pi.layer_ns("softmax", 1)


def test_own_figures_go_before_those_of_the_profile():
    given = {"idle": "1 W", "busy": "2 W", "event": 5, "depthwise": 6, "dense": 7}
    own = board(ComputeSettings.model_validate({"base": "pi-5"} | given))
    assert (own.idle_uw, own.busy_uw, own.event) == (1_000_000, 2_000_000, 5)
    assert (own.conv, own.depthwise, own.dense) == (88_500_000_000, 6, 7)
    assert board("cpu-small") is BOARDS["pi-zero-2w"]
    assert board(ComputeSettings()) == BOARDS["cpu-small"]
    with pytest.raises(ComputeError, match="at least idle power"):
        board(ComputeSettings.model_validate({"idle": "3 W"}))


@given(st.lists(st.integers(0, 10**9), max_size=5))
def test_volleys_are_timed_one_by_one(events):
    slow = Board(conv=1, depthwise=1, dense=1, event=7, idle_uw=0, busy_uw=0)
    assert slow.volleys_ns(np.array(events, np.int64)) == sum(work_ns(n, 7) for n in events)


def test_every_profile_is_sane():
    for each in BOARDS.values():
        assert 0 < each.idle_uw < each.busy_uw
        assert each.conv > each.depthwise > 0
    assert BOARDS["pi-5-gpu"].conv < BOARDS["pi-5"].conv


def test_the_gap_between_the_ledgers():
    macs = 1_820_000_000
    assert operations_fj({"macs": macs}) == 8_372_000_000_000
    _, compute = board_fj(BOARDS["pi-4b"], on_ns=0, busy_ns=123_120_000)
    idle, _ = board_fj(BOARDS["pi-4b"], on_ns=123_120_000, busy_ns=0)
    assert (idle + compute) / 10**15 == pytest.approx(0.753, abs=0.001)
    assert 85 < (idle + compute) / operations_fj({"macs": macs}) < 95


def test_operations_without_a_price_cost_nothing():
    assert operations_fj({"synaptic_events": 10, "volleys": 3}, "neuromorphic") == 236_000
    assert operations_fj({}) == 0
    assert all(price > 0 for table in PRICES.values() for price in table.values())


def meter(profile, *, radio="auto", radio_in_idle=True):
    up, down = (
        Link(
            resolve(LinkSettings(profile=profile), upwards=src == 1),
            name=f"n{src}.n{dst}", number=src + 5, src=src, dst=dst, streams=Streams(1),
        )
        for src, dst in ((1, 0), (0, 1))
    )  # fmt: skip
    settings = DeviceSettings(id="cam", radio=radio, radio_in_idle=radio_in_idle)
    return Meter(settings, BOARDS["pi-4b"], number=1, links=[up, down]), up, down


def test_a_board_on_for_ten_seconds_and_busy_for_four():
    read, *_ = meter("ethernet")
    energy = read.read(10 * S, on_ns=10 * S, busy_ns=4 * S)
    assert energy.total_fj == 42_840_000_000_000_000
    assert energy.radio_fj == 0


def test_a_radio_costs_what_it_sends_receives_and_idles(datagram):
    read, up, down = meter("wifi")
    up.offer(datagram(1, 2500), 0)
    down.offer(datagram(2, 5000), 0)
    air = 1_000_000 * 320_000 + 2_000_000 * 120_000
    assert read.read(S, on_ns=S, busy_ns=0).radio_fj == air
    half = read.read(500_000, on_ns=500_000, busy_ns=0).radio_fj
    assert half == 500_000 * (320_000 + 120_000)
    always, up, down = meter("wifi", radio_in_idle=False)
    assert always.read(S, on_ns=S, busy_ns=0).radio_fj == 820_000 * S


def test_one_lone_message_over_lte_burns_its_tail(datagram):
    read, up, _ = meter("lte")
    assert read.read(S, on_ns=S, busy_ns=0).radio_fj == 0
    up.offer(datagram(1, 750), 0)
    power = 1_290_000 + 438 * 6_000
    energy = read.read(60 * S, on_ns=60 * S, busy_ns=0)
    assert energy.radio_fj == S // 1000 * power + 1_060_000 * 11_600_000_000
    assert energy.radio_fj / 10**15 == pytest.approx(12.3, abs=0.01)


def test_a_radio_named_by_the_device_goes_before_that_of_the_profile():
    assert radio_of("ble", "ethernet") is RADIOS["ble"]
    assert radio_of("none", "lte") is RADIOS["none"]
    assert radio_of("auto", "wifi-air") is RADIOS["wifi"]
    assert radio_of("auto", "lora-sf12") is RADIOS["lora"]
    assert radio_of("auto", "starlink") is RADIOS["none"]


@pytest.mark.parametrize(("profile", "microjoules"), [("lora-sf7", 42), ("lora-sf12", 990)])
def test_a_bit_over_lora_costs_its_air_time(profile, microjoules, datagram):
    read, up, _ = meter(profile)
    up.offer(datagram(1, 51 + 28), 0)
    energy = read.read(60 * S, on_ns=60 * S, busy_ns=0)
    assert energy.radio_fj / 10**9 / (51 * 8) == pytest.approx(microjoules, rel=0.02)


uses = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)), max_size=8)


@given(uses, st.integers(1, 30))
def test_the_tail_is_the_time_near_a_use_but_in_none(uses, tail):
    air = AirTime(tail)
    busy, near = set(), set()
    for start, length in sorted(uses):
        air.use(start, start + length)
        busy |= set(range(start, start + length))
        near |= set(range(start, start + length + tail))
    assert air.tail_ns(1000) == len(near - busy)


def test_memory_beyond_seventy_percent_is_refused_with_every_term():
    terms = {"runtime": 300_000_000, "parameters": 76_000_000}
    assert limit_bytes(512 * 2**20) == 375_809_638
    with pytest.raises(
        MemoryLimitError, match=r"cam-1 must hold 376 MB \(runtime 300 MB, parameters 76 MB\)"
    ):
        check_memory(terms, 512 * 2**20, device="cam-1")
    assert check_memory(terms, 2**30, device="cam-1") == 376_000_000


def test_state_of_learners_with_half_a_million_parameters():
    size = {"parameters": 500_000, "neurons": 20_000, "steps": 100}
    assert state_bytes("bptt-adam", **size) == 24_000_000
    assert state_bytes("eligibilities", **size) == 4_160_000
    assert state_bytes("traces", **size) == 2_320_000


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1000)), max_size=9))
def test_a_book_knows_what_is_held_and_the_most_that_ever_was(holds):
    book = MemoryBook(1400)
    peak = 0
    for term, size in holds:
        fits = book.hold(term, size)
        total = sum(book.terms.values())
        peak = max(peak, total)
        assert book.terms[term] == size
        assert fits is (total <= 1400)
    assert book.peak_bytes == peak
