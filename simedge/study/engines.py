"""Where the runs of a study are done: processes here, a Dask cluster, or any executor.

All of them are `concurrent.futures` executors behind one small port. In processes every place has
a pool of one worker, so that a worker that dies takes its own run with it and no other.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import wait
from types import ModuleType
from typing import Any, Final, Protocol

from simedge.study.errors import MissingExtraError, StudyError
from simedge.study.worker import ONE_THREAD, Outcome, Ticket, carry_out

__all__ = ["Crew", "DaskCrew", "ExecutorCrew", "Processes", "crew", "processors"]

_AHEAD: Final = 2
_CONNECT: Final = "10 s"
_PORTS: Final = 2**16


class Crew(Protocol):
    """Takes tickets, as many at a time as it has places."""

    def places(self) -> int:
        """Return how many runs may be under way."""
        ...

    def shares_cache(self) -> bool:
        """Return whether one worker should compile before several do the same work."""
        ...

    def submit(self, ticket: Ticket) -> "Future[Outcome]":
        """Begin a run; a worker that dies raises `BrokenExecutor` in the future."""
        ...

    def close(self) -> None:
        """Let workers go; what is still under way is given up."""
        ...


def crew(engine: str | Executor, *, jobs: int | None = None, scheduler: str | None = None) -> Crew:
    """Return who does the runs.

    Parameters
    ----------
    engine
        ``processes``, ``dask`` or an executor, which stays open.
    jobs
        Places; by default one a processor.
    scheduler
        Address of a Dask scheduler; without it a cluster is started here.

    Raises
    ------
    StudyError
        If there is no such engine, or no scheduler answers.
    MissingExtraError
        If Dask is not installed.
    """
    count = jobs or processors()
    if count < 1:
        raise StudyError(f"jobs must be at least 1, got {jobs}")
    if isinstance(engine, Executor):
        return ExecutorCrew(engine, count)
    if engine == "processes":
        if scheduler is not None:
            raise StudyError("a scheduler is Dask's: engine='dask'")
        return Processes(count)
    if engine == "dask":
        return DaskCrew(count if scheduler is None or jobs else None, scheduler)
    raise StudyError(f"no engine {engine!r} (known: processes, dask)")


class Processes:
    """Workers on this machine, started afresh, one thread each."""

    def __init__(self, count: int) -> None:
        self._pools: list[ProcessPoolExecutor | None] = [None] * count
        self._futures: list[Future[Outcome] | None] = [None] * count

    def places(self) -> int:
        """Return how many workers there may be."""
        return len(self._pools)

    def shares_cache(self) -> bool:
        """Return whether there are several workers."""
        return len(self._pools) > 1

    def submit(self, ticket: Ticket) -> "Future[Outcome]":
        """Begin a run at a free place; a pool that broke is opened again."""
        place = next(i for i, one in enumerate(self._futures) if one is None or one.done())
        with _quiet_start():
            try:
                future = self._pool(place).submit(carry_out, ticket)
            except BrokenExecutor:
                self._pools[place] = None
                future = self._pool(place).submit(carry_out, ticket)
        self._futures[place] = future
        return future

    def close(self) -> None:
        """Let workers go; those that are at work are ended."""
        for pool, future in zip(self._pools, self._futures, strict=True):
            if pool is not None:
                if future is not None and not future.done():
                    _end(pool)
                pool.shutdown(cancel_futures=True)

    def _pool(self, place: int) -> ProcessPoolExecutor:
        pool = self._pools[place]
        if pool is None:
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(1, mp_context=context, initializer=_enter)
            self._pools[place] = pool
        return pool


class ExecutorCrew:
    """An executor of the user's, who opens and closes it."""

    def __init__(self, executor: Executor, count: int) -> None:
        self._executor = executor
        self._count = count

    def places(self) -> int:
        """Return how many runs it is given at a time."""
        return self._count

    def shares_cache(self) -> bool:
        """Return no: where its workers are is not known."""
        return False

    def submit(self, ticket: Ticket) -> "Future[Outcome]":
        """Begin a run."""
        return _submitted(self._executor, ticket)

    def close(self) -> None:
        """Leave the executor as it is."""


class DaskCrew:
    """A Dask cluster; it gives the run of a worker that died to another by itself."""

    def __init__(self, count: int | None, scheduler: str | None) -> None:
        try:
            distributed: Any = importlib.import_module("distributed")  # an extra
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"engine dask needs {error.name}: pip install 'simedge[dask]'"
            ) from None
        self._stack = ExitStack()
        self._count = count
        if scheduler is not None:
            _check_address(scheduler)
        try:
            at = scheduler if scheduler is not None else self._cluster(distributed, count)
            client: Any = distributed.Client(at, timeout=_CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            self._stack.close()
            raise StudyError(f"no Dask scheduler answers at {scheduler}: {error}") from None
        self._stack.callback(client.close)
        self.client = client
        self._executor: Executor = client.get_executor(pure=False)

    def places(self) -> int:
        """Return how many runs to hand over: some wait at the scheduler, none of them long."""
        threads = sum(self.client.nthreads().values())
        return self._count or max(_AHEAD * threads, 1)

    def shares_cache(self) -> bool:
        """Return no: every machine has a cache of its own."""
        return False

    def submit(self, ticket: Ticket) -> "Future[Outcome]":
        """Hand a run to the scheduler."""
        return _submitted(self._executor, ticket)

    def close(self) -> None:
        """Leave the cluster, and end it if it was started here."""
        self._executor.shutdown(wait=False)
        self._stack.close()

    def _cluster(self, distributed: Any, count: int | None) -> Any:  # noqa: ANN401 -- Dask is not typed
        cluster = distributed.LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None
        )
        self._stack.callback(cluster.close)
        return cluster


def _check_address(scheduler: str) -> None:
    """Refuse what is no address: Dask would wait for it for ever."""
    comm: Any = importlib.import_module("distributed.comm")
    try:
        _, port = comm.get_address_host_port(scheduler)
    except ValueError as error:
        text = f"{scheduler!r} is no address of a Dask scheduler: {error} (as tcp://host:8786)"
        raise StudyError(text) from None
    if not 0 < port < _PORTS:
        raise StudyError(f"{scheduler!r} is no address of a Dask scheduler: no port {port}")


def _submitted(executor: Executor, ticket: Ticket) -> "Future[Outcome]":
    try:
        return executor.submit(carry_out, ticket)
    except (RuntimeError, OSError) as error:
        text = f"the executor takes no more runs ({error}); what was done is kept: run again"
        raise StudyError(text) from error


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Have a process that starts now compute in one thread, deaf to Ctrl-C, and not be this one.

    An interrupt goes to every process of a terminal, but only this one knows what to do with it:
    a blocked signal stays blocked in whatever is started meanwhile, and comes here afterwards. A
    started process would run the user's script again before its first run; it need not, since
    nothing of that script is sent to it.
    """
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    script = sys.modules["__main__"]
    masking = hasattr(signal, "pthread_sigmask")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masking else set()
    os.environ.update(ONE_THREAD)
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if masking:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _enter() -> None:
    """Begin the life of a worker: it ends with the process that started it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=_follow, args=(sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _end(pool: ProcessPoolExecutor) -> None:
    """End the workers of a pool; there is no public way before Python 3.14."""
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()
