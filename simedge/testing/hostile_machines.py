"""Machines of every protocol that are under way, and bad messages to each of them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter

from simedge.core.streams import Streams
from simedge.protocol.asks import RawFrame, Slope, Trained
from simedge.protocol.machine import (
    Event,
    FrameLearned,
    LearnerCall,
    LearnerDone,
    Machine,
    Received,
    Send,
    SendOutcome,
    SetTimer,
    Started,
    TimerFired,
)
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.settings import ProtocolSettings
from simedge.protocol.shape import Ground
from simedge.testing.hostile import bad_frame, lots

__all__ = ["HOSTS", "Figures", "Host", "open_hosts", "try_frames"]

_MS: Final = 1_000_000
_PARAMS: Final = 3
_UNREADABLE: Final = ("oversize", "corrupt", "malformed", "bad_version", "stranger", "future")
_BESIDE: Final = frozenset({"counters", "post", "members", "asking"})
"""What a refused message may change: what is counted, and what is answered."""
HOSTS: Final[Mapping[str, Mapping[str, object]]] = {
    "elal": {"kind": "elal", "interval": 2, "policy": {"kind": "fixed"}},
    "elal-arq": {"kind": "elal", "interval": 2, "arq": 2, "policy": {"kind": "fixed"}},
    "fd": {"kind": "fd", "interval": 2},
    "fedavg": {"kind": "fedavg", "interval": 2, "fraction": 1.0},
    "fedbuff": {"kind": "fedbuff", "interval": 2},
    "raw": {"kind": "centralised"},
    "gossip": {"kind": "gossip", "interval": 2},
    "draco": {"kind": "draco", "interval": 2},
}
"""Protocols whose machines are tried."""


@dataclass(slots=True)
class Host:
    """A machine, and what it was sent when all was well."""

    name: str
    number: int
    machine: Machine
    heard: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Figures:
    """What became of bad messages."""

    frames: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    broken: list[tuple[int, str]] = field(default_factory=list)
    """Index and what was wrong: an exception, or state that a refused message changed."""


def open_hosts(name: str) -> list[Host]:
    """Return a server and two devices of a protocol after some time together."""
    settings: ProtocolSettings = TypeAdapter(ProtocolSettings).validate_python(HOSTS[name])
    ground = Ground(
        classes=4,
        blocks=2,
        rows=2,
        pset=bytes(range(32)),
        tau_ns=40 * _MS,
        devices=2,
        params=_PARAMS,
        frame_ns=20 * _MS,
        frame_bytes=8,
        duration_ns=10_000 * _MS,
    )
    streams = Streams(1)
    server = open_server(
        settings, ground, devices=2, stream=streams.stream("policy", "server", "choice")
    )
    hosts = [Host(f"{name} server", 0, server)]
    for dev in (1, 2):
        stream = streams.stream("policy", f"box-{dev}", "noise")
        device = open_device(
            settings, ground, dev=dev, layers=1, stream=stream, neighbours=(3 - dev,)
        )
        hosts.append(Host(f"{name} device", dev, device))
    _Play(hosts, ground).go()
    return [host for host in hosts if host.heard]


class _Play:
    """Lets machines talk: what is sent arrives at once, what is asked is answered."""

    def __init__(self, hosts: Sequence[Host], ground: Ground) -> None:
        self._hosts, self._ground = hosts, ground
        self._timers: dict[tuple[int, str], int] = {}
        self._now = 0
        self._left = 3_000

    def go(self) -> None:
        """Start all, and let each learn some frames."""
        for host in self._hosts:
            self._tell(host, Started(boot=1))
        for _ in range(60):
            for host in self._hosts[1:]:
                self._tell(host, FrameLearned(n=1, loss=1.0, correct=True))
            self._now += 200 * _MS
            for (number, timer), at in sorted(self._timers.items()):
                if at <= self._now and self._timers.pop((number, timer), None) is not None:
                    self._tell(self._hosts[number], TimerFired(id=timer))

    def _tell(self, host: Host, event: Event) -> None:
        queue: list[tuple[Host, Event]] = [(host, event)]
        while queue and self._left:
            self._left -= 1
            self._now += _MS
            who, what = queue.pop(0)
            for effect in who.machine.handle(what, self._now):
                if isinstance(effect, Send):
                    queue += self._sent(who, effect)
                elif isinstance(effect, LearnerCall):
                    value = self._answer(effect.op, effect.args)
                    queue.append((who, LearnerDone(call=effect.call, value=value)))
                elif isinstance(effect, SetTimer):
                    self._timers[who.number, effect.id] = effect.at

    def _sent(self, who: Host, sent: Send) -> list[tuple[Host, Event]]:
        to = self._hosts[sent.dst]
        to.heard.append((who.number, sent.data))
        told: list[tuple[Host, Event]] = [(to, Received(data=sent.data, src=who.number))]
        return [*told, (who, SendOutcome(tag=sent.tag, ok=True))] if sent.tag else told

    def _answer(self, op: str, args: Any) -> Any:  # noqa: ANN401 -- as many kinds as operations
        ground = self._ground
        table = np.full((ground.rows, ground.classes), 1 / ground.classes, np.float32)
        answers: dict[str, Any] = {
            "get_params": np.ones(_PARAMS, np.float32),
            "proxy_pass": table,
            "class_table": np.full((ground.classes, ground.classes), 0.25, np.float32),
            "train": Trained(2, 1.0),
            "gradient": Slope(2, 1.0, np.ones(_PARAMS, np.float32)),
            "take_frame": RawFrame(bytes(8), 1),
            "train_on": tuple(getattr(args, "labels", ())),
        }
        return answers.get(op)


def try_frames(seed: int, indices: range, hosts: Sequence[Host] = ()) -> Figures:
    """Send bad messages to machines, by default to some of all protocols.

    State is compared before and after every message that was refused unread.
    """
    hosts = hosts or [host for name in HOSTS for host in open_hosts(name)]
    sounds = [[data for _, data in host.heard] for host in hosts]
    kept = [_state(host.machine) for host in hosts]
    figures = Figures()
    now = 100_000 * _MS
    for index in indices:
        draw = lots(seed, index)
        place = int(draw.integers(len(hosts)))
        host = hosts[place]
        data, src = bad_frame(draw, sounds[place]), int(draw.integers(4))
        before = _refused(host.machine)
        began = time.perf_counter()  # how slow the slowest was, for who reads the figures
        try:
            host.machine.handle(Received(data=data, src=src), now)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not be
            figures.broken.append((index, f"{host.name}: {type(error).__name__}: {error}"))
        figures.slowest_s = max(figures.slowest_s, time.perf_counter() - began)
        figures.frames += 1
        if _refused(host.machine) > before:
            figures.refused += 1
            if _state(host.machine) != kept[place]:
                figures.broken.append((index, f"{host.name}: a refused message changed its state"))
        else:
            kept[place] = _state(host.machine)
    return figures


def _refused(machine: Machine) -> int:
    return sum(machine.counters.get(cause, 0) for cause in _UNREADABLE)


def _state(machine: Machine) -> object:
    return _bare(machine.dump())


def _bare(value: object) -> object:
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if key not in _BESIDE}
    return value
