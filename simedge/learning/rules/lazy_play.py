"""A window of layers with eligibilities, played only where something happens, compiled.

The rule is that of `eligibility.py`; silence in between is summed up by `silence.py`. Of each
executed device tick n a layer keeps two rows, a[n] for what its pre traces p[n] meet (the gap that
follows is added to it, as p decays on its own there), b[n] for what its arrivals meet:

    g = Σ_n a[n] ⊗ p[n] + b[n] ⊗ x[n]

A spike's trace meets every later row, weaker by λ_pre a tick. So rows are summed from the end,
Z[n] = a[n] + λ_pre^(n'-n)·Z[n'] with n' the next executed tick, and an arrival of line j at n adds
the one row Z[n] + b[n] to the gradients of j's synapses: as many additions as the forward pass
has, and nothing but row sums.
"""
# ruff: noqa: PLR0917 - compiled kernels take no keyword-only arguments

import math

import numpy as np
from numpy.typing import NDArray

from simedge.core.native_cache import native_part, unlocked_leaf
from simedge.learning.rules.lazy_layout import (
    MAC,
    NEU,
    RAN,
    SIGN,
    SOFTMAX,
    SPENT,
    SYN,
    TRC,
    Goal,
    Heard,
    Law,
    Plan,
    Room,
)
from simedge.learning.rules.silence import (
    eligible_sums,
    past_sums,
    power,
    ticks_near_threshold,
)
from simedge.neurons.kinds import Ints, Real, Whole

__all__ = ["gather", "play"]

Floats = NDArray[np.float64]


@unlocked_leaf
def play(plan: Plan, law: Law, room: Room, heard: Heard, goal: Goal) -> None:
    """Play a window from rest and fill its rows; gradients of the readout are added up."""
    part, before, stale, layers = 0, -1, True, plan.sizes.size
    begin(room)
    turn_to(plan, goal, 0)
    # One tick more closes the last gaps. Each part has one caller: it is compiled there, once.
    for n in range(law.ticks + 1):
        over = n == law.ticks
        turn = not over and part + 1 < goal.since.size and goal.since[part + 1] == n
        wanted = over or turn or heard.start[n + 1] > heard.start[n]
        for layer in range(1, layers):
            wanted |= room.due[layer] == n
        if not wanted:
            continue
        if stale:
            fall_silent(plan, law, room, goal.targets[part])
        idle(law, room, before, n)
        for layer in range(1, layers):
            runs = over or turn or not law.local or room.due[layer] == n
            if runs or arrives(law, room, heard, layer, n):
                step(plan, law, room, heard, layer, n)
        part, stale, before = part + turn, turn, n
        if turn:
            turn_to(plan, goal, part)
        if not over:
            teach(plan, law, room, goal.targets[part], n)
        for c in range(SPENT):
            room.spent[n * SPENT + c] = room.tally[c]


@native_part
def arrives(law: Law, room: Room, heard: Heard, layer: Whole, n: Whole) -> Whole:
    """Tell whether anything comes from below."""
    if layer == 1:
        return heard.start[n + 1] > heard.start[n]
    below = (layer - 1) * law.ticks + n
    return room.stop[below] > room.first[below]


@native_part
def sign(x: Real) -> Real:
    """Return -1, 0 or 1."""
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)


@native_part
def miss(scores: Floats, target: Floats, soft: Whole) -> None:
    """Replace scores by what they miss a target by, through a softmax if wished."""
    top, total = scores[0], 0.0
    for c in range(1, scores.size):
        top = max(top, scores[c])
    for c in range(scores.size):
        scores[c] = math.exp(scores[c] - top) if soft else scores[c]
        total += scores[c]
    for c in range(scores.size):
        scores[c] = (scores[c] / total if soft else scores[c]) - target[c]


@native_part
def begin(room: Room) -> None:
    """Bring everything to rest."""
    room.u[:] = 0.0
    room.past[:] = 0.0
    room.psi[:] = 0.0
    room.counts[:] = 0
    room.due[:] = -1
    room.last[:] = -1
    room.used[:] = 0
    room.first[:] = 0
    room.stop[:] = 0
    room.seen[:] = 0
    room.looped[:] = 0
    room.live[:] = 0
    room.hits[:] = 0.0


@native_part
def turn_to(plan: Plan, goal: Goal, part: Whole) -> None:
    """Read by the readout of a part, if each has its own."""
    if part < goal.readouts.shape[0]:
        for i in range(plan.readout.size):
            plan.readout[i] = goal.readouts[part, i]
        for c in range(plan.bias.size):
            plan.bias[c] = goal.biases[part, c]


@native_part
def fall_silent(plan: Plan, law: Law, room: Room, target: Floats) -> None:
    """Work out what every neuron is told while nothing happens."""
    classes = target.size
    silent = room.error[classes : 2 * classes]
    for c in range(classes):
        silent[c] = plan.bias[c]
    miss(silent, target, True)
    for layer in range(1, plan.sizes.size):
        size, place = plan.sizes[layer], plan.places[layer]
        told = room.silent[place : place + size]
        told[:] = 0.0
        for c in range(classes):
            error = silent[c]
            if law.local:
                error = (1.0 / classes if law.squash == SOFTMAX else 0.0) - target[c]
            elif law.squash == SIGN:
                error = sign(error)
            at = plan.feedback[classes * place + c * size : classes * place + (c + 1) * size]
            for i in range(size):
                told[i] += at[i] * error


@native_part
def idle(law: Law, room: Room, before: Whole, now: Whole) -> None:
    """Let the readout's bias learn from the active silent ticks between two executed ones."""
    classes = room.bias.size
    ticks = now - max(before + 1, law.first_active)
    if law.reads and ticks > 0 and (law.exact or law.spiking):
        for c in range(classes):
            room.bias[c] += ticks * room.error[classes + c]


@native_part
def near_psi(law: Law, u: Real) -> Real:
    """Return Ψ of a potential."""
    if law.spiking:
        return 1.0 if u > law.threshold else 0.0
    return 0.3 * max(1.0 - abs(u - law.threshold), 0.0)


@native_part
def close(plan: Plan, law: Law, room: Room, layer: Whole, now: Whole) -> None:
    """Bring a layer from its last executed tick to the one before `now`."""
    size, place = plan.sizes[layer], plan.places[layer]
    gap, row = now - room.last[layer] - 1, room.counts[layer] - 1
    if gap <= 0:
        return
    room.tally[TRC] += 4 * size
    first, all_of = max(1, law.first_active - room.last[layer]), (1, gap)
    pre, post = (law.leak, law.threshold, law.pre_decay), (law.leak, law.threshold, law.post_decay)
    flat, bent = eligible_sums(pre, all_of, first)
    grown, leaned = past_sums(post, all_of, gap)
    kept, once = power(law.post_decay, gap), power(law.post_decay, gap - 1)
    fade, base = power(law.leak, gap), place * law.ticks + row * size
    for i in range(size):
        u, past, psi = room.u[place + i], room.past[place + i], room.psi[place + i]
        room.past[place + i] = kept * past + once * psi
        if not law.spiking:
            met, added = flat + u * bent, grown + u * leaned
            if law.threshold >= 1.0 or u <= law.threshold - 1.0:
                near = ticks_near_threshold(u, law.leak, law.threshold, gap)
                at, by = eligible_sums(pre, near, first)
                met = at + u * by
                at, by = past_sums(post, near, gap)
                added = at + u * by
            room.past[place + i] += added
            if law.exact and row >= 0:
                room.causal[base + i] += room.silent[place + i] * law.pre_gain * met
        room.u[place + i] = fade * u
        room.psi[place + i] = near_psi(law, fade * u)


@native_part
def step(plan: Plan, law: Law, room: Room, heard: Heard, layer: Whole, n: Whole) -> None:
    """Execute device tick n of a layer: arrivals, potentials, spikes; after the last, nothing."""
    close(plan, law, room, layer, n)
    if n == law.ticks:
        return
    size, place, ticks = plan.sizes[layer], plan.places[layer], law.ticks
    room.ran[layer * ticks + room.counts[layer]] = n
    room.counts[layer] += 1
    room.last[layer] = n
    u = room.u[place : place + size]
    for i in range(size):
        room.past[place + i] = law.post_decay * room.past[place + i] + room.psi[place + i]
        u[i] *= law.leak
    came = arrive(plan, law, room, heard, (layer, n))
    at = layer * ticks + n
    fired, out = 0, place * ticks + room.used[layer]
    room.first[at] = out
    again = False
    for i in range(size):
        room.psi[place + i] = near_psi(law, u[i])
        if u[i] > law.threshold:
            room.spikes[out + fired] = i
            fired += 1
            u[i] -= law.threshold
        again |= law.leak * u[i] > law.threshold
    room.stop[at] = out + fired
    room.used[layer] += fired
    if again or (fired and plan.loops[layer] >= 0):
        room.due[layer] = n + 1
    room.arrived[layer] = came
    room.tally[SYN] += came * size
    room.tally[NEU] += size
    room.tally[TRC] += came + size  # of lines that were heard, and h of every neuron
    room.tally[RAN] += 1


@native_part
def arrive(plan: Plan, law: Law, room: Room, heard: Heard, when: tuple[Whole, Whole]) -> Whole:
    """Add what arrives at (layer, tick) to its potentials; return how many arrivals there were."""
    layer, n = when
    size, place, ticks = plan.sizes[layer], plan.places[layer], law.ticks
    u = room.u[place : place + size]
    if layer == 1:
        source, first, stop = heard.lines, heard.start[n], heard.start[n + 1]
    else:
        at = (layer - 1) * ticks + n
        source, first, stop = room.spikes, room.first[at], room.stop[at]
    for s in range(first, stop):
        line = source[s]
        row = plan.weights[plan.ahead[layer] + line * size :]
        for i in range(size):
            u[i] += row[i]
        if not room.seen[plan.lines[layer] + line]:
            room.seen[plan.lines[layer] + line] = 1
            room.live[layer] += 1
    came = stop - first
    if n and plan.loops[layer] >= 0:
        at = layer * ticks + n - 1
        for s in range(room.first[at], room.stop[at]):
            line = room.spikes[s]
            row = plan.weights[plan.loops[layer] + line * size :]
            for i in range(size):
                u[i] += row[i]
            if not room.looped[place + line]:
                room.looped[place + line] = 1
                room.live[layer] += 1
        came += room.stop[at] - room.first[at]
    return came


@native_part
def teach(plan: Plan, law: Law, room: Room, target: Floats, n: Whole) -> None:
    """Let the readout see device tick n, and write the rows of the layers that executed it."""
    active = n >= law.first_active
    read(plan, law, room, target, n)
    if law.squash == SIGN and not law.local:
        for c in range(target.size):
            room.error[c] = sign(room.error[c])
    for layer in range(1, plan.sizes.size):
        if room.last[layer] == n:
            if law.local:
                judge(plan, law, room, target, layer)
            write_rows(plan, law, room, layer, active)


@native_part
def read(plan: Plan, law: Law, room: Room, target: Floats, n: Whole) -> None:
    """Set the error to the readout's at device tick n; add to the readout's gradient."""
    classes, at = target.size, (plan.sizes.size - 1) * law.ticks + n
    error, first, stop = room.error[:classes], room.first[at], room.stop[at]
    for c in range(classes):
        error[c] = plan.bias[c]
    for s in range(first, stop):
        j = room.spikes[s]
        room.hits[j] += 1.0
        for c in range(classes):
            error[c] += plan.readout[j * classes + c]
    miss(error, target, True)
    room.tally[SYN] += (stop - first) * classes
    if n < law.first_active or not law.reads:
        return
    for c in range(classes):
        room.bias[c] += error[c]
        for s in range(first, stop):
            room.readout[room.spikes[s] * classes + c] += error[c]
    room.tally[MAC] += (stop - first) * classes


@native_part
def judge(plan: Plan, law: Law, room: Room, target: Floats, layer: Whole) -> None:
    """Set the error to that of a layer's own scores."""
    classes, size, place = target.size, plan.sizes[layer], plan.places[layer]
    at, error = layer * law.ticks + room.last[layer], room.error[:classes]
    for c in range(classes):
        total = 0.0
        for s in range(room.first[at], room.stop[at]):
            total += plan.feedback[classes * place + c * size + room.spikes[s]]
        error[c] = total
    miss(error, target, law.squash == SOFTMAX)


@native_part
def write_rows(plan: Plan, law: Law, room: Room, layer: Whole, active: Whole) -> None:
    """Write a[n] and b[n] of a layer from the error, its Ψ and what is past."""
    size, place, classes = plan.sizes[layer], plan.places[layer], room.bias.size
    base = place * law.ticks + (room.counts[layer] - 1) * size
    causal, late = room.causal[base : base + size], room.late[base : base + size]
    causal[:] = 0.0
    late[:] = 0.0
    if not active:
        return
    for c in range(classes):
        at = plan.feedback[classes * place + c * size : classes * place + (c + 1) * size]
        error = room.error[c]
        for i in range(size):
            late[i] += at[i] * error
    for i in range(size):
        causal[i] = late[i] * law.pre_gain * room.psi[place + i]
        late[i] *= law.past_gains[layer] * room.past[place + i]
    met = room.live[layer] + (room.arrived[layer] if law.past_gains[layer] != 0.0 else 0)
    room.tally[MAC] += (met + (2 if law.local else 1) * classes) * size


@unlocked_leaf
def gather(plan: Plan, law: Law, room: Room, heard: Heard, gradient: Floats) -> None:
    """Add the gradients of a window that was played, laid out as the weights are."""
    ticks = law.ticks
    for layer in range(1, plan.sizes.size):
        size, place = plan.sizes[layer], plan.places[layer]
        total, row = room.past[place : place + size], room.u[place : place + size]
        total[:] = 0.0
        later = ticks
        for e in range(room.counts[layer] - 1, -1, -1):
            n, base = room.ran[layer * ticks + e], place * ticks + e * size
            fade = power(law.pre_decay, later - n)
            for i in range(size):
                total[i] = room.causal[base + i] + fade * total[i]
                row[i] = total[i] + room.late[base + i]
            later = n
            if layer == 1:
                source, first, stop = heard.lines, heard.start[n], heard.start[n + 1]
            else:
                at = (layer - 1) * ticks + n
                source, first, stop = room.spikes, room.first[at], room.stop[at]
            add_rows(gradient, row, plan.ahead[layer], (source, first, stop))
            if n and plan.loops[layer] >= 0:
                at = layer * ticks + n - 1
                span = (room.spikes, room.first[at], room.stop[at])
                add_rows(gradient, row, plan.loops[layer], span)


@native_part
def add_rows(gradient: Floats, row: Floats, start: Whole, span: tuple[Ints, Whole, Whole]) -> None:
    """Add one row to the gradients of every line of a span."""
    source, first, stop = span
    size = row.size
    for s in range(first, stop):
        at = gradient[start + source[s] * size :]
        for i in range(size):
            at[i] += row[i]
