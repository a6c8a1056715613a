"""LANCE: activations are kept in a small subspace that is found once (arXiv 2509.21617).

A tensor of activations X (batch, length, features) is kept as its core,

    G = X ×₀ U₀ᵀ ×₁ U₁ᵀ ×₂ U₂ᵀ,     X̃ = G ×₀ U₀ ×₁ U₁ ×₂ U₂,

with U_i the leading r_i eigenvectors of Σ_i, the plain mean over batches of X_(i)·X_(i)ᵀ. The pass
forward and the gradient in the input are exact; the gradient in the weights sees X̃, though it is
never formed:

    Z1[l,o,a] = Σ_b dY[b,l,o]·U₀[b,a],    Z2[a,l,c] = Σ_k G[a,k,c]·U₁[l,k],
    dW[o,f] = Σ_{l,a,c} Z1[l,o,a]·Z2[a,l,c]·U₂[f,c] = dYᵀ·X̃,

which lies inside span(U₂). U₀ fixes size and order of a batch: where items come one at a time,
batch 1, it is the number 1. The plain mean, since a running one over-weights the first batch.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simedge.learning.continual.conceptors import Matrix, spectrum
from simedge.learning.continual.costs import Tally, product_macs, words_of
from simedge.learning.errors import LearnerError

__all__ = ["Bases", "calibrated", "narrow_product", "rank_of", "unfolded"]

Tensor = NDArray[np.float64]


def rank_of(values: NDArray[np.float64], energy: float) -> int:
    """Return 1 + how many leading sums of eigenvalues hold at most a share; at most all.

    >>> [rank_of(np.array([6.0, 3.0, 1.0]), share) for share in (0.5, 0.7, 0.95, 1.0)]
    [1, 2, 3, 3]
    """
    found = np.maximum(np.asarray(values, np.float64), 0.0)
    total = found.sum()
    if not total:
        return min(1, found.size)
    return min(found.size, 1 + int(np.count_nonzero(found.cumsum() / total <= energy)))


def unfolded(tensor: Tensor, mode: int) -> Matrix:
    """Return X_(i), mode i in rows: (n_i, all the rest)."""
    return np.moveaxis(tensor, mode, 0).reshape(tensor.shape[mode], -1)


def narrow_product(post: Matrix, kept: Matrix, basis: Matrix, *, tally: Tally) -> Matrix:
    """Return Aᵀ·K·Uᵀ in the order of less work; (outputs, features).

    A is (rows, outputs), K (rows, rank), U (features, rank).
    """
    right, left = product_macs(len(post), post.shape[1], (basis.shape[0], basis.shape[1]))
    if left < right:
        return tally.product(tally.product(post.T, kept), basis.T)
    return tally.product(post.T, tally.product(kept, basis.T))


class Bases(NamedTuple):
    """U₀ (batch, r₀), U₁ (length, r₁) and U₂ (features, r₂), orthonormal columns."""

    batch: Matrix
    length: Matrix
    features: Matrix

    @property
    def ranks(self) -> tuple[int, int, int]:
        """r₀, r₁, r₂."""
        return self.batch.shape[1], self.length.shape[1], self.features.shape[1]

    @property
    def state_bytes(self) -> int:
        """Bytes of the bases and of one core, at 4 a number."""
        return words_of(*self) + words_of(np.empty(self.ranks))

    def core(self, tensor: Tensor, *, tally: Tally) -> Tensor:
        """Return G of activations (batch, length, features): what is kept of them."""
        shape = tuple(len(basis) for basis in self)
        if tensor.shape != shape:
            raise LearnerError(f"bases of activations {shape}, got {tensor.shape}")
        for mode, basis in enumerate(self):
            tensor = _along(basis.T, tensor, mode, tally=tally)
        return tensor

    def restored(self, core: Tensor) -> Tensor:
        """Return X̃; nothing here needs it but those who want to see it."""
        for mode, basis in enumerate(self):
            core = _along(basis, core, mode, tally=Tally())
        return core

    def weight_gradient(self, post: Tensor, core: Tensor, *, tally: Tally) -> Matrix:
        """Return dW = dYᵀ·X̃, (outputs, features), of dY (batch, length, outputs) and G."""
        z1 = _along(self.batch.T, post, 0, tally=tally)
        z2 = _along(self.length, core, 1, tally=tally)
        rows = z1.shape[0] * z1.shape[1]
        kept = z2.reshape(rows, -1)
        return narrow_product(z1.reshape(rows, -1), kept, self.features, tally=tally)


def calibrated(batches: Iterable[Tensor], energy: float) -> Bases:
    """Find the bases of batches (batch, length, features) of one shape, once.

    One batch is held at a time.
    """
    moments: list[Matrix] = []
    for count, batch in enumerate(batches):
        tensor = np.asarray(batch, np.float64)
        if tensor.ndim != 3:
            raise LearnerError(f"activations are (batch, length, features), got {tensor.shape}")
        for mode in range(3):
            flat = unfolded(tensor, mode)
            if not count:
                moments.append(flat @ flat.T)
            elif len(flat) != len(moments[mode]):
                raise LearnerError(f"batches of one shape, got another: {tensor.shape}")
            else:
                moments[mode] += flat @ flat.T
    if not moments:
        raise LearnerError("one batch or more is needed to calibrate")
    return Bases(*(_leading(moment, energy) for moment in moments))


def _leading(moment: Matrix, energy: float) -> Matrix:
    """Return the leading eigenvectors; a scale of the moment changes nothing."""
    values, vectors = spectrum(moment)
    rank = rank_of(values[::-1], energy)
    return np.asarray(vectors[:, ::-1][:, :rank])


def _along(matrix: Matrix, tensor: Tensor, mode: int, *, tally: Tally) -> Tensor:
    """Return the product of a matrix with one mode of a tensor."""
    flat = tally.product(matrix, unfolded(tensor, mode))
    rest = [size for axis, size in enumerate(tensor.shape) if axis != mode]
    return np.moveaxis(flat.reshape(len(matrix), *rest), 0, mode)
