"""Where a run came from: versions, commit, machine, seed, start and end.

Together with ``wall_s`` of the summary this is the only place where two equal runs may differ.
"""

import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import simedge
from simedge.core.tables import TABLE_SHA256
from simedge.run.checkpoint.made_by import code_digest
from simedge.world.jitter_settings import JitterSettings
from simedge.world.jitter_tables import table_digest
from simedge.world.traces.door import Opened

__all__ = ["commit", "processor_features", "provenance", "versions"]

_PACKAGES = (
    "simpy",
    "numpy",
    "numba",
    "llvmlite",
    "networkx",
    "msgpack",
    "pydantic",
    "ruamel.yaml",
    "typer",
    "rich",
    "torch",
)
_CPU_INFO = Path("/proc/cpuinfo")
_NOTABLE = re.compile(r"sse4_2|avx2?|avx512[a-z]+|fma|f16c|neon|asimd|sve2?")
_SHA1 = re.compile(r"[0-9a-f]{40}")


def provenance(  # noqa: PLR0913 -- all by name
    *,
    seed: int,
    started_s: float,
    ended_s: float,
    traces: Iterable[Opened] = (),
    jitters: Iterable[JitterSettings] = (),
    sensors: Mapping[str, object] | None = None,
    own: Sequence[Mapping[str, str]] = (),
) -> dict[str, object]:
    """Return the content of ``provenance.json``.

    Parameters
    ----------
    started_s, ended_s
        Seconds since 1970.
    traces
        Recorded networks that links followed.
    jitters
        Of all links; their laws may be tables of their own.
    sensors
        What is to be known of recordings that devices saw, if there are any.
    own
        Files of the user's own that were executed, each with its kind and SHA-256.
    """
    told: dict[str, object] = {"sensors": dict(sensors)} if sensors else {}
    told |= {"own": list(own)} if own else {}
    return {
        "schema": 1,
        "versions": versions(),
        "code": code_digest(),
        "commit": commit(Path(simedge.__file__).parent.parent),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor_features": processor_features(_CPU_INFO),
        "tables": {**TABLE_SHA256, **dict(sorted(filter(None, map(table_digest, jitters))))},
        "traces": [asdict(trace) for trace in traces],
        **told,
        "seed": seed,
        "started": _utc(started_s),
        "ended": _utc(ended_s),
        "total_wall_s": ended_s - started_s,
    }


def versions() -> dict[str, str | None]:
    """Return the versions of Python, of this package and of what it stands on; None if absent."""
    found: dict[str, str | None] = {
        "python": sys.version.split()[0],
        "simedge": simedge.__version__,
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def commit(root: Path) -> str | None:
    """Return the commit of a source tree, if it is one; reads two small files, starts nothing."""
    try:
        git = root / ".git"
        if git.is_file():  # a worktree: a pointer to its own directory
            git = root / git.read_text().removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text().strip()
        if head.startswith("ref:"):
            head = _reference(git, head.removeprefix("ref:").strip())
    except OSError:
        return None
    return head if _SHA1.fullmatch(head) else None


def _reference(git: Path, name: str) -> str:
    common = git / "commondir"
    roots = [git, git / common.read_text().strip()] if common.exists() else [git]
    for root in roots:
        if (root / name).exists():
            return (root / name).read_text().strip()
        packed = root / "packed-refs"
        lines = packed.read_text().splitlines() if packed.exists() else []
        for line in lines:
            if line.endswith(f" {name}"):
                return line.split()[0]
    return ""


def processor_features(cpu_info: Path) -> list[str]:
    """Return the vector features that the system reports, where it does."""
    try:
        text = cpu_info.read_text(errors="replace")
    except OSError:
        return []
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return sorted(filter(_NOTABLE.fullmatch, line[1].split())) if line else []


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
