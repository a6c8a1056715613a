"""LLS: a loss of its own for every block, against waves that nobody has to store.

A block is linear, BatchNorm, LeakyReLU; with a (m,) its activation, B the basis, τ = 1/2,

    B_ci = sign(sin((50 + c·462/(C-1))·i))        â = a/‖a‖
    r = B·â (LLS),  μ ⊙ (B·â) (LLS-M),  Mᵀ·(B·â) (LLS-MxM)
    p = softmax(r/τ)        loss = -ln p_y        g_â = Bᵀ·(p - y*)/τ (LLS)

The block updates at once and hands on what it had; nothing comes back from above.
(M. P. E. Apolinario, A. Roy and K. Roy, arXiv 2405.15868, 2024.)

Here: handwritten digits, two dense blocks and a linear classifier.
"""

import numpy as np

from simedge.core.streams import Streams, normals
from simedge.learning.continual.streams import order_of
from simedge.learning.rules.basis import basis
from simedge.learning.rules.costs import VGG8_WIDTHS, backprop, lls, vgg8
from simedge.learning.rules.lls import Block, Head, LocalNet
from simedge.learning.rules.optimiser import Adam
from simedge.sensors.table import digits

CLASSES, WIDTH, BATCH, EPOCHS = 10, 64, 32, 5
table, streams = digits(), Streams(1)
order = order_of(streams.stream("examples", "papers", "order"), len(table.labels))
train, test = order[:800], order[800:1200]
rows, targets = table.pictures.reshape(-1, 64) / 16.0, np.eye(CLASSES)[table.labels]


def drawn(name, post, pre):
    """Weights of size 1."""
    stream = streams.stream("examples", "papers", name)
    return normals(stream.block(post * pre // 4)).reshape(post, pre)


def net_of(mixing):
    """Two blocks under a classifier, with the same first weights for all."""
    blocks = [
        Block(
            weights=drawn(f"layer-{depth}", WIDTH, 64) / 8.0,
            head=Head(
                basis=basis(CLASSES, WIDTH), mixing=None if mixing is None else mixing.copy()
            ),
        )
        for depth in (1, 2)
    ]
    return LocalNet(blocks, 0.1 * drawn("readout", 12, WIDTH)[:CLASSES])


net = net_of(None)
first = net.blocks[0].gradient(rows[:BATCH], targets[:BATCH]).weights
net.blocks[1].weights *= 3.0
net.readout *= 3.0
again = net.blocks[0].gradient(rows[:BATCH], targets[:BATCH]).weights
print(f"what is above changes no bit of a block's gradient: {np.array_equal(first, again)}")


def accuracy(mixing):
    """Learn in batches; return the share of right answers on digits that nobody learns."""
    net = net_of(mixing)
    adams = [Adam(rate=1e-2) for _ in range(3)]
    for epoch in range(EPOCHS):
        turn = order_of(streams.stream("examples", "papers", "turns"), len(train), turn=epoch)
        for start in range(0, len(train), BATCH):
            batch = train[turn[start : start + BATCH]]
            net.learn(rows[batch], targets[batch], adams)
    return np.mean(net.scores(rows[test]).argmax(axis=1) == table.labels[test])


mixings = {"LLS": None, "LLS-M": np.ones(CLASSES), "LLS-MxM": np.eye(CLASSES)}
for name, mixing in mixings.items():
    print(f"{name}: above 0.85: {accuracy(mixing) > 0.85}")
held, whole = net.memory(), WIDTH * 2 + 64
print(f"activations: {held['activations']} words at a time, back-propagation keeps {whole}")
for classes in (10, 100):
    ratio = backprop(vgg8(classes)).macs / lls(VGG8_WIDTHS, classes)
    print(f"VGG-8, {classes} classes: the signal needs {ratio:.0f} x fewer MACs than going back")
