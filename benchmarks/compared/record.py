"""Every figure of the comparison, as JSON: written row by row, and gone on with row by row."""

import contextlib
import fcntl
import json
import subprocess

from compared.nets import SETTINGS

__all__ = ["MixedRowsError", "Record"]


class MixedRowsError(RuntimeError):
    """A file has rows of another commit or design."""


class Record:
    """The file; several runs of one commit may add to it at once, each its own tasks."""

    def __init__(self, path, design):
        self.path = path
        git = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        done = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603
        about = {
            "program": "benchmarks/references.py",
            "commit": done.stdout.strip() or None,
            **design,
            "settings": SETTINGS,
        }
        self.about = json.loads(json.dumps(about))
        self.held = {**self.about, "tasks": {}}
        with self.alone():
            pass

    @contextlib.contextmanager
    def alone(self):
        """Read the file, let it be changed, write it; nobody else does meanwhile."""
        if self.path is None:
            yield self.held
            return
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.path.exists():
                self.held = json.loads(self.path.read_text(encoding="utf-8"))
            known = {key: self.held.get(key) for key in self.about}
            if known != self.about:
                raise MixedRowsError(f"{self.path} is of another commit or design; use another")
            yield self.held
            text = json.dumps(self.held, indent=1) + "\n"
            self.path.with_suffix(".new").write_text(text, encoding="utf-8")
            self.path.with_suffix(".new").replace(self.path)

    def has(self, task, name):
        """Say whether a row is there."""
        return name in self.held["tasks"].get(task, {}).get("rules", {})

    def add(self, task, about, *, name, row):
        """Note what a rule reached on a task."""
        with self.alone() as held:
            mine = held["tasks"].setdefault(task, {"rules": {}})
            mine |= about
            mine["rules"][name] = row

    def keep(self, key, row):
        """Note something that is no row of a task."""
        with self.alone() as held:
            held[key] = row
