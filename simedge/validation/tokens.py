"""C8 and C22: messages that are sent until answered, and the age of rows, by the real machines."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np

from simedge.core.streams import Streams
from simedge.protocol.machine import (
    CancelTimer,
    Effect,
    FrameLearned,
    LearnerCall,
    LearnerDone,
    Machine,
    Received,
    Restarted,
    Sample,
    Send,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground
from simedge.validation import formulas
from simedge.validation.crank import MS, S, a_link, deliver_one
from simedge.validation.finding import Case, Finding, Row, exact, near, within
from simedge.validation.losses import independent
from simedge.world.bulk import bulk
from simedge.world.datagrams import Datagram, Uid
from simedge.world.links import Link

__all__ = ["ROWS"]

_IP_HEADERS: Final = 28
_HEADER: Final = 20
_DELAY_NS: Final = 100 * MS
_PERIOD_NS: Final = S
_INSTANT_BPS: Final = 10**13
"""Whatever a token weighs, it takes 1 ns."""
_BEGIN_NS: Final = 5000 * S
_PERIODS: Final = 20_000
"""Mean ages may be off by 3 % then."""
_BOOT: Final = 70_000
"""From here on times and boots take the same number of bytes to the end."""


def _machines(seed: int, blocks: int) -> tuple[Machine, Machine]:
    """Return one device, which sends a token a frame, and its server."""
    settings = ElalSettings.model_validate(
        {"kind": "elal", "interval": 1, "policy": {"kind": "fixed"}}
    )
    ground = Ground(
        classes=2, blocks=blocks, rows=1, pset=bytes(range(32)), tau_ns=_PERIOD_NS * blocks
    )
    stream = Streams(seed).stream("policy", "cam-1", "noise")
    device = open_device(settings, ground, dev=1, layers=1, stream=stream)
    return device, open_server(settings, ground, devices=1)


def _lossy(seed: int, name: str, *, share: str, fragments: int = 1, size: int = 0) -> Link:
    """Return a link that loses a share, and cuts a datagram of some bytes into fragments."""
    loss = independent(share)
    if fragments == 1:
        return a_link(seed, name=name, loss=loss, delay_ns=MS)
    mtu = _HEADER - (_HEADER - size) // fragments
    return a_link(seed, name=name, loss=loss, delay_ns=MS, mtu=mtu, fragment=True, ip=False)


def _carry(link: Link, send: Send, now: int) -> list[tuple[int, Datagram]]:
    """Send one message over a link on which nothing else is."""
    source, destination = ("server", "cam-1") if send.dst else ("cam-1", "server")
    uid = Uid(source, destination, send.cls, send.boot, send.seq, 0, send.resend)
    size = len(send.data) + _IP_HEADERS
    datagram = Datagram(uid=uid, data=send.data, wire_bytes=size, path=(2,), sent_ns=now)
    return deliver_one(link, datagram, now)


def _sends(effects: Iterable[Effect]) -> Iterator[Send]:
    return (effect for effect in effects if isinstance(effect, Send))


# -------------------------------------------------------------------------------------------- C8
class _Joins:
    """A device that joins again and again, over links that lose."""

    def __init__(self, seed: int, *, share: str, back: str, fragments: int) -> None:
        self._device, self._server = _machines(seed, 1)
        self._server.handle(Started(boot=1), 0)
        first = next(_sends(self._device.handle(Started(boot=_BOOT), _BEGIN_NS)))
        size = len(first.data) + _IP_HEADERS
        self._up = _lossy(seed, "cam-1.server", share=share, fragments=fragments, size=size)
        self._down = _lossy(seed, "server.cam-1", share=back)
        self._now = _BEGIN_NS
        self.sent = 0

    @property
    def fragments(self) -> float:
        """How many fragments a join was cut into."""
        return self._up.tally().offered.datagrams / self.sent

    def join(self, boot: int) -> None:
        """Restart the device, and turn both machines until it is a member."""
        effects = self._device.handle(Restarted(boot=boot, checkpoint=None), self._now)
        while True:
            (send,) = _sends(effects)
            (timer,) = (each for each in effects if isinstance(each, SetTimer))
            self.sent += 1
            if self._answered(send):
                break
            self._now = timer.at
            effects = self._device.handle(TimerFired(id=timer.id), self._now)
        self._now += S

    def _answered(self, send: Send) -> bool:
        """Carry a join up and the reply to it down; say whether the device stops asking."""
        for at, datagram in _carry(self._up, send, self._now):
            answers = self._server.handle(Received(data=datagram.data, src=1), at)
            for reply in _sends(answers):
                for back_at, heard in _carry(self._down, reply, at):
                    told = self._device.handle(Received(data=heard.data, src=0), back_at)
                    if any(isinstance(each, CancelTimer) for each in told):
                        return True
        return False


def _resends(seed: int, *, n: int, back: str, fragments: int) -> tuple[Finding, ...]:
    p, lost_back = 0.2, float(back)
    joins = _Joins(seed, share="0.2", back=back, fragments=fragments)
    for boot in range(_BOOT + 1, _BOOT + 1 + n):
        joins.join(boot)
    expected = formulas.sends(p, lost_back, fragments)
    # The variance of a geometric law with success 1 / expected.
    error = math.sqrt(expected * (expected - 1) / n)
    return (
        exact("fragments", fragments, joins.fragments, n=joins.sent),
        near("sendings", expected, joins.sent / n, n=n, error=error),
    )


def _rounds(_seed: int, *, segments: int) -> tuple[Finding, ...]:
    costs = bulk(1448 * segments - 4, 200_000)
    assert costs is not None
    least = next(z for z in range(1, 99) if 2 * segments < 5**z)
    mean = formulas.rounds(0.2, segments)
    return (
        exact("rounds", least, costs.rounds),
        within("near the mean of drawn rounds", mean, costs.rounds, n=1, tolerance=0.5),
    )


# ------------------------------------------------------------------------------------------- C22
class _Tokens:
    """A device that tells a server one block a period, and when the server learned of which."""

    def __init__(self, seed: int, *, share: str, blocks: int) -> None:
        self._device, self._server = _machines(seed, blocks)
        self._server.handle(Started(boot=1), 0)
        self._link = a_link(
            seed, loss=independent(share), delay_ns=_DELAY_NS, rate_bps=_INSTANT_BPS
        )
        self._rows = np.array([[0.5, 0.5]], np.float32)
        self.merged: dict[int, list[tuple[int, int]]] = {block: [] for block in range(blocks)}
        """Of each block, when a token was merged and when it was captured."""
        (join,) = _sends(self._device.handle(Started(boot=1), 0))
        (reply,) = _sends(self._server.handle(Received(data=join.data, src=1), 0))
        self._device.handle(Received(data=reply.data, src=0), 0)

    def run(self, periods: int) -> None:
        """Let the device learn a frame a period."""
        for period in range(1, periods + 1):
            now = period * _PERIOD_NS
            effects = self._device.handle(FrameLearned(n=1, loss=1.0, correct=True), now)
            (call,) = (each for each in effects if isinstance(each, LearnerCall))
            told = self._device.handle(LearnerDone(call=call.call, value=self._rows), now)
            for send in _sends(told):
                for at, datagram in _carry(self._link, send, now):
                    self._hear(datagram.data, at)

    def _hear(self, data: bytes, now: int) -> None:
        for effect in self._server.handle(Received(data=data, src=1), now):
            if isinstance(effect, Sample) and effect.metric == "token_latency_s":
                captured = now - round(effect.value * S)
                self.merged[dict(effect.labels)["block"]].append((now, captured))


def _ages(tokens: _Tokens, over_ns: Iterable[int]) -> tuple[Fraction, list[float]]:
    """Return the mean age over time and blocks, and the share of time with a greater one."""
    area, spent = 0, 0
    late = dict.fromkeys(over_ns, 0)
    for merges in tokens.merged.values():
        for (at, captured), (after, _) in pairwise(merges):
            spent += after - at
            area += (after - captured) ** 2 - (at - captured) ** 2
            for limit in late:
                late[limit] += max(0, after - max(at, captured + limit))
    return Fraction(area, 2 * spent), [each / spent for each in late.values()]


def _age(seed: int, *, share: str, blocks: int, n: int) -> tuple[Finding, ...]:
    """Compare ages in periods with those of gaps of a geometric law; the delay adds to all."""
    tokens = _Tokens(seed, share=share, blocks=blocks)
    tokens.run(n)
    p, round_ns, delay_ns = float(share), blocks * _PERIOD_NS, _DELAY_NS + 1
    mean_ns, shares = _ages(tokens, [k * round_ns + delay_ns for k in (1, 2)])
    gaps, spread = formulas.geometric_age(p)
    if p == 0:
        expected_ns = Fraction(gaps) * round_ns + delay_ns
        return (exact("mean age, ns", float(expected_ns), float(mean_ns), n=n),)
    mean, expected = float(mean_ns - delay_ns) / _PERIOD_NS, blocks * gaps
    error = blocks * math.sqrt(spread / n)
    found = [near("mean age less delay, periods", expected, mean, n=n, error=error)]
    for k, measured in zip((1, 2), shares, strict=True):
        tail, spread = formulas.geometric_age(p, over=k)
        error = math.sqrt(spread / n)
        found.append(near(f"share of time above {k} rounds", tail, measured, n=n, error=error))
    return tuple(found)


ROWS: Final = (
    Row(
        id="C8",
        check="joins, which are sent until they are answered; rounds of a transfer",
        formula="1/((1 - p)^F (1 - p')) sendings; least z with n p^z < 1/2",
        rule="4.42 SE; rounds exact, and within .5 of sum over k of 1 - (1 - p^k)^n",
        cases=(
            *(
                Case(
                    parameters=f"p .2, p' {float(back):g}, F {fragments}",
                    run=partial(_resends, n=n, back=back, fragments=fragments),
                )
                for n, back, fragments in ((12_000, "0", 1), (12_000, "0.2", 1), (600, "0", 10))
            ),
            *(Case(parameters=f"p .2, n {n}", run=partial(_rounds, segments=n)) for n in (10, 34)),
        ),
    ),
    Row(
        id="C22",
        check="age of a row in the server's register, B blocks in turn, a token a period T",
        formula="B T (1 + p)/(2 (1 - p)) + delay; P(age > k B T + delay) = p^k",
        rule="4.42 SE of a ratio over geometric gaps; exact at p 0",
        cases=tuple(
            Case(
                parameters=f"p {float(share):g}, B {blocks}",
                run=partial(_age, share=share, blocks=blocks, n=n),
            )
            for share, blocks, n in (("0.2", 1, _PERIODS), ("0.2", 8, _PERIODS), ("0", 8, 2000))
        ),
    ),
)
