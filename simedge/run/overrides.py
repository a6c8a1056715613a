"""Changes to a scenario's plain data: ``links.default.loss.mean``, ``devices[cam].memory``.

List items are named by their id (or name), else by their position from 0.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from simedge.core.errors import SimedgeError
from simedge.core.units import format_share
from simedge.run.problems import Path, did_you_mean
from simedge.run.yaml_reader import parse

__all__ = ["Override", "OverrideError", "apply", "drop", "from_text", "put"]

_STEP = re.compile(r"\.?([A-Za-z_][\w-]*)|\[([^\[\]]+)\]")
_PLAIN = (str, int, float, bool)


class OverrideError(SimedgeError):
    """A change that names nothing, or whose value is no plain data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One change.

    Parameters
    ----------
    path
        Where, as people write it.
    value
        Plain data: what YAML could have said there.
    label
        Where it comes from, for error messages.
    """

    path: str
    value: object
    label: str


def from_text(text: str) -> Override:
    """Read ``path=value``; the value is YAML, nothing after ``=`` is null.

    >>> from_text("devices[cam].memory=1 GiB").value
    '1 GiB'
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise OverrideError(f"--set needs path=value, got {text[:80]!r}")
    label = f"--set {path.strip()}"
    read = parse(value, source=label, empty_ok=True)
    if read.problems:
        raise OverrideError(read.problems[0].line())
    return Override(path=path.strip(), value=read.data, label=label)


def apply(data: object, override: Override) -> tuple[dict[str, Any], Path]:
    """Return changed data, and the path below which everything is new; the data itself stays.

    Raises
    ------
    OverrideError
        If the path leads nowhere or the value is no plain data.
    """
    changed = copy.deepcopy(data) if isinstance(data, dict) else {}
    steps = _steps(override)
    node: Any = changed
    path: list[str | int] = []
    fresh: Path | None = None
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        key = _key(node, step, override)
        path.append(key)
        if following is None:
            node[key] = _plain(override.value, override)
        elif isinstance(node, dict):
            if node.get(key) is None:
                node[key] = {}
                fresh = fresh or tuple(path)
            node = node[key]
        else:
            node = node[key]
    return changed, fresh or tuple(path)


def drop(data: dict[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """Return the data without the keys at some paths."""
    changed = copy.deepcopy(data)
    for path in paths:
        node: Any = changed
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]
    return changed


def put(data: dict[str, Any], path: Path, value: object) -> dict[str, Any]:
    """Return the data with another value at a path of keys; the data itself stays.

    >>> put({"a": {"b": 1}, "c": 2}, ("a", "b"), 3)
    {'a': {'b': 3}, 'c': 2}
    """
    key, *below = path
    inner = put(data[str(key)], tuple(below), value) if below else value
    return {**data, str(key): inner}


def _steps(override: Override) -> list[tuple[str, bool]]:
    """Split a path into (text, whether it stood in brackets)."""
    steps: list[tuple[str, bool]] = []
    position = 0
    while position < len(override.path):
        match = _STEP.match(override.path, position)
        leading_dot = override.path[position] == "."
        if match is None or leading_dot is (position == 0 or match[1] is None):
            raise OverrideError(f"{override.label}: not a path: {override.path[:80]!r}")
        steps.append((match[1] or match[2], match[1] is None))
        position = match.end()
    if not steps or steps[0][1]:
        raise OverrideError(f"{override.label}: not a path: {override.path[:80]!r}")
    return steps


def _key(node: object, step: tuple[str, bool], override: Override) -> str | int:
    name, bracketed = step
    if not bracketed:
        if not isinstance(node, dict):
            hint = "; name an item as in devices[cam]" if isinstance(node, list | tuple) else ""
            raise OverrideError(f"{override.label}: nothing has a key {name!r} there{hint}")
        return name
    if not isinstance(node, list):
        raise OverrideError(f"{override.label}: there is no list to look for [{name}] in")
    labels = [item.get("id", item.get("name")) if isinstance(item, dict) else None for item in node]
    if name in labels:
        return labels.index(name)
    if name.isdecimal() and int(name[:9]) < len(node):
        return int(name)
    known = [str(label) for label in labels if label is not None]
    hint = did_you_mean(name, known) or f" (there are {len(node)} items)"
    raise OverrideError(f"{override.label}: no item [{name}]{hint}")


def _plain(value: object, override: Override) -> object:
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Fraction):
        return format_share(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, override) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, override) for item in value]
    raise OverrideError(f"{override.label}: {type(value).__name__} is no plain data: {value!r}")
