"""``simedge``: the way in, open before anything is loaded that an interrupt could catch halfway."""

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
