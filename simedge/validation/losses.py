"""C1 to C7: losses, their bursts, fragments and retries on one hop, on our link."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simedge.validation import formulas
from simedge.validation.ahead import Ahead
from simedge.validation.crank import MS, S, a_link, deliver
from simedge.validation.finding import Case, Finding, Row, exact, near, within
from simedge.validation.formulas import Burst
from simedge.world.datagrams import Datagram, Uid
from simedge.world.draws import Draws
from simedge.world.loss import ALWAYS, NEVER, open_loss
from simedge.world.loss_settings import (
    BernoulliLoss,
    FourStateLoss,
    GilbertElliottLoss,
    LossSettings,
    PacketChainLoss,
)

__all__ = ["ROWS", "independent"]

_N: Final = 50_000
_CORRELATED: Final = 100_000
"""Where one loss tells of the next."""
_BLOCK: Final = 500
_SE: Final = "4.42 SE"
_SE_V: Final = "4.42 SE, variance times V"


def independent(share: str) -> BernoulliLoss:
    """Return a law that loses each datagram by itself."""
    return BernoulliLoss.model_validate({"kind": "bernoulli", "mean": share})


def _steady(n: int, every_ns: int, size: int = 100) -> Iterator[tuple[int, int]]:
    return ((seq * every_ns, size) for seq in range(n))


def _binomial(share: float, n: int, inflation: float = 1.0) -> float:
    return math.sqrt(inflation * share * (1 - share) / n)


# ------------------------------------------------------------------------------------------- C1
def _shares(seed: int) -> tuple[Finding, ...]:
    p, d = 0.2, 0.1
    link = a_link(seed, loss=independent("1/5"), duplicate=independent("1/10").mean)
    deliver(link, _steady(_N, 2 * MS))
    tally = link.tally()
    copies = (1 - p) * (1 + d)
    spread = (1 - p) * (1 + 3 * d) - copies**2
    return (
        near("share lost", p, tally.lost.datagrams / _N, n=_N, error=_binomial(p, _N)),
        near(
            "copies", copies, tally.delivered.datagrams / _N, n=_N, error=math.sqrt(spread / _N)
        ),
    )  # fmt: skip


# ------------------------------------------------------------------------------------- C2 and C3
def _in_turn(seed: int, *, loss: LossSettings) -> tuple[Finding, ...]:
    """Let a chain move at every datagram: the fate is by the state before it, the first is good."""
    n = 6
    lost = deliver(a_link(seed, loss=loss), _steady(n, MS)).lost(n)
    return (exact("which are lost", (0, 1) * (n // 2), tuple(map(int, lost)), n=n),)


def _chain(p: str, r: str, *, bad: str, good: str) -> PacketChainLoss:
    data = {"kind": "gilbert-elliott-packets", "p": p, "r": r, "bad": bad, "good": good}
    return PacketChainLoss.model_validate(data)


def _burst(loss: PacketChainLoss) -> Burst:
    return Burst(*map(float, (loss.p, loss.r, loss.bad, loss.good)))


def _in_packets(seed: int, *, loss: PacketChainLoss) -> tuple[Finding, ...]:
    chain = _burst(loss)
    lost = deliver(a_link(seed, loss=loss), _steady(_CORRELATED, MS)).lost(_CORRELATED)
    share, v = chain.loss, chain.inflation
    sums = lost.reshape(-1, _BLOCK).sum(axis=1)
    found = float(sums.var()) / (_BLOCK * share * (1 - share))
    return (
        near(
            "share lost",
            share,
            float(lost.mean()),
            n=_CORRELATED,
            error=_binomial(share, _CORRELATED, v),
        ),
        # The variance of a variance is 2 / (m - 1); sums of a burst have slightly heavier tails.
        near("V of sums of 500", v, found, n=len(sums), error=v * math.sqrt(3 / len(sums))),
    )


def _law(seed: int, loss: LossSettings, n: int) -> NDArray[np.int8]:
    """Return 1 for each of n datagrams that the law of a link loses, asked one by one."""
    streams = Ahead(seed)
    law = open_loss(loss, streams=streams, link="dev03.up")
    assert law is not None
    draws, lost = Draws(streams, "dev03.up"), np.zeros(n, np.int8)
    blank = Datagram(uid=Uid("dev03", "server", "token", 1, 0), data=b"", wire_bytes=100, path=(2,))
    for seq in range(1, n + 1):
        threshold = law.threshold(blank, seq, 0)
        if threshold == NEVER:
            continue
        if threshold < ALWAYS:
            datagram = blank._replace(uid=Uid("dev03", "server", "token", 1, seq))
            lost[seq - 1] = draws.words(datagram, 0)[0] < threshold
        else:
            lost[seq - 1] = 1
    return lost


def _runs(seed: int, *, loss: PacketChainLoss) -> tuple[Finding, ...]:
    n = 400_000
    lost = _law(seed, loss, n)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], lost, [0]))))
    lengths = edges[1::2] - edges[::2]
    run = _burst(loss).run
    return (within("mean run", run, float(lengths.mean()), n=n, tolerance=0.05 * run),)


_CHAINS: Final = {
    "p .02, r .2, l_B 1, l_G 0": _chain("0.02", "0.2", bad="1", good="0"),
    "p .01, r .1, l_B .8, l_G .01": _chain("0.01", "0.1", bad="0.8", good="0.01"),
    "p .05, r .2, l_B .75, l_G .01": _chain("0.05", "0.2", bad="0.75", good="0.01"),
}


# ------------------------------------------------------------------------------------------- C4
def _weather(mean: str, burst: str, bad: str) -> GilbertElliottLoss:
    data = {"kind": "gilbert-elliott", "mean": mean, "burst": burst, "bad": bad}
    return GilbertElliottLoss.model_validate(data)


def _in_time(seed: int, *, loss: GilbertElliottLoss, every_ns: int) -> tuple[Finding, ...]:
    mean, bad = float(loss.mean), float(loss.bad)
    chain = formulas.in_time(mean=mean, burst_s=loss.burst / S, bad=bad, every_s=every_ns / S)
    lost = deliver(a_link(seed, loss=loss), _steady(_CORRELATED, every_ns)).lost(_CORRELATED)
    share, v = chain.loss, chain.inflation
    found = float(np.mean((lost[:-1] - share) * (lost[1:] - share))) / (share * (1 - share))
    # Its own error is that of a mean of inflated products.
    error = math.sqrt(v / _CORRELATED / share)
    return (
        near(
            "share lost",
            share,
            float(lost.mean()),
            n=_CORRELATED,
            error=_binomial(share, _CORRELATED, v),
        ),
        near("correlation of neighbours", chain.lag_one, found, n=_CORRELATED - 1, error=error),
    )


# ------------------------------------------------------------------------------------------- C5
def _states(figures: tuple[str, ...]) -> FourStateLoss:
    names = ("p13", "p31", "p32", "p23", "p14")
    data = {"kind": "four-state"} | dict(zip(names, figures, strict=True))
    return FourStateLoss.model_validate(data)


def _in_states(seed: int, *, figures: tuple[str, ...], inflation: float) -> tuple[Finding, ...]:
    loss = _states(figures)
    p13, p31, p32, p23, p14 = map(float, figures)
    share = formulas.four_states(p13, p31, p32, p23=p23, p14=p14)
    lost = deliver(a_link(seed, loss=loss), _steady(_N, MS)).lost(_N)
    error = _binomial(share, _N, inflation)
    return (near("share lost", share, float(lost.mean()), n=_N, error=error),)


# ------------------------------------------------------------------------------------------- C6
_HEADER, _PAYLOAD = 20, 100
_FRAGMENT_NS: Final = MS


def _messages(fragments: int) -> int:
    """Return how many messages are sent: fewer of many fragments, which are what costs."""
    return {1: 8_000, 3: 8_000, 10: 4_000, 34: 1_500}[fragments]


def _survivors(seed: int, loss: LossSettings, *, fragments: int, every_ns: int) -> float:
    """Return the share of messages of which all fragments arrived, each fragment 1 ms long."""
    rate = (_HEADER + _PAYLOAD) * 8 * S // _FRAGMENT_NS
    link = a_link(
        seed, loss=loss, rate_bps=rate, mtu=_HEADER + _PAYLOAD, fragment=True, ip=False
    )  # fmt: skip
    size, n = _HEADER + fragments * _PAYLOAD, _messages(fragments)
    arrived = deliver(link, _steady(n, every_ns, size)).arrived
    assert link.tally().imbalance() == (0, 0)
    return len(arrived) / n


def _survival(share: float, found: float, *, fragments: int, v: float = 1.0) -> tuple[Finding, ...]:
    n = _messages(fragments)
    return (near("all arrive", share, found, n=n, error=_binomial(share, n, v)),)


def _alone(seed: int, *, fragments: int) -> tuple[Finding, ...]:
    found = _survivors(seed, independent("1/5"), fragments=fragments, every_ns=100 * MS)
    return _survival(0.8**fragments, found, fragments=fragments)


def _bursty(seed: int, *, p: float, r: float, fragments: int) -> tuple[Finding, ...]:
    """Let a chain in time step by (p, r) from fragment to fragment, messages far apart."""
    chain = Burst(p, r, 1.0, 0.0)
    share = formulas.bursty_survival(chain, fragments)
    decay = -math.log(chain.rho)
    burst_ns = round(_FRAGMENT_NS / (1 - chain.share_bad) / decay)
    every_ns = (fragments + round(12 / decay)) * _FRAGMENT_NS
    loss = _weather("20%", f"{burst_ns} ns", "100%")
    found = _survivors(seed, loss, fragments=fragments, every_ns=every_ns)
    return _survival(share, found, fragments=fragments)


def _one_after_another(seed: int, *, loss: PacketChainLoss, fragments: int) -> tuple[Finding, ...]:
    chain = _burst(loss)
    share = formulas.bursty_survival(chain, fragments)
    found = _survivors(seed, loss, fragments=fragments, every_ns=100 * MS)
    v = formulas.survival_inflation(chain, fragments)
    return _survival(share, found, fragments=fragments, v=v)


def _fragment_cases() -> Iterator[Case]:
    sizes = (1, 3, 10, 34)
    for f in sizes:
        yield Case(parameters=f"p .2 independent, F {f}", run=partial(_alone, fragments=f))
    for p, r in ((0.05, 0.2), (0.0125, 0.05)):
        for f in sizes:
            run = partial(_bursty, p=p, r=r, fragments=f)
            yield Case(parameters=f"p {p:g}, r {r:g} in time, F {f}", run=run)
    one = partial(_one_after_another, loss=_chain("0.05", "0.2", bad="1", good="0"), fragments=3)
    yield Case(parameters="p 0.05, r 0.2 by packet, F 3", run=one)


# ------------------------------------------------------------------------------------------- C7
def _retries(seed: int, *, retries: int) -> tuple[Finding, ...]:
    p = 0.2
    link = a_link(seed, loss=independent("1/5"), retries=retries, rate_bps=10**9)
    deliver(link, _steady(_N, 5 * MS))
    left, tries = formulas.tries(p, retries)
    # The variance of a geometric law, which a cut only lowers.
    spread = math.sqrt(p / (1 - p) ** 2 / _N)
    # One datagram more than the normal law allows: at R 7 a quarter of one is expected.
    slack = 4.42 * _binomial(left, _N) + 1 / _N
    found = link.tally().lost.datagrams / _N
    return (
        within("share left", left, found, n=_N, tolerance=slack),
        near("tries", tries, link.tries / _N, n=_N, error=spread),
    )


def _case(parameters: str, run: Any, **figures: Any) -> Case:  # noqa: ANN401 -- figures of whatever is run
    return Case(parameters=parameters, run=partial(run, **figures))


ROWS: Final = (
    Row(
        id="C1",
        check="independent loss and duplicates on a link",
        formula="p; (1 - p)(1 + d) copies",
        rule=_SE,
        cases=(_case("p .2, d .1", _shares),),
    ),
    Row(
        id="C2",
        check="Gilbert-Elliott loss by packet: rate and variance",
        formula="L = (p l_B + r l_G)/(p + r); V = 1 + 2 C rho/((1 - rho) L (1 - L))",
        rule=f"{_SE_V}; exact at p 1, r 1",
        cases=(
            *(_case(name, _in_packets, loss=loss) for name, loss in _CHAINS.items()),
            _case("p 1, r 1, l_B 1, l_G 0", _in_turn, loss=_chain("1", "1", bad="1", good="0")),
        ),
    ),
    Row(
        id="C3",
        check="its mean burst of losses, on the law that links ask",
        formula="L/(L (1 - L) - C rho)",
        rule="5 %",
        cases=tuple(_case(name, _runs, loss=loss) for name, loss in _CHAINS.items()),
    ),
    Row(
        id="C4",
        check="Gilbert-Elliott loss in time, sampled every D",
        formula="rho = exp(-D (1/t_B + 1/t_G)), p = pi_B (1 - rho), r = pi_G (1 - rho), then C2",
        rule=_SE_V,
        cases=tuple(
            _case(name, _in_time, loss=_weather(*figures), every_ns=every_ns)
            for name, figures, every_ns in (
                ("t_B 1 s, t_G 4 s, D .1 s", ("20%", "1 s", "100%"), S // 10),
                ("t_B 1 s, t_G 4 s, D 1 s", ("20%", "1 s", "100%"), S),
                ("starlink, D .1 s", ("2.2%", "660 ms", "50%"), S // 10),
            )
        ),
    ),
    Row(
        id="C5",
        check="four-state loss",
        formula="a = p13/p31; L = (a + p14)/(1 + p14 + a (1 + p32/p23))",
        rule=f"{_SE_V} (6.83, 2.82); exact where each step is certain",
        cases=(
            *(
                _case(", ".join(figures), _in_states, figures=figures, inflation=v)
                for figures, v in (
                    (("0.02", "0.2", "0.1", "0.3", "0.01"), 6.83),
                    (("0.05", "0.4", "0.1", "0.5", "0.02"), 2.82),
                )
            ),
            _case("1, 1, 0, 1, 0", _in_turn, loss=_states(("1", "1", "0", "1", "0"))),
            _case("0, 1, 0, 1, 1", _in_turn, loss=_states(("0", "1", "0", "1", "1"))),
        ),
    ),
    Row(
        id="C6",
        check="all F fragments of a datagram arrive",
        formula="(1 - p)^F; in bursts that lose everything pi_G (1 - p)^(F - 1)",
        rule="4.42 SE; one after another variance times V",
        cases=tuple(_fragment_cases()),
    ),
    Row(
        id="C7",
        check="retries on one hop",
        formula="p^(R + 1) left; (1 - p^(R + 1))/(1 - p) tries",
        rule="4.42 SE; share left one datagram more",
        cases=(_case("p .2, R 7", _retries, retries=7), _case("p .2, R 1", _retries, retries=1)),
    ),
)
