"""Names as they are written: of device groups, and of everything that keys a random stream."""

from typing import Annotated

from pydantic import Field

__all__ = ["DeviceId", "Name"]

DeviceId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")]
"""Name of a group of devices: at most 24 characters, no dot."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""Name of anything that keys draws."""
