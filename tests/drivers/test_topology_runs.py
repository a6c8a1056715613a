"""Whole runs on every topology: the books balance, and everyone is heard where there is a way."""

import pytest
from worlds import lossy, records_of, run

CALM = {"links": {"default": {"profile": "ethernet"}}, "faults": [], "duration": "4 s"}
FILE = [["server", "cam-1"], ["cam-1", "cam-2"], ["cam-2", "box-1"], ["box-1", "box-2"]]


@pytest.mark.parametrize(
    "topology",
    [
        {"kind": "star"},
        {"kind": "ring", "uplinks": 1},
        {"kind": "complete", "uplinks": 2, "route": "latency"},
        {"kind": "geometric", "radius": "100%", "uplinks": 1, "route": "etx"},
        {"kind": "tiers", "gateways": ["box"], "homes": 2},
        {"kind": "file", "path": "net.json", "edges": FILE},
    ],
    ids=lambda topology: topology["kind"],
)
def test_everyone_is_heard_over_every_topology(topology):
    result = run(lossy(**CALM).vary({"topology": topology}))
    assert result.summary["invariants"]["broken"] == []
    assert result.summary["communication"]["datagrams"]["lost"] == 0
    merged = {r.subject.split("/")[0] for r in records_of(result) if r.kind == "merged"}
    assert merged == {"cam-1", "cam-2", "box-1", "box-2"}


def test_a_relay_that_dies_cuts_off_who_has_no_other_way():
    crash = [{"kind": "crash", "devices": ["cam-2"], "at": "1 s"}]
    chain = {"kind": "file", "path": "net.json", "edges": FILE}
    result = run(lossy(**CALM | {"faults": crash, "duration": "8 s"}).vary({"topology": chain}))
    late = [r for r in records_of(result) if r.kind == "merged" and r.at > 2 * 10**9]
    assert {r.subject.split("/")[0] for r in late} == {"cam-1"}
    assert result.summary["communication"]["datagrams"]["no_route"] > 0
    assert result.summary["invariants"]["broken"] == []
