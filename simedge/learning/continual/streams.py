"""Streams of tasks over labelled items: whose turn which classes, or which view, is.

Nothing here knows of a sensor: features (N, d) and labels (N,) are whatever one has, and which item
belongs to which task is drawn from a stream, by the seed alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.streams import Stream
from simedge.learning.errors import LearnerError

__all__ = ["Task", "class_tasks", "order_of", "permuted_tasks", "split_groups"]

Whole = NDArray[np.int64]


class Task(NamedTuple):
    """What is learned for a while, and then no more."""

    classes: tuple[int, ...]
    """Labels that occur, ascending; the head of the task has one output for each."""
    view: Whole | None = None
    """Which feature stands in each place; None for as they are."""

    def items(self, labels: Whole, among: Whole) -> Whole:
        """Return those of the items `among` (numbers) that belong to the task."""
        return among[np.isin(labels[among], self.classes)]

    def seen(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return features (N, d) as they look in this task."""
        return features if self.view is None else features[:, self.view]

    def targets(self, labels: Whole) -> Whole:
        """Return the output of the task's head that each label asks for."""
        return np.searchsorted(np.array(self.classes), labels).astype(np.int64)


def order_of(stream: Stream, count: int, *, turn: int = 0) -> Whole:
    """Return the numbers 0 .. count-1 in an order of chance, another one each turn."""
    words = stream.block(-(-count // 4), turn)[:count]
    return np.argsort(words, kind="stable")


def class_tasks(classes: int, tasks: int, stream: Stream) -> tuple[Task, ...]:
    """Deal classes to tasks, the same number to each; which go together is drawn."""
    if tasks < 1 or classes % tasks:
        raise LearnerError(f"{classes} classes cannot be dealt to {tasks} tasks evenly")
    dealt = order_of(stream, classes).reshape(tasks, -1)
    return tuple(Task(tuple(sorted(row.tolist()))) for row in dealt)


def permuted_tasks(classes: int, tasks: int, stream: Stream, *, features: int) -> tuple[Task, ...]:
    """Return tasks of all classes: the first as it is, each other with places of its own."""
    if tasks < 1 or features < 1:
        raise LearnerError(f"tasks and features are 1 or more, got {tasks} and {features}")
    views: Sequence[Whole | None]
    views = [None, *(order_of(stream, features, turn=turn) for turn in range(1, tasks))]
    return tuple(Task(tuple(range(classes)), view) for view in views)


def split_groups(groups: Whole, shares: Sequence[float], stream: Stream) -> tuple[Whole, ...]:
    """Split items into parts that have no group (a person, say) in common.

    Parameters
    ----------
    groups
        Whose each item is, (N,).
    shares
        Of the groups, for all parts but the last, which gets what is left.

    Returns
    -------
        Numbers of items by part, ascending.
    """
    if any(share < 0 for share in shares) or sum(shares) > 1:
        raise LearnerError(f"shares of a whole are at least 0 and at most 1 together: {shares}")
    names = np.unique(groups)
    dealt = names[order_of(stream, len(names))]
    ends = np.round(np.cumsum(shares) * len(names)).astype(np.int64)
    parts = np.split(dealt, ends)
    return tuple(np.flatnonzero(np.isin(groups, part)) for part in parts)
