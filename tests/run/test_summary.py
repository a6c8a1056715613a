"""Laws of the summary: every key always, figures as defined, null where nothing was measured."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.drivers.tally import Counts, DeviceTally, Evaluation, Flow, LinkTally, Sample, Tally
from simedge.run.metrics import csv_text, seconds_text
from simedge.run.summary import mean_accuracy, percentile, summarise

SHAPE = json.loads("""
{"schema": 1, "scenario": "k20_lossy", "seed": 1, "protocol": "elal", "rule": "hebbian-stdp",
 "devices": 20, "virtual_s": 120.0, "wall_s": 0.0, "log_sha256": "",
 "counts": {"kernel_events": 0, "jobs": 0, "volleys": 0, "spikes": 0, "synaptic_events": 0,
            "plasticity_updates": 0, "frames_arrived": 0, "frames_learned": 0,
            "frames_dropped": 0, "frames_taken": 0,
            "tokens_sent": 0, "tokens_accepted": 0, "priors_applied": 0},
 "accuracy": {"final": 0.0, "before_shift": 0.0, "chance": 0.1, "per_device": {}, "curve": []},
 "communication": {"bits_up": 0, "bits_down": 0, "bits_retransmitted": 0,
                   "bits_preinstalled": 0, "bits_to_target": null,
                   "bits_by_cause": {"payload": 0, "retransmission": 0, "ack": 0, "join": 0,
                                     "proxy": 0},
                   "datagrams": {"sent": 0, "delivered": 0, "lost": 0, "duplicated": 0,
                                 "in_flight": 0,
                                 "no_route": 0}},
 "latency_ms": {"update": {"p50": 0, "p95": 0, "p99": 0},
                "decision": {"p50": 0, "p95": 0, "p99": 0},
                "token": {"p50": 0, "p95": 0, "p99": 0},
                "share": {"mean": 0, "p50": 0, "p95": 0}},
 "information_age_s": {"mean": 0, "p99": 0}, "staleness": {"mean": 0, "p99": 0},
 "energy_j": {"total": 0, "compute": 0, "radio": 0, "idle": 0, "per_device": {}},
 "energy_ops_j": 0, "memory_bytes": {"peak_per_device": {}},
 "robustness": {"devices_up_final": 20, "crashes": 0},
 "convergence": {"t90_s": null, "frames_to_90": null, "recovery_s": null},
 "invariants": {"checked": 0, "broken": []}}
""")
NAMED = {"per_device", "peak_per_device"}


def keys(part: Any, path: str = "") -> set[str]:
    if not isinstance(part, dict) or path.rsplit(".", 1)[-1] in NAMED:
        return {path}
    return {path} | {key for name in part for key in keys(part[name], f"{path}.{name}")}


def tally(**changes: Any) -> Tally:
    given_ = {"scenario": "s", "seed": 7, "protocol": "elal", "rule": None, "classes": 10}
    return Tally(**(given_ | changes))


def evaluations(*shares: int, shift_at: int | None = None) -> list[Evaluation]:
    """One a second, of 100 items, two devices that know equally much; 10 bits and frames each."""
    return [
        Evaluation(
            at_ns=i * 10**9 - (i == shift_at),
            items=100,
            correct={"a": share, "b": share},
            bits=10 * i,
            frames_learned=20 * i,
            before_shift=i == shift_at,
        )
        for i, share in enumerate(shares)
    ]


def full() -> Tally:
    return tally(
        duration_ns=120 * 10**9,
        counts=Counts(frames_learned=3),
        devices=[DeviceTally(name="a", idle_fj=10**15), DeviceTally(name="b", up=False, crashes=1)],
        evaluations=evaluations(10, 50),
        update_latencies_ns=[1_000_000, 2_000_000, 3_000_000],
        staleness=[0, 1],
        prior_ages=[(0, 10**9)],
    )


@pytest.mark.parametrize("made", [tally(), full()], ids=["nothing", "something"])
def test_every_key_is_there_whatever_happened(made: Tally) -> None:
    summary = summarise(made)
    assert keys(summary) == keys(SHAPE)
    assert list(summary) == list(SHAPE)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_nothing_measured_is_null_and_nothing_counted_is_zero() -> None:
    summary = summarise(tally(target=0.8))
    assert summary["accuracy"]["final"] is None
    assert summary["accuracy"]["before_shift"] is None
    assert summary["communication"]["bits_to_target"] is None
    assert summary["latency_ms"]["update"] == {"p50": None, "p95": None, "p99": None}
    assert summary["information_age_s"] == {"mean": None, "p99": None}
    assert summary["staleness"] == {"mean": None, "p99": None}
    assert summary["communication"]["bits_up"] == 0
    assert summary["energy_j"]["total"] == 0


def test_final_accuracy_is_the_mean_of_the_last_three() -> None:
    accuracy = summarise(tally(evaluations=evaluations(10, 20, 30, 40, 80)))["accuracy"]
    assert accuracy["final"] == 0.5
    assert accuracy["per_device"] == {"a": 0.8, "b": 0.8}
    assert accuracy["curve"][0] == [0.0, 0.1]
    assert accuracy["chance"] == 0.1


@pytest.mark.parametrize(
    ("shares", "final"),
    [((10,), 0.1), ((10, 40), 0.4), ((10, 40, 60), 0.5), ((0, 40, 50, 60), 0.5)],
)
def test_what_nobody_had_learned_for_yet_is_not_in_the_final_accuracy(shares, final) -> None:
    made = tally(evaluations=evaluations(*shares))
    assert summarise(made)["accuracy"]["final"] == final


def around_a_shift(*shares: int) -> list[Evaluation]:
    """One a second, and one more 1 ns before the shift at 2 s."""
    at = [0, 1, 2, 2, *range(3, len(shares))]
    return [
        replace(e, at_ns=s * 10**9 - (i == 2), before_shift=i == 2)
        for i, (s, e) in enumerate(zip(at, evaluations(*shares), strict=False))
    ]


def test_the_moment_of_a_shift_counts_once() -> None:
    made = tally(target=0.8, evaluations=around_a_shift(10, 80, 90, 80, 40), shift_ns=2 * 10**9)
    assert summarise(made)["accuracy"]["final"] == pytest.approx(2 / 3)
    assert summarise(made)["accuracy"]["before_shift"] == 0.9
    assert summarise(made)["communication"]["bits_to_target"] is None
    held = tally(target=0.8, evaluations=around_a_shift(10, 80, 90, 80, 80), shift_ns=2 * 10**9)
    assert summarise(held)["communication"]["bits_to_target"] == 10


def test_only_devices_that_are_up_count() -> None:
    one = Evaluation(at_ns=0, items=10, correct={"a": 9})
    none = Evaluation(at_ns=1, items=10, correct={})
    assert mean_accuracy(one) == Fraction(9, 10)
    assert mean_accuracy(none) is None
    accuracy = summarise(tally(evaluations=[one, none]))["accuracy"]
    assert accuracy["final"] == 0.9
    assert len(accuracy["curve"]) == 1


def test_before_the_shift_is_the_evaluation_just_before_it() -> None:
    made = tally(evaluations=evaluations(10, 70, 40, shift_at=1), shift_ns=10**9)
    assert summarise(made)["accuracy"]["before_shift"] == 0.7


@pytest.mark.parametrize(
    ("shares", "bits"),
    [
        ((10, 80, 80, 80), 10),
        ((80, 10, 80, 90, 80, 80), 20),
        ((10, 80, 80), None),
        ((80, 80, 10, 80, 80), None),
        ((), None),
    ],
)
def test_the_target_counts_where_it_holds_three_times_in_a_row(shares, bits) -> None:
    made = tally(target=0.8, evaluations=evaluations(*shares))
    assert summarise(made)["communication"]["bits_to_target"] == bits


def test_convergence_is_the_first_time_at_nine_tenths_of_the_plateau() -> None:
    devices = [DeviceTally(name="a"), DeviceTally(name="b")]
    made = tally(evaluations=evaluations(10, 40, 54, 60, 60, 60), devices=devices)
    assert summarise(made)["convergence"] == {
        "t90_s": 2.0,
        "frames_to_90": 20.0,
        "recovery_s": None,
    }


def test_recovery_is_counted_from_the_shift() -> None:
    devices = [DeviceTally(name="a"), DeviceTally(name="b")]
    made = tally(
        evaluations=evaluations(10, 60, 60, 30, 50, 54, 58, shift_at=2),
        shift_ns=2 * 10**9,
        devices=devices,
    )
    assert summarise(made)["convergence"] == {"t90_s": 1.0, "frames_to_90": 10.0, "recovery_s": 3.0}


def test_who_never_beats_chance_does_not_converge() -> None:
    made = tally(evaluations=evaluations(10, 10, 10), devices=[DeviceTally(name="a")])
    assert set(summarise(made)["convergence"].values()) == {None}


def test_datagrams_are_summed_over_links_and_nothing_falls_between() -> None:
    flow = Flow(
        offered=20,
        duplicated=1,
        delivered=8,
        queue_drop=1,
        lost=2,
        down=3,
        mtu=1,
        queued=1,
        in_service=1,
        in_flight=2,
        reassembly=2,
    )
    links = [LinkTally(name="a", datagrams=flow), LinkTally(name="b", datagrams=flow)]
    datagrams = summarise(tally(links=links))["communication"]["datagrams"]
    expected = {"sent": 40, "delivered": 16, "lost": 18, "duplicated": 2, "in_flight": 8}
    assert datagrams == {**expected, "no_route": 0}
    came = datagrams["sent"] + datagrams["duplicated"]
    assert came == datagrams["delivered"] + datagrams["lost"] + datagrams["in_flight"]


def test_energy_is_the_sum_of_its_parts_and_of_its_devices() -> None:
    devices = [
        DeviceTally(name="a", compute_fj=10**15, radio_fj=2 * 10**15, idle_fj=3 * 10**15, ops_fj=5),
        DeviceTally(name="b", idle_fj=10**15),
    ]
    summary = summarise(tally(devices=devices))
    assert summary["energy_j"] == {
        "total": 7.0,
        "compute": 1.0,
        "radio": 2.0,
        "idle": 4.0,
        "per_device": {"a": 6.0, "b": 1.0},
    }
    assert summary["energy_ops_j"] == 5e-15


@given(st.lists(st.integers(0, 99), min_size=1), st.fractions(0, 1, max_denominator=100))
def test_a_percentile_is_the_least_sample_that_the_share_does_not_exceed(samples, share) -> None:
    value = percentile(samples, share)
    assert value in samples
    assert sum(sample <= value for sample in samples) >= share * len(samples)
    assert sum(sample < value for sample in samples) <= share * len(samples)


@given(st.integers(0, 2**62))
def test_seconds_are_written_exactly(ns: int) -> None:
    assert Fraction(seconds_text(ns)) == Fraction(ns, 10**9)


def test_samples_become_tidy_lines_and_no_formula() -> None:
    samples = [Sample(1_500_000_000, "cam-1", "loss", 0.1), Sample(0, "=cmd()", "@m", 2.0)]
    assert csv_text(samples).splitlines() == [
        "t_s,entity,metric,value",
        "1.5,cam-1,loss,0.1",
        "0,'=cmd(),'@m,2.0",
    ]
