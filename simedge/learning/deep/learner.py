"""The deep reference learner of one device: back-propagation behind the port of jobs."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simedge.core.streams import Streams
from simedge.learning.asked import check_labels
from simedge.learning.deep.body import Body, Plan
from simedge.learning.deep.frames import Prepared, Retina
from simedge.learning.deep.jobs import Act, Presentation, run_together
from simedge.learning.deep.network import Network, be_deterministic
from simedge.learning.deep.passes import PassRow
from simedge.learning.deep.travel import Travels
from simedge.learning.errors import LearnerError
from simedge.learning.finite import first_broken
from simedge.learning.ports import FrameLike, Pull
from simedge.learning.reference_settings import DeepSettings

__all__ = ["DeepLearner", "open_deep"]


def open_deep(  # noqa: PLR0913 - one builder, all by name
    settings: DeepSettings,
    *,
    classes: int,
    width: int,
    height: int,
    streams: Streams,
    device: str,
    span_ns: int,
    pools: dict[object, Any],
) -> "DeepLearner":
    """Build the deep learner of one device; learners of one run share what `pools` holds."""
    key = settings, classes, width, height, span_ns
    if key not in pools:
        be_deterministic()
        retina = Retina(
            width=width,
            height=height,
            bins=settings.bins,
            span_ns=span_ns,
            root=settings.transform == "sqrt",
        )
        network = Network(
            settings, classes=classes, channels=retina.channels, width=width, height=height
        )
        pools[key] = Plan(
            network=network,
            retina=retina,
            rule=settings.rule,
            kl_rate=settings.kl_rate,
            framework=settings.framework,
        )
    plan: Plan = pools[key]
    name = "learner" if settings.shared_start else device
    return DeepLearner(Body(plan, plan.network.start(streams, name)))


class DeepLearner(Travels):
    """One device's learner. Every job is a `Work`; nothing changes until it is committed."""

    rule = "bp"
    """Name of the rule."""
    hidden_layers = 0
    """No layer learns by a share λ."""
    run_together = staticmethod(run_together)
    """Predicts the frames that wait."""

    def __init__(self, body: Body) -> None:
        self._body = body

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._body.plan.network.classes

    def learn(self, frame: FrameLike, *, shown: tuple[Prepared, int] | None = None) -> Presentation:
        """Predict the frame's class, then learn from it; value `Learned`.

        `shown` is the frame as `prepare` gave it, and its place there, if that is at hand.
        """
        check_labels([frame.label], frames=[frame], classes=self.classes)
        return Presentation(self._body, *(shown or (self.prepare([frame]), 0)))

    def proxy_row(self, frame: FrameLike, *, address: int, row: int) -> PassRow:
        """Forward one proxy item and keep its features; value: softmax, float32 (classes,)."""
        features, chances = self._seen(self.prepare([frame]).pictures)
        return PassRow(self._body, (address, row), features[0], chances[0])

    def pass_rows(
        self, prepared: Prepared, *, address: int, first: int = 0, stop: int | None = None
    ) -> list[PassRow]:
        """Forward the proxy rows first .. stop - 1 at once; return the work of each.

        It is what `proxy_row` gives row by row, provided that nothing is learned before the last
        of them is committed.
        """
        pairs = zip(*self._seen(prepared.pictures[first:stop]), strict=True)
        return [PassRow(self._body, (address, i), *pair) for i, pair in enumerate(pairs, first)]

    def kl_step(
        self, *, address: int, target: ArrayLike, mask: ArrayLike, alpha: float, steps: int = 1
    ) -> Act:
        """Pull the readout towards a prior on kept rows; value: how many rows took part.

        The layers below stay as they are, so that the features of the pass serve, and no frame has
        to be forwarded again.
        """
        parts = [Pull(address, target, mask)]
        return self._pulled(parts, alpha, steps, told=lambda took: took[0])

    def kl_steps(self, parts: Sequence[Pull], *, alpha: float, steps: int = 1) -> Act:
        """Do `kl_step` on one address after the other; value: how many rows took part in each."""
        return self._pulled(parts, alpha, steps, told=lambda took: took)

    def set_lambda(self, values: Sequence[float]) -> Act:
        """Refuse any λ: no layer has one; value None."""
        if len(values) != self.hidden_layers:
            raise LearnerError(f"{len(values)} lambdas for {self.hidden_layers} hidden layers")
        return Act(self._body, lambda: None, macs={"dense": 0})

    def prepare(self, frames: Sequence[FrameLike]) -> Prepared:
        """Make pictures of frames once, for any number of presentations to equal learners."""
        return self._body.plan.retina.prepare(frames)

    def predict(self, prepared: Prepared) -> NDArray[np.int64]:
        """Return the class of each presentation, ties to the lowest; changes nothing."""
        return np.asarray(self._seen(prepared.pictures)[1].argmax(axis=1), np.int64)

    def memory(self, kept_rows: int | None = None) -> dict[str, int]:
        """Return the bytes that a device needs, by term, at 4 bytes a number.

        Gradients add up frame by frame, so of a batch only one frame and its activations are held.

        Parameters
        ----------
        kept_rows
            Plan for this many proxy rows; None: those kept now.
        """
        plan, network, kept = self._body.plan, self._body.plan.network, self._body.kept
        return {
            "parameters": 4 * network.params,
            "gradients": 4 * network.params,
            "momentum": 4 * network.params if plan.rule.momentum else 0,
            "activations": 4 * network.activations,
            "batch": 4 * int(np.prod(network.picture)),
            "features": kept.bytes if kept_rows is None else 4 * kept_rows * network.features,
            "framework": plan.framework,
        }

    def dump(self) -> dict[str, Any]:
        """Return all that the learner knows, as plain arrays and numbers; copies."""
        return self._body.dump()

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a dump of an equal learner."""
        self._body.load(state)

    def digest(self) -> bytes:
        """Return the SHA-256 of all that it knows, but for what it keeps of proxy rows."""
        sha = hashlib.sha256()
        for name, part in self.dump().items():
            if name != "kept":
                sha.update(name.encode())
                for each in part if isinstance(part, tuple) else (part,):
                    array = isinstance(each, np.ndarray)
                    sha.update(each.tobytes() if array else repr(each).encode())
        return sha.digest()

    def broken(self) -> str | None:
        """Return which part of what it knows has a NaN or an infinity; None: all are numbers."""
        return first_broken(self._body.plan.network.named_parts(self._body.values))

    def _seen(
        self, pictures: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._body.plan.network.seen(self._body.values, pictures)

    def _pulled(
        self,
        parts: Sequence[Pull],
        alpha: float,
        steps: int,
        *,
        told: Callable[[tuple[int, ...]], object],
    ) -> Act:
        """Return the work of pulling the readout on kept rows."""
        if steps < 1 or alpha < 0:
            raise LearnerError(f"KL needs steps >= 1 and alpha >= 0, got {steps}, {alpha}")
        body, network, checked = self._body, self._body.plan.network, []
        for address, target, mask in parts:
            wanted, prior = np.asarray(mask, np.bool_), np.asarray(target, np.float32)
            if prior.shape != (wanted.size, self.classes):
                raise LearnerError(f"priors of shape {prior.shape} for {wanted.size} rows")
            rows = body.kept.rows(address, wanted)
            checked.append((address, rows, prior[rows]))
        took = tuple(len(rows) for _, rows, _ in checked)
        step = body.plan.kl_rate * alpha

        def moved() -> NDArray[np.float32]:
            values = body.values
            for address, rows, prior in checked:
                if len(rows):
                    seen = body.kept.levels(address, rows)
                    values = network.pulled(values, seen, prior, step=step, steps=steps)
            return values

        def settle(values: NDArray[np.float32]) -> object:
            if step and sum(took):
                body.shift(values)
            return told(took)

        size = network.layers[-1].params
        writes = size * steps * sum(count > 0 for count in took)
        macs = {"dense": 2 * sum(took) * size * steps}
        return Act(body, settle, macs=macs, writes=writes, ahead=moved)
