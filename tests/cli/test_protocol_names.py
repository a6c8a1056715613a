"""What people read of a protocol: its reported name, and a caveat where it is our reading."""

import json

import pytest
from typer.testing import CliRunner

from simedge.run.needs import caveat_of, reported_name
from simedge_cli.commands import app

NAMES = {"aedfl": "aedfl_style", "draco": "draco_style", "centralised": "central_bp"}
SMALL = {
    "duration": "1 s",
    "topology": "{kind: complete}",
    "learner": "{kind: linear}",
    "evaluate.items": "10",
}


def call(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("kind", ["aedfl", "centralised", "gossip"])
def test_a_summary_names_the_kind_and_pages_the_reported_name(kind, tmp_path) -> None:
    wishes = {**SMALL, "protocol": f"{{kind: {kind}}}"}
    sets = [word for path, value in wishes.items() for word in ("--set", f"{path}={value}")]
    out = tmp_path / kind
    table = call("run", "two_devices", "-o", out, *sets)
    assert json.loads((out / "summary.json").read_text())["protocol"] == kind
    call("report", out, "--format", "md", "-o", tmp_path / "report.md")
    page, caveat = (tmp_path / "report.md").read_text(), caveat_of(kind)
    for told in (" ".join(table.split()), " ".join(page.split())):
        assert f"devices, {NAMES.get(kind, kind)}" in told
        assert caveat is None or caveat in told
    assert (caveat is not None) == (kind == "aedfl")


def test_a_kind_of_ones_own_is_reported_as_it_is() -> None:
    assert {kind: reported_name(kind) for kind in NAMES} == NAMES
    assert reported_name("my_package.my_module:Mine") == "my_package.my_module:Mine"
    assert caveat_of("my_package.my_module:Mine") is None
