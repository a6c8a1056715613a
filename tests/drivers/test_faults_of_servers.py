"""Faults of the server: which state comes back, who hears whom, what a crowd costs."""

from itertools import pairwise

from worlds import Run, lossy, records_of, run

import simedge
from simedge.protocol.machine import Checkpoint, LinkStatus
from simedge.run.eventlog import LogRecord
from simedge.run.invariants import check_records
from simedge.run.scenario import Scenario

S = 10**9
STAR = {"topology": {"kind": "star"}, "links": {"default": {"profile": "ethernet"}}}


def result_of(*faults, **values):
    result = run(lossy(**({"faults": list(faults), "duration": "6 s"} | STAR | values)))
    assert result.summary["invariants"]["broken"] == []
    return result


def records(*faults, **values):
    return records_of(result_of(*faults, **values))


def versions(found, server="server"):
    return [(r.at, r.subject, r.detail[0]) for r in found
            if r.kind == "published" and r.target == server]  # fmt: skip


def merged(found, device, server="server"):
    got = [r for r in found if r.kind == "merged" and r.target == server]
    return [r.at for r in got if r.subject.startswith(device)]


def test_a_slow_server_takes_its_time_for_each_message_one_after_the_other():
    slow = {"kind": "slow", "server": True, "factor": 30, "at": "2 s", "for": "2 s"}
    got = [r.at for r in records(slow) if r.kind == "merged"]
    during = [at for at in got if 2 * S < at < 4 * S]
    assert len(during) > 8
    assert min(b - a for a, b in pairwise(during)) >= 30_000_000
    still = [r.at for r in records() if r.kind == "merged"]
    assert [at for at in got if at < 2 * S] == [at for at in still if at < 2 * S]
    assert len(got) == len(still)


def test_who_waits_for_a_slow_server_is_heard_when_it_is_slow_no_more():
    slow = {"kind": "slow", "server": True, "factor": 10_000, "at": "2 s", "for": "2 s"}
    got = [r.at for r in records(slow) if r.kind == "merged"]
    assert not [at for at in got if 2 * S < at < 4 * S]
    assert got.count(4 * S) > 8


def test_a_standby_has_the_state_of_a_while_ago_and_versions_of_a_new_boot():
    failover = {"kind": "failover", "lag": "2 s", "at": "4500 ms"}
    found = records(failover)
    (restart,) = [r for r in found if r.kind == "restarted"]
    assert (restart.at, restart.target, restart.subject) == (4500 * 10**6, "server", 2)
    before = {block: g for at, block, g in versions(found) if at < 2500 * 10**6}
    after = {}
    for at, block, g in versions(found):
        if at > 4500 * 10**6:
            after.setdefault(block, g)
    assert after == {block: before[block] + 1 for block in after}
    whole = records(failover | {"lag": "0 s"})
    fresh = {block: g for at, block, g in reversed(versions(whole)) if at > 4500 * 10**6}
    assert all(fresh[block] > g for block, g in after.items())


def test_a_standby_that_knows_nothing_asks_everyone_to_join():
    found = records({"kind": "failover", "lag": "1 h", "at": "3 s"})
    joined = [r.target for r in found if r.kind == "joined" and r.at > 3 * S]
    assert sorted(joined) == ["box-1", "box-2", "cam-1", "cam-2"]


def test_versions_fall_by_a_rollback_and_devices_take_nothing_older_than_they_hold():
    found = records({"kind": "rollback", "versions": 2, "at": "4500 ms"})
    newest = {block: g for at, block, g in versions(found) if at < 4500 * 10**6}
    next_ = {block: g for at, block, g in reversed(versions(found)) if at > 4500 * 10**6}
    assert any(next_[block] <= newest[block] for block in next_)
    stale = [r for r in found if r.kind == "refused" and r.detail == "stale_prior"]
    assert stale
    assert min(r.at for r in stale) > 4500 * 10**6
    told = [(r.kind, r.target) for r in found if r.kind.startswith("fault")]
    assert told == [("fault-started", "server"), ("fault-ended", "server")]


def test_a_fall_of_versions_without_a_rollback_breaks_a_law():
    def published(at, version):
        return LogRecord(at, 7, "server", "published", 0, (version, b""))

    rolled = LogRecord(2, 0, "server", "fault-started", "rollback", "rollback")
    assert check_records([published(1, 5), rolled, published(3, 4)]) == []
    assert [b.law for b in check_records([published(1, 5), published(3, 4)])] == ["version rises"]


SPLIT = {"kind": "split-brain", "groups": [["cam"], ["box"]], "at": "2 s", "for": "2 s"}


def test_two_servers_hear_and_reach_their_own_devices_alone():
    found = records(SPLIT)
    during = [r for r in found if 2 * S + S // 10 < r.at < 4 * S]
    assert merged(during, "box", "server-2")
    assert merged(during, "cam")
    assert not merged(during, "box")
    assert not merged(during, "cam", "server-2")
    reached = {r.subject.split("/")[:2][0] + ">" + r.subject.split("/")[1]
               for r in during if r.kind == "received" and "/prior/" in r.subject}  # fmt: skip
    assert reached == {"server>cam-1", "server>cam-2", "server-2>box-1", "server-2>box-2"}


def test_the_state_of_the_first_server_wins():
    found = records(SPLIT)
    after = [r for r in found if r.at > 4 * S]
    assert not [r for r in after if r.target == "server-2"]
    assert merged(after, "box")
    assert merged(after, "cam")
    first = [at for at in merged(found, "box") if at > 2 * S]
    assert min(first) > 4 * S, "what the copy heard is lost"
    assert versions(found)[-1][2] > versions(found, "server-2")[-1][2]


def test_a_split_without_anyone_on_the_other_side_changes_no_token():
    nobody = SPLIT | {"groups": [["cam", "box"], []]}
    plain, split = records(), records(nobody)
    pick = [r for r in split if r.target != "server-2" and not r.kind.startswith("fault")]
    assert [r for r in pick if r.kind != "lost"] == plain


CROWD = {"kind": "overload", "rate": "50 Hz", "senders": 5, "at": "2 s", "for": "2 s"}


def test_a_crowd_is_heard_and_says_nothing():
    plain, crowded = result_of(), result_of(CROWD)
    made_up = [r for r in records_of(crowded) if r.kind == "merged" and r.subject[0] == "~"]
    assert len(made_up) == 100
    assert len({r.subject.split("/")[0] for r in made_up}) == 5
    counts = crowded.summary["counts"]
    assert counts["tokens_sent"] >= plain.summary["counts"]["tokens_sent"] + 100
    real = [r for r in records_of(crowded) if r.kind == "merged" and r.subject[0] != "~"]
    assert real == [r for r in records_of(plain) if r.kind == "merged"]


def test_a_crowd_before_a_slow_server_delays_the_others():
    slow = {"kind": "slow", "server": True, "factor": 10, "at": "2 s", "for": "2 s"}
    alone = [r.at for r in records(slow) if r.kind == "merged"]
    crowd = CROWD | {"rate": "2 kHz"}
    real = [r.at for r in records(slow, crowd) if r.kind == "merged" and r.subject[0] != "~"]
    inside = [at for at in alone if 2 * S < at < 4 * S]
    assert len([at for at in real if 2 * S < at < 4 * S]) < len(inside) // 2


def test_a_crowd_joins_again_after_a_restart():
    crash = {"kind": "crash", "server": True, "state": "wiped", "at": "3 s", "for": "100 ms"}
    found = records(CROWD, crash)
    made_up = [r.at for r in found if r.kind == "merged" and r.subject[0] == "~"]
    assert [at for at in made_up if at > 3 * S + S // 5]


def test_a_second_server_knows_the_crowd_of_the_first():
    scenario = Scenario.load("two_devices").vary(
        {
            "duration": "6 s",
            "protocol": {"kind": "elal", "interval": 4, "prior_period": "200 ms"},
            "faults": [
                {"kind": "overload", "at": "1 s", "for": "4 s", "senders": 40, "rate": "100 Hz"},
                {
                    "kind": "split-brain",
                    "at": "2 s",
                    "for": "2 s",
                    "groups": [["cam"], ["box"]],
                },
            ],
        }
    )
    summary = simedge.simulate(scenario).summary
    assert summary["invariants"]["broken"] == []


def test_a_server_that_is_rolled_back_knows_no_more_than_it_did_then():
    """What it learned from frames falls with its versions; the machine asks to keep each."""
    back = {"kind": "rollback", "versions": 3, "at": "3 s"}
    scenario = lossy(faults=[back], duration="4 s").vary({"protocol": {"kind": "centralised"}})
    known, found = [], []
    with Run(scenario) as held:
        server = held.driver.server
        handle, hear = server.machine.handle, server.hear

        def keeping(event, now):
            effects = handle(event, now)
            if any(isinstance(effect, Checkpoint) for effect in effects):
                known.append(server.learner.digest())
            return effects

        def rolled(event, now):
            found.append((known[-4], server.learner.digest(), known[-1]))
            hear(event, now)

        server.machine.handle, server.hear = keeping, rolled
        list(held.slices())
    ((then, now, before),) = found
    assert now == then != before


def test_two_servers_hear_of_ways_that_are_lost_and_back():
    split = {"kind": "split-brain", "groups": [["cam"], ["box"]], "at": "1 s", "for": "4 s"}
    cut = {"kind": "partition", "groups": [["box-1"], ["server", "cam", "box-2"]], "at": "2 s"}
    quick = {"topology": {"kind": "star", "hello": "100 ms"}, "protocol": {"kind": "fedasync"}}
    heard = {}

    def listen(host):
        handle = host.machine.handle

        def hear(event, now):
            if isinstance(event, LinkStatus):
                heard.setdefault(host.name, []).append((now, event.other, event.up))
            return handle(event, now)

        host.machine.handle = hear

    with Run(lossy(faults=[split, cut | {"for": "1 s"}]).vary(quick)) as held:
        for host in held.driver.servers:
            listen(host)
        list(held.slices())
    assert heard["server"] == heard["server-2"]
    assert [(other, up) for _, other, up in heard["server"]] == [(3, False), (3, True)]


COPIES = """
simedge: 1
name: copies
seed: 780
duration: 1500 ms
sensors: {kind: poisson, rate: 2 Hz, size: 8, proxy: {blocks: 2, rows: 2}}
devices: [{id: box, count: 2, compute: cpu-large, memory: 2 GiB}]
topology: {kind: star}
links: {default: {profile: wifi-air, loss: {kind: none}}}
learner: {kind: surrogate}
protocol:
  kind: elal
  interval: 1
  prior_period: 400 ms
  report_period: 800 ms
  have_period: 800 ms
  policy: {kind: fixed}
faults:
- {kind: replay, at: 600 ms, share: 100%, age: 400 ms}
- {kind: split-brain, at: 600 ms, for: 500 ms, groups: [[box-1], [box-2]]}
evaluate: {every: 1 min, items: 10}
"""


def test_a_copy_that_reaches_the_other_server_of_a_split_breaks_no_law():
    result = run(Scenario.parse(COPIES))
    assert result.summary["invariants"]["broken"] == []
    counts = result.summary["counts"]
    assert counts["tokens_sent"] < counts["tokens_accepted"] <= 2 * counts["tokens_sent"]


def test_of_a_split_in_a_pause_the_second_server_does_at_once_what_is_overdue():
    pause = {"kind": "pause", "server": True, "at": "1500 ms", "for": "3 s"}
    found = records(pause, SPLIT | {"at": "2500 ms"})
    assert versions(found, "server-2")[0][0] == 2_500_000_000, "what was due at 2 s"
    assert not [at for at, _, _ in versions(found) if 1_500_000_000 < at < 4_500_000_000]
