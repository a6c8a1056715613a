"""``simedge``: the way in, open before anything is loaded that an interrupt could catch halfway."""

import os
import sys

__all__ = ["app"]

_INTERRUPTED = 130  # `Exit.INTERRUPTED`, which is not loaded yet


def app(words: list[str] | None = None) -> None:
    """Run the command line; an interrupt ends it with one line, whatever it was loading."""
    try:
        from simedge_cli.commands import app as commands

        commands(words)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    finally:
        _flush()


def _flush() -> None:
    """Write what is left; a reader that has gone is no error of ours."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would tell of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
