"""Paths in a scenario: those that a file names are looked for beside it, all others from here.

They are made absolute, so that a resolved scenario gives the same run from anywhere.
"""

from pathlib import Path
from typing import Any

__all__ = ["anchored"]

_KEYS = ("root", "file")


def anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a scenario's plain data with the paths of its sensors made absolute."""
    sensors = data.get("sensors")
    if not isinstance(sensors, dict):
        return data
    named = {key: sensors[key] for key in _KEYS if _is_relative(sensors.get(key))}
    if not named:
        return data
    whole = {key: str(folder.absolute() / path) for key, path in named.items()}
    return {**data, "sensors": {**sensors, **whole}}


def _is_relative(value: object) -> bool:
    return isinstance(value, str) and value != "" and not Path(value).is_absolute()
