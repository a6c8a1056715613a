"""How cells are called: by their labels, so that no two cells have one name."""

import json
from collections import Counter
from collections.abc import Iterable

__all__ = ["BASE", "Labels", "cell_name", "cell_names"]

Labels = tuple[str, ...]
BASE = "base"
"""The one cell of a study without factors."""


def cell_name(labels: Iterable[str]) -> str:
    """Return how a cell is called where no other is beside it."""
    return ", ".join(labels) or BASE


def cell_names(cells: Iterable[Labels], *, between: str = ", ") -> dict[Labels, str]:
    """Return how cells are called side by side: labels are quoted where names were the same.

    >>> cell_names([("a", "b")]), list(cell_names([("a, b", "c"), ("a", "b, c")]).values())
    ({('a', 'b'): 'a, b'}, ['"a, b", "c"', '"a", "b, c"'])
    """
    every = tuple(dict.fromkeys(cells))
    names = {labels: between.join(labels) or BASE for labels in every}
    times = Counter(names.values())
    some = {one: _quoted(one, between) if times[name] > 1 else name for one, name in names.items()}
    if len(set(some.values())) == len(every):
        return some
    return {labels: _quoted(labels, between) for labels in every}


def _quoted(labels: Labels, between: str) -> str:
    return between.join(json.dumps(label, ensure_ascii=False) for label in labels)
