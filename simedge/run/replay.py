"""Replaying: a recorded run once more, compared with what its directory says."""

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from simedge.core.errors import SimedgeError
from simedge.learning.ports import LearnerFactory
from simedge.run.eventlog import LogReader, LogRecord
from simedge.run.parts import LOG, damaged_parts
from simedge.run.result import Progress
from simedge.run.rundir import RunDirectoryError, read_learner, read_status
from simedge.run.scenario import Scenario
from simedge.run.simulate import Run, Watch

__all__ = ["Difference", "Replay", "first_difference", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first record that is not the same; None where one side has no more of them."""

    index: int
    recorded: LogRecord | None
    replayed: LogRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of a replay.

    Parameters
    ----------
    status
        Of the recorded run; of one that is not done a prefix is compared.
    records
        How many were compared and found equal; None if the hash alone was recorded.
    recorded_sha256
        Hash of the whole record, None if the run came to no end that wrote it.
    replayed_sha256
        Hash of the replay as far as it went.
    damage
        What is wrong with the recorded log; records up to there were compared.
    parts
        Which parts of the directory are missing or not what the run wrote, a line each.
    """

    path: Path
    status: str
    records: int | None
    recorded_sha256: str | None
    replayed_sha256: str
    difference: Difference | None = None
    damage: str | None = None
    parts: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether all that was recorded came again, and nothing recorded is damaged."""
        same = self.recorded_sha256 in {None, self.replayed_sha256}
        whole = self.damage is None and not self.parts
        return same and self.difference is None and whole


def replay(
    path: str | Path, *, learner: LearnerFactory | None = None, watch: Watch | None = None
) -> Replay:
    """Run the scenario of a run directory again and compare, up to the first difference.

    Parameters
    ----------
    path
        Run directory; only read.
    learner
        As for `simulate`: needed again if the run had one.
    watch
        Told how the replay stands.

    Raises
    ------
    RunDirectoryError
        If this is no run directory, nothing in it can be compared, or its learner is missing.
    ScenarioError
        If its scenario cannot be read.
    """
    recording = _Recording(Path(path), learner)
    # The replay keeps no records: they are compared as they happen.
    scenario = recording.scenario.vary({"record.events": False})
    fresh: list[LogRecord] = []
    with Run(scenario, learner=learner, tap=fresh.append) as run:
        happening = _happening(run, fresh, watch or _nobody)
        compare = _by_hash if recording.log is None else _by_records
        return compare(recording, run, happening)


class _Recording:
    """What a run directory says of its run."""

    def __init__(self, path: Path, learner: LearnerFactory | None) -> None:
        self.path = path
        self.status = read_status(path)
        name = read_learner(path)
        if name is not None and learner is None:
            raise RunDirectoryError(
                f"{path}: its learner {name} was given in Python, give it again: "
                "simedge.replay(path, learner=...)"
            )
        if not (path / "scenario.yaml").is_file():
            raise RunDirectoryError(f"{path}: no scenario.yaml")
        self.scenario = Scenario.load(path / "scenario.yaml")
        log = path / LOG
        self.log = LogReader(log) if log.is_file() else None
        if self.log is None and self.sha256 is None:
            raise RunDirectoryError(
                f"{path}: neither events.msgpack nor summary.json: nothing to compare "
                f"(the run is {self.status})"
            )

    @property
    def whole(self) -> bool:
        """Whether the run went to its end."""
        return self.status == "done"

    @cached_property
    def damaged(self) -> tuple[str, ...]:
        """What is missing or has changed since the run ended; one that did not lists nothing."""
        if self.status not in {"done", "interrupted"}:
            return ()
        return damaged_parts(self.path, events=self.scenario.record.events)

    @cached_property
    def sha256(self) -> str | None:
        """Hash in the summary, if there is one."""
        file = self.path / "summary.json"
        if not file.is_file():
            return None
        try:
            return str(json.loads(file.read_bytes())["log_sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunDirectoryError(f"{file}: no readable summary") from error


def _by_records(recording: _Recording, run: Run, happening: Iterator[list[LogRecord]]) -> Replay:
    """Compare record by record; of a run that is not done those that were written."""
    log = recording.log
    assert log is not None
    again = chain.from_iterable(happening)
    equal, difference = first_difference(log, again)
    if difference is None and log.damage is None and recording.whole:
        surplus = next(again, None)
        if surplus is not None:
            difference = Difference(index=equal, recorded=None, replayed=surplus)
    # Where all records are equal, so are the hashes of what was compared.
    settled = log.damage is None and difference is None
    return Replay(
        path=recording.path,
        status=recording.status,
        records=equal,
        recorded_sha256=recording.sha256,
        replayed_sha256=log.sha256() if settled else run.sha256,
        difference=difference,
        damage=log.damage,
        parts=recording.damaged,
    )


def first_difference(
    recorded: Iterable[LogRecord], replayed: Iterator[LogRecord]
) -> tuple[int, Difference | None]:
    """Return how many records are equal, and the first of the record that came otherwise.

    What `replayed` has beyond the record is left in it.
    """
    equal = 0
    for one in recorded:
        other = next(replayed, None)
        if one != other:
            return equal, Difference(index=equal, recorded=one, replayed=other)
        equal += 1
    return equal, None


def _by_hash(recording: _Recording, run: Run, happening: Iterator[list[LogRecord]]) -> Replay:
    """Compare the hash alone: at the end, or wherever an interrupted run may have stopped."""
    for _ in happening:
        if not recording.whole and run.sha256 == recording.sha256:
            break
    return Replay(
        path=recording.path,
        status=recording.status,
        records=None,
        recorded_sha256=recording.sha256,
        replayed_sha256=run.sha256,
        parts=recording.damaged,
    )


def _happening(run: Run, fresh: list[LogRecord], watch: Watch) -> Generator[list[LogRecord]]:
    """Yield the records of each slice; an error comes after the records that led to it."""
    try:
        for progress in run.slices():
            watch(progress)
            yield fresh
            fresh.clear()
    except SimedgeError:
        yield fresh
        raise


def _nobody(_: Progress) -> None:
    """Watch nothing."""
