"""Scenarios that come with the package, found by name from anywhere."""

from collections.abc import Iterable
from pathlib import Path

import simedge
from simedge.run.problems import Place, Problem, ScenarioError, did_you_mean

__all__ = ["find", "is_there", "names"]

_PACKAGE = Path(simedge.__file__).parent
# Inside an installed wheel, or beside the package in a source tree.
_FOLDERS = (_PACKAGE / "_data" / "topologies", _PACKAGE.parent / "topologies")
_STUDY = "study_"


def names() -> list[str]:
    """Return the names of the bundled scenarios."""
    return sorted(_bundled(studies=False))


def find(source: str | Path, *, studies: bool = False) -> Path:
    """Return the file that a path or the name of a bundled scenario, or study, stands for.

    Raises
    ------
    ScenarioError
        If there is neither such a file nor such a name.
    """
    path = Path(source)
    if is_there(path):
        return path
    bundled = _bundled(studies=studies)
    # A bundled file's usual path works from anywhere too, as it stands in documents.
    name = path.stem if path.parent.name in {"", "topologies"} else ""
    if name in bundled and path.suffix in {"", ".yaml"}:
        return bundled[name]
    what = "study" if studies else "scenario"
    if name in _bundled(studies=not studies):
        others = f"scenario: simedge run {name}" if studies else f"study: simedge study {name}"
        hint = f" ({name} is a {others})"
    else:
        hint = did_you_mean(path.stem, bundled) or _all(bundled)
    message = f"no such file or bundled {what}{hint}"
    place = Place(line=1, column=1)
    raise ScenarioError([Problem(source=str(path), place=place, path="", message=message)])


def is_there(path: Path) -> bool:
    """Return whether there is something of this name, which may be too long for one."""
    try:
        return path.exists()
    except OSError:
        return False


def _bundled(*, studies: bool) -> dict[str, Path]:
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    paths = [] if folder is None else sorted(folder.glob("*.yaml"))
    return {path.stem: path for path in paths if path.stem.startswith(_STUDY) is studies}


def _all(bundled: Iterable[str]) -> str:
    return f" (bundled: {', '.join(bundled)})"
