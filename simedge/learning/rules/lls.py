"""LLS, LLS-M and LLS-MxM: a loss of its own for every block, from a basis that nobody stores.

A block is linear, BatchNorm, LeakyReLU(0.01); its input is taken as given, so nothing crosses
borders. With a ∈ R^m its activation (means of `cell` units), B the basis of `basis.py` (C or R, m):

    â = a/max(‖a‖, 1e-12),   r = B·â (plain),  μ ⊙ (B·â) (scaled),  Mᵀ·(B·â) (mixed)
    p = softmax(r/τ),   loss = -Σ y*·ln p,   ε = (p - y*)/(τ·batch)
    g_â = Bᵀ·ε | Bᵀ·(μ ⊙ ε) | Bᵀ·(M·ε),   dμ = Σ (B·â) ⊙ ε,   dM = Σ (B·â) ⊗ ε
    g_a = (g_â - â·(â·g_â))/‖a‖

then back through the cells' means, LeakyReLU and BatchNorm; g_W = g_z ⊗ x. Activations (batch, m),
weights (post, pre), μ (C,), M (C or R, C). BatchNorm normalises by its batch (2 or more rows), or
by frozen statistics. The block updates at once, the next one hears what came before the update.
(LLS, arXiv 2405.15868.)
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from simedge.learning.errors import LearnerError
from simedge.learning.rules.basis import Wave, basis
from simedge.learning.rules.delta import softmax
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.optimiser import Optimiser, Plain

__all__ = ["Block", "BlockGradient", "Head", "HeadGradient", "LocalNet"]

Floats = NDArray[np.float64]

_SLOPE: Final = 0.01
_LEAST_NORM: Final = 1e-12
_LEAST_VARIANCE: Final = 1e-5
_KEPT: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadGradient:
    """What the local loss says."""

    loss: float
    activation: Floats
    """g_a, (batch, m)."""
    mixing: Floats | None
    """dμ or dM."""
    chances: Floats
    """p, (batch, C)."""


@dataclass(slots=True, kw_only=True)
class Head:
    """The local loss of one block: plain, scaled (mixing μ) or mixed (mixing M)."""

    basis: Floats
    mixing: Floats | None = None
    temperature: float = 0.5

    def __post_init__(self) -> None:
        rows, shape = len(self.basis), None if self.mixing is None else self.mixing.shape
        if shape is not None and shape[0] != rows:
            raise LearnerError(f"mixing must have {rows} rows, got shape {shape}")
        if not self.temperature > 0.0:
            raise LearnerError(f"temperature must be positive, got {self.temperature}")

    @classmethod
    def of(cls, classes: int, width: int, *, wave: Wave = "square") -> "Head":
        """Return a plain head."""
        return cls(basis=basis(classes, width, wave))

    def judge(self, activation: Floats, target: Floats) -> HeadGradient:
        """Return the loss on rows of activations, (batch, m), and y*, (batch, C)."""
        length = np.sqrt((activation * activation).sum(axis=1, keepdims=True))
        length = np.maximum(length, _LEAST_NORM)
        unit = activation / length
        seen = np.einsum("cm,bm->bc", self.basis, unit)
        chances = softmax(self._mixed(seen) / self.temperature)
        error = (chances - target) / (self.temperature * len(activation))
        back = np.einsum("cm,bc->bm", self.basis, self._unmixed(error))
        along = (unit * back).sum(axis=1, keepdims=True)
        logs = np.log(np.maximum(chances, np.finfo(float).tiny))
        return HeadGradient(
            loss=float(-(target * logs).sum() / len(activation)),
            activation=(back - unit * along) / length,
            mixing=self._mixing(seen, error),
            chances=chances,
        )

    def macs(self, batch: int) -> int:
        """Return the multiply-accumulates of a judgement: 2·C·m a row, and those of mixing."""
        count = 2 * self.basis.size
        if self.mixing is not None:
            count += self.mixing.size * (1 if self.mixing.ndim == 1 else 3)
        return batch * count

    def _mixed(self, seen: Floats) -> Floats:
        if self.mixing is None:
            return seen
        if self.mixing.ndim == 1:
            return self.mixing * seen
        return _einsum("rc,br->bc", self.mixing, seen)

    def _unmixed(self, error: Floats) -> Floats:
        if self.mixing is None:
            return error
        if self.mixing.ndim == 1:
            return self.mixing * error
        return _einsum("rc,bc->br", self.mixing, error)

    def _mixing(self, seen: Floats, error: Floats) -> Floats | None:
        if self.mixing is None:
            return None
        if self.mixing.ndim == 1:
            return np.asarray((seen * error).sum(axis=0))
        return _einsum("br,bc->rc", seen, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockGradient:
    """Gradients of one block, and what it hands on."""

    judged: HeadGradient
    weights: Floats
    scale: Floats
    shift: Floats
    handed: Floats
    """The activation before the update, (batch, post)."""

    def arrays(self) -> list[Floats]:
        """Return the gradients in the order of `Block.parameters`."""
        mixing = self.judged.mixing
        return [self.weights, self.scale, self.shift, *([] if mixing is None else [mixing])]


@dataclass(slots=True, kw_only=True)
class Block:
    """Linear, BatchNorm, LeakyReLU and a local loss on the means of `cell` units in a row."""

    weights: Floats
    head: Head
    cell: int = 1
    norm: Literal["batch", "frozen"] = "batch"
    scale: Floats = field(default_factory=lambda: np.zeros(0))
    shift: Floats = field(default_factory=lambda: np.zeros(0))
    mean: Floats = field(default_factory=lambda: np.zeros(0))
    variance: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        post = self.weights.shape[0]
        if self.cell < 1 or self.cell * self.head.basis.shape[1] != post:
            wide = self.head.basis.shape[1]
            raise LearnerError(f"{post} units are not {wide} cells of {self.cell}")
        for name, start in (("scale", 1.0), ("shift", 0.0), ("mean", 0.0), ("variance", 1.0)):
            given = getattr(self, name)
            setattr(self, name, given if given.size else np.full(post, start))

    @property
    def parameters(self) -> list[Floats]:
        """What is learned, themselves."""
        mixing = self.head.mixing
        return [self.weights, self.scale, self.shift, *([] if mixing is None else [mixing])]

    def forward(self, inputs: Floats) -> Floats:
        """Return the activation by the statistics held: for queries."""
        return _leaky(self._affine(self._normal(self._linear(inputs), self.mean, self.variance)))

    def gradient(self, inputs: Floats, target: Floats) -> BlockGradient:
        """Return gradients of the mean local loss on rows of inputs, (batch, pre), and y*."""
        linear = self._linear(inputs)
        mean, variance = self._statistics(linear)
        normal = self._normal(linear, mean, variance)
        bent = self._affine(normal)
        activation = _leaky(bent)
        rows, width = len(inputs), self.head.basis.shape[1]
        pooled = activation.reshape(rows, width, self.cell).mean(axis=2)
        judged = self.head.judge(pooled, target)
        back = np.repeat(judged.activation, self.cell, axis=1) / self.cell
        back = back * np.where(bent > 0.0, 1.0, _SLOPE)
        down = back * self.scale
        if self.norm == "batch":
            down = down - down.mean(axis=0) - normal * (down * normal).mean(axis=0)
        down = down / np.sqrt(variance + _LEAST_VARIANCE)
        return BlockGradient(
            judged=judged,
            weights=np.einsum("bo,bi->oi", down, inputs),
            scale=(back * normal).sum(axis=0),
            shift=back.sum(axis=0),
            handed=activation,
        )

    def remember(self, inputs: Floats) -> None:
        """Let running statistics follow those of a batch; frozen ones stay."""
        kept = _KEPT if self.norm == "batch" else 1.0
        mean, variance = self._statistics(self._linear(inputs))
        self.mean = kept * self.mean + (1.0 - kept) * mean
        unbiased = variance * len(inputs) / max(len(inputs) - 1, 1)
        self.variance = kept * self.variance + (1.0 - kept) * unbiased

    def _linear(self, inputs: Floats) -> Floats:
        return _einsum("oi,bi->bo", self.weights, inputs)

    def _affine(self, normal: Floats) -> Floats:
        return self.scale * normal + self.shift

    @staticmethod
    def _normal(linear: Floats, mean: Floats, variance: Floats) -> Floats:
        return (linear - mean) / np.sqrt(variance + _LEAST_VARIANCE)

    def _statistics(self, linear: Floats) -> tuple[Floats, Floats]:
        if self.norm == "frozen":
            return self.mean, self.variance
        if len(linear) < 2:
            raise LearnerError(
                f"a batch needs 2 rows or more to have a variance, got {len(linear)}"
            )
        return linear.mean(axis=0), linear.var(axis=0)


class LocalNet:
    """Blocks in a row, and a linear classifier with cross entropy."""

    def __init__(self, blocks: list[Block], readout: Floats) -> None:
        self.blocks, self.readout = blocks, readout
        self.ledger = Ledger()
        """What was done so far."""

    def scores(self, inputs: Floats) -> Floats:
        """Return the scores of rows, (batch, C); changes nothing."""
        for block in self.blocks:
            inputs = block.forward(inputs)
        return _einsum("cm,bm->bc", self.readout, inputs)

    def learn(
        self, inputs: Floats, target: Floats, optimisers: list[Optimiser] | None = None
    ) -> list[float]:
        """Learn from rows, block by block; return the losses, the classifier's last."""
        steps = optimisers or [Plain(rate=0.01)] * (len(self.blocks) + 1)
        losses = []
        for block, optimiser in zip(self.blocks, steps, strict=False):
            found = block.gradient(inputs, target)
            block.remember(inputs)
            optimiser.step(block.parameters, found.arrays())
            losses.append(found.judged.loss)
            self._charge(block, inputs)
            inputs = found.handed
        chances = softmax(np.einsum("cm,bm->bc", self.readout, inputs))
        error = (chances - target) / len(inputs)
        losses.append(float(-(target * np.log(chances)).sum() / len(inputs)))
        steps[-1].step([self.readout], [np.einsum("bc,bm->cm", error, inputs)])
        self.ledger.mac += 2 * len(inputs) * self.readout.size
        self.ledger.wr += self.readout.size
        return losses

    def memory(self) -> dict[str, int]:
        """Return the words that a device holds, by term; the basis is made anew each time."""
        most = max(sum(block.weights.shape) for block in self.blocks)
        return {
            "weights": sum(b.weights.size for b in self.blocks) + self.readout.size,
            "normalisation": 4 * sum(b.weights.shape[0] for b in self.blocks),
            "mixing": sum(0 if b.head.mixing is None else b.head.mixing.size for b in self.blocks),
            "activations": most,
        }

    def _charge(self, block: Block, inputs: Floats) -> None:
        rows, ledger = len(inputs), self.ledger
        ledger.mac += block.head.macs(rows) + 2 * rows * block.weights.size
        ledger.wr += sum(array.size for array in block.parameters)
        ledger.hold(sum(self.memory().values()))


def _leaky(linear: Floats) -> Floats:
    return np.where(linear > 0.0, linear, _SLOPE * linear)


def _einsum(places: str, left: Floats, right: Floats) -> Floats:
    return np.asarray(np.einsum(places, left, right))
