"""LANCE over tasks: each learns in directions that none before it used (arXiv 2509.21617).

P holds the directions that earlier tasks showed. With Σ the moments of a new task's inputs and
σ the singular values of the residual (I - P·Pᵀ)·Σ, of which `captured` is what P has already,

    captured = (‖Σ‖_* - ‖(I - P·Pᵀ)·Σ‖_*)/‖Σ‖_*,

U are the residual's leading left singular vectors, taken while `captured`, which each of them adds
to, is no more than the energy. The task learns by a⊗(U·g), g = Uᵀ·x: then dW·P = 0 and what the
layer answers to earlier tasks stays as it was, without any projection. The same way of counting
says after the task which directions P gains. Momentum of an earlier task and weight decay
would both move it.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simedge.learning.continual.conceptors import Matrix, correlation
from simedge.learning.continual.costs import Tally, words_of
from simedge.learning.continual.lance import narrow_product
from simedge.learning.continual.settings import LanceSettings
from simedge.learning.errors import LearnerError

__all__ = ["LanceLayer", "LowTrace", "leading_residual"]

_EMPTY: Final = 1e-12
"""A residual this small beside the whole has no directions left."""


def leading_residual(moment: Matrix, protected: Matrix, energy: float, *, least: int = 0) -> Matrix:
    """Return directions of a moment Σ (d, d) outside P (d, p), orthonormal, strongest first.

    As many as bring `captured` above the energy, at least `least`, and none where nothing is left.
    """
    residual = moment - protected @ (protected.T @ moment)
    vectors, values, _ = np.linalg.svd(residual)
    whole = float(np.linalg.norm(moment, "nuc"))
    if not whole:
        return np.empty((len(moment), 0))
    captured = 1.0 - (values.sum() - np.cumsum([0.0, *values[:-1]])) / whole
    count = max(least, int(np.count_nonzero(captured <= energy)))
    real = int(np.count_nonzero(values > _EMPTY * whole))
    chosen = vectors[:, : min(count, real)]
    # Rounding leaves a trace of P in weak directions; without it dW·P is 0 to the last digits.
    outside = chosen - protected @ (protected.T @ chosen)
    return np.asarray(np.linalg.qr(outside)[0])


class LanceLayer:
    """What one layer keeps of its tasks: P, and the directions U of the task under way.

    Call `begin` before a task, `keep` and `gradient` during it, `finish` after it.

    Parameters
    ----------
    inputs
        d.
    settings
        How much to keep.
    """

    def __init__(self, inputs: int, settings: LanceSettings) -> None:
        self.inputs = inputs
        self.tally = Tally()
        """Work of keeping and of gradients."""
        self.protected: Matrix = np.empty((inputs, 0))
        """P (d, p), orthonormal columns."""
        self.basis: Matrix | None = None
        """U (d, r); None in the first task, which is learned as it is."""
        self._energy = settings.energy
        self._tasks = 0
        self._busy = False

    def begin(self, inputs: Matrix | None = None) -> Matrix | None:
        """Begin a task, with some of its inputs through the net as it is, (N, d); return U.

        None: nothing is known of it, and U is all that P leaves, until `narrow` is called.
        """
        if self._busy:
            raise LearnerError("a task is under way: finish it first")
        self._busy, self._tasks, self.basis = True, self._tasks + 1, None
        if inputs is not None:
            self.narrow(inputs)
        return self.basis

    def narrow(self, inputs: Matrix) -> None:
        """Choose U for the task under way, if it is not the first, from some of its inputs."""
        if not self._busy:
            raise LearnerError("no task is under way")
        if self._tasks > 1:
            moment = self._moment(inputs)
            self.basis = leading_residual(moment, self.protected, self._energy, least=1)

    def project(self, gradient: Matrix) -> Matrix:
        """Return what of a gradient (n, d) the task may learn: g_W·U·Uᵀ, or outside P if no U."""
        basis = self.protected if self.basis is None else self.basis
        within = self.tally.product(self.tally.product(gradient, basis), basis.T)
        return gradient - within if self.basis is None else within

    def keep(self, inputs: Matrix) -> Matrix:
        """Return what is kept of inputs (N, d) until their gradient is taken: g = Uᵀ·x, (N, r)."""
        return inputs if self.basis is None else self.tally.product(inputs, self.basis)

    def gradient(self, post: Matrix, kept: Matrix) -> Matrix:
        """Return Σ a⊗(U·g), (n, d), of post factors a (N, n) and what was kept."""
        if self.basis is None:
            return self.project(self.tally.product(post.T, kept))
        return narrow_product(post, kept, self.basis, tally=self.tally)

    def finish(self, inputs: Matrix) -> None:
        """End the task, with some of its inputs through the net that has learned it, (N, d)."""
        if not self._busy:
            raise LearnerError("no task is under way")
        more = leading_residual(self._moment(inputs), self.protected, self._energy)
        self.protected, self._busy = np.hstack([self.protected, more]), False

    def project_macs(self, neurons: int) -> int:
        """Return the work of the next projection of a gradient of so many rows."""
        basis = self.protected if self.basis is None else self.basis
        return 2 * neurons * basis.size

    @property
    def state_bytes(self) -> int:
        """Bytes of P and of U, at 4 a number."""
        return words_of(self.protected, self.basis)

    def dump(self) -> dict[str, Any]:
        """Return all that is kept, as arrays and numbers; copies."""
        return {
            "protected": self.protected.copy(),
            "basis": None if self.basis is None else self.basis.copy(),
            "tasks": self._tasks,
            "busy": self._busy,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal layer."""
        basis = state["basis"]
        self.protected = np.array(state["protected"])
        self.basis = None if basis is None else np.array(basis)
        self._tasks, self._busy = state["tasks"], state["busy"]

    def _moment(self, inputs: Matrix) -> Matrix:
        if np.shape(inputs)[1:] != (self.inputs,):
            raise LearnerError(f"inputs of {self.inputs} numbers, got {np.shape(inputs)}")
        return correlation(inputs)


class LowTrace:
    """The pre trace p of a layer as g = Uᵀ·p: r numbers, decayed when they are touched.

    A spike of line j adds row j of U; decay commutes with Uᵀ, so this is exact.

    Parameters
    ----------
    basis
        U (d, r).
    decay
        What is left of p after a device tick, in [0, 1].
    """

    __slots__ = ("_basis", "_decay", "_held", "_tick", "tally")

    def __init__(self, basis: Matrix, decay: float) -> None:
        if not 0 <= decay <= 1:
            raise LearnerError(f"a decay must be in [0, 1], got {decay:g}")
        self._basis, self._decay = basis, decay
        self._held, self._tick = np.zeros(basis.shape[1]), 0
        self.tally = Tally()
        """One multiply a number and touch; arrivals only add."""

    def arrive(self, lines: NDArray[np.int64], tick: int) -> None:
        """Let spikes of these lines arrive at a device tick, not before the last one."""
        self._held = self.at(tick) + self._basis[lines].sum(axis=0)
        self.tally.macs += self._held.size
        self._tick = tick

    def at(self, tick: int) -> NDArray[np.float64]:
        """Return g as it is at a device tick, spikes of that tick included; (r,)."""
        if tick < self._tick:
            raise LearnerError(f"device tick {tick} is over, the trace is at {self._tick}")
        return self._held * self._decay ** (tick - self._tick)

    @property
    def state_bytes(self) -> int:
        """Bytes of g, at 4 a number."""
        return words_of(self._held)
