"""Classes of the user's own, named ``module:Class``: found, known by their digest, loaded.

A module is looked for in some folders first and among the installed packages last. What a file
holds is executed once for each digest; what goes wrong in it is told by its own file and line.
"""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from simedge.core.errors import SimedgeError

__all__ = [
    "Origin",
    "OwnCodeError",
    "OwnFaultError",
    "OwnKind",
    "fault_text",
    "find_own",
    "is_own",
    "load_own",
    "made_settings",
    "settings_keys",
]

OwnKind = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
"""Where a class of the user's own is: ``module:Class``."""
_DIGITS: Final = 12


class OwnCodeError(SimedgeError):
    """Code of the user's own cannot be used."""


class OwnFaultError(SimedgeError):
    """Code of the user's own failed while a run went on.

    Parameters
    ----------
    what
        The protocol or rule.
    device
        Number or name of the device.
    text
        What happened.
    """

    def __init__(self, what: str, device: int | str, text: str) -> None:
        self.what, self.device, self.text = what, device, text
        super().__init__(f"{what} failed on device {device}: {text}")

    def placed(self, names: Sequence[str], now_ns: int) -> SimedgeError:
        """Return it with the device's name and the virtual time."""
        device = self.device
        name = names[device] if isinstance(device, int) and device < len(names) else device
        return OwnCodeError(
            f"{self.what} failed on device {name} at {now_ns / 1e9:.9g} s of virtual time: "
            f"{self.text}"
        )


class Origin(NamedTuple):
    """A file with code, and the SHA-256 of what is in it."""

    file: str
    sha256: str


def is_own(kind: object) -> bool:
    """Return whether a kind names a class of the user's own.

    >>> is_own("gossip"), is_own("mine:Gossip")
    (False, True)
    """
    return isinstance(kind, str) and ":" in kind


def find_own(kind: str, folders: Sequence[Path], *, known: Origin | None = None) -> Origin:
    """Return where the module of a kind is.

    Parameters
    ----------
    folders
        Where to look first, in this order.
    known
        Where it was when somebody wrote it down: what is found must be the same.

    Raises
    ------
    OwnCodeError
        If there is none, or it has changed.
    """
    module = kind.partition(":")[0]
    file = Path(known.file) if known and Path(known.file).is_file() else _found(module, folders)
    try:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise OwnCodeError(f"{file}: {error.strerror or error}") from None
    if known is not None and sha256 != known.sha256:
        raise OwnCodeError(
            f"{file} has changed: its SHA-256 begins with {sha256[:_DIGITS]}, it was "
            f"{known.sha256[:_DIGITS]}; put the old file back, or remove the keys file and sha256 "
            "to go on with the new one"
        )
    return Origin(str(file), sha256)


def _found(module: str, folders: Sequence[Path]) -> Path:
    steps = module.split(".")
    for folder in folders:
        base = folder.joinpath(*steps)
        for path in (base.with_name(f"{steps[-1]}.py"), base / "__init__.py"):
            if path.is_file():
                return path.resolve()
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # noqa: BLE001 -- a package above it runs, and may do anything
        raise OwnCodeError(f"no module {module!r}: {type(error).__name__}: {error}") from None
    if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
        return Path(spec.origin).resolve()
    near = sorted({path.stem for folder in folders for path in folder.glob("*.py")})
    close = get_close_matches(steps[0], near, n=1, cutoff=0.6)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    where = " or ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
    raise OwnCodeError(
        f"no module {module!r}{hint}: put {'/'.join(steps)}.py into {where}, or install it"
    )


def load_own(kind: str, origin: Origin) -> type:
    """Return the class of a kind.

    Raises
    ------
    OwnCodeError
        If its module cannot be imported, has no such class, or is not what it was.
    """
    name, _, wanted = kind.partition(":")
    module = _loaded(name, origin)
    found = getattr(module, wanted, None)
    if isinstance(found, type):
        return found
    known = [key for key, value in vars(module).items() if isinstance(value, type)]
    own = [key for key in known if getattr(module, key).__module__ == module.__name__]
    close = get_close_matches(wanted, own, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"its classes: {', '.join(own) or 'none'}"
    what = "no class" if found is None else "something that is no class"
    raise OwnCodeError(f"{origin.file} has {what} {wanted!r} ({hint})")


def _loaded(name: str, origin: Origin) -> ModuleType:
    """Execute a module under a name of its own, once for each digest of it."""
    alias = f"simedge_own_{origin.sha256[:_DIGITS]}_{name.replace('.', '_')}"
    if alias in sys.modules:
        return sys.modules[alias]
    file = Path(origin.file)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise OwnCodeError(f"{file}: {error.strerror or error}") from None
    if hashlib.sha256(raw).hexdigest() != origin.sha256:
        raise OwnCodeError(f"{file} is not what it was when the scenario was read")
    package = file.name == "__init__.py"
    root = file.parents[len(name.split(".")) - (not package)]
    spec = importlib.util.spec_from_file_location(
        alias, file, submodule_search_locations=[str(file.parent)] if package else None
    )
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    sys.path.insert(0, str(root))  # for what lies beside it
    try:
        exec(compile(raw, str(file), "exec"), vars(module))  # noqa: S102 -- the user's own code
    except (Exception, SystemExit) as error:
        del sys.modules[alias]
        raise OwnCodeError(f"{file} cannot be imported: {fault_text(error, file)}") from error
    finally:
        sys.path.remove(str(root))
    return module


def fault_text(error: BaseException, file: str | Path | None = None) -> str:
    """Return what an error says, and where: the last line of a file that led to it.

    Parameters
    ----------
    file
        The user's; without one, or if it does not occur, the last line of all.
    """
    if isinstance(error, SimedgeError):
        return str(error)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == str(file)] or frames
    if not own:
        return said
    return f"{said} ({own[-1].filename}:{own[-1].lineno}, in {own[-1].name})"


def made_settings(owner: type, given: Mapping[str, object]) -> Any:  # noqa: ANN401 -- the user's own
    """Return the settings of a class of one's own: its ``Settings``, or None if it has none.

    Raises
    ------
    ValidationError
        If what is given does not fit.
    OwnCodeError
        If they cannot be made for another reason.
    """
    kind = getattr(owner, "Settings", None)
    if kind is None:
        return None
    if not _has_fields(kind):
        raise OwnCodeError(f"{owner.__name__}.Settings must be a dataclass or a pydantic model")
    return TypeAdapter(kind).validate_python(dict(given))


def settings_keys(owner: type) -> frozenset[str] | None:
    """Return the keys that the settings of a class know; None: any."""
    kind = getattr(owner, "Settings", None)
    if kind is None:
        return frozenset()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind.model_config.get("extra") == "allow":
            return None
        return frozenset(
            name
            for key, field in kind.model_fields.items()
            for name in (key, field.alias, field.validation_alias)
            if isinstance(name, str)
        )
    return frozenset(field.name for field in fields(kind)) if is_dataclass(kind) else frozenset()


def _has_fields(kind: object) -> bool:
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or is_dataclass(kind))
