"""What devices hold: measured while a run goes on, and never more than was asked for."""

import simedge
from simedge.run.scenario import Scenario


def peaks(**changes):
    scenario = Scenario.load("two_devices").vary({"duration": "6 s", **changes})
    found = simedge.simulate(scenario).summary["memory_bytes"]["peak_per_device"]
    return {name: int(peak) for name, peak in found.items()}


def test_a_slow_device_holds_a_longer_queue():
    # A frame takes longer than the time to the next: the queue fills up to its length.
    slow = {"kind": "slow", "devices": "100%", "factor": 2000, "at": "1 s", "for": "5 s"}
    kept = [
        peaks(**{"faults": [slow], "devices[0].queue": queue, "devices[1].queue": queue})
        for queue in (0, 4)
    ]
    assert all(kept[0][name] < kept[1][name] for name in kept[0])


def test_a_prior_takes_room_only_once_it_is_held():
    talks = {"protocol": {"kind": "elal", "interval": 4}}
    alone = peaks(**talks, **{"links.default.loss": {"kind": "bernoulli", "mean": "100%"}})
    together = peaks(**talks)
    assert all(alone[name] < together[name] for name in alone)


def test_the_slowest_of_twenty_updates_of_each_device_stands_in_the_metrics():
    result = simedge.simulate(Scenario.load("two_devices").vary({"duration": "6 s"}))
    found = {s.entity: s.value for s in result.metrics() if s.metric == "update_p95_ms"}
    arrived, latencies = {}, {}
    for record in result.records:
        if record.kind == "frame-arrived":
            arrived[record.target, record.subject] = record.at
        elif record.kind == "frame-learned":
            taken = record.at - arrived[record.target, record.subject]
            latencies.setdefault(record.target, []).append(taken / 1e6)
    for target, taken in latencies.items():
        later = sum(each > found[target] for each in taken)
        assert found[target] in taken
        assert later <= len(taken) / 20 < later + 1
