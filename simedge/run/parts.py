"""What a run directory says of itself, and whether it still holds what was written.

``status.json`` and ``provenance.json`` are sealed: their last key is a checksum of the others. The
latter lists the other parts with size and SHA-256, and has length and SHA-256 of the file of the
event log, which also checks itself, record by record, at twenty times the price.
"""

import json
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any
from zlib import crc32

__all__ = [
    "LOG",
    "RASTER",
    "SealError",
    "damaged_parts",
    "json_text",
    "listing",
    "log_damage",
    "log_listing",
    "sealed",
    "unsealed",
]

LOG = "events.msgpack"
_LOG_BYTES = "log_bytes"
_LOG_SHA256 = "log_file_sha256"
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


def log_listing(path: Path) -> dict[str, object]:
    """Return what is written down of the event log of a directory; nothing if it has none."""
    log = path / LOG
    if not log.is_file():
        return {}
    return {_LOG_BYTES: log.stat().st_size, _LOG_SHA256: _file_sha256(log)}


def log_damage(path: Path, *, read: bool = False) -> str | None:
    """Return what is wrong with an event log that a run wrote.

    Runs that did not write down its length or digest are taken at their word.

    Parameters
    ----------
    read
        Whether to read it, at a second or so for each GB; else its length alone is looked at.
    """
    try:
        said = unsealed((path / "provenance.json").read_bytes())
        size = (path / LOG).stat().st_size
        if said.get(_LOG_BYTES, size) != size:
            return f"{LOG} has {size:,} bytes, {said[_LOG_BYTES]:,} were written"
        if read and _LOG_SHA256 in said and _file_sha256(path / LOG) != said[_LOG_SHA256]:
            return f"{LOG} is not what was written"
    except (OSError, ValueError) as error:
        return f"{LOG} {_why(error)}"
    return None


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


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
