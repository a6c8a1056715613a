"""Classes of the user's own that a scenario names: found, checked, pinned by their digest.

They are looked for in the scenario's folder, then in the working directory, then among what is
installed. What was found is written down with its SHA-256: a scenario that has both, as a run
writes it, gives the same run or says that the file has changed.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from simedge.core.own_code import (
    Origin,
    OwnCodeError,
    OwnFaultError,
    fault_text,
    find_own,
    is_own,
    made_settings,
    settings_keys,
)
from simedge.core.own_settings import OwnSettings, plain_numbers
from simedge.learning.own_settings import OwnLearnerSettings, OwnRuleSettings
from simedge.protocol.own_settings import OwnProtocolSettings
from simedge.run.findings import Finding, findings
from simedge.run.problems import Path, did_you_mean

__all__ = ["check_own_code", "find_own_code", "own_blocks", "own_origins", "own_rules"]

_BLOCKS: Final[Mapping[Path, type[OwnSettings]]] = {
    ("learner",): OwnLearnerSettings,
    ("protocol",): OwnProtocolSettings,
    ("learner", "rule"): OwnRuleSettings,
}
_NONE: Final = "the class has no Settings, a dataclass or a pydantic model, that would take it"


def own_blocks(data: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the blocks of unchecked data that name a class of the user's own, with their paths."""
    for path in _BLOCKS:
        block: Any = data
        for key in path:
            block = block.get(key) if isinstance(block, dict) else None
        if isinstance(block, dict) and is_own(block.get("kind")):
            yield path, block


def own_rules(data: Mapping[str, Any]) -> list[Finding]:
    """Return what is to be said where a learner that takes no rule of the user's own names one."""
    asked = [block["kind"] for path, block in own_blocks(data) if path == ("learner", "rule")]
    if not asked or data["learner"].get("kind", "spiking") == "spiking":
        return []
    text = (
        f"a rule of your own needs learner.kind: spiking; a learner of your own is named by "
        f"learner.kind: {asked[0]}"
    )
    return [(("learner", "rule", "kind"), "own", text)]


def find_own_code(
    path: Path, block: dict[str, Any], folder: FilePath | None
) -> tuple[dict[str, Any], list[Finding]]:
    """Return a block with its file and digest written down, and what is wrong with it."""
    kind = block["kind"]
    try:
        OwnSettings(kind=kind)
    except ValidationError:
        text = "a class of your own is module:Class, as in my_module:MyClass"
        return block, [((*path, "kind"), "own", text)]
    file, sha256 = block.get("file"), block.get("sha256")
    both = isinstance(file, str) and isinstance(sha256, str)
    if (file is None) is not (sha256 is None) or not (both or file is None):
        text = "file and sha256 are written by a run, both or none; leave them out"
        return block, [((*path, "sha256" if file is None else "file"), "own", text)]
    known = Origin(str(file), str(sha256)) if both else None
    folders = [FilePath.cwd()] if folder is None else [folder, FilePath.cwd()]
    try:
        origin = find_own(kind, folders, known=known)
        pinned = {**block, "file": origin.file, "sha256": origin.sha256}
        plain = {name: value for name, value in pinned.items() if isinstance(value, str)}
        owner = OwnSettings.model_validate(plain).owner()
    except OwnCodeError as error:
        return block, [((*path, "file" if known else "kind"), "own", str(error))]
    return _settled(path, pinned, owner)


def _settled(
    path: Path, block: dict[str, Any], owner: type
) -> tuple[dict[str, Any], list[Finding]]:
    """Check the keys that are the class's own."""
    model = _BLOCKS[path]
    given, known = plain_numbers(model.keys_of(owner, block)), settings_keys(owner)
    if known is not None and not given.keys() <= known:
        every = known | model.shared
        names = f" (known: {', '.join(sorted(every))})" if every else f": {_NONE}"
        return block, [
            ((*path, name), "extra_forbidden", f"unknown key{did_you_mean(name, every) or names}")
            for name in given.keys() - known
        ]
    try:
        made_settings(owner, given)
    except ValidationError as error:
        schema = TypeAdapter(owner.Settings).json_schema()  # type: ignore[attr-defined]
        found = findings(error, data=given, schema=schema)
        return block, [((*path, *below), "own", text) for below, _, text in found]
    except Exception as error:  # noqa: BLE001 -- the user's own code
        return block, [(path, "own", fault_text(error, block["file"]))]
    return block, []


def check_own_code(scenario: Any) -> list[Finding]:  # noqa: ANN401 -- a scenario; no cycle
    """Return what is wrong with the classes of a scenario that is valid."""
    found: list[Finding] = []
    for path, settings in _found(scenario):
        try:
            _CHECKS[path](settings)
        except (OwnCodeError, OwnFaultError) as error:
            found.append(((*path, "kind"), "own", str(error)))
    return found


def own_origins(scenario: Any) -> list[dict[str, str]]:  # noqa: ANN401 -- a scenario; no cycle
    """Return which files of the user's own a run executes."""
    return [
        {"kind": block.kind, "file": block.file or "", "sha256": block.sha256 or ""}
        for _, block in _found(scenario)
    ]


def _found(scenario: Any) -> Iterator[tuple[Path, OwnSettings]]:  # noqa: ANN401 -- as above
    """Yield the blocks of a scenario that name a class of the user's own."""
    for path in _BLOCKS:
        block = scenario
        for key in path:
            block = getattr(block, str(key), None)
        if isinstance(block, OwnSettings):
            yield path, block


def _check_learner(settings: OwnLearnerSettings) -> None:
    from simedge.learning.own import check_own_learner  # noqa: PLC0415 -- takes numpy

    check_own_learner(settings)


def _check_rule(settings: OwnRuleSettings) -> None:
    from simedge.learning.own_rule import check_own_rule  # noqa: PLC0415 -- takes numpy

    check_own_rule(settings)


def _check_protocol(settings: OwnProtocolSettings) -> None:
    from simedge.protocol.own import check_own  # noqa: PLC0415 -- takes numpy

    check_own(settings)
    _ = settings.training


_CHECKS: Final[Mapping[Path, Callable[[Any], None]]] = {
    ("learner",): _check_learner,
    ("protocol",): _check_protocol,
    ("learner", "rule"): _check_rule,
}
