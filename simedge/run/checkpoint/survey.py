"""All objects of a run that was built, by number; and what became of them: a picture.

Two builds of one scenario are alike, so the number of an object in one names the same object in the
other. A picture holds the state of those that have changed since, and of new ones in their reach.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack

from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.nodes import Scribe
from simedge.run.checkpoint.values import may_call

__all__ = ["Picture", "Survey"]

_SHORT: Final = 32


@dataclass(slots=True, kw_only=True)
class Picture:
    """The state of a run.

    Parameters
    ----------
    build
        Digest of the build that the numbers refer to.
    built
        How many objects it has, with those named since: above are new ones.
    roots
        Where all begins.
    nodes
        Number, state, and where its bytes begin and how many there are.
    data
        The bytes of arrays, one after the other.
    """

    build: bytes
    built: int
    roots: list[Any]
    classes: list[str]
    nodes: list[tuple[int, bytes, int, int]] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)

    def digest(self) -> bytes:
        """Return the SHA-256 of all of it."""
        sha = hashlib.sha256(msgpack.packb([self.build, self.built, self.roots, self.classes]))
        for node in self.nodes:
            sha.update(msgpack.packb(node))
        for part in self.data:
            sha.update(part)
        return sha.digest()


class Survey:
    """Numbers every object that a run was built of.

    Parameters
    ----------
    roots
        Where to begin.

    Raises
    ------
    CheckpointError
        If something in reach is neither data nor named as rebuilt.
    """

    def __init__(self, roots: Sequence[Any]) -> None:
        self.roots = list(roots)
        self.things: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._marks: list[bytes | None] = []
        scribe = Scribe(self._number)
        for root in self.roots:
            scribe.value(root)
        sha = hashlib.sha256()
        for thing in self.things:  # grows while it is walked through
            state = scribe.state(thing)
            name = f"{type(thing).__module__}:{type(thing).__qualname__}"
            mark = None if state is None else _mark(msgpack.packb(state[0]), state[1])
            self._marks.append(mark)
            sha.update(name.encode() + (mark or b"-"))
        sha.update(msgpack.packb(scribe.classes.names))
        self.digest = sha.digest()
        self._classes = scribe.classes.names
        self.calls = frozenset(scribe.classes.calls)
        """Methods of objects by number, and functions, that the build refers to."""

    def picture(self, rebuilt: Iterable[Any] = ()) -> Picture:
        """Return the present state; objects that can be built again are named by their order."""
        return _Walk(self, rebuilt).picture()

    def number_of(self, thing: Any) -> int | None:  # noqa: ANN401
        """Return the number of an object of the build."""
        return self._numbers.get(id(thing))

    def unchanged(self, number: int, mark: bytes) -> bool:
        """Return whether an object is as it was built."""
        return self._marks[number] == mark

    @property
    def classes(self) -> list[str]:
        """Names of the classes met in the build."""
        return list(self._classes)

    def _number(self, thing: Any) -> int:  # noqa: ANN401
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = len(self.things)
            self.things.append(thing)
        return number


class _Walk:
    """One walk through all that is in reach now."""

    def __init__(self, survey: Survey, rebuilt: Iterable[Any]) -> None:
        self._survey = survey
        self._new: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no two have one id
        self._seen: set[int] = set()
        self._waiting: list[tuple[int, Any]] = []
        self._built = len(survey.things)
        for thing in rebuilt:
            if survey.number_of(thing) is None and id(thing) not in self._new:
                self._new[id(thing)] = self._built
                self._seen.add(self._built)
                self._built += 1
                self._kept.append(thing)
        self._from: dict[int, str] = {}
        self._owner = ""

    def picture(self) -> Picture:
        survey = self._survey
        scribe = Scribe(self._refer, survey.classes)
        picture = Picture(build=survey.digest, built=self._built, roots=[], classes=[])
        picture.roots = [scribe.value(root) for root in survey.roots]
        place = 0
        for number, thing in self._waiting:  # grows while it is walked through
            self._owner = f"{type(thing).__qualname__} in {self._from.get(number, 'the run')}"
            state = scribe.state(thing)
            if number >= self._built and not scribe.can_be_made(thing):
                raise CheckpointError(f"no data, and nothing that is built again: {self._owner}")
            if state is None:
                continue
            packed, data = msgpack.packb(state[0]), state[1] or b""
            if number < len(survey.things) and survey.unchanged(number, _mark(packed, state[1])):
                continue
            picture.nodes.append((number, packed, place, len(data)))
            place += len(data)
            if data:
                picture.data.append(bytes(data))
        picture.classes = scribe.classes.names
        things = dict(self._waiting)
        for number, name in scribe.classes.calls - survey.calls:
            of = None if number < 0 else type(things[number])
            if not may_call((number, name), of, survey.calls):
                raise CheckpointError(f"{name} of what is rebuilt was not held when it was built")
        return picture

    def _refer(self, thing: Any) -> int:  # noqa: ANN401
        number = self._survey.number_of(thing)
        if number is None:
            number = self._new.get(id(thing))
        if number is None:
            number = self._new[id(thing)] = len(self._survey.things) + len(self._kept)
            self._kept.append(thing)
        if number not in self._seen:
            self._from[number] = self._owner
            self._seen.add(number)
            self._waiting.append((number, thing))
        return number


def _mark(packed: bytes, data: Any) -> bytes:  # noqa: ANN401
    """Return a name of a state: equal states have equal ones."""
    if not data and len(packed) < _SHORT:
        return packed
    sha = hashlib.sha256(packed)
    if data:
        sha.update(data)
    return sha.digest()
