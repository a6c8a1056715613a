"""Faults of the disk that a run writes to, as they are written in a scenario.

They hit what is kept of a run, never what is simulated: no device, link or draw knows of them, and
no record of the event log tells of them.
"""

from typing import Literal

from pydantic import Field

from simedge.core.quantities import Settings
from simedge.world.names import Name

__all__ = ["StorageFault", "StorageKind"]

StorageKind = Literal[
    "disk-full",
    "torn-write",
    "fsync-error",
    "bit-flip",
    "missing-file",
    "read-only",
    "stale-temp",
]
"""How the disk fails."""


class StorageFault(Settings):
    """The disk fails under the run directory; what is simulated stays as it is.

    `disk-full`: from then on there is no room; `torn-write`: a write gets half through;
    `fsync-error`: what was written may not last; `bit-flip`: one bit is written wrong, unnoticed;
    `missing-file`: the file at hand vanishes; `read-only`: from then on nothing can be changed;
    `stale-temp`: a temporary file is in the way.
    """

    kind: StorageKind
    """Which."""
    name: Name = "storage"
    """Keys the fault's draws; no two faults share a name."""
    storage: Literal[True] = True
    """Hits the run directory; there is nothing else that it could hit."""
    operation: int = Field(ge=1, le=1_000_000_000)
    """Number of the operation on the directory, from 1; the next one that can fail so does."""
