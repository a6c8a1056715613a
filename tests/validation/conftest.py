"""Closed forms take millions of draws: to trace them line by line takes longer than to draw."""

import sys

import pytest

__all__ = ["untraced"]


@pytest.fixture(autouse=True)
def untraced():
    """Run without the tracer of branch coverage, if there is one."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)
