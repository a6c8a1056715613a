"""Trace files of a scenario: whether links can follow them, and what they were."""

from collections.abc import Iterator

from simedge.core.errors import SimedgeError
from simedge.core.streams import Streams
from simedge.run.findings import Finding
from simedge.run.problems import Path, path_text
from simedge.run.settings import ScenarioSettings
from simedge.world.link_settings import LinksSettings, TraceSettings
from simedge.world.loss_settings import TraceLoss
from simedge.world.profiles import driving
from simedge.world.traces.door import Followed, TraceDoor

__all__ = ["check_traces", "digests"]

_FILES = (("file", "sha256"), ("down", "down_sha256"))


def digests(links: LinksSettings, door: TraceDoor) -> dict[str, str]:
    """Return the SHA-256 that trace blocks do not have yet, by their path as `vary` takes it."""
    return {
        path_text((*path, sha256)): door.digest(getattr(trace, file))
        for path, trace in _named(links)
        for file, sha256 in _FILES
        if getattr(trace, file) is not None and getattr(trace, sha256) is None
    }


def check_traces(scenario: ScenarioSettings) -> list[Finding]:
    """Read every trace that a scenario names and return what is wrong with it or with its use."""
    door, found = TraceDoor(Streams(scenario.seed)), dict[Finding, None]()
    losses = [scenario.links.default.loss, *(o.loss for o in scenario.links.overrides)]
    for (path, trace), loss in zip(_blocks(scenario.links), losses, strict=True):
        if trace is None:
            continue
        told = False
        for upwards in (True, False):
            way = driving(trace, upwards=upwards)
            file = "down" if trace.down is not None and not upwards else "file"
            try:
                follows = None if way is None else door(way, "device", 1)
            except SimedgeError as error:
                found[(*path, file), "trace", str(error)] = None
                told = True  # who knows
            else:
                told = told or not isinstance(follows, Followed) or follows.tells_loss
        if isinstance(loss, TraceLoss) and not told:
            found[(*path[:-1], "loss"), "trace", "the trace of this link tells no losses"] = None
    return list(found)


def _blocks(links: LinksSettings) -> Iterator[tuple[Path, TraceSettings | None]]:
    yield ("links", "default", "trace"), links.default.trace
    for i, override in enumerate(links.overrides):
        yield ("links", "overrides", i, "trace"), override.trace


def _named(links: LinksSettings) -> Iterator[tuple[Path, TraceSettings]]:
    return ((path, trace) for path, trace in _blocks(links) if trace is not None)
