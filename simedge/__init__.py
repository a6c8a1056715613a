"""Simulate many small devices that learn on their own over links that lose things.

>>> import simedge
>>> scenario = simedge.load("two_devices").vary({"duration": "1 s"})
>>> simedge.simulate(scenario, seed=1).summary["counts"]["frames_arrived"]
16
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simedge.core.errors import SimedgeError
    from simedge.learning.own import OwnLearner
    from simedge.learning.own_rule import OwnRule
    from simedge.protocol.own import OwnMachine
    from simedge.run.replay import replay
    from simedge.run.result import Progress, Result
    from simedge.run.resume import resume
    from simedge.run.scenario import Scenario, load
    from simedge.run.simulate import run_async, simulate
    from simedge.run.stream import stream
    from simedge.study.study import Study

__all__ = [
    "OwnLearner",
    "OwnMachine",
    "OwnRule",
    "Progress",
    "Result",
    "Scenario",
    "SimedgeError",
    "Study",
    "__version__",
    "load",
    "replay",
    "resume",
    "run_async",
    "simulate",
    "stream",
]

__version__ = "0.1.0"

_ROOMS = {
    "OwnLearner": "simedge.learning.own",
    "OwnMachine": "simedge.protocol.own",
    "OwnRule": "simedge.learning.own_rule",
    "Progress": "simedge.run.result",
    "Result": "simedge.run.result",
    "Scenario": "simedge.run.scenario",
    "SimedgeError": "simedge.core.errors",
    "Study": "simedge.study.study",
    "load": "simedge.run.scenario",
    "replay": "simedge.run.replay",
    "resume": "simedge.run.resume",
    "run_async": "simedge.run.simulate",
    "simulate": "simedge.run.simulate",
    "stream": "simedge.run.stream",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever the door names
    """Load a public name when it is first used: ``simedge --help`` must not pay for a run."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'simedge' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ROOMS[name]), name)
