"""The first run on a machine: native code is compiled by two processes side by side.

What numba compiles is kept, so this happens once for each release and kind of learner. Its compiler
holds a lock for a whole process; so a second process compiles one half of the kernels into the
common cache while this one compiles the other, the long one. Should the second process fail, its
half is compiled here, when it is needed.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from simedge.core.native_cache import is_cold
from simedge.core.philox import follower
from simedge.core.streams import Streams
from simedge.learning.eligible_settings import EligibleSettings, TessSettings
from simedge.learning.layered_settings import LayeredSettings
from simedge.learning.learner import open_learner
from simedge.learning.readout import Readout
from simedge.learning.settings import CircuitSettings, ConvSettings, SpikingSettings
from simedge.learning.settings import ThreeFactorSettings as ThreeFactor
from simedge.learning.stage import blueprint_of, camera_of, open_stage
from simedge.learning.volleys import prepare
from simedge.neurons.recurrent.eligibility import gate, move_rows, read_rows
from simedge.neurons.recurrent.layout import Layout, lay_out
from simedge.neurons.recurrent.parts import Population
from simedge.neurons.recurrent.stops import StoppingCircuit, compile_play
from simedge.neurons.recurrent.wiring import turn_back
from simedge.run.logblock import frame_block
from simedge.sensors.digits import DigitsSensor
from simedge.sensors.frames import Frame
from simedge.sensors.settings import DigitsSettings

__all__ = ["warm_up"]

_SIDE = 8
_SPIKING = SpikingSettings(layers=(ConvSettings(maps=2, kernel=3),))
_CIRCUIT = CircuitSettings(rule=ThreeFactor(kind="three-factor"))
_ELIGIBLE = EligibleSettings(hidden=(2,), rule=TessSettings(kind="tess"))


def warm_up(learner: object = _SPIKING) -> None:
    """Compile whatever a run with such a learner (its settings) needs, if that is not done yet."""
    family = _family(learner)
    kit = _KITS[family]
    if not is_cold(kit.longest):
        return
    with_help = _started(family)
    kit.here()
    if with_help is not None:
        with_help.wait()


def _family(learner: object) -> str:
    """Return which kernels a learner needs."""
    if isinstance(learner, EligibleSettings | LayeredSettings):
        return "eligible"
    return "circuits" if isinstance(learner, CircuitSettings) else "presentations"


def _started(family: str) -> "subprocess.Popen[bytes] | None":
    """Start the other process, if one can be started."""
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter, this module
            # -P: not what lies where the user stands
            [sys.executable, "-P", "-m", __name__, family],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


def _frame() -> Frame:
    one = np.arange(6)
    return Frame(
        index=0,
        label=0,
        source=0,
        x=one.astype(np.uint16),
        y=one.astype(np.uint16),
        t_us=1000 * one,
        p=(one % 2).astype(np.uint8),
    )


def _compile_presentations() -> None:
    """Compile what presentations run on."""
    learner = open_learner(
        _SPIKING, classes=2, width=_SIDE, height=_SIDE, streams=Streams(0), device="warm"
    )
    learner.learn(_frame()).advance()


def _compile_rest() -> None:
    """Compile the camera, what gathers volleys, what steps and follows."""
    DigitsSensor(DigitsSettings(), 0).frames("warm", 0, 1)
    plan = blueprint_of(_SPIKING, width=_SIDE, height=_SIDE, span_ns=100_000_000)
    prepare([_frame()], plan.camera)
    stage = open_stage(plan)
    some = np.ones((2, stage.features), np.float32)
    readout = Readout(
        classes=2, weights=some.copy(), rate=1.0, kl_rate=1.0, horizon=1, mean=some[0].copy()
    )
    prior = np.full((2, 2), 0.5), 1.0, 1
    readout.step(readout.weights, stage.binning, some.copy(), prior=prior)
    readout.learn((some[0], some[1]), np.ones(2, np.float32), 0)
    _compile_common()


def _compile_around_circuits() -> None:
    """Compile what wires, begins, teaches and empties a circuit; what gathers volleys."""
    learner = open_learner(
        _CIRCUIT, classes=2, width=_SIDE, height=_SIDE, streams=Streams(0), device="warm"
    )
    learner.prepare([_frame()])
    alone = {"neuron": Population(size=1, gamma=0.5)}
    StoppingCircuit(0, alone, projections=()).reset(1)
    layout, none = Layout(0, alone, projections=(), record=False), np.zeros(0)
    arrays = lay_out(layout, np.float64)
    gate(arrays, layout.population_at(1), 0, none, True)
    read_rows(arrays, layout.population_at(1), np.zeros(0, np.int64), none)
    move_rows(arrays, none)
    places = np.zeros(2, np.uint32)
    turn_back(places, places[:0], places, places[:0], places[:0])
    _compile_common()


def _compile_windows() -> None:
    """Compile what plays a window of layers with eligibilities, and what gathers its gradients."""
    learner = open_learner(
        _ELIGIBLE, classes=2, width=_SIDE, height=_SIDE, streams=Streams(0), device="warm"
    )
    learner.learn(_frame()).advance()


def _compile_around_windows() -> None:
    """Compile the camera and what gathers volleys."""
    DigitsSensor(DigitsSettings(), 0).frames("warm", 0, 1)
    prepare([_frame()], camera_of(1_000_000, width=_SIDE, height=_SIDE, span_ns=100_000_000))
    _compile_common()


def _compile_common() -> None:
    """Compile what every run needs: single draws, bursts of loss, the log."""
    Streams(0).stream("warm", "warm", "warm").words(0)
    follow = follower(np.zeros(4096, np.uint64).tolist())
    if follow is not None:
        follow((0,) * 9)
    frame_block(b"\x90", skip=1, records=0)


class _Kit(NamedTuple):
    """What one family of learners needs."""

    longest: str
    """The kernel that says whether it is there."""
    here: Callable[[], None]
    there: Callable[[], None]
    """The halves of this process and of the other."""


_KITS: Final = {
    "presentations": _Kit("presentation.present", _compile_presentations, _compile_rest),
    "eligible": _Kit("lazy_play.play", _compile_windows, _compile_around_windows),
    "circuits": _Kit("stops.play_to", compile_play, _compile_around_circuits),
}

if __name__ == "__main__":
    _KITS[sys.argv[1]].there()
