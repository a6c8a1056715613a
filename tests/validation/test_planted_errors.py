# ruff: noqa: SLF001 -- errors are planted inside
"""An error planted in what we built must fail the row that guards against it."""

import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from simedge.core.streams import bernoulli_threshold
from simedge.protocol import elal_rows
from simedge.validation import capacities
from simedge.validation.table import ROWS, SEED, choose
from simedge.world import (
    bulk,
    capacity,
    energy,
    flows,
    fragments,
    links,
    loss,
    plain_links,
    rates,
    topology,
)
from simedge.world.capacity import Opportunities, Steps
from simedge.world.device import Device
from simedge.world.draws import Draws
from simedge.world.links import Link
from simedge.world.network import Network

PLANTED = []
"""Row, number of the case, what plants the error."""


NIGHTLY = pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "nightly",
    reason="takes five seconds and more: in the nightly profile",
)


def plants(row, case=0, *, slow=False):
    def note(plant):
        marks = (NIGHTLY,) if slow else ()
        name = f"{row}-{plant.__name__.strip('_')}"
        PLANTED.append(pytest.param(row, case, plant, id=name, marks=marks))
        return plant

    return note


def scaled(share):
    return lambda p: bernoulli_threshold(p * share / 100)


@plants("C1")
@plants("C8", slow=True)
def losses_are_a_tenth_too_rare(patch):
    patch.setattr(loss, "bernoulli_threshold", scaled(90))


@plants("C1")
def duplicates_are_a_tenth_too_rare(patch):
    patch.setattr(plain_links, "bernoulli_threshold", scaled(80))


def after_the_move(patch):
    asked = loss._Steps.threshold
    patch.setattr(loss._Steps, "threshold", lambda law, what, n, at: asked(law, what, n + 1, at))


plants("C2", 3)(after_the_move)
plants("C5", 2)(after_the_move)


@plants("C2")
def bad_and_good_are_swapped(patch):
    right = loss._packet_chain
    patch.setattr(
        loss,
        "_packet_chain",
        lambda law: loss._Moves(right(law).lost_below[::-1], right(law).ways),
    )


@plants("C3", 2)
def steps_there_and_back_are_swapped(patch):
    right = loss._packet_chain
    patch.setattr(
        loss,
        "_packet_chain",
        lambda law: right(law.model_copy(update={"p": law.r, "r": law.p})),
    )


@plants("C4", 1)
def stays_in_good_and_bad_are_swapped(patch):
    right = loss._chain
    patch.setattr(
        loss,
        "_chain",
        lambda law: replace(right(law), stays_ns=right(law).stays_ns[::-1]),
    )


@plants("C4", 1)
def stays_are_half_as_long(patch):
    right = loss.exponential_ns
    patch.setattr(loss, "_stays", lambda: None)  # native code has the law within it
    patch.setattr(loss, "exponential_ns", lambda word, mean: right(word, mean) // 2)


@plants("C5")
def pauses_of_a_burst_are_taken_for_lone_losses(patch):
    right = loss._four_states
    patch.setattr(
        loss, "_four_states", lambda law: loss._Moves((0, 2**64, 2**64, 2**64), right(law).ways)
    )


def one_fate_for_all(patch, **same):
    right = Draws.words

    def words(draws, datagram, attempt, **lanes):
        uid = datagram.uid._replace(fragment=0)
        return right(
            draws, datagram._replace(uid=uid), 0 if "attempt" in same else attempt, **lanes
        )

    patch.setattr(Draws, "words", words)


@plants("C6", 1)
@plants("C24", 1, slow=True)
def fragments_share_their_fate(patch):
    one_fate_for_all(patch)


@plants("C7", 1)
def tries_share_their_fate(patch):
    one_fate_for_all(patch, attempt=0)


@plants("C6", 5)
def a_datagram_survives_the_loss_of_a_fragment(patch):
    right = fragments.cut
    patch.setattr(links, "cut", lambda *args: right(*args)[:-1])


@plants("C9")
@plants("C10", slow=True)
@plants("C14")
@plants("C15")
@plants("C20")
def bytes_for_bits(patch):
    patch.setattr(rates, "SCALE", rates.SCALE // 8)
    patch.setattr(capacity, "_SCALE", capacity._SCALE // 8)
    right = flows.Flows.start
    patch.setattr(
        flows.Flows,
        "start",
        lambda each, flow, bits, path, *, now: right(each, flow, bits // 8, path, now=now),
    )


@plants("C11")
@plants("C13")
def one_place_too_many(patch):
    right = Link._refusal

    def refusal(link, datagram, now):
        waiting = 0 if link._queue is None else len(link._queue)
        full = waiting == link.model.queue.datagrams
        cause = right(link, datagram, now)
        return "" if cause == "queue_drop" and full else cause

    patch.setattr(Link, "_refusal", refusal)


@plants("C12")
def what_is_in_service_counts_as_queued(patch):
    right = Link.tally

    def tally(link):
        books = right(link)
        queued = books.queued.datagrams + books.in_service.datagrams
        return SimpleNamespace(queued=SimpleNamespace(datagrams=queued))

    patch.setattr(Link, "tally", tally)


@plants("C14", 4)
def a_relay_waits_a_nanosecond(patch):
    right = Network.send
    patch.setattr(
        Network,
        "send",
        lambda net, what, source, now: right(net, what, source, now + (source != 0)),
    )


@plants("C15", 1)
def a_job_ends_before_its_last_bit(patch):
    right = Steps.when
    patch.setattr(Steps, "when", lambda steps, work: right(steps, work) - 1)


@plants("C16", 3)
def an_opportunity_waits_for_an_arrival_of_its_instant(patch):
    right = Opportunities.until
    patch.setattr(Opportunities, "until", lambda shared, at: right(shared, max(0, at - 1)))


@plants("C17", 2)
@plants("C18", 1)
def what_is_left_over_is_wasted(patch):
    def equal(paths, free):
        share = min(free.values()) // max(1, len(paths))
        return dict.fromkeys(sorted(paths), share)

    patch.setattr(flows, "max_min", equal)
    patch.setattr(flows, "even", lambda rate, count: [rate // count] * count)
    patch.setattr(capacities, "max_min", equal)


@plants("C19", 0, slow=True)
@plants("C19", 2)
def the_first_flow_has_the_whole_link(patch):
    patch.setattr(
        flows,
        "max_min",
        lambda paths, free: {flow: free[1] * (flow == min(paths)) for flow in paths},
    )
    patch.setattr(flows, "even", lambda rate, count: [rate] + [0] * (count - 1))


@plants("C20")
def one_round_too_many(patch):
    right = bulk._rounds
    patch.setattr(bulk, "_rounds", lambda *args: right(*args) + 1)


@plants("C8", 3)
def one_round_too_few(patch):
    right = bulk._rounds
    patch.setattr(bulk, "_rounds", lambda *args: right(*args) - 1)


@plants("C21", 0)
def an_air_time_without_overhead(patch):
    patch.setattr(rates, "LORA_OVERHEAD", 0)


@plants("C21", 7)
def the_pause_of_a_duty_cycle_is_a_nanosecond_short(patch):
    right = Link._begin

    def begin(link, datagram, now, fates):
        due = right(link, datagram, now, fates)
        link._free_ns -= 1
        return due

    patch.setattr(Link, "_begin", begin)


@plants("C22", 2)
def every_block_has_two_turns(patch):
    right = elal_rows.address_of
    patch.setattr(
        elal_rows,
        "address_of",
        lambda block, **part: right(block - block % 2, **part),
    )


@plants("C22", 0, slow=True)
def the_losses_of_tokens_are_a_tenth_too_rare(patch):
    losses_are_a_tenth_too_rare(patch)


@plants("C23", 0)
def costs_count_one_direction(patch):
    from simedge.world import routing

    def etx(models, route):
        del route
        return {ends: round(10**6 / (1 - routing.mean_loss(m.loss))) for ends, m in models.items()}

    from simedge.validation import paths

    patch.setattr(paths, "edge_costs", etx)


@plants("C23", 1)
def a_death_is_detected_too_late(patch):
    right = Network._watch
    patch.setattr(Network, "_watch", lambda net, n, at, kind: right(net, n, at + 1, kind))


@plants("C24", 0)
def fragments_have_any_size(patch):
    right = fragments.room
    patch.setattr(links, "room", lambda mtu, header, **_: right(mtu, header, ip=False))


@plants("C25", 0)
def one_place_more_for_frames(patch):
    right = Device.__init__
    patch.setattr(
        Device,
        "__init__",
        lambda each, *parts, queue, **rest: right(each, *parts, queue=queue + 1, **rest),
    )


@plants("C26", 2)
def half_as_much_is_rewired(patch):
    patch.setattr(topology, "bernoulli_threshold", scaled(50))


@plants("C27", 2)
def busy_power_comes_on_top_of_idle(patch):
    patch.setattr(
        energy,
        "board_fj",
        lambda board, *, on_ns, busy_ns: (board.idle_uw * on_ns, board.busy_uw * busy_ns),
    )


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    """Forget what was reckoned before: laws are kept, but none may outlive an error."""
    forget()
    yield
    forget()


def forget():
    for name in [name for name in sys.modules if name.startswith("simedge.")]:
        for held in vars(sys.modules[name]).values():
            if callable(getattr(held, "cache_clear", None)):
                held.cache_clear()


@pytest.mark.parametrize(("row", "case", "plant"), PLANTED)
def test_a_planted_error_fails_its_row(row, case, plant, monkeypatch):
    plant(monkeypatch)
    found = choose([row])[0].cases[case].run(SEED)
    assert not all(finding.ok for finding in found)


def test_every_row_has_a_planted_error():
    assert {param.values[0] for param in PLANTED} == {row.id for row in ROWS}
