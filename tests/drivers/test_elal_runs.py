"""Whole runs of elal: rows about labels, tokens sent again, the proposal's average, silence."""

import pytest
from worlds import SPIKING, lossy, records_of, run

from simedge.run.problems import ScenarioError
from simedge.run.proxy_set import pack_proxy
from simedge.sensors.registry import open_sensor

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


def test_rows_about_labels_need_a_learner_that_keeps_them():
    with pytest.raises(ScenarioError, match="gradient of the readout") as error:
        lossy(learner={"kind": "spiking", "rule": {"kind": "three-factor"}}).vary(CLASSES)
    assert "protocol.x_mode" in str(error.value)


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
    octets = len(pack_proxy(open_sensor(there.sensors, there.seed).proxy))
    down = [result.summary["communication"]["bits_down"] for result in (sent, run(there))]
    assert down[0] > 8 * 4 * octets > down[1]
