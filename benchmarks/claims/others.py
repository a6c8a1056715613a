"""What the studies beside that of methods found: failures, periods, losses, turns of the world."""

from collections.abc import Iterator

from claims.finished import Run, Study
from claims.judged import figures, judged, known, lost, points, shown, table

__all__ = ["interval", "loss", "robustness", "shift"]


def robustness(dropout: Study) -> Iterator[str]:
    """Judge what is lost when devices fail."""
    arms = list(dict.fromkeys(cell[0] for cell in dropout))
    shares = list(dict.fromkeys(cell[1] for cell in dropout))
    final = {cell: figures(runs, "accuracy.final") for cell, runs in dropout.items()}
    for arm in arms:
        fall = lost(final.get((arm, "none"), {}), final.get((arm, "20%"), {}))
        yield f"- {arm}: {points(fall)} points lost: {judged(fall, most=0.05)}."
    rows = [[arm, *(shown(final.get((arm, s), {}), 100) for s in shares)] for arm in arms]
    yield "\nAccuracy at the end, %, by the share of devices that fail:\n"
    yield table(["arm", *shares], rows)


def interval(study: Study) -> Iterator[str]:
    """Write accuracy and bits over the period of exchange."""
    rows = []
    for (arm, frames), runs in study.items():
        target = figures(runs, "communication.bits_to_target")
        final, all_ = figures(runs, "accuracy.final"), figures(runs, _sent)
        row = [shown(final, 100), shown(all_, 1e-6)]
        reached = f"{len(known(target))} of {len(target)}"
        rows.append([arm, frames, *row, reached, shown(target, 1e-6)])
    yield table(
        ["arm", "frames", "accuracy at the end, %", "sent, Mbit", "reached 80 %", "to 80 %, Mbit"],
        rows,
    )


def loss(study: Study) -> Iterator[str]:
    """Write accuracy and bits over the share that is lost, and the length of bursts."""
    final = {cell: figures(runs, "accuracy.final") for cell, runs in study.items()}
    clean = next((found for (share, _), found in final.items() if share == "0%"), {})
    rows = []
    for (share, burst), runs in study.items():
        fall = "-" if share == "0%" else points(lost(clean, final[share, burst]))
        bits, age = figures(runs, _sent), figures(runs, "information_age_s.p99")
        row = [shown(figures(runs, _share_lost), 100), shown(final[share, burst], 100), fall]
        rows.append([share, "-" if share == "0%" else burst, *row, shown(bits, 1e-6), shown(age)])
    head = ["mean loss", "bursts", "lost, %", "accuracy at the end, %", "points lost"]
    yield table([*head, "sent, Mbit", "age p99, s"], rows)


def shift(study: Study) -> Iterator[str]:
    """Write how far devices fall when the world turns, and how long it takes them to get up."""
    rows = []
    for (arm, degrees), runs in study.items():
        seconds = figures(runs, "convergence.recovery_s")
        before, end = (figures(runs, f"accuracy.{name}") for name in ("before_shift", "final"))
        recovered = f"{len(known(seconds))} of {len(seconds)}"
        row = [shown(before, 100), shown(end, 100), points(lost(before, end))]
        rows.append([arm, degrees, *row, recovered, shown(seconds)])
    head = ["protocol", "degrees", "accuracy before, %", "at the end, %", "points lost"]
    yield table([*head, "recovered", "after, s"], rows)


def _sent(run: Run) -> float:
    communication = run.summary["communication"]
    return float(communication["bits_up"] + communication["bits_down"])


def _share_lost(run: Run) -> float | None:
    datagrams = run.summary["communication"]["datagrams"]
    return datagrams["lost"] / datagrams["sent"] if datagrams["sent"] else None
