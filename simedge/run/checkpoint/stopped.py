"""A run that stopped before its end: its directory, held, and what it can go on from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simedge.run.checkpoint.begun import check_begun, recordings_of
from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.made_by import check_maker, maker
from simedge.run.checkpoint.store import Saved, find
from simedge.run.errors import RunDirectoryError
from simedge.run.rundir import RunDirectory, read_learner
from simedge.run.scenario import Scenario

__all__ = ["Stopped", "take_up"]


@dataclass(slots=True, kw_only=True)
class Stopped:
    """What a run goes on from.

    Parameters
    ----------
    directory
        Locked; whoever goes on must close it.
    saved
        The newest valid checkpoint; None: the run begins anew.
    turn
        Number of the newest checkpoint.
    recordings
        SHA-256 of the recordings that it was begun with; None if nobody wrote it down.
    words
        What whoever resumes it should know.
    """

    directory: RunDirectory
    scenario: Scenario
    saved: Saved | None
    turn: int
    recordings: str | None
    words: tuple[str, ...]

    def check_recordings(self, origin: Mapping[str, object]) -> None:
        """See that sensors read what they read before the run stopped.

        Raises
        ------
        CheckpointError
            If not.
        """
        path, now = self.directory.path, recordings_of(origin)
        if self.recordings not in {None, now}:
            raise CheckpointError(
                f"{path}: its recordings are not those that the run was begun with (SHA-256 "
                f"{str(self.recordings)[:12] or 'none'}, now {now[:12] or 'none'}): put them back "
                f"as they were, or run it by itself: simedge run {path / 'scenario.yaml'} -o DIR"
            )


def take_up(path: Path, *, learner: object = None) -> Stopped | None:
    """Take the directory of a run that stopped; None if the run has ended and nothing is left.

    Raises
    ------
    RunDirectoryError
        If it is none, in use, or needs the learner that it was given in Python.
    CheckpointError
        If its checkpoint was written by other code, or its scenario is not what it was.
    ScenarioError
        If its scenario cannot be read.
    """
    directory = RunDirectory.reopen(path)
    try:
        if directory.status == "done":
            directory.close()
            return None
        return _stopped(path, directory, learner)
    except BaseException:
        directory.close()
        raise


def _stopped(path: Path, directory: RunDirectory, learner: object) -> Stopped:
    name = read_learner(path)
    if name is not None and learner is None:
        raise RunDirectoryError(
            f"{path}: its learner {name} was given in Python, give it again: "
            "simedge.resume(path, learner=...)"
        )
    if not (path / "scenario.yaml").is_file():
        raise RunDirectoryError(f"{path}: no scenario.yaml")
    recordings = check_begun(path)
    scenario = Scenario.load(path / "scenario.yaml")
    found = find(path, events=scenario.record.events)
    words = [f"passed over: {line}" for line in found.damage]
    if found.saved is None:
        words.append(f"{path}: no checkpoint to go on from, the run begins anew (same seed)")
    else:
        try:
            words += check_maker(found.made_by, maker(learner))
        except CheckpointError as error:
            raise CheckpointError(
                f"{path}: its checkpoint cannot be taken up: {error}; run the scenario again, or "
                "remove checkpoint/ and resume: it then begins anew"
            ) from error
        words.append(f"{path}: goes on from {found.saved.at_ns / 1e9:g} s")
    return Stopped(
        directory=directory,
        scenario=scenario,
        saved=found.saved,
        turn=found.turn,
        recordings=recordings,
        words=tuple(words),
    )
