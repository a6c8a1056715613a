"""Laying a picture over a run that was built afresh: the inverse of taking it.

Objects of the build stay the objects that they are, and get their state back in place, so that all
who hold one still do. New objects are made of known classes only, without a call of any code of
theirs. What refers to nothing, or does not fit, is a `CheckpointError`.
"""

import array
import functools
import importlib
import types
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgpack
import numpy as np

from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.nodes import Kind, attributes
from simedge.run.checkpoint.survey import Picture, Survey
from simedge.run.checkpoint.table import Treatment, name_of, treatment
from simedge.run.checkpoint.values import Classes, code_named, placed, tuple_of

__all__ = ["lay"]

_WRONG: Final = (
    ArithmeticError, AttributeError, IndexError, KeyError, LookupError, MemoryError, RecursionError,
    TypeError, ValueError, msgpack.UnpackException,
)  # fmt: skip
_NUMBERS: Final = "biufcSU"


def lay(picture: Picture, survey: Survey, rebuilt: Iterable[Any] = ()) -> None:
    """Give the objects of a build, and those in their reach, the state of a picture.

    Parameters
    ----------
    rebuilt
        What was named so when the picture was taken, built again.

    Raises
    ------
    CheckpointError
        If the picture is of another build, or damaged; the run is of no use then.
    """
    if picture.build != survey.digest:
        raise CheckpointError("the run that was built now is another than the one that was saved")
    try:
        _Overlay(picture, survey, rebuilt).lay()
    except _WRONG as error:
        raise CheckpointError(f"the checkpoint holds no state: {error!r}") from error


class _Overlay:
    def __init__(self, picture: Picture, survey: Survey, rebuilt: Iterable[Any]) -> None:
        self._picture = picture
        self._classes = Classes(list(picture.classes))
        self._classes.calls |= survey.calls
        named = list(survey.things)
        known = {id(thing) for thing in named}
        for thing in rebuilt:
            if id(thing) not in known:
                known.add(id(thing))
                named.append(thing)
        if len(named) != picture.built:
            raise CheckpointError("not all is built again that was there")
        self._things: dict[int, Any] = dict(enumerate(named))
        self._built = len(named)
        self._data = b"".join(picture.data)
        self._states: dict[int, list[Any]] = {}
        self._bytes: dict[int, memoryview] = {}
        whole = memoryview(self._data)
        for number, packed, place, size in picture.nodes:
            self._states[number] = msgpack.unpackb(packed, strict_map_key=False)
            self._bytes[number] = whole[place : place + size]
            if len(self._bytes[number]) != size:
                raise CheckpointError("bytes are missing")

    def lay(self) -> None:
        """Make what is new, then fill all: objects before what asks them for their hashes."""
        new = [number for number in self._states if number >= self._built]
        for number in new:
            make = _MAKE.get(self._states[number][0])
            if make is not None:
                self._things[number] = make(self, self._states[number])
        for kinds in _ORDER:
            for number, state in self._states.items():
                if state[0] in kinds:
                    _FILL[state[0]](self, self._thing(number), state, self._bytes[number])
        placed_roots = [self._value(root) for root in self._picture.roots]
        if len(placed_roots) != len(self._picture.roots):
            raise CheckpointError("no roots")

    def _value(self, value: Any) -> Any:  # noqa: ANN401
        return placed(value, self._thing, self._classes)

    def _values(self, values: Sequence[Any]) -> list[Any]:
        return [self._value(value) for value in values]

    def _thing(self, number: int) -> Any:  # noqa: ANN401
        """Return an object; what cannot be changed is made when it is asked for."""
        if number not in self._things:
            state = self._states[number]
            self._things[number] = _MAKE_WHOLE[state[0]](self, state, self._bytes[number])
        return self._things[number]

    def _new_object(self, state: list[Any]) -> Any:  # noqa: ANN401
        cls = self._classes.named(state[1])
        if treatment(cls) is not Treatment.SAVED:
            raise CheckpointError(f"{cls.__qualname__} is not made")
        return object.__new__(cls)

    def _new_dict(self, state: list[Any]) -> Any:  # noqa: ANN401
        cls = self._classes.named(state[1])
        if not issubclass(cls, dict):
            raise CheckpointError(f"{cls.__qualname__} is no dictionary")
        return cls()

    def _new_array(self, state: list[Any], data: memoryview) -> Any:  # noqa: ANN401
        _, dtype, shape, fortran, writable = state
        made = _array_of(dtype, shape, data, fortran=fortran)
        made.flags.writeable = bool(writable)
        return made

    def _new_view(self, state: list[Any], _: memoryview) -> Any:  # noqa: ANN401
        _, base, dtype, start, shape, strides, writable = state
        owner = self._thing(base)
        buffer = owner.reshape(-1, order="A").view(np.uint8) if owner.size else owner
        made: Any = np.ndarray(shape, _numbers(dtype), buffer, start, strides)
        if not writable:
            made.flags.writeable = False
        return made

    def _new_tuple(self, state: list[Any], _: memoryview) -> Any:  # noqa: ANN401
        return tuple_of(self._classes.named(state[1]), self._values(state[2:]))

    def _new_partial(self, state: list[Any], _: memoryview) -> Any:  # noqa: ANN401
        call, count = self._value(state[1]), state[2]
        if not isinstance(call, types.FunctionType | types.MethodType):
            raise CheckpointError("a call of what is no function")
        named = state[3 + count :]
        words = dict(zip(named[::2], self._values(named[1::2]), strict=True))
        return functools.partial(call, *self._values(state[3 : 3 + count]), **words)

    def _new_function(self, state: list[Any], _: memoryview) -> Any:  # noqa: ANN401
        name, place, cells = state[1], state[2], tuple(self._values(state[3:]))
        code = code_named(name, place)
        if len(cells) != len(code.co_freevars):
            raise CheckpointError(f"{name} holds other things")
        return types.FunctionType(code, _globals_of(name), code.co_name, None, cells)

    def _fill_object(self, thing: Any, state: list[Any], data: memoryview) -> None:  # noqa: ANN401
        if name_of(type(thing)) != self._classes.names[state[1]]:
            raise CheckpointError("an object is of another class")
        names, place = state[2::2], 0
        for name, value in zip(names, state[3::2], strict=True):
            if type(value) is list and value[0] == "array":
                _, dtype, shape, fortran, writable, size = value
                made = _array_of(dtype, shape, data[place : place + size], fortran=fortran)
                made.flags.writeable = bool(writable)
                place += size
                object.__setattr__(thing, name, made)
            else:
                object.__setattr__(thing, name, self._value(value))
        for name in {name for name, _ in attributes(thing)} - set(names):
            object.__delattr__(thing, name)

    def _fill_array(self, thing: Any, state: list[Any], data: memoryview) -> None:  # noqa: ANN401
        _, dtype, shape, fortran, _ = state
        if thing.dtype.str != dtype or list(thing.shape) != shape:
            raise CheckpointError("an array has another shape")
        if thing.flags.writeable:
            thing[...] = _array_of(dtype, shape, data, fortran=fortran)

    def _fill_list(self, thing: Any, state: list[Any], _: memoryview) -> None:  # noqa: ANN401
        thing[:] = self._values(state[1:])

    def _fill_deque(self, thing: Any, state: list[Any], _: memoryview) -> None:  # noqa: ANN401
        thing.clear()
        thing.extend(self._values(state[2:]))

    def _fill_set(self, thing: Any, state: list[Any], _: memoryview) -> None:  # noqa: ANN401
        thing.clear()
        thing.update(self._values(state[1:]))

    def _fill_dict(self, thing: Any, state: list[Any], _: memoryview) -> None:  # noqa: ANN401
        values = self._values(state[3:])
        thing.clear()
        for key, value in zip(values[::2], values[1::2], strict=True):
            thing[key] = value
        if isinstance(thing, defaultdict):
            thing.default_factory = self._value(state[2])

    def _fill_numbers(self, thing: Any, state: list[Any], _: memoryview) -> None:  # noqa: ANN401
        del thing[:]
        thing.frombytes(state[2])

    def _fill_octets(self, thing: Any, state: list[Any], _: memoryview) -> None:  # noqa: ANN401
        thing[:] = state[1]

    def _fill_cell(self, thing: Any, state: list[Any], _: memoryview) -> None:  # noqa: ANN401
        if len(state) == 1:
            del thing.cell_contents
        else:
            thing.cell_contents = self._value(state[1])


def _globals_of(name: str) -> dict[str, Any]:
    """Return what a function sees of its module."""
    return vars(importlib.import_module(name.partition(":")[0]))


def _numbers(text: str) -> np.dtype[Any]:
    dtype = np.dtype(text)
    if dtype.kind not in _NUMBERS:
        raise CheckpointError(f"no numbers: {text}")
    return dtype


def _array_of(dtype: str, shape: list[int], data: memoryview, *, fortran: bool) -> Any:  # noqa: ANN401
    flat = np.frombuffer(data, _numbers(dtype))
    return flat.reshape(shape, order="F" if fortran else "C").copy("F" if fortran else "C")


_Make = Callable[[_Overlay, list[Any]], Any]
_Whole = Callable[[_Overlay, list[Any], memoryview], Any]
_Fill = Callable[[_Overlay, Any, list[Any], memoryview], None]

_MAKE: Final[dict[int, _Make]] = {
    Kind.LIST: lambda _, __: [],
    Kind.DICT: _Overlay._new_dict,  # noqa: SLF001
    Kind.SET: lambda _, __: set(),
    Kind.DEQUE: lambda _, state: deque(maxlen=state[1]),
    Kind.NUMBERS: lambda _, state: array.array(state[1]),
    Kind.OCTETS: lambda _, __: bytearray(),
    Kind.OBJECT: _Overlay._new_object,  # noqa: SLF001
    Kind.CELL: lambda _, __: types.CellType(),
}
"""What can be made empty and filled later, so that circles close."""
_MAKE_WHOLE: Final[dict[int, _Whole]] = {
    Kind.ARRAY: _Overlay._new_array,  # noqa: SLF001
    Kind.VIEW: _Overlay._new_view,  # noqa: SLF001
    Kind.TUPLE: _Overlay._new_tuple,  # noqa: SLF001
    Kind.FROZENSET: lambda self, state, _: frozenset(self._values(state[1:])),
    Kind.PARTIAL: _Overlay._new_partial,  # noqa: SLF001
    Kind.CLOSURE: _Overlay._new_function,  # noqa: SLF001
}
_FILL: Final[dict[int, _Fill]] = {
    Kind.ARRAY: _Overlay._fill_array,  # noqa: SLF001
    Kind.LIST: _Overlay._fill_list,  # noqa: SLF001
    Kind.DEQUE: _Overlay._fill_deque,  # noqa: SLF001
    Kind.NUMBERS: _Overlay._fill_numbers,  # noqa: SLF001
    Kind.OCTETS: _Overlay._fill_octets,  # noqa: SLF001
    Kind.OBJECT: _Overlay._fill_object,  # noqa: SLF001
    Kind.CELL: _Overlay._fill_cell,  # noqa: SLF001
    Kind.SET: _Overlay._fill_set,  # noqa: SLF001
    Kind.DICT: _Overlay._fill_dict,  # noqa: SLF001
}
_ORDER: Final = (
    frozenset({Kind.ARRAY, Kind.NUMBERS, Kind.OCTETS}),
    frozenset({Kind.OBJECT, Kind.CELL}),
    frozenset({Kind.LIST, Kind.DEQUE}),
    frozenset({Kind.SET, Kind.DICT}),
)
