"""From validation errors to problems: one plain sentence each, at the right line and column."""

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from simedge.run.problems import Path, did_you_mean
from simedge.run.schema import keys_at, kinds_at

__all__ = ["Finding", "findings"]

Finding = tuple[Path, str, str]
"""Where, what kind of error, and the sentence."""

_SHOWN_MAX = 60
_SCALAR_TYPES = frozenset(
    {"literal_error", "string_type", "int_type", "float_type", "bool_type", "value_error"}
)
_SHAPE_TYPES = frozenset({"model_type", "model_attributes_type", "dict_type", "tuple_type"})
_SENTENCES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "none_required": "must be null",
    "finite_number": "must be finite",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
    "too_short": ("a list of at least", "min_length"),
    "too_long": ("a list of at most", "max_length"),
    "string_too_long": ("text of at most", "max_length"),
    "string_pattern_mismatch": ("text that matches", "pattern"),
}


def findings(error: ValidationError, *, data: object, schema: Mapping[str, Any]) -> list[Finding]:
    """Return what a validation found, one entry a path.

    Parameters
    ----------
    error
        What the model raised.
    data
        The plain data that it was given.
    schema
        The JSON Schema of the model, for the keys that are known at a path.
    """
    by_path: dict[Path, dict[str, str]] = {}
    for detail in error.errors(include_url=False):
        path = _path(detail, data)
        if _only_counts_good_items(detail):
            continue
        of_kind = detail["type"] == "union_tag_invalid"
        known = kinds_at(schema, data, path) if of_kind else keys_at(schema, data, path[:-1])
        sentence = _sentence(detail, path, known=known)
        by_path.setdefault(path, {}).setdefault(detail["type"], sentence)
    paths = list(by_path)
    return [
        (path, next(iter(kept)), " or ".join(dict.fromkeys(kept.values())))
        for path, kinds in by_path.items()
        if (kept := _apt(kinds, path, data=data, deeper=_has_deeper(path, paths)))
    ]


def _only_counts_good_items(detail: Mapping[str, Any]) -> bool:
    """Whether a list is called too short only because some of its items are wrong."""
    given = detail["input"]
    if detail["type"] != "too_short" or not isinstance(given, list | tuple):
        return False
    return bool(len(given) >= detail["ctx"]["min_length"])


def _has_deeper(path: Path, paths: Iterable[Path]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)


def _apt(kinds: dict[str, str], path: Path, *, data: object, deeper: bool) -> dict[str, str]:
    """Keep, of the complaints of a union's members, those that fit what was written."""
    value = _value(data, path)
    others = _SCALAR_TYPES if isinstance(value, dict) else _SHAPE_TYPES
    fitting = {kind: text for kind, text in kinds.items() if kind not in others}
    if fitting or (deeper and isinstance(value, dict)):
        return fitting
    return kinds


def _path(detail: Mapping[str, Any], data: object) -> Path:
    """Return the path in the data: the error's own, less the names of union members."""
    path: list[str | int] = []
    steps = detail["loc"]
    node = data
    tagged = False
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        if isinstance(node, dict) and isinstance(step, str):
            is_tag = not tagged and node.get("kind") == step
            if is_tag and not (last and detail["type"] in {"missing", "extra_forbidden"}):
                tagged = True
                continue
            if step not in node and not (last and detail["type"] == "missing"):
                continue
        elif not (isinstance(node, Sequence) and isinstance(step, int) and step < len(node)):
            continue
        path.append(step)
        node, tagged = _value(node, (step,)), False
    return tuple(path)


def _value(data: object, path: Path) -> object:
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, Sequence) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _sentence(detail: Mapping[str, Any], path: Path, *, known: frozenset[str]) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    match kind:
        case "extra_forbidden":
            text = f"unknown key{did_you_mean(path[-1], known) or _known(known)}"
        case "missing":
            text = "is missing"
        case "union_tag_not_found":
            text = f"needs the key {context['discriminator']}"
        case "union_tag_invalid":
            names = sorted(known | {*_names(context["expected_tags"])})
            text = _not_one_of(context["tag"], names, "kind")
        case "literal_error":
            text = _not_one_of(value, _names(context["expected"]), "value")
        case "value_error":
            text = str(context["error"])
        case _ if kind in _BOUNDS:
            words, key = _BOUNDS[kind]
            text = f"must be {words} {context[key]}{_got(value)}"
        case _:
            text = f"{_SENTENCES.get(kind, _lower(detail['msg']))}{_got(value)}"
    return text


def _not_one_of(value: object, names: Sequence[str], what: str) -> str:
    hint = did_you_mean(value, names) or f" (known: {', '.join(names)})"
    return f"unknown {what} {_shown(value)}{hint}"


def _names(expected: str) -> list[str]:
    """Take apart the list of choices that comes as text: ``'a', 'b' or 'c'``."""
    items = expected.replace(" or ", ", ").split(", ")
    return [str(ast.literal_eval(item)) if item[:1] in "'\"" else item for item in items]


def _known(known: frozenset[str]) -> str:
    return f" (known: {', '.join(sorted(known))})" if known else ""


def _got(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return f", got a {'mapping' if isinstance(value, dict) else 'list'}"
    return f", got {_shown(value)}"


def _shown(value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool | None) else repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
