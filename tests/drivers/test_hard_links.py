"""Runs over links that retry, cut, corrupt, duplicate and pause: laws of whole runs."""

import pytest
from worlds import lossy, records_of, run

from simedge.run.invariants import check_records

BERNOULLI = {"kind": "bernoulli", "mean": "30%"}


def history(**links):
    changes = {f"links__default__{key}": value for key, value in links.items()}
    result = run(lossy(**changes))
    assert check_records(records_of(result)) == []
    assert result.summary["invariants"]["broken"] == []
    return result


def test_tries_of_hop_arq_are_billed_as_retransmissions():
    result = history(arq={"retries": 7}, loss=BERNOULLI)
    retries = [
        r.detail for r in records_of(result) if r.kind == "sent" and r.detail[1] == "retransmission"
    ]
    bits = result.summary["communication"]["bits_retransmitted"]
    assert 8 * sum(detail[3] for detail in retries) == bits > 0


def test_a_corrupted_message_reaches_the_receiver_and_is_refused():
    result = history(corrupt="50%", loss={"kind": "none"})
    refused = [r for r in records_of(result) if r.kind == "refused"]
    received = [r for r in records_of(result) if r.kind == "received"]
    assert len(received) > len(refused)
    assert [r.detail for r in refused].count("corrupt") > len(received) // 4


def test_a_cut_message_arrives_whole_or_counts_as_one_that_lacks_a_fragment():
    result = history(mtu="60 B", fragment=True, loss={"kind": "bernoulli", "mean": "10%"})
    causes = [r.detail for r in records_of(result) if r.kind == "lost"]
    assert causes.count("reassembly") > 5
    assert result.summary["counts"]["tokens_accepted"] > 0
    counts = result.summary["communication"]["datagrams"]
    parts = ("delivered", "lost", "in_flight")
    assert counts["sent"] + counts["duplicated"] == sum(counts[part] for part in parts)


@pytest.mark.parametrize(
    "loss",
    [
        {"kind": "gilbert-elliott-packets", "p": "5%", "r": "20%"},
        {"kind": "four-state", "p13": "5%", "p31": "40%", "p14": "2%"},
    ],
)
def test_every_law_of_loss_has_one_history(loss):
    first, second = history(loss=loss), history(loss=loss)
    assert first.summary["log_sha256"] == second.summary["log_sha256"]
    assert any(r.kind == "lost" and r.detail == "loss" for r in records_of(first))


def test_a_lora_world_runs_and_its_datagrams_are_seconds_apart():
    result = run(lossy(duration="60 s", links__default={"profile": "lora-sf7"}))
    assert result.summary["invariants"]["broken"] == []
    times = [r.at for r in records_of(result) if r.kind == "received" and r.target == "cam-1"]
    # 1 % of the air: the least datagram of some 46 ms is followed by 4.6 s of silence.
    assert len(times) > 3
    assert sum(times[-1] - at > 4 * 10**9 for at in times) > len(times) // 2
