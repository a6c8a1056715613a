"""Reliable sends of scripted machines through whole runs."""

import pytest
from transfer_worlds import message_bytes, wired

MS, S = 10**6, 10**9
MEGABYTE = message_bytes(1_000_000)
FAST = {"profile": "ethernet", "up": "1 Gbit/s", "down": "1 Gbit/s", "delay": 0}


def star(**first):
    """Fast links, but for those of the first device."""
    return {"default": FAST, "overrides": [FAST | {"devices": ["cam-1"]} | first]}


def received(machines):
    return {
        (number, size): at
        for number, machine in machines.items()
        for at, kind, *_, size in machine.told
        if kind == "received"
    }


@pytest.mark.parametrize(
    ("script", "ends"),
    [
        ([(0, 0, MEGABYTE), (0, 2, MEGABYTE)], [2 * S, 2 * S]),
        ([(0, 0, MEGABYTE), (S // 2, 2, message_bytes(250_000))], [1250 * MS, S]),
        (
            [(0, 0, MEGABYTE), (0, 2, MEGABYTE), (0, 3, MEGABYTE)],
            [2_999_999_626, 2_999_999_626, 3_000_000_001],
        ),
    ],
)
def test_one_link_is_shared(monkeypatch, script, ends):
    script = [(*entry, "reliable") for entry in script]
    _, machines, *_ = wired(monkeypatch, {1: script}, links=star(up="8 Mbit/s"))
    came = received(machines)
    assert [came[to, size] for _, to, size, _ in script] == ends
    outcomes = [(at, tag, ok) for at, _, tag, ok in machines[1].told]
    assert outcomes == sorted((at, i, True) for i, at in enumerate(ends, 1))


def test_flows_have_their_max_min_shares(monkeypatch):
    # 10 and 4 Mbit/s: the flow over both and the one on the slower have 2, the other has 8.
    links = star(up="10 Mbit/s")
    links["overrides"].append(FAST | {"devices": ["cam-2"], "down": "4 Mbit/s"})
    both, fast, slow = MEGABYTE, message_bytes(4_000_000), message_bytes(1_000_000)
    scripts = {
        1: [(0, 2, both, "reliable"), (0, 0, fast, "reliable")],
        0: [(0, 2, slow, "reliable")],
    }
    _, machines, *_ = wired(monkeypatch, scripts, links=links)
    assert {at for m in machines.values() for at, *_ in m.told} == {4 * S}
    assert sum(len(m.told) for m in machines.values()) == 6


def test_a_transfer_over_a_lossy_link(monkeypatch):
    loss = {"kind": "bernoulli", "mean": "20%"}
    links = star(up="8 Mbit/s", loss=loss, delay="20 ms")
    script = [(0, 0, 2_000_026, "reliable")]
    result, machines, tally, records = wired(monkeypatch, {1: script}, links=links)
    assert received(machines) == {(0, 2_000_026): 2_810_618_000}
    (told,) = machines[1].told
    assert told == (2_810_618_000, "outcome", 1, True)
    bits = result.summary["communication"]
    assert bits["bits_up"] == 8 * (2_071_894 + 518_724)
    assert bits["bits_retransmitted"] == 8 * 518_724
    assert bits["bits_down"] - bits["bits_preinstalled"] == 8 * 35_932
    uid = "cam-1/server/params/1/1/0/0"
    lines = [(r.at, r.kind, r.target, r.detail) for r in records if r.subject == uid]
    assert lines == [
        (0, "transfer-started", "cam-1", 2_000_026),
        (2_810_618_000, "received", "server", 2_000_026),
        (2_810_618_000, "transfer-ended", "cam-1", (2_000_026, 2_590_618 + 35_932)),
    ]
    assert (tally.transfers.offered_bytes, tally.transfers.left_bytes) == (2_590_618, 0)


def test_bits_are_counted_hop_by_hop_and_as_they_pass(monkeypatch):
    script = [(S, 2, MEGABYTE, "reliable")]
    result, _, tally, _ = wired(monkeypatch, {1: script}, links=star(up="1 Mbit/s"), duration="5 s")
    # After 4 s half of it has passed both links; of acknowledgements as much.
    assert tally.transfers.passed_bytes == tally.transfers.left_bytes == 500_000
    acks = 52 * 334 // 2
    assert result.summary["communication"]["bits_up"] == 8 * 2 * (500_000 + acks)
    assert {link.name: link.bulk_bytes for link in tally.links if link.bulk_bytes} == {
        "cam-1.server": 500_000, "server.cam-2": 500_000,
        "server.cam-1": acks, "cam-2.server": acks,
    }  # fmt: skip
    # The evaluation at 3 s has seen 2 s of it.
    came_with = result.summary["communication"]["bits_preinstalled"]
    seen = [e.bits - came_with for e in tally.evaluations if e.at_ns == 3 * S]
    assert seen == [8 * 2 * (250_000 + 52 * 334 // 4)]


def test_bulk_traffic_delays_datagrams_and_the_other_way_round(monkeypatch):
    script = [(0, 2, MEGABYTE, "reliable"), (100 * MS, 0, 972, "datagram")]
    _, machines, *_ = wired(monkeypatch, {1: script}, links=star(up="8 Mbit/s"))
    assert received(machines) == {(0, 972): 102 * MS, (2, MEGABYTE): 1001 * MS}


def test_a_crashed_receiver_fails_the_transfer_also_if_it_is_back_soon(monkeypatch):
    fault = {"kind": "crash", "devices": ["cam-2"], "at": "1 s", "for": "1 s", "state": "kept"}
    scripts = {1: [(0, 2, 3 * MEGABYTE, "reliable")]}
    _, machines, tally, records = wired(
        monkeypatch, scripts, links=star(up="8 Mbit/s"), faults=[fault]
    )
    # Told after three missed hellos.
    assert machines[1].told == [(4 * S, "outcome", 1, False)]
    assert machines[2].told == []
    (failed,) = [r for r in records if r.kind == "transfer-failed"]
    assert (failed.at, failed.target) == (4 * S, "cam-1")
    assert tally.transfers.passed_bytes == 1_000_000
    assert tally.transfers.failed == 1


def test_a_crashed_sender_fails_its_transfers_and_is_told_nothing(monkeypatch):
    fault = {"kind": "crash", "devices": ["cam-1"], "at": "1 s", "for": "1 s", "state": "kept"}
    scripts = {1: [(0, 2, 3 * MEGABYTE, "reliable")], 3: [(0, 2, MEGABYTE, "reliable")]}
    _, machines, _, records = wired(monkeypatch, scripts, links=star(up="8 Mbit/s"), faults=[fault])
    assert machines[1].told == []
    assert [r.at for r in records if r.kind == "transfer-failed"] == [S]
    # The other has what the first leaves it of the last hop: 992 Mbit/s.
    assert [entry[:3] for entry in machines[2].told] == [(8_064_517, "received", 3)]


def test_what_never_gets_through_fails_after_the_timeout(monkeypatch):
    links = star(loss={"kind": "bernoulli", "mean": "100%"}) | {"reliable_timeout": "2 s"}
    _, machines, *_ = wired(monkeypatch, {1: [(S, 0, 5000, "reliable")]}, links=links)
    assert machines[1].told == [(3 * S, "outcome", 1, False)]
    assert machines[0].told == []


def history(records, but=""):
    return [
        (r.at, r.target, r.kind, r.subject, r.detail)
        for r in records
        if not (but and (but in r.target or but in str(r.subject)))
    ]


SCRIPTS = {
    1: [(0, 2, MEGABYTE, "reliable"), (300 * MS, 0, 900, "datagram"), (S, 0, 9000, "reliable")],
    0: [(500 * MS, 3, 400_000, "reliable"), (2 * S, 1, 400, "datagram")],
}
SLOW = {"default": FAST | {"up": "3 Mbit/s", "down": "2 Mbit/s", "delay": "7 ms"}}


def test_stepped_and_fused_runs_have_one_history(monkeypatch):
    fused = wired(monkeypatch, SCRIPTS, links=SLOW)
    stepped = wired(monkeypatch, SCRIPTS, links=SLOW, kernel__volleys="stepped")
    again = wired(monkeypatch, SCRIPTS, links=SLOW)
    assert history(fused[3]) == history(stepped[3]) == history(again[3])
    hashes = {run[0].summary["log_sha256"] for run in (fused, stepped, again)}
    assert len(hashes) == 1
    assert fused[0].summary["counts"] == stepped[0].summary["counts"]


def test_a_device_without_transfers_changes_nothing(monkeypatch):
    group = {"compute": "cpu-small", "memory": "512 MiB"}
    devices = [{"id": "cam", "count": 3} | group]
    more = [*devices, {"id": "idle", "count": 1} | group]
    split = {"sensors__split": {"kind": "iid"}}
    one = wired(monkeypatch, SCRIPTS, links=SLOW, devices=devices, **split)
    two = wired(monkeypatch, SCRIPTS, links=SLOW, devices=more, **split)
    network = {"sent", "received", "transfer-started", "transfer-ended", "lost"}
    first, second = (
        [line for line in history(run[3], "idle") if line[2] in network] for run in (one, two)
    )
    assert first == second
    assert len(first) > 6


def test_a_medium_is_shared_by_its_links(monkeypatch):
    air = {"profile": "wifi", "up": "8 Mbit/s", "down": "8 Mbit/s", "jitter": {"kind": "none"}}
    scripts = {1: [(0, 0, MEGABYTE, "reliable")], 2: [(0, 0, MEGABYTE, "reliable")]}
    _, alone, *_ = wired(monkeypatch, scripts, links={"default": air})
    _, shared, *_ = wired(monkeypatch, scripts, links={"default": air | {"medium": "room"}})
    assert [at for at, *_ in alone[0].told] == [S, S]
    assert [at for at, *_ in shared[0].told] == [2 * S, 2 * S]


def test_the_radio_is_billed_for_the_bytes_of_a_transfer(monkeypatch):
    air = {"profile": "wifi", "up": "8 Mbit/s", "down": "8 Mbit/s", "jitter": {"kind": "none"}}
    scripts = {1: [(0, 0, MEGABYTE, "reliable")]}
    _, _, tally, _ = wired(monkeypatch, scripts, links={"default": air})
    ack_ns = 52 * 334 * 1000
    # 1.14 W while sending, .94 W while receiving, less .82 W that the idle board includes.
    assert tally.devices[0].radio_fj == 320_000 * S + 120_000 * ack_ns
    assert tally.devices[1].radio_fj == 0


DOWN_LINK = {"kind": "link-down", "links": ["cam-1.server"], "at": "500 ms", "for": "2 s"}
SLOW_LINK = {
    "kind": "bandwidth", "links": ["cam-1.server"], "factor": "50%",
    "at": "500 ms", "for": "500 ms",
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        # Half of it, two seconds of nothing, the other half.
        (DOWN_LINK, 3 * S),
        # Half of it, half a second at half the rate, and a quarter.
        (SLOW_LINK, 1250 * MS),
    ],
)
def test_a_fault_of_a_link_holds_a_transfer_back_and_no_longer(monkeypatch, fault, end):
    scripts = {1: [(0, 0, MEGABYTE, "reliable")]}
    _, machines, *_ = wired(monkeypatch, scripts, links=star(up="8 Mbit/s"), faults=[fault])
    assert received(machines) == {(0, MEGABYTE): end}
    assert machines[1].told == [(end, "outcome", 1, True)]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "partition", "groups": [["cam-1"], ["server"]], "mode": "drop"},
        {"kind": "partition", "groups": [["cam-1"], ["server"]], "mode": "refuse"},
        {"kind": "loss", "links": ["cam-1.server"], "mean": "100%"},
    ],
)
def test_what_begins_while_nothing_gets_through_goes_on_when_it_does(monkeypatch, fault):
    fault = {**fault, "at": "500 ms", "for": "2 s"}
    scripts = {1: [(S, 0, MEGABYTE, "reliable")]}
    _, machines, *_ = wired(monkeypatch, scripts, links=star(up="8 Mbit/s"), faults=[fault])
    assert received(machines) == {(0, MEGABYTE): 3500 * MS}
    assert machines[1].told == [(3500 * MS, "outcome", 1, True)]


@pytest.mark.parametrize("mode", ["refuse", "drop"])
def test_a_partition_stops_a_transfer_whether_or_not_anybody_is_told(monkeypatch, mode):
    fault = {
        "kind": "partition", "groups": [["cam-1"], ["server"]], "mode": mode,
        "at": "500 ms", "for": "2 s",
    }  # fmt: skip
    scripts = {1: [(0, 0, MEGABYTE, "reliable")]}
    _, machines, *_ = wired(monkeypatch, scripts, links=star(up="8 Mbit/s"), faults=[fault])
    assert received(machines) == {(0, MEGABYTE): 3 * S}
