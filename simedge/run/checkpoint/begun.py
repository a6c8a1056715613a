"""What a run that stopped was begun with, and whether that is what is there now.

The digest of a build knows objects, not what is in files: an edited scenario or other recordings
may well build the same. So every manifest of a checkpoint has the SHA-256 of ``scenario.yaml`` and
of the recordings, and ``provenance.json`` of an interrupted run has both too.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.store import manifests
from simedge.run.parts import unsealed

__all__ = ["begun_with", "check_begun", "recordings_of"]

SCENARIO: Final = "scenario.yaml"


def begun_with(scenario_sha256: str, origin: Mapping[str, object]) -> dict[str, str]:
    """Return what is to be written down: digests of the scenario and of what sensors read."""
    return {"scenario": scenario_sha256, "recordings": recordings_of(origin)}


def recordings_of(origin: Mapping[str, object]) -> str:
    """Return the SHA-256 of the recordings that sensors read; nothing if they read none."""
    return str(origin.get("files_sha256", ""))


def check_begun(path: Path) -> str | None:
    """Return the SHA-256 of the recordings that a run was begun with; None if nobody wrote it.

    Raises
    ------
    CheckpointError
        If its scenario is another now.
    """
    now = sha256((path / SCENARIO).read_bytes()).hexdigest()
    recordings = None
    for then in _told(path):
        if then.get("scenario", now) != now:
            raise CheckpointError(
                f"{path / SCENARIO} is not what the run was begun with: put it back as it was, or "
                f"run the edited one by itself: simedge run {path / SCENARIO} -o DIR"
            )
        recordings = then.get("recordings", recordings)
    return recordings


def _told(path: Path) -> Iterator[Mapping[str, str]]:
    """Yield what was written down, the newest last."""
    try:
        said: dict[str, Any] = unsealed((path / "provenance.json").read_bytes())
        listed = said["parts"][SCENARIO]["sha256"]
        yield begun_with(str(listed), said.get("sensors") or {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # a run that was killed has none; what is damaged says nothing
    whole, _ = manifests(path)
    for manifest in reversed(whole):
        yield manifest.get("begun_with") or {}
