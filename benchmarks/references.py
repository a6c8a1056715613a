"""Learning rules on one small network and the same items, tuned alike, paired seeds; and the rest.

Run: ``nice python benchmarks/references.py --data FOLDER --json
simedge/learning/rules/measured.json --page docs/references.md``. FOLDER has ``nmnist/{Train,Test}``
and ``sign-digits``; a task whose data are not there is left out. The JSON is what `simedge rules`
shows. It is written row by row, and a run that was cut off goes on where it was; so do several at
once, each with its own ``--only`` or ``--rules``. It names the commit, so run on a clean tree; a
file of another commit is not added to. ``--tables`` measures nothing and writes the page alone.

Held-out items are the same for all and choose nothing. Every rule gets the same number of settings
(`TRIES`), found by one walk (`compared.search`), judged by the mean accuracy on a quarter of what
is learned from, two draws of it where there is little, with seeds that are used for nothing else.
Trainings that are reported take twice the epochs of those in tuning. Rules share a seed's first
weights and orders, so differences are paired.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import continual
from compared import circuits, nets
from compared.page import page
from compared.record import Record
from compared.search import search
from compared.tasks import TASKS, folder_of, folds

__all__ = ["main"]

TUNING_SEEDS = (1000, 1001)
SEEDS = (1, 2, 3, 4, 5)
TRIES = 8
MAIN = ("bptt", "s-tllr", "tess", "bp", "lls")
OTHERS = ("dfa", "lls-m", "lls-mxm", "s-tllr-dfa", "e-prop")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
TURNS = (
    *(("nmnist", name) for name in MAIN),
    *(("digits", name) for name in MAIN),
    *(("signs", name) for name in ("bp", "lls")),
    ("tasks", None),
    *((key, name) for name in circuits.CIRCUIT_RULES for key in ("digits", "nmnist")),
    *(("signs", name) for name in OTHERS[:3]),
    *((key, name) for name in OTHERS for key in ("digits", "nmnist")),
)
"""What is measured, in this order: first what there are claims of."""


def row_of(task, name):
    """Tune one rule on a task, then run it on held-out items; return what the JSON keeps."""
    began = time.process_time()
    room = circuits if name in circuits.CIRCUIT_RULES else nets
    parts = list(folds(task, TUNING_SEEDS))

    def score(chosen):
        found = [
            room.accuracy(task, name, chosen, learned=learned, judged=judged, seed=seed)
            for seed, learned, judged in parts
        ]
        print(
            task.name, name, chosen, [round(one, 3) for one in found], file=sys.stderr, flush=True
        )
        return sum(found) / len(found)

    ladders = room.ladders_of(name)
    chosen, tried = search(room.start_of(name), ladders, score, tries=TRIES)

    def reached(**more):
        parts = {"learned": task.learned, "judged": task.held} | more
        if room is nets:
            parts["epochs"] = 2 * task.epochs
        runs = (room.accuracy(task, name, chosen, **parts, seed=seed) for seed in SEEDS)
        return [round(run, 6) for run in runs]

    row = {
        "chosen": chosen,
        "at_an_end": [key for key in ("rate", "readout_rate") if key in chosen and
                      chosen[key] in (ladders[key][0], ladders[key][-1])],
        "tried": len(tried),
        "validation": round(tried[tuple(chosen.values())], 6),
        "validation_at_start": round(next(iter(tried.values())), 6),
        "accuracies": reached(),
    }  # fmt: skip
    if room is circuits:
        row |= {"epochs": circuits.EPOCHS[name], "untrained": reached(untrained=True)}
    return row | {"processor_s": round(time.process_time() - began)}


def five_tasks(record):
    """Measure forgetting over five tasks in turn on the bundled digits."""
    streams = {}
    for stream in ("classes", "permuted"):
        arms = {wish.arm: wish for wish in reversed(continual.CHOSEN[stream])}  # the first of each
        streams[stream] = {
            name: {"step": arms[name].rate, **continual.measured(arms[name], stream, len(SEEDS))}
            for name in continual.ARMS
        }
        print("five tasks", stream, f"{time.process_time():.0f} s", file=sys.stderr, flush=True)
    record.keep("five_tasks", {"program": "benchmarks/continual.py", "streams": streams})


def measured(wish):
    """Measure what is wished for and not there yet; return all that is."""
    record = Record(wish.json, {"seeds": SEEDS, "tuning_seeds": TUNING_SEEDS, "tries": TRIES})
    tasks = {}
    for key, name in TURNS:
        if key not in wish.only:
            continue
        if key == "tasks":
            if "five_tasks" not in record.held:
                five_tasks(record)
            continue
        if not folder_of(wish.data, key) or name not in (wish.rules or (name,)):
            continue
        task = tasks[key] = tasks.get(key) or TASKS[key](wish.data)
        if not record.has(task.name, name):
            sizes = {"learned": len(task.learned), "held_out": len(task.held)}
            about = {**sizes, "epochs": 2 * task.epochs}
            record.add(task.name, about, name=name, row=row_of(task, name))
    print(f"{time.process_time():.0f} s of processor time", file=sys.stderr)
    return record.held


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of data sets")
    parser.add_argument("--json", type=Path, help="file of all figures")
    parser.add_argument("--page", type=Path, help="its marked part gets the tables; else stdout")
    parser.add_argument("--only", nargs="*", choices=(*TASKS, "tasks"), default=(*TASKS, "tasks"))
    parser.add_argument("--rules", nargs="*", help="only these, of those that a task has")
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    wish = parser.parse_args()
    held = json.loads(wish.json.read_text(encoding="utf-8")) if wish.tables else measured(wish)
    if wish.page is None:
        print(page(held))
        return
    head, _, rest = wish.page.read_text(encoding="utf-8").partition(BEGIN)
    text = f"{head}{BEGIN}\n{page(held)}\n{END}{rest.partition(END)[2]}"
    wish.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
