"""Values as MessagePack has them: what is small and unchanging stands in place, the rest is named.

In a packed state each array of MessagePack is a value that it has no word for: a tag, and what
belongs to it.
"""

import importlib
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Final

import numpy as np

from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.table import Treatment, name_of, treatment

__all__ = ["Classes", "Tag", "code_named", "function_named", "in_place", "may_call", "placed"]

_ATOMS: Final = frozenset({type(None), bool, float, str, bytes})
_LOW, _HIGH = -(2**63), 2**64
_PLAIN_CLASSES: Final[dict[str, type]] = {
    name_of(cls): cls
    for cls in (
        bool, int, float, str, bytes, tuple, list, dict, set, frozenset,
        Counter, OrderedDict, defaultdict, deque,
    )
}  # fmt: skip
_CLOSED_ROOM: Final = "simedge.learning."
_COMPUTING: Final = ("simedge.learning.", "simedge.neurons.")
"""Functions within functions are taken from there alone: they work on arrays."""


_NUMBERS: Final = "biufcSU"


class Tag:
    """First item of what stands for a value."""

    REF, BIG, TUPLE, ENUM, METHOD, CLASS, FUNCTION, TEXT, RANGE, SLICE, SCALAR, DTYPE = range(12)


Refer = Callable[[Any], int]
Call = tuple[int, str]
"""Number of an object, and one of its methods; -1, and a function."""
Resolve = Callable[[int], Any]


class Classes:
    """Classes by number, in the order in which they were met."""

    def __init__(self, names: list[str] | None = None) -> None:
        self.names: list[str] = names or []
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._known: dict[type, int] = {}
        self._found: dict[int, type] = {}
        self.calls: set[Call] = set()
        """Methods of objects by number, and functions (-1), that were met: no others of what is
        rebuilt can be called by what a checkpoint holds."""

    def number(self, cls: type) -> int:
        """Return the number of a class."""
        number = self._known.get(cls)
        if number is None:
            name = name_of(cls)
            if name not in self._numbers:
                self._numbers[name] = len(self.names)
                self.names.append(name)
            number = self._known[cls] = self._numbers[name]
        return number

    def named(self, number: int) -> type:
        """Return the class of a number: one of the package, or a plain container."""
        if number not in self._found:
            self._found[number] = _class(self.names[number])
        return self._found[number]


_Way = Callable[[Any, Refer, Classes], Any]


def _class(name: str) -> type:
    if name in _PLAIN_CLASSES:
        return _PLAIN_CLASSES[name]
    found = _looked_up(name)
    data = isinstance(found, type) and issubclass(found, tuple | Enum)
    if not isinstance(found, type) or not (data or treatment(found) is Treatment.SAVED):
        raise CheckpointError(f"{name} is no class of which a checkpoint has instances")
    return found


def _looked_up(name: str) -> object:
    module, _, path = name.partition(":")
    if not module.startswith("simedge."):
        raise CheckpointError(f"{name} is not of this package")
    try:
        found: object = importlib.import_module(module)
        for part in path.split("."):
            found = vars(found)[part]
    except (ImportError, KeyError, TypeError) as error:
        raise CheckpointError(f"{name} is not there") from error
    return found


def function_named(name: str) -> Any:  # noqa: ANN401 -- compiled ones are objects
    """Return a function of a module of the package."""
    found = _looked_up(name)
    if not isinstance(getattr(found, "py_func", found), types.FunctionType):
        raise CheckpointError(f"{name} is no function")
    return found


def code_named(name: str, number: int) -> types.CodeType:
    """Return the code of a function within another: the `number`-th of this qualified name."""
    outer = name.partition(".<locals>")[0]
    if not name.startswith(_CLOSED_ROOM):
        raise CheckpointError(f"{name} is within no function of a learner")
    found = list(
        _codes(_code_of(_looked_up(outer)), outer.partition(":")[2], name.partition(":")[2])
    )
    if not 0 <= number < len(found):
        raise CheckpointError(f"{name} is not there")
    return found[number]


def _code_of(found: object) -> types.CodeType:
    while not isinstance(found, types.FunctionType):
        inner = getattr(found, "fget", None) or getattr(found, "__func__", None)
        if inner is None:
            raise CheckpointError(f"{found!r} holds no function")
        found = inner
    while isinstance(inner := getattr(found, "__wrapped__", None), types.FunctionType):
        found = inner
    return found.__code__


def _codes(code: types.CodeType, at: str, wanted: str) -> Iterator[types.CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            name = f"{at}.<locals>.{inner.co_name}"
            if name == wanted:
                yield inner
            elif wanted.startswith(f"{name}."):
                yield from _codes(inner, name, wanted)


def in_place(value: Any, refer: Refer, classes: Classes) -> Any:  # noqa: ANN401
    """Return what stands for a value; `refer` numbers what has a place of its own."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is int and _LOW <= value < _HIGH:
        return value
    return _way(kind)(value, refer, classes)


def _way(kind: type) -> _Way:
    """Return how values of a class are written."""
    found = _WAYS.get(kind)
    if found is None:
        found = _WAYS[kind] = _new_way(kind)
    return found


def _new_way(kind: type) -> _Way:
    if issubclass(kind, tuple):
        return _tuple
    if issubclass(kind, Enum):
        return lambda value, _, classes: [Tag.ENUM, classes.number(kind), value.name]
    if issubclass(kind, np.generic) and np.dtype(kind).kind in _NUMBERS:
        return lambda value, _, __: [Tag.SCALAR, value.dtype.str, value.tobytes()]
    if issubclass(kind, np.dtype):
        return lambda value, _, __: [Tag.DTYPE, value.str]
    if kind.__module__.startswith("numba.") and hasattr(kind, "inspect_llvm"):
        return _function
    return _class_or_thing if issubclass(kind, type) else _thing


def _thing(value: Any, refer: Refer, _: Classes) -> list[Any]:  # noqa: ANN401
    return [Tag.REF, refer(value)]


def _method_of(value: Any, refer: Refer, classes: Classes) -> list[Any]:  # noqa: ANN401
    owner, name = in_place(value.__self__, refer, classes), value.__func__.__name__
    if owner[0] == Tag.REF:
        classes.calls.add((owner[1], name))
    return [Tag.METHOD, owner, name]


def _class_or_thing(value: Any, refer: Refer, classes: Classes) -> list[Any]:  # noqa: ANN401
    known = name_of(value) in _PLAIN_CLASSES or value.__module__.startswith("simedge.")
    return [Tag.CLASS, classes.number(value)] if known else _thing(value, refer, classes)


def _function(value: Any, refer: Refer, classes: Classes) -> list[Any]:  # noqa: ANN401
    name = _global_name(value)
    if name is not None:
        classes.calls.add((-1, name))
        return [Tag.FUNCTION, name]
    return _thing(value, refer, classes)


def _tuple(value: Any, refer: Refer, classes: Classes) -> list[Any]:  # noqa: ANN401
    """Write a tuple of atoms in place; one that holds more is an object of its own."""
    for item in value:
        kind = type(item)
        if kind not in _ATOMS and not (kind is int and _LOW <= item < _HIGH):
            break
    else:
        return [Tag.TUPLE, classes.number(type(value)), *value]
    if all(type(item) in _ATOMS or isinstance(item, int | Enum) for item in value):
        items = [in_place(item, refer, classes) for item in value]
        return [Tag.TUPLE, classes.number(type(value)), *items]
    return _thing(value, refer, classes)


_WAYS: Final[dict[type, _Way]] = {
    int: lambda value, _, __: [Tag.BIG, format(value, "x")],
    types.MethodType: _method_of,
    types.FunctionType: _function,
    Fraction: lambda value, _, __: [Tag.TEXT, False, str(value)],
    Decimal: lambda value, _, __: [Tag.TEXT, True, str(value)],
    range: lambda value, _, __: [Tag.RANGE, value.start, value.stop, value.step],
    slice: lambda value, _, __: [Tag.SLICE, value.start, value.stop, value.step],
}


def _global_name(function: Any) -> str | None:  # noqa: ANN401
    """Return the name of a function of a module of the package, compiled or not."""
    plain = getattr(function, "py_func", function)
    name = f"{plain.__module__}:{plain.__qualname__}"
    if not name.startswith("simedge.") or "<" in name:
        return None
    try:
        return name if _looked_up(name) is function else None
    except CheckpointError:
        return None


def may_call(call: Call, of: type | None, met: AbstractSet[Call]) -> bool:
    """Return whether a state may hold a method of an object of this class, or a function."""
    if call in met:
        return True
    return call[1].startswith(_COMPUTING) if of is None else treatment(of) is not Treatment.OPAQUE


def placed(value: Any, resolve: Resolve, classes: Classes) -> Any:  # noqa: ANN401
    """Return the value that something stands for; the inverse of `in_place`."""
    if type(value) is not list:
        return value
    return _PLACED[value[0]](value, resolve, classes)


def _as_tuple(value: list[Any], resolve: Resolve, classes: Classes) -> Any:  # noqa: ANN401
    items = [placed(item, resolve, classes) for item in value[2:]]
    return tuple_of(classes.named(value[1]), items)


def tuple_of(cls: type, items: list[Any]) -> Any:  # noqa: ANN401
    """Return a tuple of a class."""
    if not issubclass(cls, tuple):
        raise CheckpointError(f"{cls.__qualname__} is no tuple")
    return tuple.__new__(cls, items)


def _method(value: list[Any], resolve: Resolve, classes: Classes) -> Any:  # noqa: ANN401
    owner, name = placed(value[1], resolve, classes), value[2]
    of = owner if isinstance(owner, type) else type(owner)
    if value[1][0] == Tag.REF and not may_call((value[1][1], name), of, classes.calls):
        raise CheckpointError(f"{name} of {of.__qualname__} is called by nobody")
    for cls in of.__mro__:
        found = vars(cls).get(name)
        if found is not None:
            if not isinstance(found, types.FunctionType | classmethod):
                break
            plain = found.__func__ if isinstance(found, classmethod) else found
            return types.MethodType(plain, owner)
    raise CheckpointError(f"{name} is no method of {type(owner).__qualname__}")


def _enum(value: list[Any], _: Resolve, classes: Classes) -> Any:  # noqa: ANN401
    cls = classes.named(value[1])
    if not issubclass(cls, Enum):
        raise CheckpointError(f"{cls.__qualname__} is no enumeration")
    return cls[value[2]]


def _as_function(value: list[Any], _: Resolve, classes: Classes) -> Any:  # noqa: ANN401
    if not may_call((-1, value[1]), None, classes.calls):
        raise CheckpointError(f"{value[1]} is called by nobody")
    return function_named(value[1])


_Placer = Callable[[list[Any], Resolve, Classes], Any]
_PLACED: Final[dict[int, _Placer]] = {
    Tag.REF: lambda value, resolve, _: resolve(value[1]),
    Tag.BIG: lambda value, _, __: int(value[1], 16),
    Tag.TUPLE: _as_tuple,
    Tag.ENUM: _enum,
    Tag.METHOD: _method,
    Tag.CLASS: lambda value, _, classes: classes.named(value[1]),
    Tag.FUNCTION: _as_function,
    Tag.TEXT: lambda value, _, __: (Decimal if value[1] else Fraction)(value[2]),
    Tag.RANGE: lambda value, _, __: range(*value[1:4]),
    Tag.SLICE: lambda value, _, __: slice(*value[1:4]),
    Tag.SCALAR: lambda value, _, __: np.frombuffer(value[2], _dtype(value[1]))[0],
    Tag.DTYPE: lambda value, _, __: _dtype(value[1]),
}


def _dtype(text: str) -> np.dtype[Any]:
    found = np.dtype(text)
    if found.kind not in _NUMBERS:
        raise CheckpointError(f"no numbers: {text}")
    return found
