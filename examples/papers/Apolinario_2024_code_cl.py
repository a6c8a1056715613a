"""CODE-CL: what is learned now leaves alone what earlier tasks looked at.

With X the inputs of a layer during a task (columns) and an aperture α,

    R = X·Xᵀ/N        C = R·(R + α⁻²·I)⁻¹        NOT C = I - C
    AND(C, B) = (C⁻¹ + B⁻¹ - I)⁻¹                OR(C, B) = NOT AND(NOT C, NOT B)
    g_W ← g_W·(I - C)    in every task but the first; after it  C ← OR(C, C_task)

Where a task overlaps much with C it gets a few dimensions U and a small matrix M of its own,
W_eff = W + W·U·M·Uᵀ - W·U·Uᵀ. (M. P. E. Apolinario, S. Choudhary and K. Roy, arXiv 2411.15235,
2024; conceptors: H. Jaeger, arXiv 1403.3369.)

Here: three tasks in turn, digits whose pixels stand in another order each time, a head a task.
"""

import numpy as np

from simedge.core.streams import Streams, normals
from simedge.learning.continual.code_cl import CodeLayer
from simedge.learning.continual.conceptors import conceptor, conjunction, disjunction
from simedge.learning.continual.metrics import backward_transfer, mean_accuracy
from simedge.learning.continual.settings import CodeSettings
from simedge.learning.continual.streams import order_of, permuted_tasks
from simedge.learning.rules.delta import softmax
from simedge.sensors.table import digits

CLASSES, INPUTS, HIDDEN, BATCH, EPOCHS, RATE = 10, 64, 20, 8, 12, 0.2
table, streams = digits(), Streams(1)
features = table.pictures.reshape(-1, INPUTS) / 16.0
order = order_of(streams.stream("examples", "papers", "order"), len(table.labels))
train, test = order[:200], order[200:600]
tasks = permuted_tasks(CLASSES, 3, streams.stream("examples", "papers", "tasks"), features=INPUTS)

one = conceptor(np.array([[0.5, 0.5], [0.5, 1.0]]), 2.0)
other = conceptor(np.array([[0.5, -0.5], [-0.5, 1.0]]), 2.0)
print(f"trace of C {np.trace(one):.3f}, AND {np.trace(conjunction(one, other)):.3f}, ", end="")
print(f"OR {np.trace(disjunction(one, other)):.3f}")


class Net:
    """One hidden layer, common to all tasks, and a head a task."""

    def __init__(self, guard):
        drawn = normals(streams.stream("examples", "papers", "layer").block(HIDDEN * INPUTS // 4))
        self.weights = drawn.reshape(HIDDEN, INPUTS) * np.sqrt(2.0 / INPUTS)
        self.heads = np.zeros((len(tasks), CLASSES, HIDDEN))
        self.guard = guard

    def learn(self, number):
        """Learn one task from beginning to end."""
        seen = tasks[number].seen(features)
        free = self.guard and self.guard.begin(seen[train[:125]])
        for epoch in range(EPOCHS):
            turn = order_of(streams.stream("examples", "papers", "turns"), len(train), turn=epoch)
            for start in range(0, len(train), BATCH):
                batch = train[turn[start : start + BATCH]]
                self.step(number, seen[batch], table.labels[batch], free=free)
        if self.guard:
            self.guard.finish(seen[train[:125]])

    def step(self, number, rows, labels, *, free):
        """Take a step down the cross entropy; the guard has the last word on the hidden layer."""
        head = self.heads[number]
        hidden = np.maximum(rows @ self.effective(number).T, 0.0)
        error = (softmax(hidden @ head.T) - np.eye(CLASSES)[labels]) / len(labels)
        outer = ((error @ head) * (hidden > 0.0)).T @ rows
        head -= RATE * error.T @ hidden
        if free is not None:
            outer, mix = free.gradients(self.weights, outer)
            free.mix -= RATE * mix
        self.weights -= RATE * (self.guard.project(outer) if self.guard else outer)

    def effective(self, number):
        """Return the hidden weights that a task answers with."""
        return self.guard.effective(self.weights, number) if self.guard else self.weights

    def accuracy(self, number):
        """Return the share of right answers to a task."""
        hidden = np.maximum(tasks[number].seen(features)[test] @ self.effective(number).T, 0.0)
        return np.mean((hidden @ self.heads[number].T).argmax(axis=1) == table.labels[test])


def tables(guard):
    """Accuracies on all tasks so far, after each."""
    net, rows = Net(guard), np.zeros((len(tasks), len(tasks)))
    for now in range(len(tasks)):
        net.learn(now)
        rows[now, : now + 1] = [net.accuracy(number) for number in range(now + 1)]
    return rows


plain = tables(None)
layer = CodeLayer(INPUTS, CodeSettings(aperture=4.0), streams.stream("examples", "papers", "free"))
guarded = tables(layer)
lost, kept = -backward_transfer(plain), -backward_transfer(guarded)
print(f"plain training forgets more than 0.03: {lost > 0.03}")
print(f"CODE-CL forgets less than half of that: {kept < lost / 2}")
print(f"and ends with more in all: {mean_accuracy(guarded) > mean_accuracy(plain)}")
print(f"kept beside {4 * HIDDEN * INPUTS} B of weights: {layer.state_bytes} B")
