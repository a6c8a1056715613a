"""Laws of whole runs: determinism, accounting, faults, silence."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from worlds import SPIKING, Run, lossy, records_of, run

from simedge.run.invariants import check_records

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def without_wall(summary):
    return {key: value for key, value in summary.items() if key != "wall_s"}


def spiking(**values):
    return lossy(duration="2 s", **values).vary(SPIKING)


@pytest.mark.parametrize("scenario", [lossy(), spiking()], ids=["linear", "spiking"])
def test_one_seed_has_one_history(scenario):
    first, second = run(scenario), run(scenario)
    assert records_of(first) == records_of(second)
    assert without_wall(first.summary) == without_wall(second.summary)
    assert run(scenario, seed=2).summary["log_sha256"] != first.summary["log_sha256"]


def told(code, **environment):
    """Return what a fresh interpreter prints."""
    paths = os.pathsep.join([str(HERE), str(ROOT)])
    return subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_another_process_with_another_hash_seed_has_the_same_history(hash_seed):
    code = "from worlds import *; print(run(lossy()).summary['log_sha256'])"
    expected = run(lossy()).summary["log_sha256"]
    assert told(code, PYTHONHASHSEED=hash_seed) == expected


def test_stepped_volleys_have_the_history_of_fused_ones():
    fused = run(spiking())
    stepped = run(spiking(kernel__volleys="stepped"))
    assert fused.summary["counts"]["volleys"] > 1000
    assert records_of(stepped) == records_of(fused)
    assert without_wall(stepped.summary) == without_wall(fused.summary)


def test_a_run_without_its_log_has_the_same_hash():
    assert (
        run(lossy(record__events=False)).summary["log_sha256"] == run(lossy()).summary["log_sha256"]
    )


@pytest.mark.parametrize("slice_records", [1, 7])
def test_slicing_changes_nothing(monkeypatch, slice_records):
    straight = run(lossy())
    monkeypatch.setattr("simedge.run.simulate.SLICE_RECORDS", slice_records)
    assert run(lossy()).summary["log_sha256"] == straight.summary["log_sha256"]


def test_conservation_holds_on_every_link_at_every_instant():
    with Run(lossy()) as held:
        network = held.driver.carrier.network
        held.driver.start()
        while not held.done:
            held.driver.run_slice(1)
            assert network.imbalances() == {}
        summary = held.finish().summary
    datagrams = summary["communication"]["datagrams"]
    assert datagrams["lost"] > 0
    assert datagrams["sent"] + datagrams["duplicated"] == (
        datagrams["delivered"] + datagrams["lost"] + datagrams["in_flight"]
    )
    assert summary["invariants"]["checked"] > 0
    assert summary["invariants"]["broken"] == []


def test_the_log_agrees_with_the_summary():
    result = run(lossy())
    records = records_of(result)
    kinds = Counter(record.kind for record in records)
    counts = result.summary["counts"]
    assert kinds["frame-arrived"] == counts["frames_arrived"]
    assert kinds["frame-learned"] == counts["frames_learned"]
    assert kinds["merged"] == counts["tokens_accepted"]
    assert kinds["applied"] == counts["priors_applied"]
    bits = {0: 0, 1: 0}
    for record in records:
        if record.kind == "sent":
            downwards, _cause, _bytes, wire_bytes = record.detail
            bits[downwards] += 8 * wire_bytes
    communication = result.summary["communication"]
    down = communication["bits_down"] - communication["bits_preinstalled"]
    assert bits == {0: communication["bits_up"], 1: down}
    assert check_records(records) == []


def test_adding_a_device_leaves_the_fates_of_other_links_unchanged():
    def fates(scenario):
        sent, lost = {}, set()
        for record in records_of(run(scenario)):
            if record.kind == "sent" and record.target == "cam-1.server":
                sent[record.subject] = record.at
            elif record.kind == "lost" and record.target == "cam-1.server":
                lost.add(record.subject)
        return sent, lost

    sent, lost = fates(lossy(topology={"kind": "star"}))
    cams = {"id": "cam", "count": 2, "compute": "cpu-small", "memory": "512 MiB"}
    boxes = {"id": "box", "count": 3, "compute": "cpu-large", "memory": "2 GiB"}
    more = lossy(topology={"kind": "star"}, devices=[cams, boxes])
    sent_more, lost_more = fates(more)
    common = [uid for uid in sent if sent_more.get(uid) == sent[uid]]
    assert len(common) > 5
    assert {uid for uid in common if uid in lost} == {uid for uid in common if uid in lost_more}


def test_isolated_devices_say_nothing():
    summary = run(lossy(protocol={"kind": "isolated", "interval": 4})).summary
    assert summary["communication"]["bits_up"] == summary["communication"]["bits_down"] == 0
    assert summary["communication"]["datagrams"]["sent"] == 0
    assert summary["counts"]["frames_learned"] > 0


def test_with_every_message_lost_tokens_are_isolation():
    free = {"base": "server", "event": 10**15, "dense": 10**18, "overhead": 0}
    devices = [{"id": "cam", "count": 2, "compute": free, "memory": "1 GiB"}]
    deaf = lossy(
        devices=devices,
        topology={"kind": "star"},
        faults=[],
        links={"default": {"loss": {"kind": "bernoulli", "mean": 1}}},
    )
    alone = deaf.vary({"protocol": {"kind": "isolated", "interval": 4}})

    def digests(scenario):
        with Run(scenario) as held:
            list(held.slices())
            return [device.learner.digest() for device in held.driver.devices]

    assert digests(deaf) == digests(alone)


@pytest.mark.parametrize("state", ["kept", "checkpoint", "wiped"])
def test_a_crashed_device_comes_back_with_the_next_boot(state):
    crash = [{"kind": "crash", "devices": ["box-1"], "at": "2 s", "for": "2 s", "state": state}]
    result = run(lossy(faults=crash))
    kinds = [(r.kind, r.subject) for r in records_of(result) if r.target == "box-1"]
    assert ("crashed", 1) in kinds
    assert ("restarted", 2) in kinds
    robustness = result.summary["robustness"]
    assert robustness == {"devices_up_final": 4, "crashes": 1}
    tokens = [
        record
        for record in records_of(result)
        if record.kind == "merged" and "box-1/server/token/2/" in record.subject
    ]
    assert tokens
    assert result.summary["invariants"]["broken"] == []


def test_a_server_that_crashes_loses_nobody_for_good():
    crash = [{"kind": "crash", "server": True, "at": "2 s", "for": "1 s", "state": "wiped"}]
    result = run(lossy(faults=crash, links={"default": {"profile": "ethernet"}}))
    merged_late = [r for r in records_of(result) if r.kind == "merged" and r.at > 4_500_000_000]
    assert {r.subject.split("/")[0] for r in merged_late} == {"cam-1", "cam-2", "box-1", "box-2"}
    assert result.summary["invariants"]["broken"] == []


def test_silence_costs_nothing():
    silent = lossy(
        duration="60 s", sensors={"kind": "silent", "size": 10, "proxy": {"blocks": 4, "rows": 4}}
    ).vary(SPIKING)
    summary = run(silent).summary
    spent = {key: summary["counts"][key] for key in ("spikes", "synaptic_events", "volleys")}
    assert spent == {"spikes": 0, "synaptic_events": 0, "volleys": 0}
    assert summary["counts"]["plasticity_updates"] == 0
    assert summary["energy_ops_j"] == 0
    assert summary["accuracy"]["final"] is None


def test_a_run_of_a_spiking_scenario_never_imports_torch():
    code = (
        "import sys; from worlds import *; run(lossy(duration='1 s').vary(SPIKING));"
        "print([name for name in sys.modules if name.split('.')[0] == 'torch'])"
    )
    assert json.loads(told(code)) == []


def test_an_early_stop_keeps_what_was_done(tmp_path):
    result = run(lossy(), out=tmp_path / "run", stop=lambda: True)
    assert result.interrupted
    assert json.loads((tmp_path / "run/status.json").read_text())["status"] == "interrupted"
    assert result.summary["virtual_s"] < 6
    assert result.summary["invariants"]["broken"] == []
