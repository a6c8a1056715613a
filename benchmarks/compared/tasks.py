"""Data of the comparison: what is learned from, and what is held out once for all."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from simedge.learning.deep.references.draws import Draws
from simedge.learning.deep.references.training import Data
from simedge.sensors.datasets.official import load_official
from simedge.sensors.nmnist import list_files
from simedge.sensors.nmnist_file import read_nmnist
from simedge.sensors.table import INK, digits

__all__ = ["TASKS", "Shown", "Task", "folds"]

SPAN_MS = {"digits": 100, "N-MNIST": 310}
CHECKED = 0.25
"""Share of what is learned from that tuning holds out."""
FEW = 1000


class Shown(NamedTuple):
    """One item as pixel events."""

    label: int
    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    p: np.ndarray


class Task(NamedTuple):
    """Items, the places of those to learn from and of those held out, and for how long."""

    name: str
    items: Data
    learned: np.ndarray
    held: np.ndarray
    epochs: int
    """Of a training in tuning; those that are reported take twice as many."""
    people: np.ndarray | None = None
    """Whose each item is; nobody is then in two parts."""
    events: object = None
    """Called: the same items as pixel events, in the same order."""

    def part(self, places):
        """Return some of the items."""
        return Data(self.items.frames[places], self.items.labels[places])


def digits_task(_root):
    """The bundled digits, shown as a constant current; a fifth is held out."""
    table = digits()
    frames = (table.pictures[:, None] / INK).astype(np.float32)
    learned, held = split(np.arange(len(frames)), 0.2)
    events = lambda: [printed(*item) for item in zip(table.pictures, table.labels, strict=True)]  # noqa: E731
    return Task("digits", Data(frames, table.labels), learned, held, epochs=6, events=events)


def printed(picture, label):
    """Show a still as events: a pixel sends one a level, evenly over a tenth of a second."""
    y, x = np.nonzero(picture)
    levels = picture[y, x].astype(np.int64)
    t_us = np.concatenate([(np.arange(n) + 0.5) * 1e5 / n for n in levels]).astype(np.int64)
    x, y = (np.repeat(axis, levels).astype(np.uint16) for axis in (x, y))
    order = np.argsort(t_us, kind="stable")
    return Shown(int(label), x[order], y[order], t_us[order], np.ones(len(order), np.uint8))


def nmnist_task(root):
    """N-MNIST, roots of counts in 10 bins of 17 x 17 cells; a quarter of Train joins Test."""
    folder = root / "nmnist"
    found = load_official(folder, "nmnist", ticks=10, side=17)
    frames, labels = (np.concatenate(pair) for pair in zip(found.train, found.test, strict=True))
    learned, held = split(np.arange(len(found.train.labels)), 0.25)
    held = np.concatenate([held, np.arange(len(found.train.labels), len(labels))])
    items = Data(np.sqrt(frames), labels)
    return Task("N-MNIST", items, learned, held, epochs=20, events=lambda: recordings(folder))


def recordings(folder):
    """Return the events of all recordings in the order of the frames, folded to 17 x 17."""
    listing, found = list_files(folder), []
    for shelves in (listing.shelves.train, listing.shelves.test):
        for label, shelf in enumerate(shelves):
            for number in shelf:
                x, y, t_us, p = read_nmnist(folder / listing.files[number])
                kept = t_us < 1000 * SPAN_MS["N-MNIST"]
                half = ((axis[kept] // 2).astype(np.uint16) for axis in (x, y))
                found.append(Shown(label, *half, t_us[kept], p[kept]))
    return found


def signs_task(root):
    """Stills of hands, 16 x 16, each around its mean; a fifth of the people is held out."""
    held = np.load(root / "sign-digits" / "sld_32x32_gray_ordered.npz")
    frames = held["frames"].reshape(-1, 1, 16, 2, 16, 2).mean((3, 5)) / 255.0
    frames -= frames.mean((1, 2, 3), keepdims=True)
    people = held["person"].astype(np.int64)
    items = Data(frames.astype(np.float32), held["labels"].astype(np.int64))
    parts = split(np.arange(len(people)), 0.2, people=people)
    return Task("sign digits", items, *parts, epochs=15, people=people)


TASKS = {"digits": digits_task, "nmnist": nmnist_task, "signs": signs_task}


def split(places, share, *, people=None, seed=0):
    """Deal out items, or people with all of theirs: the rest, and a share."""
    draws = Draws(seed)
    if people is None:
        order = places[draws.order("held-out", len(places))]
        count = round(share * len(order))
        return order[count:], order[:count]
    names = np.unique(people[places])
    chosen = names[draws.order("held-out", len(names))[: round(share * len(names))]]
    inside = np.isin(people[places], chosen)
    return places[~inside], places[inside]


def folds(task, seeds):
    """Yield a seed, what tuning learns from and what it is judged by; never what is held out.

    Small tasks take all seeds, the others the first.
    """
    for seed in seeds if len(task.learned) < FEW else seeds[:1]:
        yield seed, *split(task.learned, CHECKED, people=task.people, seed=seed)


def folder_of(root, name):
    """Return whether a task's data are there."""
    needed = {"nmnist": "nmnist", "signs": "sign-digits"}.get(name)
    return needed is None or (root is not None and (Path(root) / needed).is_dir())
