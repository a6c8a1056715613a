"""What a run directory says of itself, and whether it still holds what was written.

``status.json`` and ``provenance.json`` are sealed: their last key is a checksum of the others. The
latter lists the other parts with size and SHA-256, and has the length of the event log, which
checks itself, record by record.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

__all__ = [
    "LOG",
    "LOG_BYTES",
    "RASTER",
    "SealError",
    "damaged_parts",
    "json_text",
    "listing",
    "log_damage",
    "sealed",
    "unsealed",
]

LOG = "events.msgpack"
LOG_BYTES = "log_bytes"
RASTER = "raster.msgpack"
_SEAL = "crc32"
_PARTS = "parts"


class SealError(ValueError):
    """What was sealed has changed."""


def json_text(data: Mapping[str, object]) -> str:
    """Return JSON as it stands in a run directory; numbers that are not finite are refused."""
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def listing(data: bytes) -> dict[str, object]:
    """Return how a part is listed."""
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}


def sealed(data: Mapping[str, object]) -> str:
    """Return JSON with its own checksum as the last key."""
    return json_text({**data, _SEAL: _checksum(data)})


def unsealed(raw: bytes) -> dict[str, Any]:
    """Return what was sealed; what never was is taken as it is.

    Raises
    ------
    SealError
        If it changed since.
    ValueError
        If it is no JSON.
    """
    data = json.loads(raw)
    if not isinstance(data, dict):
        raise ValueError("no mapping")  # noqa: TRY004 -- of what a file holds, not of an argument
    seal = data.pop(_SEAL, None)
    if seal != _checksum(data) and (seal is not None or _PARTS in data):
        raise SealError("is not what was written: its checksum is another")
    return data


def damaged_parts(path: Path, *, events: bool) -> tuple[str, ...]:
    """Return what is missing or has changed in the directory of a run that ended.

    Parameters
    ----------
    events
        Whether there was an event log; what is in it is its reader's to check.
    """
    provenance = path / "provenance.json"
    gone = [f"{LOG} is missing"] if events and not (path / LOG).is_file() else []
    try:
        told = unsealed(provenance.read_bytes())
    except (OSError, ValueError) as error:
        return (f"provenance.json {_why(error)}", *gone)
    parts = told.get(_PARTS)
    listed = parts.items() if isinstance(parts, dict) else ()
    found = [_finding(path / Path(name).name, said) for name, said in listed]
    return (*filter(None, found), *gone)


def log_damage(path: Path) -> str | None:
    """Return what can be seen to be wrong with an event log that a run wrote, without reading it.

    Runs that did not write its length down are taken at their word.
    """
    try:
        size = (path / LOG).stat().st_size
        said = unsealed((path / "provenance.json").read_bytes()).get(LOG_BYTES, size)
    except (OSError, ValueError) as error:
        return f"{LOG} {_why(error)}"
    return None if said == size else f"{LOG} has {size:,} bytes, {said:,} were written"


def _finding(part: Path, said: Mapping[str, object]) -> str | None:
    try:
        raw = part.read_bytes()
    except OSError as error:
        return f"{part.name} {_why(error)}"
    return None if listing(raw) == said else f"{part.name} is not what was written"


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else "is damaged"


def _checksum(data: Mapping[str, object]) -> str:
    return f"{crc32(json_text(data).encode()):08x}"
