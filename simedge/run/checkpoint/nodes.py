"""The state of one object, written down: what kind of thing it is, and the values in it.

Arrays leave their bytes apart, so that they are neither packed nor copied more than once.
"""

import array
import functools
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgpack
import numpy as np

from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.table import (
    COPIED,
    Treatment,
    name_of,
    saved_attributes,
    treatment,
)
from simedge.run.checkpoint.values import Classes, code_named, in_place

__all__ = ["Kind", "Scribe", "State", "attributes"]

State = tuple[list[Any], "memoryview | bytes | None"]
"""What is packed, and the bytes that go with it."""

_ATOMS: Final = frozenset({type(None), bool, float, str, bytes})
_NUMBERS: Final = "biufcSU"
_DICTS: Final = frozenset({dict, OrderedDict, defaultdict, Counter})


class Kind:
    """First item of a state."""

    (
        LIST, DICT, SET, FROZENSET, DEQUE, TUPLE, ARRAY, VIEW, NUMBERS, OCTETS, OBJECT, PARTIAL,
        CLOSURE, CELL, OPAQUE,
    ) = range(15)  # fmt: skip


class Scribe:
    """Writes states down.

    Parameters
    ----------
    refer
        Numbers an object that has a place of its own.
    classes
        Names of classes that have numbers already.
    """

    def __init__(self, refer: Callable[[Any], int], classes: list[str] | None = None) -> None:
        self.classes = Classes(classes)
        self._refer = refer
        self._ways: dict[type, Callable[[Any], State]] = {
            list: self._list,
            set: functools.partial(self._set, kind=Kind.SET),
            frozenset: functools.partial(self._set, kind=Kind.FROZENSET),
            deque: self._deque,
            np.ndarray: self._array,
            array.array: lambda a: ([Kind.NUMBERS, a.typecode, a.tobytes()], None),
            bytearray: lambda octets: ([Kind.OCTETS, bytes(octets)], None),
            functools.partial: self._partial,
            types.FunctionType: self._function,
            types.CellType: self._cell,
            **dict.fromkeys(_DICTS, self._dict),
        }

    def state(self, thing: Any) -> State | None:  # noqa: ANN401
        """Return the state of an object; None if it is rebuilt with all that is in it."""
        way = self._ways.get(type(thing))
        if way is None:
            way = self._ways[type(thing)] = self._way(type(thing))
        return None if way is _nothing else way(thing)

    def can_be_made(self, thing: Any) -> bool:  # noqa: ANN401
        """Whether an object like this one can be made, if the build has it not."""
        cls = type(thing)
        if cls is types.FunctionType:
            return bool(self._function(thing)[0][2] >= 0)
        known = cls in self._ways and self._ways[cls] not in {_nothing, self._object}
        return known or treatment(cls) is Treatment.SAVED

    def value(self, value: Any) -> Any:  # noqa: ANN401
        """Return what stands for a value."""
        return value if type(value) in _ATOMS else in_place(value, self._refer, self.classes)

    def _way(self, cls: type) -> Callable[[Any], State]:
        if issubclass(cls, tuple):
            return self._tuple
        if treatment(cls) is Treatment.OPAQUE or issubclass(cls, type):
            return _nothing
        if issubclass(cls, dict | list | set | deque):
            raise CheckpointError(f"{name_of(cls)} is a container of its own kind")
        return self._copied if name_of(cls) in COPIED else self._object

    def _list(self, items: list[Any]) -> State:
        return [Kind.LIST, *map(self.value, items)], None

    def _tuple(self, items: tuple[Any, ...]) -> State:
        return [Kind.TUPLE, self.classes.number(type(items)), *map(self.value, items)], None

    def _deque(self, items: deque[Any]) -> State:
        return [Kind.DEQUE, items.maxlen, *map(self.value, items)], None

    def _set(self, items: set[Any], *, kind: int) -> State:
        values = [self.value(item) for item in items]
        return [kind, *sorted(values, key=msgpack.packb)], None  # in no order that hashes give

    def _dict(self, items: dict[Any, Any]) -> State:
        made = self.value(items.default_factory) if isinstance(items, defaultdict) else None
        state: list[Any] = [Kind.DICT, self.classes.number(type(items)), made]
        for key, value in items.items():
            state += (self.value(key), self.value(value))
        return state, None

    def _array(self, values: Any, *, alone: bool = False) -> State:  # noqa: ANN401
        if values.dtype.kind not in _NUMBERS:
            raise CheckpointError(f"an array of {values.dtype} is no data")
        base = values.base
        if not alone and isinstance(base, np.ndarray):
            while isinstance(base.base, np.ndarray):
                base = base.base
            if base.flags.c_contiguous and base.dtype.kind in _NUMBERS:
                return self._view(values, base), None
        fortran = values.flags.f_contiguous and not values.flags.c_contiguous
        shape, writable = list(values.shape), bool(values.flags.writeable)
        data = values.tobytes("F" if fortran else "C")
        return [Kind.ARRAY, values.dtype.str, shape, fortran, writable], data

    def _view(self, values: Any, base: Any) -> list[Any]:  # noqa: ANN401
        start = values.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        return [
            Kind.VIEW, self._refer(base), values.dtype.str, start, list(values.shape),
            list(values.strides), bool(values.flags.writeable),
        ]  # fmt: skip

    def _partial(self, call: functools.partial[Any]) -> State:
        named = [
            item for name, value in call.keywords.items() for item in (name, self.value(value))
        ]
        given = [self.value(value) for value in call.args]
        return [Kind.PARTIAL, self.value(call.func), len(given), *given, *named], None

    def _function(self, function: types.FunctionType) -> State:
        cells = function.__closure__ or ()
        name = f"{function.__module__}:{function.__qualname__}"
        place = -1
        if "<locals>" in name and name.startswith("simedge.learning."):
            place = next(i for i in range(99) if code_named(name, i) == function.__code__)
        plain = function.__defaults__ is None and function.__kwdefaults__ is None
        return [Kind.CLOSURE, name, place if plain else -1, *map(self.value, cells)], None

    def _cell(self, cell: types.CellType) -> State:
        try:
            return [Kind.CELL, self.value(cell.cell_contents)], None
        except ValueError:
            return [Kind.CELL], None

    def _object(self, thing: Any) -> State:  # noqa: ANN401
        state: list[Any] = [Kind.OBJECT, self.classes.number(type(thing))]
        for name, value in attributes(thing):
            state += (name, self.value(value))
        return state, None

    def _copied(self, thing: Any) -> State:  # noqa: ANN401
        """Keep the arrays of what nobody writes to apart from what they are cut of."""
        state: list[Any] = [Kind.OBJECT, self.classes.number(type(thing))]
        parts: list[bytes] = []
        for name, value in attributes(thing):
            if type(value) is np.ndarray:
                head, data = self._array(value, alone=True)
                assert isinstance(data, bytes)
                parts.append(data)
                state += (name, ["array", *head[1:], len(data)])
            else:
                state += (name, self.value(value))
        return state, b"".join(parts)


def attributes(thing: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield what is kept of an object: name and value, in a stated order."""
    has_dict, slots, left_out = saved_attributes(type(thing))
    for name in slots:
        try:
            yield name, getattr(thing, name)
        except AttributeError:
            continue
    if has_dict:
        for name, value in vars(thing).items():
            if name not in left_out:
                yield name, value


def _nothing(_: Any) -> State:  # noqa: ANN401
    raise AssertionError("an opaque object has no state")
