"""LANCE: activations are kept in a small subspace, found once; tasks get subspaces of their own.

With X (batch, length, features) what a linear layer hears, Σ_i the mean of X_(i)·X_(i)ᵀ over some
batches and U_i its r_i leading eigenvectors, the layer keeps G for its weight gradient, not X:

    r_i = 1 + #{k : Σ_{j≤k} λ_j/Σ λ_j ≤ ε}
    G = X ×₀ U₀ᵀ ×₁ U₁ᵀ ×₂ U₂ᵀ           X̃ = G ×₀ U₀ ×₁ U₁ ×₂ U₂
    dW = dYᵀ·X̃, without forming X̃        ‖X - X̃‖² ≤ Σ_i discarded energy_i

In later tasks U lies outside P, what earlier ones showed: dW·P = 0, and their answers stay.
(M. P. E. Apolinario and K. Roy, arXiv 2509.21617, 2025.)

Here: digits as 8 rows of 8 pixels under a layer that all rows share; then a second task.
"""

import numpy as np

from simedge.core.streams import Streams, normals
from simedge.learning.continual.costs import Tally, plain_bytes
from simedge.learning.continual.lance import calibrated
from simedge.learning.continual.settings import LanceSettings
from simedge.learning.continual.streams import order_of
from simedge.learning.continual.subspaces import LanceLayer
from simedge.learning.rules.delta import softmax
from simedge.sensors.table import digits

BATCH, HIDDEN, EPOCHS, RATE = 32, 16, 6, 0.5
table, streams, tally = digits(), Streams(1), Tally()
order = order_of(streams.stream("examples", "papers", "order"), len(table.labels))
train, test = order[:960], order[960:1360]
pictures, targets = table.pictures / 16.0, np.eye(10)[table.labels]
batches = [pictures[train[start : start + BATCH]] for start in range(0, len(train), BATCH)]


def accuracy(bases):
    """Learn with whole (None) or compressed activations; return the share of right answers."""
    drawn = normals(streams.stream("examples", "papers", "layer").block(HIDDEN * 2))
    weights, head = drawn.reshape(HIDDEN, 8) / 3.0, np.zeros((10, 8 * HIDDEN))
    for epoch in range(EPOCHS):
        turn = order_of(streams.stream("examples", "papers", "turns"), len(train), turn=epoch)
        for start in range(0, len(train), BATCH):
            batch = train[turn[start : start + BATCH]]
            rows = pictures[batch]
            kept = rows if bases is None else bases.core(rows, tally=tally)  # all that is held
            hidden = np.maximum(rows @ weights.T, 0.0)
            flat = hidden.reshape(BATCH, -1)
            error = (softmax(flat @ head.T) - targets[batch]) / BATCH
            back = (error @ head).reshape(hidden.shape) * (hidden > 0.0)
            head -= RATE * error.T @ flat
            if bases is None:
                weights -= RATE * np.einsum("blo,blf->of", back, kept)
            else:
                weights -= RATE * bases.weight_gradient(back, kept, tally=tally)
    hidden = np.maximum(pictures[test] @ weights.T, 0.0).reshape(len(test), -1)
    return np.mean((hidden @ head.T).argmax(axis=1) == table.labels[test])


bases = calibrated(batches[:10], 0.9)
core = bases.core(batches[0], tally=tally)
post = normals(streams.stream("examples", "papers", "post").block(BATCH * HIDDEN * 2))
post = post.reshape(BATCH, 8, HIDDEN)
formed = np.einsum("blo,blf->of", post, bases.restored(core))
same = np.allclose(bases.weight_gradient(post, core, tally=tally), formed, atol=1e-10)
print(f"ranks {bases.ranks} of {batches[0].shape}; dW is that of the restored tensor: {same}")
print(f"kept a batch: {4 * core.size} B for {plain_bytes(batches[0].shape)} B, bases once")
whole, small = accuracy(None), accuracy(bases)
print(f"whole above 0.85: {whole > 0.85}; compressed within 5 points: {small > whole - 0.05}")

layer = LanceLayer(64, LanceSettings(energy=0.9))
first, second = pictures[train].reshape(-1, 64), np.rot90(pictures[train], axes=(1, 2))
second = second.reshape(-1, 64)
layer.begin(first[:125])
layer.finish(first[:125])
layer.begin(second[:125])
post = normals(streams.stream("examples", "papers", "change").block(5 * 32)).reshape(32, 20)
change = layer.gradient(post, layer.keep(second[:32]))
moved = np.abs(change @ layer.protected).max()
print(f"a second task, turned digits, leaves what the first one showed: {moved < 1e-12}")
shares = [np.linalg.norm(rows @ change.T) / np.linalg.norm(rows) for rows in (first, second)]
print(f"answers to the second move more than those to the first: {shares[1] > 2 * shares[0]}")
