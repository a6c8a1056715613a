"""Checkpoints in a run directory: two generations, each two parts and a manifest that comes last.

``checkpoint/state-0.msgpack`` and ``checkpoint/arrays-0.bin`` are written whole, or not at all, as
any part of a run; then ``checkpoint/manifest-0.json`` says how long they are and what their SHA-256
is. Without a manifest that agrees there is no checkpoint. The next one goes to ``-1``, the one
after to ``-0`` again, so that one that is valid always stands.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgpack

from simedge.run.checkpoint.errors import CheckpointError
from simedge.run.checkpoint.survey import Picture
from simedge.run.errors import StorageError, storage_error
from simedge.run.eventlog import LogReader, LogState
from simedge.run.files import Files
from simedge.run.parts import LOG, json_text, listing

__all__ = [
    "FOLDER",
    "WRONG",
    "Found",
    "Saved",
    "Store",
    "find",
    "manifests",
    "packed",
    "unpacked",
]

FOLDER: Final = "checkpoint"
SCHEMA: Final = 1
WRONG: Final = (ValueError, KeyError, TypeError, IndexError, msgpack.UnpackException)
"""What is raised by bytes that hold no state."""
_MANIFEST_MAX: Final = 1 << 16
_GENERATIONS: Final = (0, 1)
_PARTS: Final = ("state-{}.msgpack", "arrays-{}.bin")
_MANIFEST: Final = "manifest-{}.json"


@dataclass(slots=True, kw_only=True)
class Saved:
    """What a checkpoint holds.

    Parameters
    ----------
    feeds
        Of each device, where the present batch of frames began and how many of it are left.
    records, wall_s
        Dispatched, and spent, so far.
    at_ns
        Virtual time.
    """

    picture: Picture
    log: LogState
    feeds: list[tuple[int, int]]
    records: int
    wall_s: float
    at_ns: int


@dataclass(slots=True, kw_only=True)
class Found:
    """The newest valid checkpoint of a directory, who wrote it, and what was wrong with others."""

    saved: Saved | None
    made_by: Mapping[str, str]
    turn: int
    damage: tuple[str, ...]


class Store:
    """Writes the checkpoints of one run.

    Parameters
    ----------
    made_by
        Who writes.
    begun_with
        Digests of the scenario and the recordings of the run.
    turn
        Number of the newest checkpoint that is there; 0: none is.
    """

    def __init__(
        self,
        path: Path,
        files: Files,
        made_by: Mapping[str, str],
        *,
        begun_with: Mapping[str, str] | None = None,
        turn: int = 0,
    ) -> None:
        self._folder = path / FOLDER
        self._files = files
        self._made_by = dict(made_by)
        self._begun_with = dict(begun_with or {})
        self._turn = turn

    def put(self, saved: Saved) -> int:
        """Write a checkpoint in place of the older one; return its bytes."""
        try:
            self._files.make(self._folder)
        except OSError as error:
            raise storage_error(self._folder, error) from error
        turn = self._turn + 1
        place = turn % len(_GENERATIONS)
        listed, size = {}, 0
        for name, raw in zip(_PARTS, packed(saved), strict=True):
            self._files.put(self._folder / name.format(place), raw)
            listed[name.format(place)] = listing(raw)
            size += len(raw)
        said = {
            "schema": SCHEMA,
            "turn": turn,
            "at_ns": saved.at_ns,
            "records": saved.records,
            "made_by": self._made_by,
            "begun_with": self._begun_with,
            "parts": listed,
        }
        self._files.put(self._folder / _MANIFEST.format(place), _sealed(said))
        self._turn = turn
        return size

    def clear(self) -> None:
        """Remove all: the run has come to its end."""
        with suppress(StorageError, OSError):
            for place in _GENERATIONS:
                for name in (_MANIFEST, *_PARTS):
                    self._files.remove(self._folder / name.format(place))
            if self._folder.is_dir():
                self._folder.rmdir()


def find(path: Path, *, events: bool) -> Found:
    """Return the newest valid checkpoint of a run directory; only reads.

    Parameters
    ----------
    events
        Whether the event log must be there too, as it was then.
    """
    whole, damage = manifests(path)
    for manifest in whole:
        try:
            saved = _read(path, manifest)
            if events:
                _check_log(path / LOG, saved.log)
        except CheckpointError as error:
            damage.append(f"{path / FOLDER}, that of {manifest['at_ns'] / 1e9:g} s: {error}")
            continue
        return Found(
            saved=saved, made_by=manifest["made_by"], turn=manifest["turn"], damage=tuple(damage)
        )
    turn = max((each["turn"] for each in whole), default=0)
    return Found(saved=None, made_by={}, turn=turn, damage=tuple(damage))


def manifests(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the manifests of a run directory, the newest first, and what is wrong with others."""
    whole, damage = [], []
    for place in _GENERATIONS:
        file = path / FOLDER / _MANIFEST.format(place)
        if not file.is_file():
            continue
        try:
            whole.append(_manifest(file))
        except CheckpointError as error:
            damage.append(f"{file}: {error}")
    return sorted(whole, key=lambda each: int(each["turn"]), reverse=True), damage


def _sealed(said: Mapping[str, object]) -> bytes:
    inner = json_text(said)
    return json_text({**said, "sha256": sha256(inner.encode()).hexdigest()}).encode()


def _manifest(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MANIFEST_MAX:
            raise CheckpointError("is too long")
        said = json.loads(file.read_bytes())
        seal = said.pop("sha256")
        if seal != sha256(json_text(said).encode()).hexdigest():
            raise CheckpointError("is not what was written")
        if said["schema"] != SCHEMA:
            raise CheckpointError(f"schema {said['schema']!r} is not known")
        known = type(said["turn"]) is int and type(said["at_ns"]) is int
        whole = all(type(part["bytes"]) is int for part in said["parts"].values())
        if (
            not known
            or not whole
            or not all(isinstance(said.get(key, {}), dict) for key in ("made_by", "begun_with"))
        ):
            raise CheckpointError("holds other things")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"cannot be read ({error})") from error
    return dict(said)


def _read(path: Path, manifest: Mapping[str, Any]) -> Saved:
    place = manifest["turn"] % len(_GENERATIONS)
    raws = [_part(path / FOLDER / name.format(place), manifest["parts"]) for name in _PARTS]
    try:
        return unpacked(*raws)
    except WRONG as error:
        raise CheckpointError(f"holds no state ({error!r})") from error


def _part(file: Path, listed: Mapping[str, Mapping[str, object]]) -> bytes:
    said = listed.get(file.name)
    if said is None:
        raise CheckpointError(f"{file.name} is not listed")
    try:
        if file.stat().st_size != said["bytes"]:
            raise CheckpointError(f"{file.name} has another length")
        raw = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read ({error.strerror})") from error
    if listing(raw) != said:
        raise CheckpointError(f"{file.name} is not what was written")
    return raw


def _check_log(file: Path, state: LogState) -> None:
    """See that the event log begins as it did when the checkpoint was written."""
    if not file.is_file() or file.stat().st_size < state.size:
        raise CheckpointError(f"{LOG} is shorter than it was")
    reader = LogReader(file, stop=state.size)
    for _ in reader:
        pass
    if reader.damage is not None:
        raise CheckpointError(reader.damage)
    if (reader.records, reader.sha256()) != (state.records, state.sha256):
        raise CheckpointError(f"{LOG} holds other records than it did")


def packed(saved: Saved) -> tuple[bytes, bytes]:
    """Return the two parts of a checkpoint."""
    picture = saved.picture
    state = {
        "schema": SCHEMA,
        "build": picture.build,
        "built": picture.built,
        "roots": picture.roots,
        "classes": picture.classes,
        "nodes": picture.nodes,
        "log": tuple(saved.log),
        "feeds": saved.feeds,
        "records": saved.records,
        "wall_s": saved.wall_s,
        "at_ns": saved.at_ns,
    }
    return bytes(msgpack.packb(state)), b"".join(picture.data)


def unpacked(state: bytes, arrays: bytes) -> Saved:
    """Return what two parts hold; raises one of `WRONG` if that is nothing."""
    said = msgpack.unpackb(state)
    if said["schema"] != SCHEMA:
        raise CheckpointError(f"schema {said['schema']!r} is not known")
    picture = Picture(
        build=said["build"],
        built=said["built"],
        roots=said["roots"],
        classes=said["classes"],
        nodes=[tuple(node) for node in said["nodes"]],
        data=[arrays],
    )
    return Saved(
        picture=picture,
        log=LogState(*said["log"]),
        feeds=[(first, left) for first, left in said["feeds"]],
        records=said["records"],
        wall_s=said["wall_s"],
        at_ns=said["at_ns"],
    )
