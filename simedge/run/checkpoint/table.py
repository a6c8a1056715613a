"""What is saved of which class: the one place that says what is rebuilt instead.

A run that is resumed is first built from its scenario, like a new one. So whatever the scenario
gives and nothing changes need not be in a checkpoint: sensors and their recordings, circuits'
wiring, settings, what writes files. And what is computed ahead can be computed again.
"""

import functools
import sys
from enum import Enum, auto
from types import FunctionType
from typing import Final

from pydantic import BaseModel

__all__ = ["COPIED", "REBUILT", "Treatment", "name_of", "saved_attributes", "treatment"]

REBUILT: Final[dict[str, frozenset[str]]] = {
    "simedge.drivers.feed:Feed": frozenset({"_frames", "_next", "_coming"}),
    "simedge.drivers.lookahead:Horizon": frozenset({"_waiting"}),
    "simedge.drivers.lookahead:ProxyItems": frozenset({"_prepared"}),
    "simedge.drivers.observer:Observer": frozenset({"_prepared"}),
    "simedge.drivers.device_host:DeviceHost": frozenset({"_newborn"}),
    "simedge.learning.circuits.rooms:Rooms": frozenset({"_free", "_streams"}),
}
"""Attributes that are as the fresh build has them, and are filled again when they are needed."""

COPIED: Final = frozenset(
    {
        "simedge.sensors.frames:Frame",
        "simedge.learning.volleys:Prepared",
        "simedge.learning.deep.frames:Prepared",
    }
)
"""Classes whose arrays nobody writes to: each is kept by itself, not with all that it is cut of."""

_OPAQUE_ROOMS: Final = (
    "simedge.drivers.live",
    "simedge.drivers.loop",
    "simedge.run.",
    "simedge.sensors.",
    "simedge.testing.",
)
_OPAQUE: Final = frozenset(
    {
        "simedge.core.streams:Streams",
        "simedge.learning.circuits.body:Body",
        "simedge.learning.deep.body:Plan",
        "simedge.learning.stage:Blueprint",
        "simedge.learning.stage:Stage",
        "simedge.world.traces.door:TraceDoor",
    }
)
_OPEN: Final = frozenset(
    {
        "simedge.run.invariants:Audit",
        "simedge.run.invariants:Breach",
        "simedge.run.raster:Recorder",
        "simedge.run.raster:_Ear",
        "simedge.sensors.frames:Events",
        "simedge.sensors.frames:Frame",
        "simedge.sensors.frames:Lean",
    }
)
_FOREIGN: Final = frozenset(
    {"numba", "numpy", "pydantic", "pydantic_core", "simpy", "torch", *sys.stdlib_module_names}
) - {"__main__"}


Attributes = tuple[bool, tuple[str, ...], frozenset[str]]


class Treatment(Enum):
    """What is done with the instances of a class."""

    SAVED = auto()
    """Their attributes are kept; new ones can be made."""
    GUEST = auto()
    """Of a class given in Python: attributes are kept, none can be made."""
    OPAQUE = auto()
    """They are rebuilt, and named by their place in the build."""


def name_of(cls: type) -> str:
    """Return ``module:Qualified.name`` of a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def treatment(cls: type) -> Treatment:
    """Return how instances of a class are treated that is no container of data."""
    found = _TREATMENTS.get(cls)
    if found is None:
        found = _TREATMENTS[cls] = _treatment(cls)
    return found


_TREATMENTS: Final[dict[type, Treatment]] = {}


def _treatment(cls: type) -> Treatment:
    name, module = name_of(cls), cls.__module__
    if issubclass(cls, BaseModel) or name in _OPAQUE:
        return Treatment.OPAQUE
    if module.startswith("simedge."):
        opened = any(name_of(base) in _OPEN for base in cls.__mro__)
        shut = module.startswith(_OPAQUE_ROOMS) and not opened
        return Treatment.OPAQUE if shut or issubclass(cls, BaseException) else Treatment.SAVED
    root = module.partition(".")[0]
    plain = isinstance(
        vars(cls).get("__init__", object.__init__), FunctionType | type(object.__init__)
    )
    return Treatment.OPAQUE if root in _FOREIGN or not plain else Treatment.GUEST


def saved_attributes(cls: type) -> Attributes:
    """Return whether instances have a dictionary, their slots, and which names are passed over."""
    found = _ATTRIBUTES.get(cls)
    if found is None:
        found = _ATTRIBUTES[cls] = _attributes(cls)
    return found


_ATTRIBUTES: Final[dict[type, Attributes]] = {}


def _attributes(cls: type) -> Attributes:
    slots: list[str] = []
    cached: set[str] = set()
    left_out: set[str] = set()
    for base in cls.__mro__:
        left_out |= REBUILT.get(name_of(base), frozenset())
        cached |= {n for n, v in vars(base).items() if isinstance(v, functools.cached_property)}
        own = vars(base).get("__slots__", ())
        for slot in (own,) if isinstance(own, str) else own:
            mangled = slot.startswith("__") and not slot.endswith("__")
            slots.append(f"_{base.__name__.lstrip('_')}{slot}" if mangled else slot)
    has_dict = cls.__dictoffset__ != 0
    kept = tuple(s for s in slots if s not in {"__dict__", "__weakref__"} and s not in left_out)
    return has_dict, kept, frozenset(cached | left_out)
