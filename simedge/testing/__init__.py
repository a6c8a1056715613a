"""For those who test what they build on simedge: random worlds, laws of runs, machines by hand.

Strategies and machines need Hypothesis (extra `testing`); the laws and the search for faults that
break them do without.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simedge.testing import conformance, invariants
    from simedge.testing.errors import BrokenInvariant
    from simedge.testing.hunt import fuzz
    from simedge.testing.stateful import ProtocolStateMachine
    from simedge.testing.strategies import (
        fault_schedules,
        learners,
        links,
        protocols,
        scenarios,
        topologies,
        traces,
    )

__all__ = [
    "BrokenInvariant",
    "ProtocolStateMachine",
    "conformance",
    "fault_schedules",
    "fuzz",
    "invariants",
    "learners",
    "links",
    "protocols",
    "scenarios",
    "topologies",
    "traces",
]

_ROOMS = {
    "BrokenInvariant": "errors",
    "ProtocolStateMachine": "stateful",
    "fault_schedules": "strategies",
    "fuzz": "hunt",
    "learners": "strategies",
    "links": "strategies",
    "protocols": "strategies",
    "scenarios": "strategies",
    "topologies": "strategies",
    "traces": "strategies",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever the door names
    """Load a public name when it is first used: the laws need no Hypothesis."""
    if name not in __all__:
        raise AttributeError(f"module 'simedge.testing' has no attribute {name!r}")
    from importlib import import_module

    try:
        room = import_module(f"{__name__}.{_ROOMS.get(name, name)}")
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ImportError(
            f"simedge.testing.{name} needs Hypothesis: pip install 'simedge[testing]'"
        ) from error
    found = getattr(room, name) if name in _ROOMS else room
    globals()[name] = found  # a submodule of the same name must not hide it
    return found
