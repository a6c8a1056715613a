"""Spikes and weights of some circuits of a run, kept beside it (``raster.msgpack``).

Listening changes nothing: the event log of a run that keeps a raster is that of one that does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from simedge.drivers.device_host import DeviceHost
from simedge.drivers.virtual import VirtualDriver
from simedge.learning.circuits.heard import Heard, Joined
from simedge.learning.circuits.learner import CircuitLearner
from simedge.run.errors import BuildError, RunDirectoryError
from simedge.run.parts import RASTER
from simedge.run.settings import RasterSettings
from simedge.sensors.frames import Frame

__all__ = ["RASTER", "Circuit", "Recorder", "Shown", "Wires", "read_raster"]

_SPIKES_MAX = 200_000  # of one device; presentations beyond are counted
_SCHEMA = 1

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A presentation that was learned.

    Parameters
    ----------
    start_ns, learned_ns
        When the camera began to show it, and when the device had learned it.
    spikes
        Ticks since the start and neurons, by population (the inputs are one).
    """

    start_ns: int
    learned_ns: int
    label: int
    correct: bool
    spikes: Mapping[str, tuple[Column, Column]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """A projection: who reaches whom, with which weight at the start and at the end of the run."""

    source: str
    target: str
    sources: Column
    targets: Column
    first: NDArray[np.float32]
    last: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What was kept of one device.

    Parameters
    ----------
    span_ns
        How long a presentation is shown.
    sizes
        Neurons of each population, the inputs first.
    left_out
        Presentations that were not kept since their spikes are too many.
    """

    device: str
    tick_ns: int
    span_ns: int
    sizes: Mapping[str, int]
    shown: tuple[Shown, ...]
    wires: tuple[Wires, ...]
    left_out: int = 0


class Recorder:
    """Listens to the learners of some devices while a run goes on.

    Raises
    ------
    BuildError
        If a device is not there or its learner has no circuit.
    """

    def __init__(self, settings: RasterSettings, driver: VirtualDriver) -> None:
        until = settings.at + settings.for_
        self._ears = [
            _Ear(_device(name, driver), driver, span=(settings.at, until))
            for name in settings.devices
        ]

    def packed(self) -> bytes:
        """Return what was heard, and all weights as they are now, as MessagePack."""
        made = {"schema": _SCHEMA, "devices": [ear.told() for ear in self._ears]}
        packed: bytes = msgpack.packb(made)
        return packed


def _device(name: str, driver: VirtualDriver) -> DeviceHost:
    names = driver.journal.names
    found = [one for one in driver.devices if names[one.number] == name]
    if not found:
        raise BuildError(f"record.raster: there is no device {name!r}")
    return found[0]


@dataclass(slots=True)
class _Ear:
    """Hears one device."""

    host: DeviceHost
    driver: VirtualDriver
    span: tuple[int, int] = field(kw_only=True)
    learner: CircuitLearner = field(init=False)
    first: list[Joined] = field(init=False)
    shown: list[dict[str, Any]] = field(default_factory=list)
    spikes: int = 0
    left_out: int = 0

    def __post_init__(self) -> None:
        learner = self.host.learner
        if not isinstance(learner, CircuitLearner):
            raise BuildError(f"record.raster: the learner {learner.rule} has no recurrent circuit")
        self.learner, self.first = learner, learner.joined()
        learner.listen(self.hear)

    def hear(self, heard: Heard) -> None:
        frame = heard.frame
        assert isinstance(frame, Frame), "devices learn frames of the sensor"
        start_ns = self.host.feed.sensor.start_ns(frame.index)
        if not self.span[0] <= start_ns < self.span[1]:
            return
        spikes = sum(ticks.size for ticks, _ in heard.spikes.values())
        if self.left_out or self.spikes + spikes > _SPIKES_MAX:
            self.left_out += 1
            return
        self.spikes += spikes
        self.shown.append(
            {
                "start_ns": start_ns,
                "learned_ns": self.driver.kernel.now_ns,
                "label": int(frame.label),
                "correct": heard.correct,
                "spikes": {
                    name: [column.astype("<i4").tobytes() for column in columns]
                    for name, columns in heard.spikes.items()
                },
            }
        )

    def told(self) -> dict[str, Any]:
        wires = zip(self.first, self.learner.joined(), strict=True)
        return {
            "device": self.driver.journal.names[self.host.number],
            "tick_ns": self.learner.tick_ns,
            "span_ns": self.host.feed.sensor.span_ns,
            "sizes": self.learner.sizes(),
            "shown": self.shown,
            "wires": [
                {
                    "source": first.source,
                    "target": first.target,
                    "sources": first.sources.astype("<i4").tobytes(),
                    "targets": first.targets.astype("<i4").tobytes(),
                    "first": first.weights.astype("<f4").tobytes(),
                    "last": last.weights.astype("<f4").tobytes(),
                }
                for first, last in wires
            ],
            "left_out": self.left_out,
        }


def read_raster(path: Path) -> tuple[Circuit, ...]:
    """Return what a run directory keeps of circuits: nothing if it was not asked to.

    Raises
    ------
    RunDirectoryError
        If the part is no raster.
    """
    file = path / RASTER
    if not file.is_file():
        return ()
    try:
        told = msgpack.unpackb(file.read_bytes())
        if told["schema"] != _SCHEMA:
            raise RunDirectoryError(f"{file}: schema {told['schema']!r} is not known")
        return tuple(_circuit(one) for one in told["devices"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, msgpack.UnpackException) as e:
        raise RunDirectoryError(f"{file}: is no raster: {e}") from e


def _circuit(told: Mapping[str, Any]) -> Circuit:
    return Circuit(
        device=str(told["device"]),
        tick_ns=int(told["tick_ns"]),
        span_ns=int(told["span_ns"]),
        sizes={str(name): int(size) for name, size in told["sizes"].items()},
        shown=tuple(_shown(one) for one in told["shown"]),
        wires=tuple(_wires(one) for one in told["wires"]),
        left_out=int(told["left_out"]),
    )


def _shown(told: Mapping[str, Any]) -> Shown:
    return Shown(
        start_ns=int(told["start_ns"]),
        learned_ns=int(told["learned_ns"]),
        label=int(told["label"]),
        correct=bool(told["correct"]),
        spikes={
            str(name): (_column(ticks), _column(neurons))
            for name, (ticks, neurons) in told["spikes"].items()
        },
    )


def _wires(told: Mapping[str, Any]) -> Wires:
    return Wires(
        source=str(told["source"]),
        target=str(told["target"]),
        sources=_column(told["sources"]),
        targets=_column(told["targets"]),
        first=np.frombuffer(told["first"], "<f4").astype(np.float32),
        last=np.frombuffer(told["last"], "<f4").astype(np.float32),
    )


def _column(raw: bytes) -> Column:
    return np.frombuffer(raw, "<i4").astype(np.int64)
