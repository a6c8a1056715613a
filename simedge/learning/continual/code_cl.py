"""CODE-CL: updates leave alone what earlier tasks showed (arXiv 2411.15235).

A layer of weights W (n, d) that learns by g_W = Σ a⊗x, whatever the rule, stores the conceptor C
of the inputs of all tasks before, and takes g_W·(I - C) instead. That is linear: projecting the sum
once, when it is committed, is projecting each event. Inputs x are the pre factors of the rule
(traces, not spikes). With Adam project the step, not g_W; weight decay would move what is kept.

Where a new task overlaps much with C, what can be learned is small, so it gets dimensions of its
own: U, the top K eigenvectors of AND(C, C_new), and a small matrix M that is trained freely,

    W_eff = W + W·U·M·Uᵀ - sg(W)·U·Uᵀ,

where sg stops the gradient. U and M stay with the task, W is common to all.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from simedge.core.streams import Stream, unit_floats
from simedge.learning.continual.conceptors import (
    Matrix,
    conceptor,
    conjunction,
    correlation,
    disjunction,
    grown,
    overlap,
    spectrum,
    trimmed,
)
from simedge.learning.continual.costs import Tally, code_macs, words_of
from simedge.learning.continual.settings import CodeSettings
from simedge.learning.errors import LearnerError

__all__ = ["CodeLayer", "Free"]

_WIDE: Final = 50
"""A linear layer of no more inputs gets no free dimensions."""


class Free:
    """A task's own dimensions: U (d, K), orthonormal, and M (K, K), trained.

    Parameters
    ----------
    basis
        U.
    stream
        M begins uniform in ±1/√K.
    stop
        Whether sg stops the gradient; the released convolution layers leave it out, and train
        another map.
    """

    __slots__ = ("basis", "mix", "stop")

    def __init__(self, basis: Matrix, stream: Stream, *, stop: bool = True, task: int = 0) -> None:
        count = basis.shape[1]
        words = stream.block(-(-(count**2) // 4), task)[: count**2]
        self.basis, self.stop = basis, stop
        self.mix = (2.0 * unit_floats(words).reshape(count, count) - 1.0) / np.sqrt(count)

    def effective(self, weights: Matrix) -> Matrix:
        """Return W_eff of weights W (n, d)."""
        inner = self.mix - np.eye(len(self.mix))
        return np.asarray(weights + weights @ self.basis @ inner @ self.basis.T)

    def gradients(self, weights: Matrix, outer: Matrix) -> tuple[Matrix, Matrix]:
        """Return the gradients in W and in M, given `outer`, that in W_eff."""
        inner = self.mix if self.stop else self.mix - np.eye(len(self.mix))
        along = outer @ self.basis
        return outer + along @ inner.T @ self.basis.T, (weights @ self.basis).T @ along


class CodeLayer:
    """What one layer keeps of its tasks: the stored conceptor, and free dimensions by task.

    Call `begin` before a task, `project` at every commit, `finish` after the task.

    Parameters
    ----------
    inputs
        d.
    settings, stream
        How to protect; where free matrices begin.
    wide
        Layers of more inputs than this may have free dimensions (convolution: K).
    stop
        See `Free`.
    """

    def __init__(
        self,
        inputs: int,
        settings: CodeSettings,
        stream: Stream,
        *,
        wide: int = _WIDE,
        stop: bool = True,
    ) -> None:
        self.inputs = inputs
        self.tally = Tally()
        """Work of all projections."""
        self.overlap = 0.0
        """ρ of the task that began last: how much of what is stored it shows again."""
        self._settings, self._stream, self._wide, self._stop = settings, stream, wide, stop
        self._left: Matrix | None = None
        self._right: Matrix | None = None
        self._free: list[Free | None] = []
        self._busy = False

    @property
    def rank(self) -> int:
        """Number of directions that are protected, more or less."""
        return 0 if self._left is None else int(np.linalg.matrix_rank(self._left))

    @property
    def stored(self) -> Matrix:
        """C of all tasks that are over, (d, d); 0 before the first is."""
        if self._left is None:
            return np.zeros((self.inputs, self.inputs))
        return self._left if self._right is None else self._left @ self._right

    def begin(self, inputs: Matrix | None = None) -> Free | None:
        """Begin a task; return its free dimensions, if it gets any.

        Parameters
        ----------
        inputs
            One batch of the task through the net as it is, (N, d); None: nothing is known of it,
            and it gets none.
        """
        if self._busy:
            raise LearnerError("a task is under way: finish it first")
        self._busy, self.overlap, free, wish = True, 0.0, None, self._settings
        if self._left is not None and inputs is not None:
            stored, new = self.stored, self._shown(inputs)
            self.overlap = overlap(stored, new)
            if self.overlap > wish.overlap and self.inputs > self._wide and wish.free:
                vectors = spectrum(conjunction(stored, new))[1]
                basis = vectors[:, ::-1][:, : wish.free]
                free = Free(basis, self._stream, stop=self._stop, task=len(self._free))
        self._free.append(free)
        return free

    def project(self, gradient: Matrix) -> Matrix:
        """Return g_W·(I - C) of a gradient (n, d); the gradient itself during the first task."""
        if self._left is None:
            return gradient
        kept = self.tally.product(gradient, self._left)
        if self._right is not None:
            kept = self.tally.product(kept, self._right)
        return gradient - kept

    def finish(self, inputs: Matrix) -> None:
        """End the task: from now on it is protected too.

        Parameters
        ----------
        inputs
            One batch of the task through the net that has learned it, (N, d).
        """
        if not self._busy:
            raise LearnerError("no task is under way")
        new = self._shown(inputs)
        both = new if self._left is None else disjunction(self.stored, new)
        values, vectors = trimmed(both, self._settings.least)
        if 2 * len(values) <= self.inputs:
            half = vectors * np.sqrt(values)
            self._left, self._right = half, half.T  # one array, seen twice
        else:
            self._left, self._right = (vectors * values) @ vectors.T, None
        self._busy = False

    def effective(self, weights: Matrix, task: int | None = None) -> Matrix:
        """Return the weights that a task (the last one that began) answers with."""
        if task is not None and not 0 <= task < len(self._free):
            raise LearnerError(f"task {task} of {len(self._free)} that began")
        free = self._free[-1 if task is None else task] if self._free else None
        return weights if free is None else free.effective(weights)

    def project_macs(self, neurons: int) -> int:
        """Return the work of the next projection of a gradient of so many rows."""
        if self._left is None:
            return 0
        rank: int = self._left.shape[1]  # C whole: d, and 2·d is more than d
        return code_macs(neurons, self.inputs, rank)

    @property
    def state_bytes(self) -> int:
        """Bytes of C, or of its half, and of all free dimensions, at 4 a number."""
        own = [words_of(free.basis, free.mix) for free in self._free if free is not None]
        return words_of(self._left) + sum(own)

    def dump(self) -> dict[str, Any]:
        """Return all that is kept, as arrays and numbers; copies."""
        return {
            "left": None if self._left is None else self._left.copy(),
            "whole": self._right is None,
            "free": [None if f is None else (f.basis.copy(), f.mix.copy()) for f in self._free],
            "busy": self._busy,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal layer."""
        left = state["left"]
        self._left = None if left is None else np.array(left)
        self._right = None if self._left is None or state["whole"] else self._left.T
        self._free, self._busy = [], state["busy"]
        for task, held in enumerate(state["free"]):
            free = None
            if held is not None:
                free = Free(np.array(held[0]), self._stream, stop=self._stop, task=task)
                free.mix = np.array(held[1])
            self._free.append(free)

    def _shown(self, inputs: Matrix) -> Matrix:
        """Return the conceptor of a batch, grown until it keeps enough of it."""
        wish = self._settings
        if np.shape(inputs)[1:] != (self.inputs,):
            raise LearnerError(f"inputs of {self.inputs} numbers, got {np.shape(inputs)}")
        found = conceptor(correlation(inputs), wish.aperture)
        return grown(found, inputs, target=wish.energy, factor=wish.growth)
