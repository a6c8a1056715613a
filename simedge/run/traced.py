"""Trace files of a scenario: whether links can follow them, and what they were."""

from collections.abc import Iterator, Mapping

from simedge.core.errors import SimedgeError
from simedge.core.streams import Streams
from simedge.run.findings import Finding
from simedge.run.problems import Path, path_text
from simedge.run.settings import ScenarioSettings
from simedge.world.link_settings import LinksSettings, TraceSettings
from simedge.world.plan import plan_world
from simedge.world.profiles import driving
from simedge.world.traces.door import TraceDoor

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
    for path, trace in _named(scenario.links):
        for upwards in (True, False):
            way = driving(trace, upwards=upwards)
            file = "down" if trace.down is not None and not upwards else "file"
            try:
                if way is not None:
                    door(way, "device", 1)
            except SimedgeError as error:
                found[(*path, file), "trace", str(error)] = None
    if not found and any(_named(scenario.links)):
        try:
            plan_world(
                scenario.devices,
                scenario.topology,
                scenario.links,
                streams=Streams(scenario.seed),
                open_trace=door,
            )
        except SimedgeError as error:
            found[("links",), "trace", str(error)] = None
    return list(found)


def _named(links: LinksSettings) -> Iterator[tuple[Path, TraceSettings]]:
    blocks: Mapping[Path, TraceSettings | None] = {
        ("links", "default", "trace"): links.default.trace,
        **{("links", "overrides", i, "trace"): o.trace for i, o in enumerate(links.overrides)},
    }
    return ((path, trace) for path, trace in blocks.items() if trace is not None)
