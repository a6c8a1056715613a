"""What may go wrong, drawn number by number: one recipe a kind of fault.

The recipes ask for whole numbers below a bound and do not care who draws them: Hypothesis, or the
words of a named stream. 0 is the harmless answer to every question, so that what shrinks towards 0
ends in the mildest fault that still does it.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from simedge.core.streams import Stream, integer_between

__all__ = ["KINDS", "Drawn", "Lots", "Setting", "fault"]

Plain = dict[str, Any]


class Lots(Protocol):
    """Draws whole numbers."""

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        ...


class Drawn:
    """Lots from a named stream, each with a counter of its own.

    Parameters
    ----------
    stream
        Where the words come from.
    turn
        Number of this set of lots within the stream.
    """

    def __init__(self, stream: Stream, turn: int) -> None:
        self._stream, self._turn, self._count = stream, turn, 0

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        self._count += 1
        return integer_between(self._stream.words(self._turn, self._count)[0], 0, count - 1)


class Setting:
    """Where faults happen: who there is, and for how long.

    Parameters
    ----------
    names
        Devices.
    span_ms
        Faults begin before this.
    """

    def __init__(self, names: Sequence[str], span_ms: int) -> None:
        self.names, self.span_ms = tuple(names), max(1, span_ms)


_Recipe = Callable[[Lots, Setting], Plain]


def fault(kind: str, lots: Lots, setting: Setting) -> Plain:
    """Return one fault of a kind, as it stands in a scenario."""
    return {"kind": kind, "at": _ms(lots.below(setting.span_ms)), **KINDS[kind](lots, setting)}


def _ms(value: int) -> str:
    return f"{value} ms"


def _lasting(lots: Lots, setting: Setting) -> Plain:
    return {"for": _ms(1 + lots.below(setting.span_ms))}


def _device(lots: Lots, setting: Setting) -> str:
    return setting.names[lots.below(len(setting.names))]


def _devices(lots: Lots, setting: Setting) -> Plain:
    return {"devices": [_device(lots, setting)]}


def _hosts(lots: Lots, setting: Setting) -> Plain:
    chosen = lots.below(len(setting.names) + 1)
    if chosen == len(setting.names):
        return {"server": True}
    return {"devices": [setting.names[chosen]]}


def _links(lots: Lots, setting: Setting) -> Plain:
    chosen = lots.below(len(setting.names) + 1)
    return {} if chosen == len(setting.names) else {"devices": [setting.names[chosen]]}


def _percent(lots: Lots) -> str:
    return f"{10 * (1 + lots.below(10))}%"


def _state(lots: Lots) -> Plain:
    return {"state": ("kept", "checkpoint", "wiped")[lots.below(3)]}


def _split_brain(lots: Lots, setting: Setting) -> Plain:
    gone = lots.below(len(setting.names))
    stay = [name for name in setting.names if name != setting.names[gone]]
    return {"groups": [stay, [setting.names[gone]]], **_lasting(lots, setting)}


def _partition(lots: Lots, setting: Setting) -> Plain:
    return {
        "groups": [[_device(lots, setting)]],
        "direction": ("both", "one-way")[lots.below(2)],
        "mode": ("drop", "refuse")[lots.below(2)],
        **_lasting(lots, setting),
    }


def _by(lots: Lots) -> Plain:
    size = 1 + lots.below(1_000)
    return {"by": _ms(-size if lots.below(2) else size)}


KINDS: Final[Mapping[str, _Recipe]] = MappingProxyType(
    {
        "crash": lambda lots, s: _hosts(lots, s) | _lasting(lots, s) | _state(lots),
        "pause": lambda lots, s: _hosts(lots, s) | _lasting(lots, s),
        "slow": lambda lots, s: (
            _hosts(lots, s) | _lasting(lots, s) | {"factor": 2 + lots.below(99)}
        ),
        "loss": lambda lots, s: _links(lots, s) | _lasting(lots, s) | {"mean": _percent(lots)},
        "duplicate": lambda lots, s: (
            _links(lots, s)
            | _lasting(lots, s)
            | {"share": _percent(lots), "copies": 1 + lots.below(3)}
        ),
        "replay": lambda lots, s: (
            _links(lots, s)
            | _lasting(lots, s)
            | {"share": _percent(lots), "age": _ms(1 + lots.below(1_000))}
        ),
        "reorder": lambda lots, s: (
            _links(lots, s)
            | _lasting(lots, s)
            | {"share": _percent(lots), "extra": _ms(1 + lots.below(500))}
        ),
        "delay": lambda lots, s: (
            _links(lots, s)
            | _lasting(lots, s)
            | {"extra": _ms(1 + lots.below(500)), "jitter": _ms(lots.below(100))}
        ),
        "corrupt": lambda lots, s: (
            _links(lots, s)
            | _lasting(lots, s)
            | {"share": _percent(lots), "bits": 1 + lots.below(4)}
        ),
        "truncate": lambda lots, s: _links(lots, s) | _lasting(lots, s) | {"share": _percent(lots)},
        "bandwidth": lambda lots, s: _links(lots, s) | _lasting(lots, s) | {"factor": "1%"},
        "mtu-black-hole": lambda lots, s: (
            _links(lots, s) | _lasting(lots, s) | {"above": f"{60 + lots.below(100)} B"}
        ),
        "clog": lambda lots, s: (
            _links(lots, s) | _lasting(lots, s) | {"release": ("burst", "paced")[lots.below(2)]}
        ),
        "link-down": lambda lots, s: _links(lots, s) | _lasting(lots, s),
        "flap": lambda lots, s: (
            _links(lots, s)
            | _lasting(lots, s)
            | {"down": _ms(1 + lots.below(200)), "up": _ms(1 + lots.below(200))}
        ),
        "ack-loss": lambda lots, s: _links(lots, s) | _lasting(lots, s) | {"share": _percent(lots)},
        "partition": _partition,
        "isolate": lambda lots, s: _lasting(lots, s) | {"device": _device(lots, s)},
        "reboot-loop": lambda lots, s: (
            _devices(lots, s)
            | {"up": _ms(1 + lots.below(300)), "down": _ms(1 + lots.below(300))}
            | {"count": 1 + lots.below(4), **_state(lots)}
        ),
        "half-open": lambda lots, s: (
            _devices(lots, s) | {"side": ("device", "server")[lots.below(2)]}
        ),
        "frame-burst": lambda lots, s: (
            _devices(lots, s) | _lasting(lots, s) | {"factor": 2 + lots.below(9)}
        ),
        "frame-silence": lambda lots, s: _devices(lots, s) | _lasting(lots, s),
        "same-start": lambda lots, s: _devices(lots, s) | _lasting(lots, s),
        "clock-jump": lambda lots, s: _devices(lots, s) | _by(lots),
        "clock-offset": lambda lots, s: _devices(lots, s) | _lasting(lots, s) | _by(lots),
        "clock-drift": lambda lots, s: _devices(lots, s) | {"ppm": 1 + lots.below(1_000)},
        "token-constant": lambda lots, s: _devices(lots, s) | _lasting(lots, s),
        "token-nan": lambda lots, s: _devices(lots, s) | _lasting(lots, s),
        "token-shape": lambda lots, s: _devices(lots, s) | _lasting(lots, s),
        "twin": lambda lots, s: _devices(lots, s) | _lasting(lots, s),
        "failover": lambda lots, s: (
            {"lag": _ms(lots.below(s.span_ms)), "for": _ms(1 + lots.below(300))}
        ),
        "rollback": lambda lots, _s: {"versions": 1 + lots.below(3)},
        "overload": lambda lots, s: (
            _lasting(lots, s) | {"rate": f"{1 + lots.below(50)} Hz", "senders": 1 + lots.below(8)}
        ),
        "split-brain": _split_brain,
        "tie-shuffle": lambda _lots, _s: {},
    }
)
"""Recipes by kind, in the order of how common the fault is."""
