"""Laws of provenance: it says what is known and invents nothing."""

import struct
from hashlib import sha256
from pathlib import Path

import pytest

import simedge
from simedge.run import provenance as where
from simedge.run.result import Result
from simedge.world.jitter_settings import LogNormalJitter, NoJitter, TableJitter
from simedge.world.jitter_tables import lognormal_table

SHA = "0123456789abcdef0123456789abcdef01234567"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


COMMITS = {
    "a branch": ({".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": SHA + "\n"}, SHA),
    "a lone commit": ({".git/HEAD": SHA + "\n"}, SHA),
    "a packed branch": (
        {
            ".git/HEAD": "ref: refs/heads/main\n",
            ".git/packed-refs": f"# pack\n{'f' * 40} refs/heads/x\n{SHA} refs/heads/main\n",
        },
        SHA,
    ),
    "a worktree": (
        {
            ".git": "gitdir: real/worktrees/w\n",
            "real/worktrees/w/HEAD": "ref: refs/heads/w\n",
            "real/worktrees/w/commondir": "../..\n",
            "real/refs/heads/w": SHA,
        },
        SHA,
    ),
    "no tree at all": ({}, None),
    "a branch without commits": ({".git/HEAD": "ref: refs/heads/main\n"}, None),
    "nonsense": ({".git/HEAD": "nonsense"}, None),
}


@pytest.mark.parametrize(("files", "commit"), COMMITS.values(), ids=COMMITS.keys())
def test_the_commit_is_read_where_there_is_one(tmp_path, files, commit) -> None:
    assert where.commit(tree(tmp_path, files)) == commit


def test_versions_are_those_of_the_packages_at_hand(monkeypatch) -> None:
    monkeypatch.setattr(where, "_PACKAGES", ("pydantic", "no-such-package"))
    versions = where.versions()
    assert versions["simedge"] == simedge.__version__
    assert versions["pydantic"]
    assert versions["no-such-package"] is None


def test_processor_features_are_the_notable_ones(tmp_path) -> None:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("processor : 0\nflags\t\t: fpu avx2 fma sse4_2 avx512f\n\n")
    assert where.processor_features(cpu_info) == ["avx2", "avx512f", "fma", "sse4_2"]
    cpu_info.write_text("no such line\n")
    assert where.processor_features(cpu_info) == []
    assert where.processor_features(tmp_path / "absent") == []


def test_start_and_end_are_in_universal_time() -> None:
    told = where.provenance(seed=7, started_s=0.0, ended_s=61.5)
    assert told["started"] == "1970-01-01T00:00:00Z"
    assert told["ended"] == "1970-01-01T00:01:01Z"
    assert told["total_wall_s"] == 61.5
    assert told["seed"] == 7
    assert set(told["tables"]) == {"exponential", "normal"}


def test_tables_of_laws_in_use_are_told_by_their_checksum() -> None:
    law = LogNormalJitter(kind="lognormal", mean="20 ms", sd="5 ms")
    points = TableJitter(kind="table", points=[["50%", "1 ms"], ["100%", "2 ms"]])
    jitters = [law, law, points, NoJitter(kind="none")]
    tables = where.provenance(seed=7, started_s=0.0, ended_s=1.0, jitters=jitters)["tables"]
    expected = sha256(struct.pack("<4096q", *lognormal_table(law.mean, law.sd))).hexdigest()
    assert tables["lognormal: mean 20 ms, sd 5 ms"] == expected
    assert len(tables) == 4
    found = sha256(b"1/2 1000000\n1 2000000\n").hexdigest()
    assert tables[f"2 points: {found[:8]}"] == found


def test_a_result_hands_out_its_samples() -> None:
    assert Result(summary={}).metrics() == ()
