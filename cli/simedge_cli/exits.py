"""How commands end: exit codes, and one plain message for a user's mistake."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

__all__ = ["Exit", "complain", "told"]


class Exit(IntEnum):
    """Exit codes of all commands."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 3
    MISMATCH = 4
    INTERRUPTED = 130


def complain(message: str) -> None:
    """Write to the standard error output."""
    print(message, file=sys.stderr)


@contextmanager
def told() -> Iterator[None]:
    """Turn what a user can mend into a message and an exit code, without a traceback."""
    try:
        yield from _mended()
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(Exit.INTERRUPTED) from None


def _mended() -> Iterator[None]:
    from simedge.core.errors import SimedgeError
    from simedge.run.checkpoint.errors import CheckpointError
    from simedge.run.errors import BuildError, RunDirectoryError, StorageError
    from simedge.run.overrides import OverrideError
    from simedge.run.problems import ScenarioError
    from simedge.study.errors import MissingExtraError
    from simedge.world.traces.rows import TraceError

    try:
        yield
    except (OverrideError, MissingExtraError) as error:
        complain(f"error: {error}")
        raise typer.Exit(Exit.USAGE) from None
    except ScenarioError as error:
        complain(str(error))
        count = len(error.problems)
        complain(f"{count} problem{'' if count == 1 else 's'}")
        raise typer.Exit(Exit.BAD_INPUT) from None
    except StorageError as error:
        complain(f"error: {error}")
        raise typer.Exit(Exit.FAILED) from None
    except (RunDirectoryError, BuildError, CheckpointError, TraceError) as error:
        complain(f"error: {error}")
        raise typer.Exit(Exit.BAD_INPUT) from None
    except SimedgeError as error:
        complain(f"error: {error}")
        raise typer.Exit(Exit.FAILED) from None
    except BrokenPipeError:
        raise  # whoever read has gone: there is nobody to tell
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        complain(f"error: {where}{error.strerror or error}")
        raise typer.Exit(Exit.FAILED) from None
