"""The founding claims against finished studies: every claim with what was found, as Markdown.

Run: ``python benchmarks/results.py METHODS DROPOUT INTERVAL [LOSS [SHIFT]] > docs/results.md``; the
arguments are the directories of ``simedge study study_methods``, ``study_dropout`` and so on, all
run by one commit. Nothing is run here; the words are in ``claims/page.md``.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from claims.finished import MixedRunsError, Run, Study, check_one_commit, read
from claims.judged import (
    Figures,
    figures,
    judged,
    known,
    mean_of,
    percent,
    saved,
    shown,
    table,
    verdict,
)
from claims.others import interval, loss, robustness, shift

from simedge.study.statistics import repeated_measures

__all__ = ["main"]

DEEP, SPIKING = "deep elal", "spiking elal"
FEDAVG, AEDFL, CENTRAL = "deep fedavg", "deep aedfl_style", "deep central_bp"
TARGET = 80
GROUPS = ("cam", "box", "gpu")
_FACTORS = {
    "methods": ["method"],
    "dropout": ["method", "crashed"],
    "interval": ["method", "interval"],
    "loss": ["loss", "burst"],
    "shift": ["protocol", "sensors.shift.degrees"],
}


def _to(goal: int) -> Callable[[Run], float | None]:
    return lambda run: run.bits_to(goal / 100)


_COLUMNS: tuple[tuple[str, str | Callable[[Run], float | None], float], ...] = (
    ("accuracy at the end, %", "accuracy.final", 100),
    ("before the shift, %", "accuracy.before_shift", 100),
    ("frames learned, thousands", "counts.frames_learned", 1e-3),
    ("up, Mbit", "communication.bits_up", 1e-6),
    ("down, Mbit", "communication.bits_down", 1e-6),
    ("of down preinstalled, Mbit", "communication.bits_preinstalled", 1e-6),
    ("to 80 %, Mbit", _to(TARGET), 1e-6),
    ("update p95, ms", "latency_ms.update.p95", 1),
    ("boards, J", "energy_j.total", 1),
    ("operations, mJ", "energy_ops_j", 1e3),
    ("age, s", "information_age_s.mean", 1),
    ("staleness", "staleness.mean", 1),
    ("nine tenths after, s", "convergence.t90_s", 1),
)


def headline(methods: Study) -> Iterator[str]:
    """Write all arms side by side."""
    rows = [
        [
            arm,
            f"{len(runs)}",
            *(shown(figures(runs, of), scale) for _, of, scale in _COLUMNS),
        ]
        for (arm,), runs in methods.items()
    ]
    yield table(["arm", "seeds", *(name for name, _, _ in _COLUMNS)], rows)


def _bare(run: Run) -> float | None:
    """Return the bits to the target but for what devices came with."""
    reached = run.bits_to(TARGET / 100)
    return (
        None if reached is None else reached - (run.figure("communication.bits_preinstalled") or 0)
    )


def communication(methods: Study) -> Iterator[str]:
    """Judge the bits that it took to the same accuracy."""
    for ours, others in ((DEEP, (FEDAVG, AEDFL)), (SPIKING, ("spiking fedavg", FEDAVG))):
        mine = methods.get((ours,), {})
        for other in others:
            theirs = methods.get((other,), {})
            found = figures(mine, _to(TARGET)), figures(theirs, _to(TARGET))
            told = verdict(*found, least=0.3) + _reached((ours, other), found)
            share = percent(saved(*found))
            yield f"- {ours} against {other}, to {TARGET} %: {share} saved: {told}."
            bare = saved(figures(mine, _bare), figures(theirs, _bare))
            yield f"  Without the proxy set that devices came with: {percent(bare)}."
        head = ["accuracy, %", f"{ours}, Mbit"]
        for other in others:
            head += [f"{other}, Mbit", "saved"]
        yield "\n" + table(head, _goals(methods, ours, others)) + "\n"


def _reached(names: tuple[str, str], found: tuple[Figures, Figures]) -> str:
    """Say who reached it in how many seeds, unless both did in all."""
    counts = [f"{len(known(each))} of {len(each)}" for each in found]
    if all(None not in each.values() for each in found):
        return ""
    return f" ({names[0]} reached it in {counts[0]} seeds, {names[1]} in {counts[1]})"


def _goals(methods: Study, ours: str, others: tuple[str, ...]) -> Iterator[list[str]]:
    for goal in range(30, 100, 5):
        mine = figures(methods.get((ours,), {}), _to(goal))
        row = [f"{goal}", shown(mine, 1e-6)]
        for other in others:
            theirs = figures(methods.get((other,), {}), _to(goal))
            row += [shown(theirs, 1e-6), percent(saved(mine, theirs))]
        yield row


def latency(methods: Study) -> Iterator[str]:
    """Judge the update latency."""
    rows = []
    for arm in (SPIKING, DEEP, FEDAVG):
        found = [_p95(methods, arm, group) for group in GROUPS]
        rows.append([arm, *(shown(values) for values in found)])
        mean = mean_of(found[-1])
        ends = "" if mean is None or mean.ends is None else f" [{_two(mean.ends)}]"
        told = "-" if mean is None else f"{mean.mean:.3g}{ends} ms"
        yield f"- {arm}: {told}: {judged(mean, most=50)}."
    yield "\n" + table(["arm", *GROUPS], rows)


def _p95(methods: Study, arm: str, group: str) -> Figures:
    runs = methods.get((arm,), {})
    return figures(runs, lambda run: run.of_devices("update_p95_ms", group))


def _two(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g}, {ends[1]:.3g}"


def energy(methods: Study) -> Iterator[str]:
    """Judge the energy in both ledgers."""
    ledgers = (
        ("boards, all", "energy_j.total"),
        ("boards, computing alone", "energy_j.compute"),
        ("boards, radio alone", "energy_j.radio"),
        ("operations", "energy_ops_j"),
    )
    mine = methods.get((SPIKING,), {})
    rows = []
    for other in (FEDAVG, AEDFL, CENTRAL):
        theirs = methods.get((other,), {})
        both = [(figures(mine, path), figures(theirs, path)) for _, path in ledgers]
        shares = [percent(saved(*pair)) for pair in both]
        yield f"- {SPIKING} against {other}: {shares[0]} less: {verdict(*both[0], least=0.2)}."
        rows.append([other, *shares])
    yield f"\nSaved by {SPIKING} (less than nothing: it takes more):\n"
    yield table(["against", *(name for name, _ in ledgers)], rows)


def recovery(methods: Study) -> Iterator[str]:
    """Judge how long it takes to learn anew."""
    seconds = "convergence.recovery_s"
    theirs = figures(methods.get((CENTRAL,), {}), seconds)
    rows = []
    for arm in (SPIKING, DEEP, CENTRAL):
        runs = methods.get((arm,), {})
        found = figures(runs, seconds)
        if arm != CENTRAL:
            told = verdict(found, theirs, least=0.15)
            yield f"- {arm} against {CENTRAL}: {percent(saved(found, theirs))} faster: {told}."
        before, end = (figures(runs, f"accuracy.{name}") for name in ("before_shift", "final"))
        row = [f"{len(known(found))} of {len(found)}", shown(found)]
        rows.append([arm, *row, shown(before, 100), shown(end, 100)])
    yield "\n" + table(
        ["arm", "recovered", "after, s", "accuracy before, %", "at the end, %"], rows
    )


def memory(methods: Study) -> Iterator[str]:
    """Judge what devices hold."""
    arms = {arm: methods.get((arm,), {}) for arm in (SPIKING, FEDAVG)}
    whole = {arm: figures(runs, lambda run: _peak(run)[0]) for arm, runs in arms.items()}
    assumed = {arm: figures(runs, lambda run: _peak(run)[1]) for arm, runs in arms.items()}
    bare = {arm: figures(runs, _rest) for arm, runs in arms.items()}
    for of, name in ((whole, f"{SPIKING} against {FEDAVG}"), (bare, "the same without runtimes")):
        told = verdict(of[SPIKING], of[FEDAVG], least=0.5)
        yield f"- {name}: {percent(saved(of[SPIKING], of[FEDAVG]))} less: {told}."
    rows = [[arm, *(shown(of[arm], 1e-6) for of in (whole, assumed, bare))] for arm in arms]
    head = ["arm", "MB", "of it runtime and framework, by assumption, MB", "the rest, MB"]
    yield "\n" + table(head, rows)


def _rest(run: Run) -> float:
    peak, assumed = _peak(run)
    return peak - assumed


def _peak(run: Run) -> tuple[float, float]:
    """Return the most that a device held, and what of it a runtime and a framework are said to."""
    peaks: dict[str, float] = run.summary["memory_bytes"]["peak_per_device"]
    name, peak = max(peaks.items(), key=lambda pair: pair[1])
    group = next(g for g in run.scenario.devices if g.id == name.rpartition("-")[0])
    return float(peak), float(group.runtime + getattr(run.scenario.learner, "framework", 0))


def analysis(methods: Study) -> Iterator[str]:
    """Write the analyses of variance, a family of learners each."""
    for family in ("deep", "spiking"):
        levels = {
            arm: figures(runs, "accuracy.final")
            for (arm,), runs in methods.items()
            if arm.startswith(family)
        }
        yield "```\n" + repeated_measures(levels).text() + "\n```\n"


def main() -> None:
    """Read studies, print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in _FACTORS:
        needed = "?" if name in {"loss", "shift"} else None
        parser.add_argument(name, type=Path, nargs=needed, help=f"directory of study_{name}")
    given = parser.parse_args()
    places = {name: path for name in _FACTORS if (path := getattr(given, name)) is not None}
    studies = {name: read(path, _FACTORS[name]) for name, path in places.items()}
    try:
        commit = check_one_commit(studies.values())
    except MixedRunsError as error:
        sys.exit(f"error: {error}")
    parts = {"commit": iter([f"`{commit}`"])}
    parts |= {
        each.__name__: each(studies["methods"])
        for each in (headline, communication, latency, energy, recovery, memory, analysis)
    }
    parts["robustness"] = robustness(studies["dropout"])
    for each in (interval, loss, shift):
        if each.__name__ in studies:
            parts[each.__name__] = each(studies[each.__name__])
    print(_page(parts))


def _page(parts: dict[str, Iterator[str]]) -> str:
    """Return the page; a section whose study is not there is left out."""
    text = (Path(__file__).parent / "claims" / "page.md").read_text(encoding="utf-8")
    sections = []
    for section in text.split("\n## "):
        lines = section.splitlines()
        asked = [line[1:] for line in lines if line.startswith("@")]
        if all(name in parts for name in asked):
            filled = ["\n".join(parts[x[1:]]) if x.startswith("@") else x for x in lines]
            sections.append("\n".join(filled))
    return "\n\n## ".join(section.rstrip("\n") for section in sections)


if __name__ == "__main__":
    main()
