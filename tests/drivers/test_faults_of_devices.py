"""Faults of what devices know, see and say: what they do, and what they leave alone."""

from collections import Counter
from itertools import pairwise

import pytest
from worlds import lossy, records_of, run

from simedge.core.streams import Streams
from simedge.protocol.errors import WireError
from simedge.protocol.shape import Coding, Shape
from simedge.protocol.wire import Kind, Message, decode, encode, too_short, unsound
from simedge.run.simulate import Run

S = 10**9
STAR = {"topology": {"kind": "star"}, "links": {"default": {"profile": "ethernet"}}}
POISSON = {"kind": "poisson", "size": 10, "rate": "8 Hz", "proxy": {"blocks": 4, "rows": 4}}


def records(*faults, **values):
    result = run(lossy(**({"faults": list(faults), "duration": "4 s"} | STAR | values)))
    assert result.summary["invariants"]["broken"] == []
    return records_of(result)


def half_open(**values):
    return records({"kind": "half-open", "devices": ["cam-1"], "at": "2 s"} | values)


def joins(found):
    return [r.at for r in found if r.kind == "joined" and r.target == "cam-1"]


def test_a_device_that_has_forgotten_joins_again_at_once():
    found = half_open(side="device")
    first, again = joins(found)
    assert first < S
    assert 2 * S < again < 2 * S + S // 10
    assert not [r for r in found if r.kind == "refused" and r.target == "server"]


def test_a_server_that_has_forgotten_says_so_to_the_next_token():
    found = half_open()
    _, again = joins(found)
    strange = [r for r in found if r.kind == "refused" and r.detail == "stranger"]
    assert strange
    assert 2 * S < strange[0].at < again
    merged = [r.at for r in found if r.kind == "merged" and r.subject.startswith("cam-1/")]
    assert [at for at in merged if at > again]


def test_the_other_end_still_believes():
    """Priors go to who has forgotten; nobody else joins again."""
    found = half_open(side="device")
    assert Counter(r.target for r in found if r.kind == "joined") == {
        "cam-1": 2, "cam-2": 1, "box-1": 1, "box-2": 1
    }  # fmt: skip


def test_frames_of_all_devices_come_at_one_instant():
    def instants(*faults):
        found = records(*faults, sensors=POISSON)
        arrived = [r.at for r in found if r.kind == "frame-arrived" and S < r.at < 3 * S]
        return Counter(arrived)

    assert max(instants().values()) < 4
    step = {"kind": "same-start", "devices": "100%", "at": "500 ms"}
    assert set(instants(step).values()) == {4}


@pytest.mark.parametrize("sensors", [{"sensors": POISSON}, {}])
def test_a_class_is_seen_as_often_as_it_leans(sensors):
    learner = {
        "kind": "label-shift",
        "devices": ["cam-1"],
        "class": 13,
        "factor": 10**6,
        "at": "1 s",
    }

    def labels(*faults):
        with Run(lossy(faults=list(faults), duration="3 s", **STAR, **sensors)) as world:
            seen = {}
            for host in world.driver.devices:
                frames = [host.feed.pop() for _ in range(24)]
                seen[host.name] = [(f.index, f.label) for f in frames]
        return seen

    plain, leaning = labels(), labels(learner | {"for": "1 s"})
    assert {name: seen for name, seen in leaning.items() if name != "cam-1"} == {
        name: seen for name, seen in plain.items() if name != "cam-1"
    }
    inside = [label for index, label in leaning["cam-1"] if 8 <= index < 16]
    assert set(inside) == {3}
    outside = [pair for pair in leaning["cam-1"] if not 8 <= pair[0] < 16]
    assert outside == [pair for pair in plain["cam-1"] if not 8 <= pair[0] < 16]


@pytest.mark.parametrize(
    "coding", [Coding(bits=8), Coding(bits=3), Coding(bits=8, top=2), Coding(bits=15)]
)
@pytest.mark.parametrize("spoil", [unsound, too_short])
def test_a_token_that_is_none_is_malformed_and_not_corrupt(coding, spoil):
    shape = Shape(classes=5, blocks=2, rows=4, coding=coding)
    payload = bytes(shape.payload_bytes(4))
    sound = encode(
        Message(kind=Kind.TOKEN, dev=1, boot=1, seq=1, t_us=0, enc=coding.enc, payload=payload)
    )
    assert decode(sound, shape, shape.message_limit).payload == payload
    with pytest.raises(WireError) as found:
        decode(spoil(sound), shape, shape.message_limit)
    assert found.value.cause == "malformed"


@pytest.mark.parametrize("kind", ["token-nan", "token-shape"])
def test_the_server_takes_none_of_them_and_counts_each(kind):
    bad = {"kind": kind, "devices": ["cam-1"], "at": 0}
    found = records(bad)
    sent = [
        r.subject for r in found if r.kind == "sent" and r.subject.startswith("cam-1/server/token")
    ]
    refused = [r.subject for r in found if r.kind == "refused" and r.detail == "malformed"]
    assert len(sent) > 3
    assert set(refused) == set(sent[: len(refused)])
    assert not [r for r in found if r.kind == "merged" and r.subject.startswith("cam-1/")]
    half = records(bad | {"share": "50%"})
    stream = Streams(1).stream("fault", "token", "cam-1")
    expected = {u for u in sent if stream.words(1 << 32 | int(u.split("/")[4]))[0] < 2**63}
    assert {r.subject for r in half if r.kind == "refused"} == expected & set(refused)


TWIN = {"kind": "twin", "devices": ["cam-1"], "at": "2 s", "for": "2 s"}


def by_sender(found, kind, name):
    """Times at which tokens of a sender were merged, or refused, by the server."""
    return [r.at for r in found if r.kind == kind and r.target == "server"
            and r.subject.startswith(f"{name}/server/token")]  # fmt: skip


def test_a_device_and_its_twin_speak_in_turns_and_then_the_device_alone():
    found = records(TWIN | {"for": "4 s"}, duration="9 s")
    own, twin = by_sender(found, "merged", "cam-1"), by_sender(found, "merged", "cam-1~twin")
    assert [at for at in own if 2 * S < at < 6 * S]
    assert twin
    assert 2 * S < min(twin) <= max(twin) < 6 * S + S // 10
    refused = [r for r in found if r.kind == "refused" and r.subject.startswith("cam-1")]
    assert {r.detail for r in refused} == {"stale_boot"}
    joined = [r.at for r in found if r.kind == "joined" and "cam-1" in r.target and r.at > 3 * S]
    assert all(b - a > S - S // 10 for a, b in pairwise(joined)), "at most once a second"
    assert len([at for at in own if at > 8 * S]) == len(sent_tokens(found, after=8 * S)) > 0


def sent_tokens(found, *, after):
    """Times at which the device sent tokens of its own."""
    return [r.at for r in found if r.kind == "sent" and r.at > after
            and r.subject.startswith("cam-1/server/token")]  # fmt: skip


def test_all_that_comes_to_the_name_is_heard_by_both():
    found = records(TWIN)
    applied = {r.target for r in found if r.kind == "applied" and 2 * S < r.at < 4 * S}
    assert {"cam-1", "cam-1~twin"} <= applied


def test_a_twin_takes_nothing_from_the_others():
    """Frames, learning and energy of everyone are as they are without it."""
    plain, twin = records(), records(TWIN)
    for kind in ("frame-arrived", "frame-dropped"):
        assert [r for r in twin if r.kind == kind] == [r for r in plain if r.kind == kind]
    assert [r for r in twin if r.at < 2 * S] == [r for r in plain if r.at < 2 * S]
