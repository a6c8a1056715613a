"""Classes of one's own: found, known by their digest, loaded once, told when they are not there."""

import hashlib
from decimal import Decimal

import pytest
from pydantic import BaseModel, Field

from simedge.core.own_code import (
    Origin,
    OwnCodeError,
    OwnFaultError,
    fault_text,
    find_own,
    load_own,
    made_settings,
    settings_keys,
)
from simedge.core.own_settings import OwnSettings, plain_numbers


def written(folder, name, text):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text, encoding="utf-8")
    return Origin(str(path), hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "shut.py").mkdir()
    with pytest.raises(OwnCodeError, match="no module 'shut'"):
        find_own("shut:It", [tmp_path])
    origin = written(tmp_path, "gone.py", "class It: ...\n")
    (tmp_path / "gone.py").unlink()
    with pytest.raises(OwnCodeError, match=r"gone\.py: No such file"):
        load_own("gone:It", origin)


def test_what_cannot_be_read_is_told_while_it_is_looked_for(tmp_path, monkeypatch):
    written(tmp_path, "shy.py", "class It: ...\n")

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(OwnCodeError, match=r"shy\.py: Permission denied"):
        find_own("shy:It", [tmp_path])


def test_packages_are_looked_for_after_folders(tmp_path, monkeypatch):
    found = find_own("json.decoder:JSONDecoder", [tmp_path])
    assert found.file.endswith("decoder.py")
    assert load_own("json.decoder:JSONDecoder", found).__name__ == "JSONDecoder"
    with pytest.raises(OwnCodeError, match="no module 'sys'"):
        find_own("sys:It", [tmp_path])
    written(tmp_path, "shattered/__init__.py", "1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OwnCodeError, match=r"'shattered\.inner': ZeroDivisionError"):
        find_own("shattered.inner:It", [tmp_path / "elsewhere"])


def test_a_package_is_loaded_with_what_lies_in_it_and_only_as_it_was_read(tmp_path):
    written(tmp_path, "whole/part.py", "class Part: ...\n")
    origin = written(tmp_path, "whole/__init__.py", "from .part import Part\nclass It(Part): ...\n")
    assert find_own("whole:It", [tmp_path]) == origin
    assert load_own("whole:It", origin) is load_own("whole:It", origin)
    changed = Origin(origin.file, "0" * 64)
    with pytest.raises(OwnCodeError, match="is not what it was when"):
        load_own("whole:It", changed)


def test_what_goes_wrong_says_what_and_where():
    assert fault_text(OwnCodeError("as it is")) == "as it is"
    assert fault_text(ValueError()) == "ValueError"
    with pytest.raises(SyntaxError) as caught:
        compile("x = = 1", "mine.py", "exec")
    assert fault_text(caught.value) == "SyntaxError: invalid syntax (mine.py:1)"
    fault = OwnFaultError("the rule Mine", "cam-1", "no")
    assert str(fault.placed(["server"], 2_000_000_000)).startswith(
        "the rule Mine failed on device cam-1 at 2 s"
    )


def test_settings_are_models_or_nothing():
    class Bare:
        pass

    class Odd:
        Settings = 7

    class Modelled:
        class Settings(BaseModel):
            rate: float = Field(default=1.0, alias="pace")

    class Open:
        class Settings(BaseModel, extra="allow"):
            rate: float = 1.0

    assert made_settings(Bare, {}) is None
    assert settings_keys(Bare) == frozenset()
    assert settings_keys(Odd) == frozenset()
    assert settings_keys(Open) is None
    assert settings_keys(Modelled) == {"rate", "pace"}
    assert made_settings(Modelled, {"pace": 2}).rate == 2
    with pytest.raises(OwnCodeError, match=r"Odd\.Settings must be a dataclass or a pydantic"):
        made_settings(Odd, {})


def test_only_a_scenario_that_was_read_knows_its_files():
    with pytest.raises(OwnCodeError, match="only a scenario that was read"):
        OwnSettings.model_validate({"kind": "mine:It"}).owner()
    assert plain_numbers(({"a": [Decimal("0.5"), "x"]},)) == [{"a": [0.5, "x"]}]
