"""Whole runs of every protocol: books, determinism, crashes, silence, who is alone, who is gone."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import SPIKING, Run, lossy, records_of, run

from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.run.invariants import check_records
from simedge.run.problems import ScenarioError
from simedge.sensors.registry import open_sensor

PROTOCOLS = {
    "isolated": {"kind": "isolated"},
    "fedavg": {"kind": "fedavg", "frames": 4, "deadline": "500 ms"},
    "fedasync": {"kind": "fedasync", "frames": 4},
    "fedbuff": {"kind": "fedbuff", "frames": 4, "buffer": 2},
    "central frames": {"kind": "centralised"},
    "central model": {"kind": "centralised", "serve": "device", "serve_every": 4},
    "central gradient": {"kind": "centralised", "mode": "gradient", "batch": 4},
    "gossip": {"kind": "gossip", "interval": 4},
    "aedfl": {"kind": "aedfl", "frames": 4, "interval": 4},
    "draco": {"kind": "draco", "interval": 4, "gradient_every": 2, "batch": 1},
    "fd": {"kind": "fd", "interval": 4},
}
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
TALKING = [protocol for name, protocol in PROTOCOLS.items() if name != "isolated"]
ELAL = {
    "kind": "elal", "interval": 4, "prior_period": "500 ms", "prior_budget": 4, "arq": 2,
    "policy": {"kind": "fixed"},
}  # fmt: skip
ALONE = [{"id": "cam", "count": 1, "compute": "cpu-large", "memory": "512 MiB"}]
DEAF = {"profile": "wifi-air", "loss": {"kind": "bernoulli", "mean": "100%"}}


def crash(name, at, span, **more):
    return {"kind": "crash", "name": name, "at": at, "for": span, **more}


CRASHES = [
    crash("a", "1.5 s", "400 ms", devices=["box-1"], state="kept"),
    crash("b", "2 s", "300 ms", devices=["cam-1"], state="wiped"),
    crash("c", "2.2 s", "500 ms", devices=["cam-2"], state="checkpoint"),
    crash("d", "2.6 s", "300 ms", server=True, state="checkpoint"),
]


def world(protocol, **values):
    return lossy(faults=[]).vary({"protocol": protocol, **values})


def told(result):
    return {key: value for key, value in result.summary.items() if key != "wall_s"}


@every_protocol
def test_books_balance_and_stepped_volleys_have_the_history_of_fused_ones(protocol):
    scenario = world(protocol, duration="4 s", faults=CRASHES).vary(SPIKING)
    fused, stepped = run(scenario), run(scenario.vary({"kernel.volleys": "stepped"}))
    assert records_of(fused) == records_of(stepped)
    assert told(fused) == told(stepped)
    assert fused.summary["invariants"]["broken"] == []
    assert check_records(fused.records) == []
    assert fused.summary["robustness"]["crashes"] == 4
    counts = fused.summary["counts"]
    assert counts["tokens_sent"] == counts["tokens_accepted"] == 0


@pytest.mark.parametrize("protocol", TALKING, ids=[n for n in PROTOCOLS if n != "isolated"])
def test_every_protocol_talks_and_says_how_old_what_it_holds_is(protocol):
    result = run(world(protocol))
    summary = result.summary
    talk = summary["communication"]
    assert talk["bits_up"] > 0
    assert (talk["bits_down"] == 0) == (protocol["kind"] in {"gossip", "aedfl", "draco"})
    assert summary["staleness"]["mean"] is not None
    rounds = [s.value for s in result.samples if s.metric == "rounds"]
    assert len(rounds) == 1
    assert rounds[0] > 0
    served = protocol["kind"] == "centralised" and "mode" not in protocol
    if not served or "serve" in protocol:
        assert summary["information_age_s"]["mean"] > 0
    assert summary["accuracy"]["final"] > 0.15


@settings(max_examples=4)
@given(st.sampled_from(["gossip", "fd"]), st.integers(1, 99))
def test_who_hears_nothing_learns_as_if_alone(kind, seed):
    def known(protocol):
        scenario = world(protocol, duration="4 s", seed=seed, links={"default": DEAF})
        with Run(scenario) as held:
            list(held.slices())
            return [device.learner.digest() for device in held.driver.devices]

    assert known(PROTOCOLS[kind]) == known(PROTOCOLS["isolated"])


def test_averaging_one_device_is_plain_training():
    scenario = world(PROTOCOLS["fedavg"], devices=ALONE, topology={"kind": "star"})
    with Run(scenario) as held:
        list(held.slices())
        known = held.driver.devices[0].learner.digest()
    result = held.finish()
    learned = [r.subject for r in result.records if r.kind == "frame-learned"]
    assert len(learned) > 20
    sensor = open_sensor(scenario.sensors, scenario.seed)
    learner = open_learner(
        scenario.learner,
        classes=sensor.classes,
        width=sensor.width,
        height=sensor.height,
        streams=Streams(scenario.seed),
        device="cam-1",
        span_ns=sensor.span_ns,
    )
    for index in learned:
        learner.learn(sensor.frame("cam-1", index)).commit()
    assert learner.digest() == known


def dropped(records):
    return Counter(r.detail for r in records if r.kind == "frame-dropped")


def test_every_16th_frame_is_set_aside_where_a_loss_is_taken_on_such():
    records = run(world(PROTOCOLS["aedfl"], duration="3 s")).records
    arrived = Counter(r.target for r in records if r.kind == "frame-arrived")
    assert dropped(records)["held"] == sum(count // 16 for count in arrived.values()) > 0


def test_frames_that_nobody_asked_for_are_dropped_as_idle():
    result = run(world(PROTOCOLS["fedavg"], duration="3 s"))
    counts, idle = result.summary["counts"], dropped(result.records)["idle"]
    assert counts["frames_dropped"] == idle > 0
    assert counts["frames_learned"] > 0


def test_who_is_gone_for_good_holds_up_nobody():
    gone = [{"kind": "crash", "at": "2 s", "devices": ["box-2"]}]
    protocol = {**PROTOCOLS["fedavg"], "wait": "wait_all", "fraction": 1.0}
    records = run(world(protocol, duration="14 s", faults=gone)).records
    models = [r.at for r in records if r.kind == "published" and r.target == "server"]
    assert sum(at > 8 * 10**9 for at in models) > 2


@pytest.mark.parametrize("kind", ["gossip", "aedfl", "draco"])
def test_peers_need_no_server(kind):
    ring = {"kind": "ring", "uplinks": 0}
    result = run(world(PROTOCOLS[kind], duration="3 s", topology=ring))
    assert result.summary["communication"]["bits_up"] > 0
    assert not [r for r in result.records if "server" in str(r.subject)]


def test_what_cannot_be_is_refused():
    with pytest.raises(ScenarioError, match="links between devices"):
        world(PROTOCOLS["gossip"], topology={"kind": "star"})
    with pytest.raises(ScenarioError, match="same hidden weights"):
        world(PROTOCOLS["fedavg"]).vary({**SPIKING, "learner.shared_start": False})


@every_protocol
def test_each_frame_that_teaches_a_device_is_a_decision_and_frames_sent_on_count_apart(protocol):
    result = run(world(protocol, duration="3 s"))
    kinds = Counter(record.kind for record in result.records)
    counts, latency = result.summary["counts"], result.summary["latency_ms"]
    assert counts["frames_taken"] == kinds["frame-taken"]
    assert counts["frames_learned"] == kinds["frame-learned"] + kinds["frame-sloped"]
    for percent in ("p50", "p95", "p99"):
        update, decision = latency["update"][percent], latency["decision"][percent]
        assert (update is None) == (decision is None) == (counts["frames_learned"] == 0)
        # It takes the presentation, too.
        assert update is None or decision > update
    slowest = {s.entity for s in result.metrics() if s.metric == "update_p95_ms"}
    taught = {r.target for r in result.records if r.kind in {"frame-learned", "frame-sloped"}}
    assert slowest == taught


@settings(max_examples=14)
@given(st.sampled_from([*TALKING, ELAL, ELAL | {"delivery": "transfer"}]), st.integers(1, 99))
def test_every_bit_has_one_cause_and_sharing_takes_as_long_as_the_log_says(protocol, seed):
    """Over all protocols, with losses, detours, crashes and resent tokens."""
    scenario = world(protocol, seed=seed, duration="3 s", faults=CRASHES)
    result = run(scenario.vary({"links.default.arq.retries": seed % 3}))
    assert result.summary["invariants"]["broken"] == []
    bits = result.summary["communication"]
    causes = bits["bits_by_cause"]
    assert sum(causes.values()) == bits["bits_up"] + bits["bits_down"]
    assert causes["retransmission"] == bits["bits_retransmitted"]
    delivered = protocol.get("delivery") == "transfer"
    assert (causes["proxy"] > 0) == (protocol["kind"] == "elal")
    assert (bits["bits_preinstalled"] == causes["proxy"]) is not delivered
    sent, took = {}, []
    for record in result.records:
        if record.kind in {"sent", "transfer-started"}:
            sent.setdefault(record.subject, record.at)
        elif record.kind == "merged" and isinstance(record.subject, str):
            took.append((record.at - sent[record.subject]) / 1e6)
    said = [s.value for s in result.metrics() if s.metric == "share_latency_ms"]
    assert said == took
    share = result.summary["latency_ms"]["share"]
    assert share["mean"] == (pytest.approx(sum(took) / len(took)) if took else None)
    assert share["p50"] is None if not took else min(took) <= share["p50"] <= share["p95"]
