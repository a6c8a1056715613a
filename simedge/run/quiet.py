"""Arithmetic without warnings: what overflows in a run is told with its rule, device and time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

__all__ = ["quiet", "quiet_threads"]


def quiet() -> np.errstate:
    """Return a context in which overflow and NaN raise no warning in this thread."""
    return np.errstate(over="ignore", invalid="ignore")


def quiet_threads(count: int, name: str) -> ThreadPoolExecutor:
    """Return threads in which they raise none either."""
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_hush)


def _hush() -> None:
    np.seterr(over="ignore", invalid="ignore")
