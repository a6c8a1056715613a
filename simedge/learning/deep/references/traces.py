"""Traces of one layer, and the change of its weights in a device tick.

    p[n] = λ_pre·p[n-1] + x[n],  c[n] = λ_post·c[n-1] + Ψ[n]
    g += δ ⊙ (α_pre·Ψ ⊗ p + α_post·c̃ ⊗ x),  c̃[n] = c[n-1], or λ_post·c[n-1] with lag `paper`

(S-TLLR, arXiv 2306.15220; TESS and e-prop without filter are of the same form.) With a filter κ:
ē[n] = κ·ē[n-1] + Ψ ⊗ p and g += δ ⊙ ē, a number a synapse.
"""

import torch
from torch import Tensor

from simedge.learning.deep.references.ledger import Ledger
from simedge.learning.deep.references.settings import Rule
from simedge.learning.deep.references.shapes import Layer
from simedge.learning.deep.references.synapses import products

__all__ = ["Traces"]


class Traces:
    """Traces of a batch at rest."""

    def __init__(self, layer: Layer, rule: Rule, like: Tensor) -> None:
        batch = len(like)
        self._layer = layer
        self._rule = rule
        self._pre = like.new_zeros(batch, *layer.below)
        self._around = like.new_zeros(batch, *layer.shape) if layer.recurrent else None
        self._post = like.new_zeros(batch, *layer.shape) if rule.alpha_post else None
        self._filtered: dict[str, Tensor] = {}
        if rule.filter:
            shapes = {"weight": layer.weight}
            if layer.recurrent:
                shapes["recurrent"] = (layer.neurons, layer.neurons)
            self._filtered = {n: like.new_zeros(batch, *shape) for n, shape in shapes.items()}

    @property
    def words(self) -> int:
        """Numbers that are kept of one sample."""
        kept = [self._pre, self._around, self._post, *self._filtered.values()]
        return sum(part[0].numel() for part in kept if part is not None)

    def arrive(self, level: Tensor, before: Tensor) -> None:
        """Take in what arrives: the input, and the layer's own spikes of the device tick before."""
        self._pre = self._rule.lambda_pre * self._pre + level
        if self._around is not None:
            self._around = self._rule.lambda_pre * self._around + before

    def fire(self, slope: Tensor) -> None:
        """End the device tick: Ψ joins the post trace."""
        if self._post is not None:
            self._post = self._rule.lambda_post * self._post + slope

    def filter(self, slope: Tensor) -> None:
        """Advance the filtered eligibility."""
        for name, kept in self._filtered.items():
            pre = self._pre.flatten(1) if name == "weight" else self._around
            assert pre is not None
            self._filtered[name] = self._rule.filter * kept + slope[:, :, None] * pre[:, None]

    def change(
        self, delta: Tensor, slope: Tensor, *, level: Tensor, before: Tensor, ledger: Ledger
    ) -> dict[str, Tensor]:
        """Return this device tick's part of the gradient, by kind of weight."""
        layer, rule = self._layer, self._rule
        macs = {"weight": layer.macs, "recurrent": layer.recurrent_macs}
        if self._filtered:
            for name in self._filtered:
                ledger.count("weight", macs[name])
            return {n: torch.einsum("bi,bij->ij", delta, k) for n, k in self._filtered.items()}
        posts, levels, arounds = [rule.alpha_pre * delta * slope], [self._pre], [self._around]
        if self._post is not None:
            late = self._post if rule.lag == "code" else rule.lambda_post * self._post
            posts.append(rule.alpha_post * delta * late)
            levels.append(level)
            arounds.append(before)
        post = torch.cat(posts)
        found = {"weight": products(layer, post, torch.cat(levels))}
        ledger.count("weight", len(posts) * layer.macs)
        if self._around is not None:
            found["recurrent"] = post.T @ torch.cat([a for a in arounds if a is not None])
            ledger.count("weight", len(posts) * layer.recurrent_macs)
        return found
