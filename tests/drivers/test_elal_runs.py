"""Whole runs of elal: rows about labels, tokens sent again, the proposal's average, silence."""

import numpy as np
import pytest
from worlds import SPIKING, Run, lossy, records_of, run

import simedge
from simedge.protocol.machine import ProxyPass
from simedge.protocol.register import Weights
from simedge.run.proxy_set import proxy_set_of
from simedge.run.scenario import Scenario
from simedge.sensors.registry import open_sensor
from simedge.world.jobs import Job

ALONE = [{"id": "cam", "count": 1, "compute": "cpu-large", "memory": "512 MiB"}]
CLASSES = {"protocol.x_mode": "class"}


def test_rows_about_labels_have_one_history_and_sound_books():
    scenario = lossy(duration="4 s").vary(SPIKING).vary(CLASSES)
    fused, stepped = run(scenario), run(scenario.vary({"kernel.volleys": "stepped"}))
    assert records_of(fused) == records_of(stepped)
    assert fused.summary["invariants"]["broken"] == []
    assert fused.summary["counts"]["tokens_accepted"] > 0
    assert fused.summary["counts"]["priors_applied"] > 0
    assert fused.summary["information_age_s"]["mean"] > 0


def test_a_device_alone_is_told_nothing_about_its_own_labels():
    alone = lossy(devices=ALONE, topology={"kind": "star"}, faults=[]).vary(CLASSES)
    result = run(alone)
    assert result.summary["counts"]["tokens_accepted"] > 0
    assert result.summary["counts"]["priors_applied"] == 0
    assert "published" not in {record.kind for record in result.records}


def test_tokens_that_are_sent_again_are_billed_as_such_and_more_of_them_arrive():
    once, again = run(lossy()), run(lossy().vary({"protocol.arq": 3}))
    assert again.summary["invariants"]["broken"] == []
    assert again.summary["counts"]["tokens_sent"] == once.summary["counts"]["tokens_sent"]
    assert again.summary["counts"]["tokens_accepted"] > once.summary["counts"]["tokens_accepted"]
    resent = [
        record.detail[3]
        for record in again.records
        if record.kind == "sent" and record.detail[1] == "retransmission"
    ]
    assert 8 * sum(resent) == again.summary["communication"]["bits_retransmitted"]


def test_a_delivered_proxy_set_is_billed_and_nothing_is_passed_before_it():
    there = lossy(duration="4 s", topology={"kind": "star"})
    sent = run(there.vary({"protocol.delivery": "transfer", "links.default.up": "2 Mbit/s"}))
    assert sent.summary["invariants"]["broken"] == []
    ends = {
        record.subject.split("/")[1]: record.at
        for record in sent.records
        if record.kind == "received" and "/proxy/" in record.subject
    }
    assert set(ends) == {"cam-1", "cam-2", "box-1", "box-2"}
    first = {}
    for record in sent.records:
        if record.kind == "learner-done" and record.subject == "proxy_pass":
            first.setdefault(record.target, record.at)
    assert set(first) == set(ends)
    assert all(first[name] > ends[name] for name in first)
    octets = len(proxy_set_of(open_sensor(there.sensors, there.seed)))
    # Devices that come with it have the same bytes, without headers and acknowledgements.
    came_with = run(there).summary["communication"]["bits_preinstalled"]
    assert 8 * 4 * octets == came_with < sent.summary["communication"]["bits_down"]
    sizes = {
        r.detail for r in sent.records if r.kind == "transfer-started" and "/proxy/" in r.subject
    }
    assert octets < min(sizes) <= max(sizes) < octets + 64


# --------------------------------------------------------------------------------------- oracles
FREE = {"base": "server", "event": 10**15, "dense": 10**18, "overhead": 0}
CLEAN = {"profile": "ethernet", "up": "1 Gbit/s", "down": "1 Gbit/s", "delay": 0}
PLAIN = {
    "protocol.coding": {"bits": 15},
    "protocol.age_weight": "none",
    "protocol.floor": 0,
    "protocol.kl": 0,
    "sensors.proxy": {"blocks": 1, "rows": 16},
}


@pytest.mark.parametrize(("seed", "learner"), [(1, {}), (2, SPIKING)], ids=["linear", "spiking"])
def test_on_a_perfect_network_a_prior_is_the_average_of_what_all_devices_say(seed, learner):
    # 17 frames a device: the last pass comes after the 16th, and nothing is learned meanwhile.
    plain = lossy(seed=seed, duration="2100 ms", topology={"kind": "star"}, faults=[])
    plain = plain.vary({"links": {"default": CLEAN}, **PLAIN}).vary(learner)
    with Run(plain) as held:
        list(held.slices())
        now, shape = plain.duration, held.driver.server.machine.register.shape
        said = []
        for device in held.driver.devices:
            rows = Job(
                kind="proxy_pass",
                subject=ProxyPass(address=0, first=0, count=16),
                since_ns=now,
                call=0,
                rows=16,
            )
            said.append([work.commit() for work in device.door.rows(rows, 0, 16)])
        weights = Weights(age="none", half_life_ns=1, age_max_ns=10**12, floor=0.0)
        read = held.driver.server.machine.register.read(
            np.array([0]), now, weights=weights, versions=np.array([0])
        )
    # The rows of a learner sum to one within the rounding of float32 only.
    shares = np.array(said, np.float64)
    average = (shares / shares.sum(axis=2, keepdims=True)).mean(axis=0)
    assert np.ptp(said, axis=0).max() > 1e-3, "devices differ"
    assert shape.coding.is_float
    assert np.abs(read.rows[0] - average).max() <= 1e-12


@pytest.mark.parametrize(
    "change",
    [SPIKING, CLASSES, {"protocol.arq": 4}, {"protocol.delivery": "transfer"}],
    ids=["spiking", "labels", "arq", "delivery"],
)
def test_who_hears_nothing_learns_as_if_alone_bit_for_bit(change):
    deaf = lossy(
        duration="3 s",
        devices=[{"id": "cam", "count": 2, "compute": FREE, "memory": "1 GiB"}],
        topology={"kind": "star"},
        faults=[],
        links={"default": {"loss": {"kind": "bernoulli", "mean": 1}}},
    ).vary(change)
    alone = deaf.vary({"protocol": {"kind": "isolated", "interval": 4}})

    def digests(scenario):
        with Run(scenario) as held:
            list(held.slices())
            return [device.learner.digest() for device in held.driver.devices]

    assert digests(deaf) == digests(alone)


@pytest.mark.parametrize(
    ("changes", "charged"),
    [
        ({}, True),
        ({"protocol.x_mode": "class"}, False),
        ({"protocol.delivery": "transfer"}, False),
        ({"protocol": {"kind": "isolated"}}, False),
    ],
)
def test_a_proxy_set_that_devices_come_with_is_traffic_from_the_start(changes, charged):
    base = {"duration": "2 s", "sensors.proxy": {"blocks": 2, "rows": 8}}
    scenario = Scenario.load("k5_star_clean").vary({**base, **changes})
    result = simedge.simulate(scenario)
    said = result.summary["communication"]
    first = next(s.value for s in result.metrics() if s.metric == "bits")
    # Five devices, 16 items: an image of 64 pixels and 96 draws of 8 bytes each.
    expected = 5 * 16 * (64 + 96 * 8) * 8 if charged else 0
    assert said["bits_preinstalled"] == expected
    assert expected <= first < expected + 10_000  # some have asked to join by then
    assert said["bits_down"] >= expected
    assert result.summary["invariants"]["broken"] == []
