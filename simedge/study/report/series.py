"""Rows for the charts of a report: bounded in number, whatever the length of a run."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from simedge.study.report.runs import Run, Sampled
from simedge.study.report.written import sampled_name

__all__ = [
    "TIMES",
    "accuracy_and_bits",
    "accuracy_of_devices",
    "ages",
    "energy_of_devices",
    "latencies",
    "marks",
    "mean_accuracy",
    "other_curves",
    "quantiles",
    "versions_behind",
]

Rows = list[dict[str, Any]]

_DEVICES_DRAWN = 40
_ROWS_DRAWN = 2_000
TIMES = 200
"""Points of a curve at most, but for the last."""
_SPANS = 60
_STEPS = 200
_METRICS = 12
_VERSIONS = 60
_APART = frozenset({"accuracy", "prior_age_s", "staleness_versions", "token_latency_s"})


def mean_accuracy(run: Run, *, most: int = TIMES) -> Rows:
    """Return the mean accuracy at each evaluation, at most some hundreds of them."""
    curve = [point for point in run.summary["accuracy"]["curve"] if point[1] is not None]
    return [{"t_s": t, "accuracy": share, "run": run.name} for t, share in _thin(curve, most)]


def accuracy_and_bits(run: Run, *, most: int = TIMES) -> Rows:
    """Return accuracy and the bits until then; nothing without an event log."""
    if run.history is None:
        return []
    history = run.history
    before = int(run.summary["communication"].get("bits_preinstalled", 0))
    return [
        {**row, "bits": before + history.bits_until(round(row["t_s"] * 1e9))}
        for row in mean_accuracy(run, most=most)
    ]


def accuracy_of_devices(run: Run) -> tuple[Rows, Rows]:
    """Return a row an evaluation and device, or, where that is too much, bands over devices."""
    samples = run.samples.get("accuracy", [])
    names = {entity for _, entity, _ in samples}
    if len(names) <= _DEVICES_DRAWN and len(samples) <= _ROWS_DRAWN:
        return [{"t_s": t, "device": name, "accuracy": v} for t, name, v in samples], []
    return [], [{key: row[key] for key in ("t_s", "low", "high")} for row in _banded(samples)]


def marks(run: Run) -> Rows:
    """Return what befell the run: shifts of what is seen, faults, crashes."""
    shift = getattr(run.scenario.sensors, "shift", None)
    found: Rows = []
    if shift is not None and shift.at <= run.scenario.duration:
        found.append({"t_s": shift.at / 1e9, "what": f"shift ({shift.kind})", "who": "all"})
    listed = [] if run.history is None else run.history.marks
    return found + [{"t_s": at / 1e9, "what": what, "who": who} for at, what, who in listed]


def other_curves(run: Run) -> Rows:
    """Return means of all metrics that have no chart of their own, and traffic, in equal spans.

    Metrics go by their words; a chart of each has its own scale.
    """
    rows = _traffic(run)
    for metric in sorted(run.samples.keys() - _APART)[:_METRICS]:
        samples = run.samples[metric]
        means = [
            {"t_s": t, "value": mean, "metric": sampled_name(metric)}
            for t, mean in _spans(run, samples)
        ]
        rows += means if len(means) > 1 else []
    return rows


def _traffic(run: Run) -> Rows:
    history, end_ns = run.history, run.scenario.duration
    if history is None or not history.bits_until(end_ns):
        return []
    edges = [end_ns * k // _SPANS for k in range(_SPANS + 1)]
    seen = [history.bits_until(at) for at in edges]
    span_s = end_ns / 1e9 / _SPANS
    return [
        {"t_s": at / 1e9, "value": (after - before) / span_s, "metric": "traffic / bit/s"}
        for at, before, after in zip(edges[1:], seen, seen[1:], strict=False)
    ]


def energy_of_devices(run: Run) -> Rows:
    """Return the energy of each board; of many, those that spent most."""
    spent: dict[str, float] = run.summary["energy_j"]["per_device"]
    most = set(sorted(spent, key=lambda name: -spent[name])[: 2 * _DEVICES_DRAWN])
    return [
        {"device": name, "group": name.rpartition("-")[0], "joule": joule}
        for name, joule in spent.items()
        if name in most
    ]


def latencies(run: Run) -> Rows:
    """Return steps of the distributions of latencies; none is drawn at zero (log scale)."""
    updates = [] if run.history is None else [ns / 1e6 for ns in run.history.update_ns]
    tokens = [1e3 * value for _, _, value in run.samples.get("token_latency_s", [])]
    return [
        {"what": what, "ms": value, "share": share}
        for what, values in (("frame to update", updates), ("token to merging", tokens))
        for share, value in quantiles([value for value in values if value > 0], _STEPS)
    ]


def quantiles(values: Sequence[float], steps: int) -> list[tuple[float, float]]:
    """Return (share, nearest-rank quantile) at equal steps, the last at 1; nothing of nothing.

    >>> quantiles([3.0, 1.0, 2.0], 2), quantiles([], 2)
    ([(0.5, 2.0), (1.0, 3.0)], [])
    """
    ordered = sorted(values)
    if not ordered:
        return []
    count = min(steps, len(ordered))
    places = [-(-len(ordered) * k // count) - 1 for k in range(1, count + 1)]
    return [(k / count, ordered[place]) for k, place in enumerate(places, 1)]


def ages(run: Run) -> Rows:
    """Return mean and spread of the age of priors in equal spans of time."""
    samples = [
        (_span(run, t), entity, value) for t, entity, value in run.samples.get("prior_age_s", [])
    ]
    return _banded(samples)


def versions_behind(run: Run) -> Rows:
    """Return how many tokens were so many versions behind."""
    counted = Counter(int(value) for _, _, value in run.samples.get("staleness_versions", []))
    return [
        {"versions": versions, "tokens": counted[versions]}
        for versions in sorted(counted)[:_VERSIONS]
    ]


def _spans(run: Run, samples: Iterable[Sampled]) -> list[tuple[float, float]]:
    """Return the mean in each of the equal spans that has any."""
    kept: dict[float, list[float]] = defaultdict(list)
    for t, _, value in samples:
        kept[_span(run, t)].append(value)
    return [(t, sum(kept[t]) / len(kept[t])) for t in sorted(kept)]


def _span(run: Run, t_s: float) -> float:
    width = run.scenario.duration / 1e9 / _SPANS
    return round(min(int(t_s / width), _SPANS - 1) * width, 9)


def _banded(samples: Iterable[Sampled]) -> Rows:
    kept: dict[float, list[float]] = defaultdict(list)
    for t, _, value in samples:
        kept[t].append(value)
    rows = []
    for t in _thin(sorted(kept), TIMES):
        values = sorted(kept[t])
        low, high = (values[round(share * (len(values) - 1))] for share in (0.1, 0.9))
        rows.append({"t_s": t, "low": low, "high": high, "mean": sum(values) / len(values)})
    return rows


def _thin(points: Sequence[Any], most: int) -> list[Any]:
    """Return every so-manieth point, the last one always."""
    step = -(-len(points) // most) or 1
    kept = list(points[::step])
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]
