"""The founding claims against finished studies: every claim with what was found, as Markdown.

Run: ``python benchmarks/results.py METHODS DROPOUT INTERVAL > docs/results.md``; the arguments are
the directories of ``simedge study study_methods``, ``study_dropout`` and ``study_interval``.
Nothing is run here; the words are in ``claims/page.md``.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from claims.finished import (
    Figures,
    Run,
    Study,
    ends,
    figures,
    judged,
    percent,
    read,
    saved,
    shown,
    table,
)

from simedge.study.statistics import paired_difference, repeated_measures

__all__ = ["main"]

DEEP, SPIKING = "deep elal", "spiking elal"
FEDAVG, AEDFL, CENTRAL = "deep fedavg", "deep aedfl_style", "deep central_bp"
TARGET = 80
GROUPS = ("cam", "box", "gpu")
_COLUMNS = (
    ("accuracy at the end, %", "accuracy.final", 100),
    ("before the shift, %", "accuracy.before_shift", 100),
    ("preinstalled, Mbit", "communication.bits_preinstalled", 1e-6),
    ("up, Mbit", "communication.bits_up", 1e-6),
    ("down, Mbit", "communication.bits_down", 1e-6),
    ("to 80 %, Mbit", "communication.bits_to_target", 1e-6),
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
            *(shown(figures(runs, of).values(), scale) for _, of, scale in _COLUMNS),
        ]
        for (arm,), runs in methods.items()
    ]
    yield table(["arm", "seeds", *(name for name, _, _ in _COLUMNS)], rows)


def _to(goal: int) -> Callable[[Run], float | None]:
    return lambda run: run.bits_to(goal / 100)


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
            whole = len(found[0]) == len(mine) and len(found[1]) == len(theirs)
            pair = saved(*found)
            verdict = judged(pair, least=0.3) if whole else _unreached((ours, other), found, mine)
            yield f"- {ours} against {other}, to {TARGET} %: {percent(pair)} saved: {verdict}."
            bare = saved(figures(mine, _bare), figures(theirs, _bare))
            yield f"  Without the proxy set that devices came with: {percent(bare)}."
        head = ["accuracy, %", "seeds", f"{ours}, Mbit"]
        for other in others:
            head += ["seeds", f"{other}, Mbit", "saved"]
        yield "\n" + table(head, _goals(methods, ours, others)) + "\n"


def _unreached(names: tuple[str, str], found: tuple[Figures, Figures], of: object) -> str:
    assert isinstance(of, dict)
    told = ", ".join(
        f"{n} reached it in {len(f)} of {len(of)} seeds" for n, f in zip(names, found, strict=True)
    )
    return f"**fails** ({told})" if len(found[0]) < len(found[1]) else f"**not shown** ({told})"


def _goals(methods: Study, ours: str, others: tuple[str, ...]) -> Iterator[list[str]]:
    for goal in range(30, 100, 5):
        mine = figures(methods.get((ours,), {}), _to(goal))
        row = [f"{goal}", f"{len(mine)}", shown(mine.values(), 1e-6)]
        for other in others:
            theirs = figures(methods.get((other,), {}), _to(goal))
            row += [f"{len(theirs)}", shown(theirs.values(), 1e-6), percent(saved(mine, theirs))]
        yield row


def latency(methods: Study) -> Iterator[str]:
    """Judge the update latency."""
    rows = []
    for arm in (SPIKING, DEEP, FEDAVG):
        runs = methods.get((arm,), {})
        found = [
            figures(runs, lambda run, g=group: run.of_devices("update_p95_ms", g))  # type: ignore[misc]
            for group in GROUPS
        ]
        rows.append([arm, *(shown(values.values()) for values in found)])
        worst = max(found[-1].values(), default=None)
        verdict = "not shown" if worst is None else "holds" if worst < 50 else "fails"
        yield f"- {arm}: **{verdict}**."
    yield "\n" + table(["arm", *GROUPS], rows)


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
        pairs = [saved(figures(mine, path), figures(theirs, path)) for _, path in ledgers]
        verdict = judged(pairs[0], least=0.2)
        yield f"- {SPIKING} against {other}: {percent(pairs[0])} less: {verdict}."
        rows.append([other, *(percent(pair) for pair in pairs)])
    yield f"\nSaved by {SPIKING} (less than nothing: it takes more):\n"
    yield table(["against", *(name for name, _ in ledgers)], rows)


def robustness(dropout: Study) -> Iterator[str]:
    """Judge what is lost when devices fail."""
    arms = list(dict.fromkeys(cell[0] for cell in dropout))
    shares = list(dict.fromkeys(cell[1] for cell in dropout))
    final = {cell: figures(runs, "accuracy.final") for cell, runs in dropout.items()}
    for arm in arms:
        pair = paired_difference(final.get((arm, "20%"), {}), final.get((arm, "none"), {}))
        low, high = ends(pair)
        if pair is None or low is None or high is None:
            yield f"- {arm}: **not shown**."
            continue
        verdict = "holds" if high <= 0.05 else "fails" if low > 0.05 else "open"
        span = f"[{100 * low:.2f}, {100 * high:.2f}]"
        yield f"- {arm}: {100 * pair.mean:.2f} points lost {span}: **{verdict}**."
    rows = [[arm, *(shown(final.get((arm, s), {}).values(), 100) for s in shares)] for arm in arms]
    yield "\nAccuracy at the end, %, by the share of devices that fail:\n"
    yield table(["arm", *shares], rows)


def recovery(methods: Study) -> Iterator[str]:
    """Judge how long it takes to learn anew."""
    seconds = "convergence.recovery_s"
    known = figures(methods.get((CENTRAL,), {}), seconds)
    rows = []
    for arm in (SPIKING, DEEP, CENTRAL):
        runs = methods.get((arm,), {})
        found = figures(runs, seconds)
        if arm != CENTRAL:
            pair = saved(found, known)
            whole = bool(found) and len(found) == len(runs)
            verdict = judged(pair, least=0.15) if whole else "**fails**"
            told = "" if whole else f" ({len(found)} of {len(runs)} seeds recovered in time)"
            yield f"- {arm} against {CENTRAL}: {percent(pair)} faster: {verdict}{told}."
        before, end = (figures(runs, f"accuracy.{name}") for name in ("before_shift", "final"))
        row = [shown(found.values()), shown(before.values(), 100), shown(end.values(), 100)]
        rows.append([arm, f"{len(found)} of {len(runs)}", *row])
    yield "\n" + table(
        ["arm", "recovered", "after, s", "accuracy before, %", "at the end, %"], rows
    )


def memory(methods: Study) -> Iterator[str]:
    """Judge what devices hold."""

    def peak(run: Run) -> float:
        return max(run.summary["memory_bytes"]["peak_per_device"].values())

    mine = figures(methods.get((SPIKING,), {}), peak)
    theirs = figures(methods.get((FEDAVG,), {}), peak)
    pair = saved(mine, theirs)
    yield f"- {SPIKING} against {FEDAVG}: {percent(pair)} less: {judged(pair, least=0.5)}."
    own = {seed: value - 60e6 for seed, value in mine.items()}
    other = {seed: value - 300e6 for seed, value in theirs.items()}
    pair = saved(own, other)
    yield f"- the same without runtimes: {percent(pair)} less: {judged(pair, least=0.5)}.\n"
    rows = [
        [arm, shown(whole.values(), 1e-6), shown(bare.values(), 1e-6)]
        for arm, whole, bare in ((SPIKING, mine, own), (FEDAVG, theirs, other))
    ]
    yield table(["arm", "MB", "without runtime, MB"], rows)


def analysis(methods: Study) -> Iterator[str]:
    """Write the analyses of variance, a family of learners each."""
    for family in ("deep", "spiking"):
        levels = {
            arm: figures(runs, "accuracy.final")
            for (arm,), runs in methods.items()
            if arm.startswith(family)
        }
        yield "```\n" + repeated_measures(levels).text() + "\n```\n"


def interval(study: Study) -> Iterator[str]:
    """Write accuracy and bits over the period of exchange."""

    def sent(run: Run) -> float:
        return run.summary["communication"]["bits_up"] + run.summary["communication"]["bits_down"]

    rows = []
    for (arm, frames), runs in study.items():
        target = figures(runs, "communication.bits_to_target")
        final, all_ = figures(runs, "accuracy.final"), figures(runs, sent)
        row = [shown(final.values(), 100), shown(all_.values(), 1e-6)]
        rows.append(
            [arm, frames, *row, f"{len(target)} of {len(runs)}", shown(target.values(), 1e-6)]
        )
    yield table(
        ["arm", "frames", "accuracy at the end, %", "sent, Mbit", "reached 80 %", "to 80 %, Mbit"],
        rows,
    )


def main() -> None:
    """Read studies, print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("methods", "dropout", "interval"):
        parser.add_argument(name, type=Path, help=f"directory of study_{name}")
    given = parser.parse_args()
    methods = read(given.methods, ["method"])
    parts: dict[str, Iterator[str]] = {
        each.__name__: each(methods)
        for each in (headline, communication, latency, energy, recovery, memory, analysis)
    }
    parts["robustness"] = robustness(read(given.dropout, ["method", "crashed"]))
    parts["interval"] = interval(read(given.interval, ["method", "interval"]))
    page = (Path(__file__).parent / "claims" / "page.md").read_text(encoding="utf-8")
    lines = [
        "\n".join(parts[line[1:]]) if line.startswith("@") else line for line in page.splitlines()
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
