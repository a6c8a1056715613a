"""What is known where, and how old it is: seen from outside, by the driver that sees everything.

The age of a prior that a device holds is the time since the newest observation in it was captured:
the proxy pass behind the newest row that the server read for it. That of a model is the time since
the newest frame was learned that another brought into it.
"""

from typing import Final

from simedge.drivers.ages import Ages
from simedge.drivers.tally import Tally
from simedge.protocol.machine import Sample

__all__ = ["Knowledge"]

_BLOCKS: Final = 2**16
_MODEL: Final = -1
"""In place of a block: the model that a device holds."""


class Knowledge:
    """Follows captures from token to prior to device, through the samples of the machines.

    Parameters
    ----------
    tally
        Token latencies and staleness go there, and the ages of priors at the end.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._ages = Ages()
        self.serves: dict[int, int] = {}
        """The server of a device, if it is not the first."""
        self._captured: dict[tuple[int, int, int, int], int] = {}
        """By server, block, version and reader, 0 for all."""
        self._held: dict[int, dict[int, int]] = {}

    def sampled(self, number: int, sample: Sample, now: int) -> None:
        """Take a sample of a machine, if it is about knowledge."""
        match sample.metric:
            case "token_latency_s":
                self._tally.token_latencies_ns.append(_ns(sample))
            case "staleness_versions":
                self._tally.staleness.append(int(sample.value))
            case "published_age_s":
                labels = dict(sample.labels)
                named = (number, labels["block"], labels["version"], labels.get("reader", 0))
                self._captured[named] = now - _ns(sample)
            case "prior_age_s":
                self._accepted(number, dict(sample.labels), now)
            case "model_age_s" if number:
                self._merged(number, now - _ns(sample), now)
            case _:
                pass

    def _accepted(self, device: int, labels: dict[str, int], now: int) -> None:
        address = labels["block"]
        server = self.serves.get(device, 0)
        named = (server, address % _BLOCKS, labels["version"])
        made_ns = self._captured.get((*named, device), self._captured.get((*named, 0)))
        if made_ns is not None:
            self._held.setdefault(device, {})[address] = made_ns
            self._ages.hold((device, address), made_ns=made_ns, now=now)

    def _merged(self, device: int, made_ns: int, now: int) -> None:
        """Take note that a model was merged: the age is that of the newest observation in it."""
        held = self._held.setdefault(device, {})
        newest = max(made_ns, held.get(_MODEL, made_ns))
        held[_MODEL] = newest
        self._ages.hold((device, _MODEL), made_ns=newest, now=now)

    def held(self, device: int) -> dict[int, int]:
        """Return the blocks a device holds priors of, and when the newest of each was captured."""
        return dict(self._held.get(device, {}))

    def put_back(self, device: int, held: dict[int, int], now: int) -> None:
        """Say what a device holds after a crash: what its `state` left of it."""
        for block in self._held.get(device, {}):
            self._ages.drop((device, block), now=now)
        self._held[device] = dict(held)
        for block, made_ns in held.items():
            self._ages.hold((device, block), made_ns=made_ns, now=now)

    def close(self, now: int) -> None:
        """Write the ages at the end of the run."""
        self._tally.prior_ages = self._ages.end(now)


def _ns(sample: Sample) -> int:
    return round(sample.value * 1e9)
