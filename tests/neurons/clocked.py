"""The slow twin of recurrent circuits: every tick, every neuron, every synapse, in float64."""

from dataclasses import dataclass, field

import numpy as np

from simedge.neurons.homeostasis import Homeostasis


@dataclass
class Cells:
    """One population, dense."""

    about: object
    u: np.ndarray = None
    theta: np.ndarray = None
    post: np.ndarray = None
    before: np.ndarray = None  # u, not yet reset
    trains: list = field(default_factory=list)

    def __post_init__(self):
        law, size = self.about.threshold, self.about.size
        self.adapts = isinstance(law, Homeostasis)
        self.u, self.post = np.zeros(size), np.zeros(size)
        self.theta = np.full(size, law.initial if self.adapts else law)

    def step(self, drive, n):
        """Let neurons fire; return how far each was from its threshold."""
        self.u = self.about.gamma * self.u + drive + (self.about.bias if n else 0.0)
        self.before, fires = self.u, self.u > self.theta
        margins = np.abs(self.u - self.theta)
        self.u = np.where(fires, self.u - self.theta if self.about.soft else 0.0, self.u)
        self.trains.append(fires)
        return margins

    def adapt(self):
        if self.adapts:
            law = self.about.threshold
            moved = self.theta + law.rate * (self.trains[-1] - law.target)
            self.theta = np.clip(moved, law.low, law.high)

    def fired(self, n):
        return self.trains[n] if n >= 0 else np.zeros(self.about.size, bool)


class Clocked:
    """A circuit as the definition has it; weights are (targets, sources), and a mask."""

    def __init__(self, inputs, populations, projections):
        self.inputs, self.margin = inputs, np.inf
        self.cells = {name: Cells(about) for name, about in populations.items()}
        self.joins = [(p, *dense_of(p)) for p in projections]
        self.pre = [np.zeros(p.synapses.sources) for p in projections]

    def arrivals(self, projection, n):
        then = n - projection.delay
        if projection.source == "inputs":
            return self.fed[then] if then >= 0 else np.zeros(self.inputs, bool)
        cells = self.cells[projection.source]
        return cells.fired(then) if then < len(cells.trains) else None

    def run(self, fed):
        """Play one presentation; `fed` is (ticks, lines), bool."""
        self.fed = fed
        for n in range(len(fed)):
            for name, cells in self.cells.items():
                drive = np.zeros(cells.about.size)
                for p, w, _ in self.joins:
                    if p.target == name:
                        drive += w @ self.arrivals(p, n)
                self.margin = min(self.margin, cells.step(drive, n).min())
                self.learn(name, cells, n)
                cells.adapt()

    def learn(self, name, cells, n):
        acting, rule = None, None
        for k, (p, w, mask) in enumerate(self.joins):
            if p.target == name and p.rule is not None:
                if rule is None:
                    rule = p.rule
                    cells.post *= rule.post_factor
                    acting = cells.fired(n - rule.post_delay)
                self.pre[k] *= p.rule.pre_factor
                pair(p.rule, (w, mask), (self.arrivals(p, n), acting), (self.pre[k], cells.post))
                self.pre[k] += self.arrivals(p, n)
        if rule is not None:
            cells.post += acting

    def weights(self, k):
        """Return the weights of a projection in the order of its synapses."""
        projection, w, _ = self.joins[k]
        source, target = projection.synapses.pairs()
        return w[target, source]

    def spikes(self, name):
        return np.array(self.cells[name].trains)


def pair(rule, held, spikes, traces):
    (w, mask), (arrived, acting), (pre, post) = held, spikes, traces
    change = rule.at_pre * outer(post, arrived) + rule.at_post * outer(acting, pre)
    change += rule.at_both * outer(acting, arrived)
    touched = mask & (arrived[..., None, :] | acting[..., :, None])
    w[touched] = np.clip((w + change)[touched], rule.low, rule.high)


def outer(rows, columns):
    return rows[..., :, None] * columns[..., None, :]


def dense_of(projection):
    source, target = projection.synapses.pairs()
    w = np.zeros((projection.synapses.targets, projection.synapses.sources))
    mask = np.zeros(w.shape, bool)
    w[target, source], mask[target, source] = projection.weights, True
    return w, mask


def raster(train):
    """Return (ticks, neurons) of a dense train."""
    return tuple(part.tolist() for part in np.nonzero(train))
