"""Many stops in one native call: a circuit plays to each in turn and notes what that took."""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_inside, unlocked_leaf
from simedge.neurons.kinds import Whole
from simedge.neurons.recurrent import growth, volley
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.layout import Layout, lay_out
from simedge.neurons.recurrent.parts import Population
from simedge.neurons.recurrent.places import DELIVERIES, NEVER, TRACES, Arrays
from simedge.neurons.recurrent.volley import DONE

__all__ = ["StoppingCircuit", "compile_play"]

if TYPE_CHECKING:
    play, play_grown = volley.play, growth.play_grown
else:
    # Compiled in here: who plays to stops needs no machine code of `play` itself.
    play = native_inside(getattr(volley.play, "py_func", volley.play))
    play_grown = native_inside(getattr(growth.play_grown, "py_func", growth.play_grown))


class StoppingCircuit(RecurrentCircuit):
    """A circuit whose operations between any ticks are told, whoever makes it stop there or not."""

    def run_to(self, stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """Play all volleys before the last of these ticks; return the operations up to each.

        Operations are deliveries and trace touches. One native call does it, without the
        interpreter lock, unless a buffer must grow.
        """
        operations = np.zeros(stops.size, np.int64)
        ints = self._arrays.ints
        reached = np.array([0, ints[DELIVERIES] + ints[TRACES]])
        kernel = play_grown_to if self._layout.grows else play_to
        while (status := kernel(self._arrays, stops, reached, operations)) != DONE:
            self._make_room(status)
        return operations


@unlocked_leaf
def play_to(
    c: Arrays, stops: NDArray[np.int64], reached: NDArray[np.int64], operations: NDArray[np.int64]
) -> Whole:
    """Play to each stop; tell whether that is done or a buffer is full.

    `reached` is how many stops have been, and the operations counted at the last of them: with it
    the kernel goes on after a buffer has grown.
    """
    for stop in range(reached[0], stops.size):
        status = play(c, stops[stop], NEVER)
        if status != DONE:
            return status
        note_stop(c, stop, reached, operations)
    return DONE


@unlocked_leaf
def play_grown_to(
    c: Arrays, stops: NDArray[np.int64], reached: NDArray[np.int64], operations: NDArray[np.int64]
) -> Whole:
    """Do what `play_to` does, for circuits in which arrivals raise eligibilities."""
    for stop in range(reached[0], stops.size):
        status = play_grown(c, stops[stop], NEVER)
        if status != DONE:
            return status
        note_stop(c, stop, reached, operations)
    return DONE


@native_inside
def note_stop(
    c: Arrays, stop: Whole, reached: NDArray[np.int64], operations: NDArray[np.int64]
) -> None:
    """Note that a stop is reached, and what was done on the way."""
    counted = c.ints[DELIVERIES] + c.ints[TRACES]
    operations[stop] = counted - reached[1]
    reached[0], reached[1] = stop + 1, counted


def compile_play() -> None:
    """Compile what plays, as much as all other kernels of a circuit together, and nothing else."""
    alone = {"neuron": Population(size=1, gamma=0.5)}
    arrays = lay_out(Layout(0, alone, projections=(), record=False), np.float64)
    play_to(arrays, np.zeros(0, np.int64), np.zeros(2, np.int64), np.zeros(0, np.int64))
