"""One Hypothesis profile for the suite: reproducible, no clock. And no work that is done twice.

The profile called `nightly` searches longer, `interpreted` shorter.
"""

import os
import sys
from contextlib import contextmanager, suppress
from functools import wraps
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Before there are workers: they, and hundreds of processes, would each compile all they import.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # each worker has a core, and no more

FEW = 20
"""Examples of a law in the ordinary profile, however many it asks for: those are for the night."""

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=FEW,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", deadline=None, max_examples=20_000)
settings.register_profile("interpreted", settings.get_profile("ci"), max_examples=10)
interpreted = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
profile = os.environ.get("HYPOTHESIS_PROFILE", "interpreted" if interpreted else "ci")
settings.load_profile(profile)
if interpreted:
    np.seterr(over="ignore")  # compiled whole numbers wrap around without a word


MANY = 1_000
"""Tests of a session that is likely to need all native code."""


TRACED = 5
"""Examples of a law of which coverage is measured: to be traced takes longer than the law itself,
and later ones go the same ways."""

WHOLLY = ("tests/core/", "tests/protocol/", "tests/learning/rules/")
"""Of these each example is: no branch of their rooms may be without its law."""

NEVER = (
    "tests/architecture/",
    "tests/examples/",
    "tests/validation/",
    "tests/drivers/test_fault_page.py",
)
"""Of these none is: they add nothing to what others cover, and take long."""


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Let the tracer of branch coverage, if there is one, see the first examples of a law."""
    law, tracer = getattr(pyfuncitem.function, "hypothesis", None), sys.gettrace()
    if tracer is not None and pyfuncitem.nodeid.startswith(NEVER):
        sys.settrace(None)
        try:
            return (yield)
        finally:
            sys.settrace(tracer)
    if law is None or tracer is None or interpreted or pyfuncitem.nodeid.startswith(WHOLLY):
        return (yield)
    with traced_at_first(law):
        try:
            return (yield)
        finally:
            sys.settrace(tracer)


@contextmanager
def traced_at_first(law):
    whole, examples = law.inner_test, count()

    @wraps(whole)
    def example(*drawn, **named):
        if next(examples) >= TRACED:
            sys.settrace(None)
        return whole(*drawn, **named)

    law.inner_test = example
    try:
        yield
    finally:
        law.inner_test = whole


def pytest_collection_modifyitems(items):
    """Let no law take more examples than there is time for in the ordinary profile."""
    for law in {getattr(item, "function", None) for item in items} if profile == "ci" else ():
        asked = getattr(law, "_hypothesis_internal_use_settings", None)
        if asked is not None and asked.max_examples > FEW:
            law._hypothesis_internal_use_settings = settings(asked, max_examples=FEW)  # noqa: SLF001


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    """Let workers share out what takes long to compile; left alone, each would compile it all."""
    if "PYTEST_XDIST_WORKER" not in os.environ or interpreted or len(session.items) < MANY:
        return
    from simedge.core.native_cache import is_cold

    marks = Path(session.config.option.basetemp).parent  # of all workers
    tracer = sys.gettrace()
    sys.settrace(None)  # a compiler is slow to trace
    for kernel, compile_it in native_code():
        mark = marks / f"{kernel}.compiled"
        if not mark.exists() and is_cold(kernel):
            with suppress(FileExistsError):  # another worker was faster
                mark.touch(exist_ok=False)
                compile_it()
    sys.settrace(tracer)


def native_code():
    """Return what compiles some code, by its longest kernel; what takes longest is first."""
    from simedge.neurons.recurrent.circuit import RecurrentCircuit
    from simedge.neurons.recurrent.parts import Population
    from simedge.run.warm import _KITS

    def play():
        alone = RecurrentCircuit(1, {"neuron": Population(size=1, gamma=0.5)}, projections=[])
        alone.feed(np.array([1]), np.array([0]))
        alone.run(2)

    yield from ((_KITS[name].longest, _KITS[name].here) for name in ("eligible", "presentations"))
    yield "volley.play", play
    yield _KITS["circuits"].longest, _KITS["circuits"].here
    yield "readout.approach", _KITS["presentations"].there
    yield "restart.restart", _KITS["circuits"].there
