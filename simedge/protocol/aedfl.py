"""A peer that pulls sparse models from preferred neighbours: `aedfl_style`.

What is the paper's (Liu et al. 2023, arXiv 2312.10935, from its abstract alone): learning is
asynchronous and without a server, devices differ, models are aggregated efficiently, updates are
weighted by their staleness in a way that adapts, training is sparse in a way that adapts.

What is this project's reading: everything below. It is not the paper's algorithm, and results must
not be reported under its name.

(1) Ask q neighbours for their models, one after another without replacement, neighbour j with
probability proportional to exp(pref_j / theta). (2) Whoever is asked answers with the sparse model
it published last. (3) Merge own and answered models, as far as they come in time::

        w_i <- sum_j a_ij w_j    a_ij ~ n_j (1 + max(0, v_i - v_j))^(-sigma)

with n the frames that a peer ever learned and v the version. (4) Prefer whom it paid to ask::

        pref_j <- 0.9 pref_j + 0.1 (loss before - loss after)        on frames set aside

and, every 1/20 of the run, move sigma by 0.05 within [0, 2] if that lowers the loss after merging.
(5) Learn Q frames without the smallest weights; their share rises linearly over the first half of
the run. (6) Publish what is left, as one version more. Then begin again.

Before its first round a peer publishes what it starts with as version 0. Who has no neighbours, or
gets no answer, just learns.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from typing_extensions import override

from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.asks import (
    GetParams,
    HeldLoss,
    Params,
    SetParams,
    Train,
    Trained,
    Value,
)
from simedge.protocol.draws import Draws
from simedge.protocol.errors import ProtocolError, WireError
from simedge.protocol.machine import Effect, Note, Plain, Sample
from simedge.protocol.mixing import mix, stochastic
from simedge.protocol.params import OPAQUE, Code, Parcel, check_size, checked
from simedge.protocol.party import Party, Seat
from simedge.protocol.peer_settings import AedflSettings
from simedge.protocol.sparse import largest, pack_sparse, unpack_sparse
from simedge.protocol.wire import U32_MAX, Message

__all__ = ["AedflPeer", "Pulled", "chances", "choose", "pull_weights"]

_TUNINGS: Final = 20
_SIGMA_STEP: Final = 0.05
_SIGMA_MAX: Final = 2.0
_KEPT: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pulled:
    """A model that takes part in a merge."""

    dev: int
    n: int
    """Frames that its peer ever learned."""
    version: int
    values: Params


def pull_weights(models: Sequence[Pulled], sigma: float) -> list[float]:
    """Return the weights of a merge; the first model is one's own."""
    own = models[0].version
    raw = [each.n * (1 + max(0, own - each.version)) ** -sigma for each in models]
    return stochastic(raw)


def chances(prefs: Sequence[float], theta: float) -> list[float]:
    """Return the probability of each to be asked first.

    >>> [round(share, 9) for share in chances([0.3, 0.1, 0.0], 0.1)]
    [0.843794734, 0.114195199, 0.042010066]
    """
    most = max(prefs)
    # Nobody is out of the question: what is next to nothing still is something.
    return stochastic([math.exp(max((pref - most) / theta, -700.0)) for pref in prefs])


def choose(prefs: Mapping[int, float], count: int, *, theta: float, draws: Draws) -> list[int]:
    """Return whom to ask, without replacement, in the order of the draws."""
    left, chosen = dict(prefs), list[int]()
    while left and len(chosen) < count:
        others = list(left)
        other = others[draws.weighted(chances(list(left.values()), theta))]
        chosen.append(other)
        del left[other]
    return chosen


class AedflPeer(Party):
    """A peer that pulls.

    Parameters
    ----------
    settings
        The protocol's settings.
    seat
        Its place in the run.
    """

    def __init__(self, settings: AedflSettings, seat: Seat) -> None:
        self._settings = settings
        self._size = check_size(seat.ground)
        super().__init__(seat, interval=settings.interval)

    @override
    def _forget_own(self) -> None:
        self._version = -1
        self._learned = 0
        self._tuned = 0
        self._published_ns = 0
        self._published_n = 0
        self._masked = 0.0
        self._sigma = self._settings.sigma
        self._published: bytes = b""
        self._prefs = dict.fromkeys(self._seat.neighbours, 0.0)
        self._drop_round()

    def _drop_round(self) -> None:
        """Forget a round that is not over."""
        self._pending: list[int] = []
        self._models: list[Pulled] = []
        self._sigmas: list[float] = []
        self._losses: list[float | None] = []

    @override
    def _dump_own(self) -> Plain:
        return {
            "scalars": [getattr(self, name) for name in _SCALARS],
            "prefs": [[other, pref] for other, pref in self._prefs.items()],
            "pending": list(self._pending),
            "models": [[m.dev, m.n, m.version, plain_of(m.values)] for m in self._models],
            "sigmas": list(self._sigmas),
            "losses": list(self._losses),
        }

    @override
    def _load_own(self, state: Plain) -> None:
        for name, scalar in zip(_SCALARS, cast("list[object]", state["scalars"]), strict=True):
            setattr(self, name, scalar)
        self._prefs = dict(cast("list[tuple[int, float]]", state["prefs"]))
        self._pending = list(cast("list[int]", state["pending"]))
        models = cast("list[tuple[int, int, int, object]]", state["models"])
        self._models = [
            Pulled(dev=dev, n=n, version=version, values=cast("Params", array_of(values)))
            for dev, n, version, values in models
        ]
        self._sigmas = list(cast("list[float]", state["sigmas"]))
        self._losses = list(cast("list[float | None]", state["losses"]))

    @override
    def _begin(self, now: int) -> list[Effect]:
        self._drop_round()
        if self._version < 0:
            return [self._ask("publish", "get_params", GetParams())]
        return self._pull(now)

    # --------------------------------------------------------------------------------- asking
    def _pull(self, now: int) -> list[Effect]:
        """Begin a round."""
        settings = self._settings
        prefs = {other: self._prefs[other] for other in self._up()}
        self._pending = choose(prefs, settings.pulls, theta=settings.theta, draws=self._draws)
        if not self._pending:
            return self._train(now)
        effects: list[Effect] = []
        for other in self._pending:
            parcel = Parcel(
                code=Code.REQUEST, payload=b"", enc=OPAQUE, g=self._version, captured_ns=now
            )
            effects += self._send(parcel, [other])
        return [*effects, self._timers.set("pull", now + settings.pull_timeout)]

    @override
    def _open(self, message: Message) -> Params | None:
        if message.blk == Code.SPARSE:
            return unpack_sparse(message, self._size)
        if message.blk != Code.REQUEST:
            raise WireError("refused")
        if message.payload or message.enc != OPAQUE:
            raise WireError("malformed")
        return None

    @override
    def _take(self, message: Message, content: Params | None, now: int) -> list[Effect]:
        if content is None:
            return self._answer(message.dev)
        if message.dev not in self._pending:
            return self._refusals.refuse("late", message.dev)
        self._models.append(Pulled(dev=message.dev, n=message.n, version=message.g, values=content))
        self._captured_ns = max(self._captured_ns, self._captured(message, now))
        effects = self._merged(message, now, version=self._version)
        return effects + self._expect_less(message.dev, now)

    def _answer(self, other: int) -> list[Effect]:
        if self._version < 0:
            self._refusals.count("unpublished")
            return []
        parcel = Parcel(
            code=Code.SPARSE,
            payload=self._published,
            captured_ns=self._published_ns,
            g=self._version,
            n=self._published_n,
        )
        return list(self._send(parcel, [other]))

    def _expect_less(self, other: int, now: int) -> list[Effect]:
        """Wait for one answer less; without any to wait for go on."""
        if other not in self._pending:
            return []
        self._pending.remove(other)
        if self._pending:
            return []
        return [*self._timers.cancel("pull"), *self._merge(now)]

    @override
    def _unreachable(self, dev: int, code: Code | None, now: int) -> list[Effect]:
        # An answer of one's own that failed says nothing about the answer that is waited for.
        return [] if code == Code.SPARSE else self._expect_less(dev, now)

    @override
    def _fired(self, timer: str, now: int) -> list[Effect]:
        self._refusals.count("pull_timeouts", len(self._pending))
        self._pending.clear()
        return self._merge(now)

    # -------------------------------------------------------------------------------- merging
    def _merge(self, now: int) -> list[Effect]:
        if not self._models:
            return self._train(now)
        return [
            self._ask("loss", "held_loss", HeldLoss()),
            self._ask("own", "get_params", GetParams()),
        ]

    @override
    def _answered(self, purpose: str, value: Value, now: int) -> list[Effect]:
        match purpose:
            case "own":
                values = checked(value, (self._size,))
                own = Pulled(dev=self._dev, n=self._learned, version=self._version, values=values)
                self._models.insert(0, own)
                self._sigmas = self._candidates(now)
                return self._try(self._sigmas[0])
            case "loss":
                return self._weigh(_loss_of(value), now)
            case "train":
                if not isinstance(value, Trained):
                    raise ProtocolError("training must say how much was learned")
                self._learned = min(self._learned + value.n, U32_MAX)
                return [self._ask("publish", "get_params", GetParams())]
            case "publish":
                return self._publish(checked(value, (self._size,)), now)
            case _:
                return []

    def _candidates(self, now: int) -> list[float]:
        """Return the exponents to try: the present one, and now and then its neighbours."""
        duration_ns = self._ground.duration_ns
        due = _TUNINGS * now // duration_ns if duration_ns else 0
        if due <= self._tuned:
            return [self._sigma]
        self._tuned = due
        near = (self._sigma - _SIGMA_STEP, self._sigma + _SIGMA_STEP)
        return [self._sigma, *(min(max(sigma, 0.0), _SIGMA_MAX) for sigma in near)]

    def _try(self, sigma: float) -> list[Effect]:
        return [self._take_over(sigma), self._ask("loss", "held_loss", HeldLoss())]

    def _take_over(self, sigma: float) -> Effect:
        merged = mix(pull_weights(self._models, sigma), [each.values for each in self._models])
        return self._ask("set", "set_params", SetParams(values=merged))

    def _weigh(self, loss: float | None, now: int) -> list[Effect]:
        """Take a loss: before the merge, then with each exponent."""
        self._losses.append(loss)
        tried = len(self._losses) - 1
        if tried == 0:
            return []
        if tried < len(self._sigmas) and loss is not None:
            return self._try(self._sigmas[tried])
        before, *after = [math.inf if each is None else each for each in self._losses]
        lowest = min(after)
        best = after.index(lowest)
        effects: list[Effect] = []
        if best != tried - 1:
            effects.append(self._take_over(self._sigmas[best]))
        self._sigma = self._sigmas[best]
        if math.isfinite(before) and math.isfinite(lowest):
            for each in self._models[1:]:
                gain = (1 - _KEPT) * (before - lowest)
                self._prefs[each.dev] = _KEPT * self._prefs[each.dev] + gain
        effects.append(Note(kind="applied", subject=0, detail=(len(self._models) - 1,)))
        return effects + self._train(now)

    # ------------------------------------------------------------------- learning, publishing
    def _train(self, now: int) -> list[Effect]:
        self._drop_round()
        settings = self._settings
        self._masked = self._sparsity(now)
        quantum = settings.frames or settings.interval
        return [self._ask("train", "train", Train(frames=quantum, sparsity=self._masked))]

    def _sparsity(self, now: int) -> float:
        """Return the share of the weights to drop now."""
        duration_ns = self._ground.duration_ns
        risen = min(1.0, 2 * now / duration_ns) if duration_ns else 1.0
        return self._settings.sparsity * risen

    def _publish(self, values: Params, now: int) -> list[Effect]:
        self._version = min(self._version + 1, U32_MAX)
        self._published = pack_sparse(values, largest(values, self._masked))
        self._published_ns, self._published_n = self._captured_ns, self._learned
        digest = hashlib.sha256(self._published).digest()
        return [
            Note(kind="published", subject=Code.SPARSE, detail=(self._version, digest)),
            Sample(metric="cycles", value=self._version),
            Sample(metric="sigma", value=self._sigma),
            *self._pull(now),
        ]


def _loss_of(value: Value) -> float | None:
    """Return a loss that is a finite number, or nothing."""
    return value if isinstance(value, float) and math.isfinite(value) else None


_SCALARS = (
    "_version",
    "_learned",
    "_tuned",
    "_published_ns",
    "_published_n",
    "_masked",
    "_sigma",
    "_published",
)
