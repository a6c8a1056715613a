"""A device of federated distillation by class: it uploads what it thinks of each true label.

(1) Every T frames the device uploads its table: row c is its mean softmax over the frames of label
c since the last upload, zero if it saw none. (3) While it has a row of the others for a label, each
frame of that label is pulled towards it: the loss has alpha times the cross-entropy between that
row and the device's softmax. What the server does is in ``fd_server``. (Jeong et al. 2018,
"Communication-efficient on-device machine learning"; not compared with the paper, nor whether it
averages before or after the softmax.)
"""

from typing import cast

import numpy as np
from typing_extensions import override

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import ClassTable, Params, SetClassPrior, Value
from simedge.protocol.fd_table import open_table
from simedge.protocol.machine import Effect, FrameLearned, Note, Plain, Sample
from simedge.protocol.params import Code, Parcel, bytes_of, checked
from simedge.protocol.party import Party, Seat
from simedge.protocol.peer_settings import FdSettings
from simedge.protocol.wire import U32_MAX, Message

__all__ = ["FdDevice"]

_SERVER = 0


class FdDevice(Party):
    """A device that distils.

    Parameters
    ----------
    settings
        The protocol's settings.
    seat
        Its place in the run; its one neighbour is the server.
    """

    def __init__(self, settings: FdSettings, seat: Seat) -> None:
        self._settings = settings
        self._classes = seat.ground.classes
        super().__init__(seat, interval=settings.interval)

    @override
    def _forget_own(self) -> None:
        self._since = 0
        self._uploads = 0
        self._version = 0
        self._prior: Params | None = None

    @override
    def _dump_own(self) -> Plain:
        prior = [] if self._prior is None else [plain_of(self._prior)]
        return {"numbers": [self._since, self._uploads, self._version], "prior": prior}

    @override
    def _load_own(self, state: Plain) -> None:
        self._since, self._uploads, self._version = cast("list[int]", state["numbers"])
        held = [array_of(each) for each in cast("list[object]", state["prior"])]
        self._prior = cast("Params", held[0]) if held else None

    @override
    def _begin(self, now: int) -> list[Effect]:
        return self._pull()

    @override
    def _strange(self, message: Message, src: int) -> bool:
        return src != _SERVER or message.dev != _SERVER

    # ------------------------------------------------------------------------------- uploading
    @override
    def _frame(self, event: FrameLearned) -> None:
        self._since = min(self._since + event.n, U32_MAX)

    @override
    def _period_over(self, now: int) -> list[Effect]:
        if self._asking.awaits("table"):
            self._refusals.count("table_overrun")
            return []
        if not self._up():
            # To read the table would empty it: it goes on until the link is up again.
            self._refusals.count("table_unsent")
            return []
        return [self._ask("table", "class_table", ClassTable(first=0, count=self._classes))]

    @override
    def _answered(self, purpose: str, value: Value, now: int) -> list[Effect]:
        if purpose == "prior":
            return [Note(kind="applied", subject=self._dev, detail=(self._version,))]
        table = checked(value, (self._classes, self._classes))
        if not self._up():
            self._refusals.count("table_lost")
            return []
        parcel = Parcel(
            code=Code.TABLE,
            payload=bytes_of(table),
            captured_ns=self._captured_ns,
            g=self._version,
            n=self._since,
        )
        self._since = 0
        self._uploads += 1
        return [*self._send(parcel, self._up()), Sample(metric="cycles", value=self._uploads)]

    # ------------------------------------------------------------------------------- distilling
    @override
    def _open(self, message: Message) -> Params:
        return open_table(message, self._classes)

    @override
    def _take(self, message: Message, content: Params | None, now: int) -> list[Effect]:
        self._prior, self._version = content, message.g
        age_s = (now - self._captured(message, now)) / 1e9
        labels = (("block", self._dev), ("boot", message.boot), ("version", message.g))
        return [Sample(metric="prior_age_s", value=age_s, labels=labels), *self._pull()]

    def _pull(self) -> list[Effect]:
        """Let the learner be pulled towards what is held."""
        if self._prior is None or self._settings.kl == 0:
            return []
        target = self._prior.reshape(self._classes, self._classes).astype(np.float64)
        mask = np.logical_or.reduce(target, axis=1)
        target[mask] /= target[mask].sum(axis=1, keepdims=True)
        args = SetClassPrior(target=target, mask=mask, alpha=self._settings.kl)
        return [self._ask("prior", "set_class_prior", args)]
