"""Where the trace files of a scenario lie.

A path in a scenario leads into the folder that the scenario lies in, or nowhere. One that comes
from outside the file (``--set``, Python) is taken from where the user stands. What was found is
written down as a whole path. One that has its SHA-256 beside it, as a run writes it, may lead
anywhere, since whoever wrote it knew what is there; where it leads nowhere, a file of its name
beside the scenario does.
"""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from simedge.run.problems import Path, did_you_mean
from simedge.world.traces.source import bundled

__all__ = ["LostFileError", "find_trace", "trace_files"]

_FILES = (("file", "sha256"), ("down", "down_sha256"))


class LostFileError(ValueError):
    """A path that leads nowhere, or where it must not."""


def trace_files(data: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Yield the path of each trace file, its block and the key of its digest, of unchecked data."""
    links = data.get("links")
    if not isinstance(links, dict):
        return
    several = links.get("overrides")
    above: list[tuple[Path, object]] = [(("links", "default"), links.get("default"))]
    if isinstance(several, list | tuple):
        above += [(("links", "overrides", i), item) for i, item in enumerate(several)]
    for path, item in above:
        block = item.get("trace") if isinstance(item, dict) else None
        for file, sha256 in _FILES:
            if isinstance(block, dict) and isinstance(block.get(file), str) and block[file]:
                yield (*path, "trace", file), block, sha256


def find_trace(name: str, folder: FilePath | None, *, known: bool) -> str:
    """Return the whole path of a trace file; a bundled name stays as it is.

    Parameters
    ----------
    folder
        Of the scenario that names it; None: anywhere, from the working directory.
    known
        Whether its digest is.

    Raises
    ------
    LostFileError
        If it leads nowhere, or out of the folder.
    """
    if name in bundled():
        return name
    base = folder or FilePath.cwd()
    try:
        path = (base / name).resolve()
        inside = folder is None or path.is_relative_to(base.resolve())
        if known and not path.is_file() and (base / path.name).is_file():
            path = (base / path.name).resolve()
        there = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a loop, a name that cannot be
        raise LostFileError(f"{name[:80]}: {error}") from None
    if not inside and not known:
        raise LostFileError(
            f"{name} leads out of the scenario's own folder; put the trace there or name it "
            "from outside: --set"
        )
    if not there:
        hint = did_you_mean(name, bundled()) or f" (bundled: {', '.join(bundled())})"
        raise LostFileError(f"no such trace: {path}{hint}")
    return str(path)
