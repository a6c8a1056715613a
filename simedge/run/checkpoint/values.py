"""Values as MessagePack has them: what is small and unchanging stands in place, the rest is named.

In a packed state each array of MessagePack is a value that it has no word for: a tag, and what
belongs to it.
"""

import functools
import importlib
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Final

import numpy as np

from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.table import Treatment, name_of, treatment

__all__ = ["Classes", "Tag", "code_named", "function_named", "in_place", "placed"]

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
"""Functions within functions are taken from there alone: they work on arrays."""


class Tag:
    """First item of what stands for a value."""

    REF, BIG, TUPLE, ENUM, METHOD, CLASS, FUNCTION, TEXT, RANGE, SCALAR, DTYPE = range(11)


class Classes:
    """Classes by number, in the order in which they were met."""

    def __init__(self, names: list[str] | None = None) -> None:
        self.names: list[str] = names or []
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._found: dict[int, type] = {}

    def number(self, cls: type) -> int:
        """Return the number of a class."""
        name = name_of(cls)
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def named(self, number: int) -> type:
        """Return the class of a number: one of the package, or a plain container."""
        if number not in self._found:
            self._found[number] = _class(self.names[number])
        return self._found[number]


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


def function_named(name: str) -> types.FunctionType:
    """Return a function of a module of the package."""
    found = _looked_up(name)
    if not isinstance(found, types.FunctionType):
        raise CheckpointError(f"{name} is no function")
    return found


def code_named(name: str, number: int) -> types.CodeType:
    """Return the code of a function within another: the `number`-th of this qualified name."""
    outer = name.partition(".<locals>")[0]
    if not name.startswith(_CLOSED_ROOM):
        raise CheckpointError(f"{name} is within no function of a learner")
    found = list(_codes(_code_of(_looked_up(outer)), outer.partition(":")[2], name.partition(":")[2]))
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


def in_place(value: Any, refer: Callable[[Any], int], classes: Classes) -> Any:  # noqa: ANN401
    """Return what stands for a value; `refer` numbers what has a place of its own."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is int:
        return value if _LOW <= value < _HIGH else [Tag.BIG, format(value, "x")]
    if isinstance(value, tuple):
        inline = _tuple(value, classes)
        return inline if inline is not None else [Tag.REF, refer(value)]
    if isinstance(value, Enum):
        return [Tag.ENUM, classes.number(kind), value.name]
    if isinstance(value, types.MethodType):
        owner = in_place(value.__self__, refer, classes)
        return [Tag.METHOD, owner, value.__func__.__name__]
    if kind is Fraction or kind is Decimal:
        return [Tag.TEXT, kind is Decimal, str(value)]
    if kind is range:
        return [Tag.RANGE, value.start, value.stop, value.step]
    return _rarer(value, refer, classes)


def _rarer(value: Any, refer: Callable[[Any], int], classes: Classes) -> Any:  # noqa: ANN401
    if isinstance(value, np.generic) and value.dtype.kind in "biufcSU":
        return [Tag.SCALAR, value.dtype.str, value.tobytes()]
    if isinstance(value, np.dtype) and value.kind in "biufcSU":
        return [Tag.DTYPE, value.str]
    if isinstance(value, type) and (
        name_of(value) in _PLAIN_CLASSES or value.__module__.startswith("simedge.")
    ):
        return [Tag.CLASS, classes.number(value)]
    if isinstance(value, types.FunctionType) and _is_global(value):
        return [Tag.FUNCTION, f"{value.__module__}:{value.__qualname__}"]
    return [Tag.REF, refer(value)]


def _is_global(function: types.FunctionType) -> bool:
    if not function.__module__.startswith("simedge.") or "<" in function.__qualname__:
        return False
    try:
        return _looked_up(f"{function.__module__}:{function.__qualname__}") is function
    except CheckpointError:
        return False


def _tuple(value: tuple[Any, ...], classes: Classes) -> list[Any] | None:
    """Return a tuple of atoms in place; None if it holds anything else."""
    items: list[Any] = []
    for item in value:
        kind = type(item)
        if kind in _ATOMS or (kind is int and _LOW <= item < _HIGH):
            items.append(item)
        elif isinstance(item, Enum):
            items.append([Tag.ENUM, classes.number(kind), item.name])
        else:
            return None
    return [Tag.TUPLE, classes.number(type(value)), *items]


def placed(value: Any, resolve: Callable[[int], Any], classes: Classes) -> Any:  # noqa: ANN401
    """Return the value that something stands for; the inverse of `in_place`."""
    if type(value) is not list:
        return value
    return _PLACED[value[0]](value, resolve, classes)


def _as_tuple(value: list[Any], resolve: Callable[[int], Any], classes: Classes) -> Any:  # noqa: ANN401
    items = [placed(item, resolve, classes) for item in value[2:]]
    return tuple_of(classes.named(value[1]), items)


def tuple_of(cls: type, items: list[Any]) -> Any:  # noqa: ANN401
    """Return a tuple of a class."""
    if not issubclass(cls, tuple):
        raise CheckpointError(f"{cls.__qualname__} is no tuple")
    return tuple.__new__(cls, items)


def _method(value: list[Any], resolve: Callable[[int], Any], classes: Classes) -> Any:  # noqa: ANN401
    owner, name = placed(value[1], resolve, classes), value[2]
    for cls in owner.__mro__ if isinstance(owner, type) else type(owner).__mro__:
        found = vars(cls).get(name)
        if found is not None:
            if not isinstance(found, types.FunctionType | classmethod):
                break
            plain = found.__func__ if isinstance(found, classmethod) else found
            return types.MethodType(plain, owner)
    raise CheckpointError(f"{name} is no method of {type(owner).__qualname__}")


def _enum(value: list[Any], _: Callable[[int], Any], classes: Classes) -> Any:  # noqa: ANN401
    cls = classes.named(value[1])
    if not issubclass(cls, Enum):
        raise CheckpointError(f"{cls.__qualname__} is no enumeration")
    return cls[value[2]]


_Placer = Callable[[list[Any], Callable[[int], Any], Classes], Any]
_PLACED: Final[dict[int, _Placer]] = {
    Tag.REF: lambda value, resolve, _: resolve(value[1]),
    Tag.BIG: lambda value, _, __: int(value[1], 16),
    Tag.TUPLE: _as_tuple,
    Tag.ENUM: _enum,
    Tag.METHOD: _method,
    Tag.CLASS: lambda value, _, classes: classes.named(value[1]),
    Tag.FUNCTION: lambda value, _, __: function_named(value[1]),
    Tag.TEXT: lambda value, _, __: (Decimal if value[1] else Fraction)(value[2]),
    Tag.RANGE: lambda value, _, __: range(*value[1:4]),
    Tag.SCALAR: lambda value, _, __: np.frombuffer(value[2], _dtype(value[1]))[0],
    Tag.DTYPE: lambda value, _, __: _dtype(value[1]),
}


def _dtype(text: str) -> np.dtype[Any]:
    found = np.dtype(text)
    if found.kind not in "biufcSU":
        raise CheckpointError(f"no numbers: {text}")
    return found
