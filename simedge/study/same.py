"""Whether a directory is that of the run that was planned, and the runs of a study are of one kind.

A directory counts by what is in it, not by its name: directories are copied and renamed.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from simedge.core.errors import SimedgeError
from simedge.run.own_files import own_blocks
from simedge.run.parts import unsealed
from simedge.run.scenario import Scenario
from simedge.run.whereabouts import trace_files
from simedge.study.plan import PlannedRun
from simedge.study.table import Row

__all__ = ["STRANGER", "Asked", "differences", "mixed"]

STRANGER: Final = "it is of another run"
"""How the reason begins why a directory does not count that holds a run, but not that one."""
_SEED: Final = re.compile(r"^seed: \d+$", re.MULTILINE)
_NAMED_MAX: Final = 3


class Asked:
    """Compares directories with planned runs; each cell is written out once."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, ...], str] = {}

    def strange(self, place: Path, run: PlannedRun) -> str | None:
        """Return in what the scenario of a directory is another than that of a run.

        Raises
        ------
        OSError
            If it has no scenario that can be read.
        """
        text = (place / "scenario.yaml").read_bytes().decode(errors="replace")
        cell = tuple(run.labels.values())
        if cell not in self._texts:
            self._texts[cell] = run.scenario.dump()
        if text == _SEED.sub(f"seed: {run.seed}", self._texts[cell], count=1):
            return None
        try:
            there = _plain(Scenario.parse(text, source=str(place)))
        except SimedgeError:
            return "its scenario.yaml is none that this version reads"
        asked = _plain(run.scenario)
        _unpin(there, asked)
        found = next(differences("scenario", there, asked), None)
        return None if found is None else f"{STRANGER}: {found}"


def _plain(scenario: Scenario) -> dict[str, Any]:
    data = scenario.model_dump(mode="json", by_alias=True)
    for _, block in own_blocks(data):
        block["file"] = None  # its digest says more than where it lies
    return data


def _unpin(there: dict[str, Any], asked: dict[str, Any]) -> None:
    """Leave out digests of traces where one side has none: a run writes down what it found."""
    for (_, one, key), (_, other, _) in zip(trace_files(there), trace_files(asked), strict=False):
        if one.get(key) is None or other.get(key) is None:
            one[key] = other[key] = None


def differences(path: str, there: object, asked: object) -> Iterator[str]:
    """Yield in words what differs of two pieces of plain data."""
    if isinstance(there, dict) and isinstance(asked, dict):
        for key in dict.fromkeys([*there, *asked]):
            yield from differences(f"{path}.{key}", there.get(key), asked.get(key))
    elif there != asked:
        yield f"{path}: {_shown(there)} there, {_shown(asked)} asked for"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:60]}..."


def mixed(runs: Iterable[PlannedRun], rows: Mapping[str, Row]) -> tuple[str, ...]:
    """Return notes where runs of equal sensors read other recordings, or other code made them."""
    codes: dict[str, list[str]] = defaultdict(list)
    recordings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        row = rows[run.name]
        said = {} if row.path is None or row.status != "done" else _provenance(row.path)
        if "code" in said:
            codes[str(said["code"])].append(run.name)
        sensors = said.get("sensors")
        if isinstance(sensors, dict) and "files_sha256" in sensors:
            settings = run.scenario.sensors.model_dump_json()
            recordings[settings][str(sensors["files_sha256"])].append(run.name)
    told = [_told("were made by other states of simedge's code", codes)]
    told += [_told("read other recordings", found) for found in recordings.values()]
    return tuple(filter(None, told))


def _provenance(place: Path) -> Mapping[str, Any]:
    try:
        return unsealed((place / "provenance.json").read_bytes())
    except (OSError, ValueError):
        return {}


def _told(what: str, groups: Mapping[str, list[str]]) -> str:
    """Return a note that names those who are not like most; nothing if there are none."""
    most = max(groups.values(), key=len, default=[])
    odd = [name for names in groups.values() if names is not most for name in names]
    if not odd:
        return ""
    more = f" and {len(odd) - _NAMED_MAX} more" if len(odd) > _NAMED_MAX else ""
    return (
        f"runs of this study {what}: {', '.join(odd[:_NAMED_MAX])}{more} unlike {len(most)} others;"
        " remove their directories to have them run again"
    )
