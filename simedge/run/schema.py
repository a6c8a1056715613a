"""The JSON Schema of a scenario: for editors, and for telling which keys are known where."""

import ast
import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from typing_extensions import override

from simedge.run.problems import Path
from simedge.run.settings import ScenarioSettings

__all__ = ["keys_at", "kinds_at", "scenario_schema", "schema_text"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def scenario_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a scenario file."""
    schema = ScenarioSettings.model_json_schema(
        by_alias=True, mode="validation", schema_generator=_Described
    )
    return {"$schema": _DIALECT, **schema, "title": "simedge scenario"}


class _Described(GenerateJsonSchema):
    """Takes the description of a field from the docstring below it."""

    @override
    def model_schema(self, schema: Any) -> JsonSchemaValue:
        made, model = super().model_schema(schema), schema["cls"]
        for name, text in _field_docs(model).items():
            key = model.model_fields[name].validation_alias or name
            made["properties"][key]["description"] = text
        return made


def _field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings below the fields of a model, those inherited as well."""
    docs: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            docs |= _own_docs(each)
    return docs


def _own_docs(model: type[BaseModel]) -> dict[str, str]:
    (body,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def schema_text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(scenario_schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def keys_at(schema: Mapping[str, Any], data: object, path: Path) -> frozenset[str]:
    """Return the keys that a schema knows for the mapping at a path of some data."""
    nodes = _members(schema, schema, data)
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
            below = [n["properties"][step] for n in nodes if step in n.get("properties", {})]
        else:
            data = data[step] if isinstance(data, list | tuple) and isinstance(step, int) else None
            below = [n["items"] for n in nodes if "items" in n]
        nodes = [member for node in below for member in _members(schema, node, data)]
    return frozenset(key for node in nodes for key in node.get("properties", {}))


def _members(
    schema: Mapping[str, Any], node: Mapping[str, Any], data: object
) -> list[Mapping[str, Any]]:
    """Return the plain schemas that a node stands for: references and unions resolved."""
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[-1]
        return _members(schema, schema["$defs"][name], data)
    mapping = node.get("discriminator", {}).get("mapping", {})
    if mapping:
        kind = data.get("kind") if isinstance(data, dict) else None
        refs = [mapping[kind]] if isinstance(kind, str) and kind in mapping else mapping.values()
        below = [{"$ref": ref} if isinstance(ref, str) else ref for ref in refs]
        return [member for each in below for member in _members(schema, each, data)]
    choices = [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]
    apt = [choice for choice in choices if _may_be(schema, choice, data)] or choices
    members = [member for choice in apt for member in _members(schema, choice, data)]
    return [node, *members] if "properties" in node or "items" in node else members or [node]


def _below(data: Any, step: str | int) -> object:  # noqa: ANN401 -- whatever was written
    try:
        return data[step]
    except (TypeError, LookupError):
        return None


def _may_be(schema: Mapping[str, Any], node: Mapping[str, Any], data: object) -> bool:
    """Return whether the kinds in some data, one step down too, are those that a choice has."""
    if not isinstance(data, dict):
        return True
    name = str(node.get("$ref", "")).rsplit("/", 1)[-1]
    held = schema["$defs"].get(name, node).get("properties", {})
    parts = [part for part in held if isinstance(data.get(part), dict) and "kind" in data[part]]
    below = [(data[part], _members(schema, held[part], None)) for part in parts]
    return _has_kind(held, data) and all(
        any(_has_kind(member.get("properties", {}), inner) for member in members)
        for inner, members in below
    )


def _has_kind(properties: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Return whether the kind of some data is one that these properties allow."""
    asked, given = properties.get("kind", {}), data.get("kind")
    if "pattern" in asked:
        return isinstance(given, str) and re.search(asked["pattern"], given) is not None
    known = asked.get("enum", [asked["const"]] if "const" in asked else None)
    return known is None or "kind" not in data or given in known


def kinds_at(schema: Mapping[str, Any], data: object, path: Path) -> frozenset[str]:
    """Return the kinds that a schema knows for the mapping at a path of some data."""
    nodes = _members(schema, schema, data)
    for index, step in enumerate(path):
        data = _below(data, step)
        alone = None  # at the end any kind, on the way the kind that is given, and all under it
        if isinstance(data, dict) and "kind" in data and index < len(path) - 1:
            alone = {"kind": data["kind"]}
        parts = [
            part for n in nodes for part in (n.get("properties", {}).get(step), n.get("items"))
        ]
        below = [part for part in parts if part is not None]
        nodes = [member for node in below for member in _members(schema, node, alone)]
    kinds = [node.get("properties", {}).get("kind", {}) for node in nodes]
    return frozenset(
        str(one) for kind in kinds for one in kind.get("enum", [kind.get("const")]) if one
    )
