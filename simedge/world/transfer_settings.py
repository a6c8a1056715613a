"""Transfers as they are written: when one is given up, and how fast one may be."""

from typing import Literal

from pydantic import Field

from simedge.core.quantities import Duration, Settings

__all__ = ["TransferSettings"]


class TransferSettings(Settings):
    """What holds for every reliable send."""

    reliable_timeout: Duration = Field(default=60_000_000_000, gt=0)
    """A transfer that makes no progress for so long has failed."""
    reliable_model: Literal["ideal", "mathis"] = "ideal"
    """`ideal`: selective repeat, as fast as its share of the links; `mathis`: at most
    1.22 MSS / (RTT sqrt(p)) besides (Mathis et al. 1997)."""
