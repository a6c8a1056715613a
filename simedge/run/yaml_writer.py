"""Plain data as YAML that people can read and that reads back equal."""

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

__all__ = ["dump"]

_BARE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_ ./%+-]*[A-Za-z0-9_./%+-])?")
_WIDTH = 10_000


class _Representer(SafeRepresenter):
    """Quotes every text that is not plainly a word: what may stand bare differs by context."""


def _text(representer: _Representer, text: str) -> Any:  # noqa: ANN401 -- a node, which ruamel does not type
    style = None if _BARE.fullmatch(text) else '"'
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _text)


def dump(data: object) -> str:
    """Write plain data, keys in their order, innermost collections on one line."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None  # innermost collections on one line
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = _WIDTH
    yaml.representer.ignore_aliases = lambda *_: True
    out = StringIO()
    yaml.dump(data, out)
    return out.getvalue()
