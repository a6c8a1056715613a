"""One chart of a report, ready to be drawn."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Picture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One chart: a name for its file, what it shows, its Vega-Lite."""

    name: str
    title: str
    about: str
    spec: dict[str, Any]
