"""Who reaches whom in a projection: compressed rows, and the way back from each target.

The synapses of a source lie side by side, its targets ascending; synapse numbers are places in that
order. The way back lists, for each target, its synapses and their sources, ascending. All are 32
bits wide: 4 bytes a synapse, and 8 for the way back, which is made when it is asked for. Builders
draw from named streams, keyed by who is joined to whom, and run no Python loop.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_part, unlocked_leaf
from simedge.core.streams import Stream, bernoulli_threshold, normals, unit_floats
from simedge.neurons.errors import CircuitError
from simedge.neurons.kinds import Whole

__all__ = [
    "Synapses",
    "WaysBack",
    "fixed_fan_out",
    "normal_weights",
    "one_to_one",
    "random_mask",
    "small_world",
    "synapses_of",
    "turn_back",
    "uniform_weights",
]

Places = NDArray[np.uint32]

_AT_ONCE: Final = 2**18
"""Words, synapses or weights that are worked on at once: no array of temporaries is longer."""
_TRIES: Final = 7
"""Words a slot has for its new source; the first free neuron after the last one is then taken."""


class WaysBack(NamedTuple):
    """From targets to their synapses."""

    start: Places
    synapse: Places
    source: Places


@dataclass(frozen=True, kw_only=True)
class Synapses:
    """Wiring of one projection; all arrays uint32."""

    sources: int
    targets: int
    start: Places
    """Synapses of source j are [start[j], start[j+1])."""
    target: Places
    """Target of each synapse, ascending within a source."""

    @property
    def count(self) -> int:
        """Number of synapses."""
        return self.target.size

    @property
    def in_start(self) -> Places:
        """Ways back to target i are [in_start[i], in_start[i+1])."""
        return self._back.start

    @property
    def in_synapse(self) -> Places:
        """Synapse of each way back."""
        return self._back.synapse

    @property
    def in_source(self) -> Places:
        """Source of each way back, ascending within a target."""
        return self._back.source

    def fan_in(self) -> NDArray[np.int64]:
        """Return how many synapses each target has, without the ways back."""
        heard, step = np.zeros(self.targets, np.int64), max(_AT_ONCE, self.targets)
        for first in range(0, self.count, step):
            heard += np.bincount(self.target[first : first + step], minlength=self.targets)
        return heard

    @functools.cached_property
    def _back(self) -> WaysBack:
        sizes = self.targets + 1, self.count, self.count
        ways = WaysBack(*(np.zeros(size, np.uint32) for size in sizes))
        turn_back(self.start, self.target, *ways)
        return ways

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return source and target of every synapse, int64 (count,) each."""
        starts = self.start.astype(np.int64)
        lengths = starts[1:] - starts[:-1]
        return np.repeat(np.arange(self.sources), lengths), self.target.astype(np.int64)


def synapses_of(
    pairs: tuple[NDArray[np.integer], NDArray[np.integer]], *, sources: int, targets: int
) -> Synapses:
    """Wire the given (source, target) pairs, in any order; each may occur once.

    Raises
    ------
    CircuitError
        If an end is outside its population or a pair is given twice.
    """
    source, target = (np.asarray(ends, np.int64) for ends in pairs)
    low = min(source.min(initial=0), target.min(initial=0))
    if low < 0 or source.max(initial=-1) >= sources or target.max(initial=-1) >= targets:
        raise CircuitError(f"synapses must join {sources} sources to {targets} targets")
    keys = source * targets
    keys += target
    keys.sort()
    if np.any(keys[1:] == keys[:-1]):
        raise CircuitError("a synapse is given twice")
    start = np.searchsorted(keys, np.arange(sources + 1) * targets)
    keys %= max(1, targets)
    return _compressed(start, keys, targets)


def one_to_one(size: int) -> Synapses:
    """Wire source i to target i."""
    return _compressed(np.arange(size + 1), np.arange(size), size)


def random_mask(
    stream: Stream, density: Fraction, *, sources: int, targets: int, autapses: bool = True
) -> Synapses:
    """Join every source to every target with this probability, each pair by a draw of its own.

    Parameters
    ----------
    stream
        The word of (i, j) decides over the synapse from source j to target i.
    density
        In [0, 1].
    autapses
        May neuron i reach itself?
    """
    blocks = -(-targets // 4)
    rows = max(1, _AT_ONCE // max(1, 4 * blocks))
    bar = bernoulli_threshold(density)
    lengths, found = np.zeros(sources + 1, np.int64), [np.empty(0, np.uint32)]
    for first in range(0, sources, rows):
        words = stream.rows(blocks, range(first, min(sources, first + rows)))
        keep = _below(words[:, :targets], bar)
        if not autapses:
            np.fill_diagonal(keep[:, first:], val=False)
        lengths[1 + first : 1 + first + rows] = keep.sum(axis=1)
        found.append(np.nonzero(keep)[1].astype(np.uint32))
    return _compressed(np.cumsum(lengths), np.concatenate(found), targets)


def fixed_fan_out(
    stream: Stream, fan_out: int, *, sources: int, targets: int, autapses: bool = True
) -> Synapses:
    """Give every source this many unlike targets, any set of them equally likely.

    One draw a synapse, keyed by source and ordinal (Floyd, in Bentley 1987, "Programming pearls").
    """
    room = targets if autapses else targets - 1
    if not 0 <= fan_out <= room or (sources > targets and not autapses):
        raise CircuitError(f"no {fan_out} targets of {room} for each of {sources} sources")
    chosen = np.empty((sources, fan_out), np.uint32)
    blocks = -(-fan_out // 4)
    rows = max(1, _AT_ONCE // max(1, 4 * blocks))
    used = np.full(targets, -1, np.int64)
    for first in range(0, sources, rows):
        words = stream.rows(blocks, range(first, min(sources, first + rows)))
        choose(words, first, chosen[first : first + rows], used, room, int(not autapses))
    chosen.sort(axis=1)
    return _compressed(np.arange(sources + 1) * fan_out, chosen.ravel(), targets)


def small_world(stream: Stream, size: int, *, neighbours: int, rewire: Fraction) -> Synapses:
    """Join a ring, then redraw some sources: every neuron keeps exactly `neighbours` of them.

    Neuron i hears i±1 .. i±neighbours/2. Each of these sources is replaced with probability
    `rewire` by one drawn uniformly among the neurons that are neither i nor heard by i already
    (after Watts and Strogatz 1998, Nature 393).
    """
    if neighbours < 2 or neighbours % 2 or size < neighbours + 2:
        raise CircuitError(
            f"no ring of {size} neurons with {neighbours} neighbours, an even number"
        )
    heard = np.empty((size, neighbours), np.uint32)
    used = np.full(size, -1, np.int64)
    bar = bernoulli_threshold(rewire)
    rows = max(1, _AT_ONCE // (8 * neighbours))
    for first in range(0, size, rows):
        words = stream.rows(2 * neighbours, range(first, min(size, first + rows)))
        redrawn = _below(words[:, ::8], bar)
        redraw(words, redrawn, first, heard[first : first + rows], used)
    target = np.repeat(np.arange(size), neighbours)
    return synapses_of((heard.ravel(), target), sources=size, targets=size)


def uniform_weights(
    stream: Stream, synapses: Synapses, low: float, *, high: float
) -> NDArray[np.float64]:
    """Draw a weight in [low, high) for each synapse, keyed by its number."""
    return _drawn(stream, synapses.count, lambda words: low + (high - low) * unit_floats(words))


def normal_weights(stream: Stream, synapses: Synapses, deviation: float) -> NDArray[np.float64]:
    """Draw a centred normal weight for each synapse, keyed by its number."""
    return _drawn(stream, synapses.count, lambda words: deviation * normals(words))


def _drawn(
    stream: Stream, count: int, law: Callable[[NDArray[np.uint64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Make a number of each word, in the place of the word."""
    words = stream.block(-(-count // 4))[:count]
    numbers = words.view(np.float64)
    for first in range(0, count, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        numbers[part] = law(words[part])
    return numbers


def _below(words: NDArray[np.uint64], bar: int) -> NDArray[np.bool_]:
    if bar == 2**64:
        return np.ones(words.shape, np.bool_)
    return words < np.uint64(bar)


def _compressed(start: NDArray[np.integer], target: NDArray[np.integer], targets: int) -> Synapses:
    """Lay out targets that are sorted by source and ascend within one."""
    if target.size >= 2**32:
        raise CircuitError(f"a projection has fewer than 2^32 synapses, got {target.size}")
    return Synapses(
        sources=start.size - 1,
        targets=targets,
        start=start.astype(np.uint32),
        target=np.ascontiguousarray(target, np.uint32),
    )


@unlocked_leaf
def turn_back(
    start: Places, target: Places, in_start: Places, in_synapse: Places, in_source: Places
) -> None:
    """Fill the ways back, zeros so far; sources ascend since synapses are taken in order."""
    targets = in_start.size - 1
    for s in range(target.size):
        in_start[target[s]] += np.uint32(1)
    total = np.uint32(0)
    for i in range(targets):
        length = in_start[i]
        in_start[i] = total
        total += length
    for j in range(start.size - 1):
        for s in range(start[j], start[j + 1]):
            i = target[s]
            at = in_start[i]
            in_synapse[at] = s
            in_source[at] = j
            in_start[i] = at + np.uint32(1)
    for i in range(targets, 0, -1):
        in_start[i] = in_start[i - 1]
    in_start[0] = 0


@native_part
def scaled(word: Whole, count: Whole) -> Whole:
    """Return an integer in [0, count) from a word, by multiply and shift; count < 2^31."""
    times, half = np.uint64(count), np.uint64(32)
    low = ((word & np.uint64(2**32 - 1)) * times) >> half
    return np.int64(((word >> half) * times + low) >> half)


@unlocked_leaf
def choose(
    words: NDArray[np.uint64],
    first: Whole,
    chosen: Places,
    used: NDArray[np.int64],
    room: Whole,
    skips: Whole,
) -> None:
    """Draw the targets of the sources from `first` on; with `skips`, none is its own target."""
    fan_out = chosen.shape[1]
    for row in range(chosen.shape[0]):
        source = first + row
        for k in range(fan_out):
            top = room - fan_out + k
            pick = scaled(words[row, k], top + 1)
            pick += int(skips and pick >= source)
            if used[pick] == source:
                pick = top + int(skips and top >= source)
            used[pick] = source
            chosen[row, k] = pick


@unlocked_leaf
def redraw(
    words: NDArray[np.uint64],
    redrawn: NDArray[np.bool_],
    first: Whole,
    heard: Places,
    used: NDArray[np.int64],
) -> None:
    """List whom each neuron of a ring hears; `redrawn` says whose source is replaced."""
    neighbours, size = heard.shape[1], used.size
    for row in range(heard.shape[0]):
        me = first + row
        used[me] = me
        for k in range(neighbours):
            gap = k // 2 + 1
            source = (me + (gap if k % 2 == 0 else size - gap)) % size
            heard[row, k] = source
            used[source] = me
        for k in range(neighbours):
            if redrawn[row, k]:
                source, tries = me, 0
                while used[source] == me and tries < _TRIES:
                    tries += 1
                    source = scaled(words[row, 8 * k + tries], size)
                while used[source] == me:
                    source = (source + 1) % size
                used[source] = me
                used[heard[row, k]] = -1  # free again for those that are still to be redrawn
                heard[row, k] = source
