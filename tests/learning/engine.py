"""The event-driven circuit in the place of the clocked network: what a `Structured` is asked."""

import numpy as np
from structured import Network, Teaching, hinge

from simedge.neurons.homeostasis import Homeostasis
from simedge.neurons.recurrent.circuit import RecurrentCircuit
from simedge.neurons.recurrent.parts import GatedRule, Population, Projection, ReadRule
from simedge.neurons.recurrent.wiring import synapses_of

__all__ = ["Engine"]

_NEVER = 1 - 1e-15
"""Decay that is none, to the precision of the tests."""


class Engine:
    """Fits `Structured`; a circuit without the readout counts what hidden neurons take alone."""

    def __init__(self, network: Network):
        self.net, self.trains = network, []
        self.all, self.hidden = circuit_of(network), circuit_of(network, readout=False)
        self.base = self.now = self._mac = self._wr = 0

    @property
    def ledger(self):
        counted = self.all.counters
        return {
            "syn": counted["deliveries"],
            "neu": self.hidden.counters["neuron_touches"],
            "trc": counted["trace_touches"],
            "mac": counted["plasticity_macs"] + self._mac,
            "wr": counted["weight_writes"],
        }

    def play(self, ticks, arrivals):
        end = self.now + ticks
        fed = [(n, c) for n in range(self.now, end) for c in arrivals.get(n - self.base, ())]
        fed = np.array(fed, int).reshape(-1, 2)
        for circuit in (self.all, self.hidden):
            circuit.feed(fed[:, 0], fed[:, 1])
            circuit.run(end)
        self.trains += self._fired()
        self.now = end

    def _fired(self):
        layers = len(self.net.layers)
        found = []
        for place in range(layers + 1):
            ticks, neurons = self.all.spikes(name_of(place, layers))
            found += [
                (tick, place, neuron)
                for tick, neuron in zip(ticks.tolist(), neurons.tolist(), strict=True)
                if tick >= self.now
            ]
        return [
            (-1 if place == layers else place, tick - self.base, neuron)
            for tick, place, neuron in sorted(found)
        ]

    def scores(self):
        return self.all.counts("o") + 1e-3 * self.all.potentials("o", self.now)

    def teach(self, label):
        net, errors = self.net, hinge(self.scores(), label, self.net.margin)
        if not errors.any():
            self.close()
            return None
        broadcast = net.basis @ errors
        modulators = [layer.feedback @ broadcast for layer in net.layers]
        decay, changed = net.eligibility_decay, np.flatnonzero(errors)
        lasting = sum(decay**k for k in range(1, net.hold + 1)) if net.hold else 1.0
        for place, modulator in enumerate(modulators):
            name = f"h{place}"
            eligible = self.all.eligible(name)
            strength = net.hidden_rate * lasting * modulator[eligible]
            self.all.gate(name, self.now, strength, balanced=net.balanced)
            self._mac += len(net.basis) * eligible.size
            share = 10.0 / max(1, self.all.counts(name).sum())
            amounts = net.readout_rate * errors[changed] * share
            self.all.read(2 * len(net.layers) + place, changed, amounts)
        for n in range(2 * len(net.layers)):
            self.hidden.weights(n)[:] = self.all.weights(n)
        self.close()
        return Teaching(errors=errors, broadcast=broadcast, modulators=modulators)

    def close(self):
        for circuit in (self.all, self.hidden):
            circuit.close_window()
            if not self.net.stream:
                circuit.reset(self.now)
        if not self.net.stream:
            self.base = self.now

    def weights(self, layer):
        places = (2 * layer, 2 * layer + 1, 2 * len(self.net.layers) + layer)
        return tuple(self._dense(n, self.all.weights(n)) for n in places)

    def eligibilities(self, layer):
        places = (2 * layer, 2 * layer + 1)
        return tuple(self._dense(n, self.all.eligibilities(n, self.now)) for n in places)

    def thresholds(self, layer):
        return self.all.thresholds(f"h{layer}", self.now)

    def _dense(self, place, values):
        wires = self.all.synapses(place)
        dense = np.zeros((wires.targets, wires.sources))
        source, target = wires.pairs()
        dense[target, source] = values
        return dense


def name_of(place, layers):
    return "o" if place == layers else f"h{place}"


def circuit_of(net, *, readout=True):
    """Build the circuit of a network, perhaps without what it is read by."""
    step, target, least, most = net.homeostasis
    law = net.threshold
    if step:
        law = Homeostasis(
            initial=net.threshold, low=least, high=most, rate=step, target=target, gamma=net.leak
        )
    rule = GatedRule(
        pre_factor=net.trace_decay,
        row_factor=min(net.eligibility_decay, _NEVER),
        bound=net.most,
        gate="arrival" if net.gate == "pre_psi" else "spike",
        noncausal=net.noncausal,
    )
    populations, joins = {}, []
    for place, layer in enumerate(net.layers):
        me, below = f"h{place}", f"h{place - 1}" if place else "inputs"
        populations[me] = Population(size=len(layer.forward), gamma=net.leak, threshold=law)
        for source, weights, mask, delay in (
            (below, layer.forward, layer.forward_mask, layer.forward_delay),
            (me, layer.recurrent, layer.recurrent_mask, layer.recurrent_delay),
        ):
            joins.append(joined(source, me, (weights, mask), delay=delay, rule=rule))
    if readout:
        classes = net.basis.shape[1]
        populations["o"] = Population(size=classes, gamma=net.leak, soft=True)
        for place, layer in enumerate(net.layers):
            parts = (layer.readout, layer.readout_mask)
            joins.append(joined(f"h{place}", "o", parts, delay=0, rule=ReadRule()))
    inputs = net.layers[0].forward.shape[1]
    return RecurrentCircuit(inputs, populations, projections=joins)


def joined(source, target, parts, **rest):
    weights, mask = parts
    pre, post = np.nonzero(mask.T)
    wires = synapses_of((pre, post), sources=mask.shape[1], targets=mask.shape[0])
    return Projection(
        source=source, target=target, synapses=wires, weights=weights[post, pre], **rest
    )
