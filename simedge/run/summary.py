"""The summary of a run: every key always there, null where a figure does not apply."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from typing import Any

from simedge.drivers.ages import mean_ns, quantile_ns
from simedge.drivers.tally import DeviceTally, Evaluation, Tally

__all__ = ["mean_accuracy", "percentile", "summarise"]

_P99 = Fraction(99, 100)
_STREAK = 3
_FJ = 1e15
_RECOVERED = Fraction(9, 10)
_JUST_BEFORE_NS = 1


def summarise(tally: Tally) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    curve = [(e, mean_accuracy(e)) for e in tally.evaluations]
    return {
        "schema": 1,
        "scenario": tally.scenario,
        "seed": tally.seed,
        "protocol": tally.protocol,
        "rule": tally.rule,
        "devices": len(tally.devices),
        "virtual_s": tally.duration_ns / 1e9,
        "wall_s": tally.wall_s,
        "log_sha256": tally.log_sha256,
        "counts": asdict(tally.counts),
        "accuracy": _accuracy(tally),
        "communication": _communication(tally),
        "latency_ms": {
            "update": _latencies(tally.update_latencies_ns),
            "decision": _latencies(tally.decision_latencies_ns),
            "token": _latencies(tally.token_latencies_ns),
            "share": _shares(tally.share_latencies_ns),
        },
        "information_age_s": {
            "mean": _seconds(mean_ns(tally.prior_ages)),
            "p99": _seconds(quantile_ns(tally.prior_ages, _P99)),
        },
        "staleness": {"mean": _mean(tally.staleness), "p99": percentile(tally.staleness, _P99)},
        "energy_j": _energy(tally.devices),
        "energy_ops_j": sum(device.ops_fj for device in tally.devices) / _FJ,
        "memory_bytes": {
            "peak_per_device": {device.name: device.memory_peak_bytes for device in tally.devices}
        },
        "robustness": {
            "devices_up_final": sum(device.up for device in tally.devices),
            "crashes": sum(device.crashes for device in tally.devices) + tally.server_crashes,
        },
        "convergence": _convergence(tally, curve),
        "invariants": {"checked": tally.invariants_checked, "broken": list(tally.breaches)},
    }


def mean_accuracy(evaluation: Evaluation) -> Fraction | None:
    """Return the accuracy averaged over the devices that are up; None if there is nothing."""
    if not evaluation.correct or not evaluation.items:
        return None
    return Fraction(sum(evaluation.correct.values()), len(evaluation.correct) * evaluation.items)


def _counted(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Return the evaluations that count as one look each.

    The one just before a shift and the one at the shift are the same moment: the first of them is
    left out.
    """
    twins = [b.at_ns - a.at_ns <= _JUST_BEFORE_NS for a, b in pairwise(evaluations)]
    return [e for e, doubled in zip(evaluations, [*twins, False], strict=False) if not doubled]


def percentile(samples: Sequence[int], share: Fraction) -> int | None:
    """Return the nearest-rank percentile: the least sample that a share of all do not exceed.

    >>> percentile([5, 1, 4, 2, 3], Fraction(1, 2)), percentile([], Fraction(1, 2))
    (3, None)
    """
    if not samples:
        return None
    return sorted(samples)[max(math.ceil(share * len(samples)) - 1, 0)]


def _accuracy(tally: Tally) -> dict[str, Any]:
    known = [e for e in tally.evaluations if mean_accuracy(e) is not None]
    last = known[-1] if known else None
    before = _before_shift(tally)
    return {
        "final": _number(_final(tally.evaluations)),
        "before_shift": _number(before),
        "chance": 1 / tally.classes if tally.classes else None,
        "per_device": {name: n / last.items for name, n in last.correct.items()} if last else {},
        "curve": [[e.at_ns / 1e9, _number(mean_accuracy(e))] for e in known],
    }


def _final(evaluations: Sequence[Evaluation]) -> Fraction | None:
    """Return the mean of the last three evaluations that any device took part in.

    The one at time 0, before anything was learned, counts only where there is no later one.
    """
    known = _counted([e for e in evaluations if mean_accuracy(e) is not None])
    taken = [e for e in known if e.at_ns > 0] or known
    means = [mean for e in taken if (mean := mean_accuracy(e)) is not None]
    last = means[-_STREAK:]
    return sum(last, Fraction(0)) / len(last) if last else None


def _before_shift(tally: Tally) -> Fraction | None:
    return next((mean_accuracy(e) for e in tally.evaluations if e.before_shift), None)


def _communication(tally: Tally) -> dict[str, Any]:
    flows = [link.datagrams for link in tally.links]
    gone = sum(f.lost + f.queue_drop + f.down + f.mtu + f.reassembly for f in flows)
    return {
        "bits_up": tally.bits_up,
        "bits_down": tally.bits_down,
        "bits_retransmitted": tally.bits_retransmitted,
        "bits_preinstalled": tally.bits_preinstalled,
        "bits_by_cause": dict(tally.bits_by_cause),
        "bits_to_target": _bits_to_target(tally),
        "datagrams": {
            "sent": sum(f.offered for f in flows),
            "delivered": sum(f.delivered for f in flows),
            "lost": gone,
            "duplicated": sum(f.duplicated for f in flows),
            "in_flight": sum(f.queued + f.in_service + f.in_flight for f in flows),
            "no_route": tally.no_route,
        },
    }


def _bits_to_target(tally: Tally) -> int | None:
    """Return the bits at the first evaluation from which the target holds three times in a row."""
    if tally.target is None:
        return None
    # Both as floats: 4/5 is below the double next to it, but an accuracy of 80 % reaches 80 %.
    target = float(tally.target)
    looks = _counted(tally.evaluations)
    reached = [float(mean_accuracy(e) or 0) >= target for e in looks]
    for start in range(len(reached) - _STREAK + 1):
        if all(reached[start : start + _STREAK]):
            return looks[start].bits
    return None


def _latencies(samples_ns: Sequence[int]) -> dict[str, float | None]:
    ordered = sorted(samples_ns)
    return {
        f"p{percent}": None if value is None else value / 1e6
        for percent in (50, 95, 99)
        for value in [percentile(ordered, Fraction(percent, 100))]
    }


def _shares(samples_ns: Sequence[int]) -> dict[str, float | None]:
    mean_ns_, percents = _mean(samples_ns), _latencies(samples_ns)
    mean_ms = None if mean_ns_ is None else mean_ns_ / 1e6
    return {"mean": mean_ms, "p50": percents["p50"], "p95": percents["p95"]}


def _energy(devices: Sequence[DeviceTally]) -> dict[str, Any]:
    parts = {
        "compute": sum(device.compute_fj for device in devices),
        "radio": sum(device.radio_fj for device in devices),
        "idle": sum(device.idle_fj for device in devices),
    }
    return {
        "total": sum(parts.values()) / _FJ,
        **{name: part / _FJ for name, part in parts.items()},
        "per_device": {d.name: (d.compute_fj + d.radio_fj + d.idle_fj) / _FJ for d in devices},
    }


def _convergence(
    tally: Tally, curve: Sequence[tuple[Evaluation, Fraction | None]]
) -> dict[str, float | None]:
    """Return when 90 % of the plateau was reached, and how long that took after the shift.

    The plateau is the accuracy just before the first shift, without a shift the final one. A
    plateau whose nine tenths are not above chance is no learning: null.
    """
    shift = tally.shift_ns if _before_shift(tally) is not None else None
    plateau = _final(tally.evaluations) if shift is None else _before_shift(tally)
    nothing = {"t90_s": None, "frames_to_90": None, "recovery_s": None}
    level = _RECOVERED * (plateau or 0)
    if level * tally.classes <= 1:
        return dict(nothing)
    good = [e for e, mean in curve if mean is not None and mean >= level]
    recovered = next((e for e in good if shift is not None and e.at_ns >= shift), None)
    return {
        "t90_s": good[0].at_ns / 1e9 if good else None,
        "frames_to_90": good[0].frames_learned / max(len(tally.devices), 1) if good else None,
        "recovery_s": (recovered.at_ns - shift) / 1e9 if recovered and shift is not None else None,
    }


def _mean(samples: Sequence[int]) -> float | None:
    return sum(samples) / len(samples) if samples else None


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _seconds(ns: Fraction | None) -> float | None:
    return None if ns is None else float(ns / 10**9)
