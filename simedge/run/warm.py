"""The first run on a machine: native code is compiled by two processes side by side.

What numba compiles is kept, so this happens once for each release. Its compiler holds a lock for a
whole process; so a second process compiles one half of the kernels into the common cache while this
one compiles the other, the long one. Should the second process fail, its half is compiled here,
when it is needed.
"""

import subprocess
import sys

import numpy as np

from simedge.core.native_cache import is_cold
from simedge.core.streams import Streams
from simedge.learning.learner import open_learner
from simedge.learning.readout import Readout
from simedge.learning.settings import ConvSettings, SpikingSettings
from simedge.learning.stage import blueprint_of, open_stage
from simedge.learning.volleys import prepare
from simedge.run.logblock import frame_block
from simedge.sensors.digits import DigitsSensor
from simedge.sensors.frames import Frame
from simedge.sensors.settings import DigitsSettings

__all__ = ["warm_up"]

_SIDE = 8
_SPIKING = SpikingSettings(layers=(ConvSettings(maps=2, kernel=3),))


def warm_up() -> None:
    """Compile whatever a run needs, if nothing is compiled yet."""
    if not is_cold():
        return
    with_help = _started()
    _compile_presentations()
    if with_help is not None:
        with_help.wait()


def _started() -> "subprocess.Popen[bytes] | None":
    """Start the other process, if one can be started."""
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter, this module
            [sys.executable, "-P", "-m", __name__],  # -P: not what lies where the user stands
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
    """Compile the camera, what gathers volleys, what steps and follows, what frames the log."""
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
    frame_block(b"\x90", skip=1, records=0)


if __name__ == "__main__":
    _compile_rest()
