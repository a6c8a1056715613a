"""The tables of the comparison, as Markdown, from what the JSON has."""

import math
from statistics import fmean, stdev

__all__ = ["interval", "page", "verdict"]

T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
BOUND = -2.0
"""Points that a rule may lose."""
ORDER = (
    *("bptt", "s-tllr", "s-tllr-dfa", "tess", "e-prop"),
    *("bp", "dfa", "lls", "lls-m", "lls-mxm", "hebbian-stdp", "three-factor"),
)
BLOCKS = dict.fromkeys(("lls", "lls-m", "lls-mxm"), "bp")
SPIKES = dict.fromkeys(("s-tllr", "s-tllr-dfa", "tess"), "bptt")
CLAIMS = {"digits": SPIKES | BLOCKS, "N-MNIST": SPIKES | BLOCKS, "sign digits": BLOCKS}
"""Who is held against whom, by task."""
SHARE = 1 / 3
"""Of what plain training forgets, that protected training may forget."""


def page(held):
    """Return all tables."""
    lines = []
    for name in CLAIMS:
        if name in held["tasks"]:
            task = held["tasks"][name]
            rules = {key: task["rules"][key] for key in ORDER if key in task["rules"]}
            lines += task_lines(name, {**task, "rules": rules})
    if "five_tasks" in held:
        lines += tasks_lines(held["five_tasks"]["streams"])
    return "\n".join(lines)


def bounds(mine, theirs):
    """Return the mean difference, paired by seed, and its 95 % interval, in points."""
    gaps = [100 * (a - b) for a, b in zip(mine, theirs, strict=True)]
    half = T95[len(gaps)] * stdev(gaps) / math.sqrt(len(gaps))
    return fmean(gaps), fmean(gaps) - half, fmean(gaps) + half


def interval(mine, theirs):
    """Write the mean difference and its 95 % interval."""
    mean, low, high = bounds(mine, theirs)
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def verdict(name, mine, theirs, *, other):
    """Say whether a rule is within two points of another, falls short, or neither is shown."""
    mean, low, high = bounds(mine, theirs)
    if low >= BOUND:
        said = f"is within 2 points of `{other}`"
    elif high < BOUND:
        said = f"**falls short of** `{other}` by more than 2 points"
    elif mean >= BOUND:
        said = f"is within 2 points of `{other}` on average, but not by the interval"
    else:
        said = f"is **more than 2 points behind** `{other}` on average, but not by the interval"
    return f"- `{name}` {said}: {interval(mine, theirs)} points."


def spread(values):
    """Write mean and standard deviation in percent."""
    return f"{100 * fmean(values):.1f} ± {100 * stdev(values):.1f}"


def told(chosen):
    """Write what tuning chose."""
    return ", ".join(f"{key} {value}" for key, value in chosen.items())


def task_lines(name, task):
    """Return the table of one task and what follows from it."""
    rows = {key: row["accuracies"] for key, row in task["rules"].items()}
    sizes = f"{task['learned']} to learn from, {task['held_out']} held out"
    others = [other for other in ("bptt", "bp") if other in rows]
    heads = ["rule", "tried", "accuracy, mean ± sd", *(f"minus {other}" for other in others)]
    lines = [f"\n### {name}: {sizes}, {task['epochs']} epochs\n", line([*heads, "chosen"])]
    lines.append("| --- | --: | --- |" + " --- |" * (1 + len(others)))
    for key, row in task["rules"].items():
        gaps = ["" if key == other else interval(rows[key], rows[other]) for other in others]
        cells = [key, str(row["tried"]), spread(rows[key]), *gaps, told(row["chosen"])]
        lines.append(line(cells))
    lines.append("")
    for key, other in CLAIMS[name].items():
        if key in rows and other in rows:
            lines.append(verdict(key, rows[key], rows[other], other=other))
    for key, row in task["rules"].items():
        if "untrained" in row:
            gap = interval(row["accuracies"], row["untrained"])
            lines.append(
                f"- `{key}`, in a circuit of its own, whose hidden layer stays as it began: "
                f"{spread(row['untrained'])}; learning it is worth {gap} points."
            )
    ends = [f"`{key}` ({', '.join(row['at_an_end'])})" for key, row in task["rules"].items()
            if row["at_an_end"]]  # fmt: skip
    lines.append(f"- Rates at an end of what was offered: {', '.join(ends) or 'none'}.")
    return lines


def tasks_lines(streams):
    """Return the table of forgetting over tasks."""
    lines = []
    for name, arms in streams.items():
        plain = fmean(arms["plain"]["forgetting"])
        lines += [f"\n### Five tasks, `{name}`\n", line(["rule", "step", "ACC", "forgetting",
                  "of plain's"]), "| --- | --: | --- | --- | --: |"]  # fmt: skip
        for arm, row in arms.items():
            lost = row["forgetting"]
            cells = [arm, f"{row['step']:g}", spread(row["accuracy"]), spread(lost)]
            lines.append(line([*cells, f"{fmean(lost) / plain:.2f}"]))
        lines.append("")
        for arm, row in arms.items():
            if arm != "plain":
                within = fmean(row["forgetting"]) <= SHARE * plain
                word = "at most" if within else "**more than**"
                lines.append(f"- `{arm}` forgets {word} a third of what plain training forgets.")
    return lines


def line(cells):
    """Return a row."""
    return f"| {' | '.join(cells)} |"
