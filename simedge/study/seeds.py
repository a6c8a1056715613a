"""Seeds of a study: so many, or these; whatever is none is refused in words."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from simedge.study.errors import StudyError

__all__ = ["seed_list"]

SEEDS_MAX = 10_000
_SHOWN_MAX = 40


def seed_list(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Return seeds: so many, from 1 on, or those that are given.

    >>> seed_list(3), seed_list([7, 8])
    ((1, 2, 3), (7, 8))
    """
    if isinstance(seeds, int):
        _check_count(seeds)
        return tuple(range(1, seeds + 1))
    several = tuple(islice(seeds, SEEDS_MAX + 1))
    _check_count(len(several))
    strange = [seed for seed in several if not _is_seed(seed)]
    if strange:
        raise StudyError(f"a seed is a whole number from 0 to 2**63 - 1, got {_short(strange[0])}")
    twice = [seed for seed, times in Counter(several).items() if times > 1]
    if twice:
        raise StudyError(f"the seed {twice[0]} is given twice")
    return several


def _check_count(count: int) -> None:
    if isinstance(count, bool) or not 0 < count <= SEEDS_MAX:
        raise StudyError(f"there must be 1 to {SEEDS_MAX:,} seeds, got {_short(count)}")


def _short(value: object) -> str:
    """Write a value of which nothing is known, not even that it can be written."""
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return f"one of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _is_seed(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
