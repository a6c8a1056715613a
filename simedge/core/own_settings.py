"""What a scenario says of a class of the user's own: its name, its file, and its own settings."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, model_validator

from simedge.core.own_code import (
    Origin,
    OwnCodeError,
    OwnKind,
    load_own,
    made_settings,
    settings_keys,
)
from simedge.core.quantities import Settings

__all__ = ["OwnSettings", "plain_numbers"]

_RESERVED = frozenset({"kind", "file", "sha256"})


class OwnSettings(Settings):
    """A class of one's own; keys beside these are its own settings."""

    model_config = ConfigDict(extra="allow")
    # Keys that everybody may give, whether or not the class declares them as well.
    shared: ClassVar[frozenset[str]] = frozenset()
    kind: OwnKind
    """Module and class: `my_module:MyClass`, beside the scenario, here, or installed."""
    file: str | None = None
    """Where the module was found; written down by the reader."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of that file, likewise: a run is repeated with the same code or not at all."""

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_plain(cls, data: object) -> object:
        return plain_numbers(data) if isinstance(data, dict) else data

    @property
    def origin(self) -> Origin | None:
        """Where the class is, if that was looked for."""
        return None if self.file is None or self.sha256 is None else Origin(self.file, self.sha256)

    def owner(self) -> type:
        """Return the class (raises `OwnCodeError`)."""
        origin = self.origin
        if origin is None:
            raise OwnCodeError(f"{self.kind}: only a scenario that was read knows its files")
        return load_own(self.kind, origin)

    def own(self) -> Any:  # noqa: ANN401 -- the user's own
        """Return the settings that the class itself declares, or None."""
        owner = self.owner()
        return made_settings(
            owner, self.keys_of(owner, self.model_dump(mode="json", by_alias=True))
        )

    @classmethod
    def keys_of(cls, owner: type, given: Mapping[str, object]) -> dict[str, object]:
        """Return of a block what goes to the class's own settings."""
        known = settings_keys(owner)
        kept = cls.shared if known is None else cls.shared - known
        kept |= {key for key in cls.shared if given.get(key) is None}
        return {key: value for key, value in given.items() if key not in _RESERVED | kept}


def plain_numbers(value: Any) -> Any:  # noqa: ANN401 -- whatever YAML can say
    """Return plain data with floats in the place of exact decimals."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain_numbers(part) for key, part in value.items()}
    return [plain_numbers(part) for part in value] if isinstance(value, list | tuple) else value
