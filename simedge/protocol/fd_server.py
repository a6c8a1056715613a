"""The server of federated distillation by class: to each device the mean of all others.

(2) Every period the server sends device k, for each label, the plain mean over the other devices'
newest rows for it, zero if there is none. A device of which no other has said anything gets
nothing. (Jeong et al. 2018; not compared with the paper.)
"""

import hashlib
from typing import cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import Params
from simedge.protocol.fd_table import means_of_others, open_table
from simedge.protocol.machine import Checkpoint, Effect, Note, Plain, RolledBack, Sample
from simedge.protocol.params import Code, Parcel, bytes_of
from simedge.protocol.party import Party, Seat
from simedge.protocol.peer_settings import FdSettings
from simedge.protocol.shape import Ground
from simedge.protocol.wire import Message

__all__ = ["FdServer"]


class FdServer(Party):
    """The server that averages.

    Parameters
    ----------
    settings
        The protocol's settings.
    ground
        What the machines of the run share.
    devices
        K; the devices have the numbers 1 to K.
    """

    def __init__(self, settings: FdSettings, ground: Ground, *, devices: int) -> None:
        self._settings = settings
        self._classes = ground.classes
        self._devices = devices
        seat = Seat(dev=0, ground=ground, neighbours=tuple(range(1, devices + 1)))
        super().__init__(seat, interval=settings.interval)

    @override
    def _forget_own(self) -> None:
        shape = (self._devices, self._classes)
        self._version = 0
        self._tables: Params = np.zeros((*shape, self._classes), np.float32)
        self._present = np.zeros(shape, np.bool_)
        self._row_ns = np.zeros(shape, np.int64)

    @override
    def _dump_own(self) -> Plain:
        arrays = (self._tables, self._present, self._row_ns)
        return {"version": self._version, "arrays": [plain_of(each) for each in arrays]}

    @override
    def _load_own(self, state: Plain) -> None:
        self._version = cast("int", state["version"])
        tables, present, row_ns = map(array_of, cast("list[object]", state["arrays"]))
        self._tables = cast("Params", tables)
        self._present, self._row_ns = present.astype(np.bool_), row_ns.astype(np.int64)

    @override
    def _begin(self, now: int) -> list[Effect]:
        return [self._timers.set("publish", now + self._settings.prior_period)]

    @override
    def _on_rolled_back(self, event: RolledBack, now: int) -> list[Effect]:
        self._load_own(cast("Plain", event.state["own"]))
        return []

    @override
    def _strange(self, message: Message, src: int) -> bool:
        return message.dev != src or not 1 <= src <= self._devices

    # ------------------------------------------------------------------------------- collecting
    @override
    def _open(self, message: Message) -> Params:
        return open_table(message, self._classes)

    @override
    def _take(self, message: Message, content: Params | None, now: int) -> list[Effect]:
        assert content is not None
        table = content.reshape(self._classes, self._classes)
        seen = table.any(axis=1)
        index = message.dev - 1
        self._tables[index, seen] = table[seen]
        self._present[index] |= seen
        self._row_ns[index, seen] = self._captured(message, now)
        return self._merged(message, now, version=self._version)

    # ------------------------------------------------------------------------------- publishing
    @override
    def _fired(self, timer: str, now: int) -> list[Effect]:
        effects: list[Effect] = [
            Checkpoint(),
            self._timers.set("publish", now + self._settings.prior_period),
        ]
        owners = np.logical_or.reduce(self._present, axis=1)
        known = np.count_nonzero(owners)
        others = [dev for dev in self._up() if known > owners[dev - 1]]
        if not others:
            return effects
        self._version += 1
        means = means_of_others(self._tables, self._present)
        newest = _newest_of_others(np.where(self._present, self._row_ns, -1).max(axis=1))
        for dev in others:
            effects += self._publish(means[dev - 1], dev, int(newest[dev - 1]), now=now)
        return effects

    def _publish(self, table: Params, dev: int, captured_ns: int, *, now: int) -> list[Effect]:
        parcel = Parcel(code=Code.TABLE, payload=bytes_of(table), captured_ns=now, g=self._version)
        digest = hashlib.sha256(parcel.payload).digest()
        labels = (("block", dev), ("version", self._version))
        age_s = (now - captured_ns) / 1e9
        return [
            Note(kind="published", subject=dev, detail=(self._version, digest)),
            *self._send(parcel, [dev]),
            Sample(metric="published_age_s", value=age_s, labels=labels),
        ]


def _newest_of_others(times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each the greatest time of all others; -1 if there is none."""
    newest = np.full_like(times_ns, times_ns.max())
    first = int(times_ns.argmax())
    newest[first] = np.delete(times_ns, first).max(initial=-1)
    return newest
