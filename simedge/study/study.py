"""A study: many runs of one scenario, varied by factors, every cell with the same seeds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Self

from simedge.run.scenario import Scenario
from simedge.study.course import StudyProgress
from simedge.study.plan import METRICS, Complaint, Factor, Level, Plan, PlanError, label_of, rows_of
from simedge.study.ready import prepare, wrong
from simedge.study.seeds import seed_list
from simedge.study.table import Table

__all__ = ["Study", "seed_list"]


class Study:
    """Runs of a scenario, varied; seeds are paired over all cells.

    Parameters
    ----------
    scenario
        What is varied; its own seed does not count.
    seeds
        How many (1, 2, ...), or which.
    name
        By default that of the scenario.
    metrics
        Paths of the figures that the study is about, as in ``summary.json``.

    Examples
    --------
    >>> study = Study(Scenario.load("two_devices").vary({"duration": "1 s"}), seeds=2)
    >>> study.vary("links.default.delay", ["5 ms", "80 ms"]).plan().rows
    (('5 ms',), ('80 ms',))
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seeds: int | Iterable[int] = 5,
        name: str | None = None,
        metrics: Sequence[str] = METRICS,
    ) -> None:
        self._plan = Plan(
            name=name or scenario.name,
            base=scenario,
            factors=(),
            rows=((),),
            seeds=seed_list(seeds),
            metrics=tuple(metrics),
        )
        self._design = "grid"

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return the study that a plan describes, as read from a file."""
        study = cls(plan.base, seeds=plan.seeds)
        study._plan = plan
        study._design = "given"
        return study

    def vary(self, path: str, values: Iterable[object] | Mapping[str, object]) -> Self:
        """Vary one value; those that are mappings need labels: ``{label: value}``.

        Paths and values are those of ``--set``; combined with factors there are already.
        """
        if isinstance(values, Mapping):
            return self.arms(path, {label: {path: value} for label, value in values.items()})
        labelled = [(label_of(value), value) for value in values]
        if any(label is None for label, _ in labelled):
            raise wrong([Complaint(message=f"{path}: such values need labels: {{label: value}}")])
        levels = [Level(label=str(label), changes={path: v}) for label, v in labelled]
        return self._with(Factor(name=path, levels=tuple(levels)))

    def arms(self, name: str, arms: Mapping[str, Mapping[str, object]]) -> Self:
        """Vary several values together: each arm is a named set of changes."""
        levels = [Level(label=label, changes=dict(changes)) for label, changes in arms.items()]
        return self._with(Factor(name=name, levels=tuple(levels)))

    def zipped(self) -> Self:
        """Let factors vary side by side, the i-th level of each together."""
        self._design = "zip"
        return self

    def plan(self) -> Plan:
        """Return the study as data.

        Raises
        ------
        ScenarioError
            If factors of a zip are not equally long.
        """
        if self._design == "given":
            return self._plan
        try:
            rows = rows_of(self._plan.factors, self._design)
        except PlanError as error:
            raise wrong(error.complaints) from None
        return replace(self._plan, rows=rows)

    def run(  # noqa: PLR0913 -- all go by name
        self,
        *,
        engine: str | Executor = "processes",
        jobs: int | None = None,
        scheduler: str | None = None,
        out: str | Path | None = None,
        retry_failed: bool = False,
        fail_fast: bool = False,
        watch: Callable[[StudyProgress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Table:
        """Run what is missing and return the table of all runs; a failed run is a row of it.

        Parameters
        ----------
        engine
            ``processes``, ``dask`` or any `concurrent.futures.Executor`.
        jobs
            Runs at a time; by default one a processor.
        scheduler
            Address of a Dask scheduler; without it a cluster is started on this machine.
        out
            Study directory: absent, empty, or that of this study, which is gone on with. By
            default nothing is kept but the table.
        retry_failed
            Whether runs that failed before are run again.
        fail_fast
            Whether a failure lets no other run begin.
        watch
            Told how the study stands.
        stop
            Asked five times a second; true ends the study early, its directory in good order.

        Raises
        ------
        ScenarioError
            If a factor leads nowhere or a cell is no valid scenario.
        StudyDirectoryError
            If the directory holds another study; the text says what differs.
        """
        ready = prepare(self.plan(), None if out is None else Path(out), retry_failed=retry_failed)
        return ready.run(
            engine=engine,
            jobs=jobs,
            scheduler=scheduler,
            fail_fast=fail_fast,
            watch=watch,
            stop=stop,
        )

    def _with(self, factor: Factor) -> Self:
        self._design = "grid" if self._design == "given" else self._design
        complaints = _doubles(factor, self._plan.factors)
        if complaints:
            raise wrong(complaints)
        self._plan = replace(self._plan, factors=(*self._plan.factors, factor))
        return self


def _doubles(factor: Factor, others: Iterable[Factor]) -> list[Complaint]:
    labels = [level.label for level in factor.levels]
    found = [Complaint(message=f"{factor.name}: no values")] if not labels else []
    if factor.name in {other.name for other in others}:
        found.append(Complaint(message=f"{factor.name}: varied twice"))
    twice = [label for label in dict.fromkeys(labels) if labels.count(label) > 1]
    return [*found, *(Complaint(message=f"{factor.name}: {one} is given twice") for one in twice)]
