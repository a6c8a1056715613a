"""Ties: shuffled, the records of an instant go in another order, and all laws hold."""

from collections import Counter

from worlds import lossy, records_of, run

SHUFFLE = {"kind": "tie-shuffle", "at": 0}
# Four equal devices: whatever they do at the start of the run they do at one instant.
EQUAL = {
    "devices": [{"id": "cam", "count": 4}],
    "topology": {"kind": "star"},
    "links": {"default": {"profile": "ethernet"}},
    "duration": "2 s",
}


def joins(*faults, **values):
    result = run(lossy(**(EQUAL | {"faults": list(faults)} | values)))
    assert result.summary["invariants"]["broken"] == []
    records = records_of(result)
    first = [r.target for r in records if r.kind == "sent" and r.at == 0]
    return first, records, result


def test_what_happens_at_one_instant_happens_in_an_order_that_is_drawn():
    plain, _, _ = joins()
    assert plain == sorted(plain)
    orders = {tuple(joins(SHUFFLE, seed=seed)[0]) for seed in range(4)}
    assert len(orders) > 1
    assert all(sorted(order) == plain for order in orders)
    other = joins(SHUFFLE | {"name": "other"})[0]
    assert joins(SHUFFLE)[0] == joins(SHUFFLE)[0]
    assert sorted(other) == plain


def test_the_same_things_happen_in_the_other_order():
    """On links without chance nothing depends on the order but the order itself."""
    _, plain, _ = joins()
    _, shuffled, _ = joins(SHUFFLE)
    kinds = ("frame-arrived", "frame-learned", "received", "evaluated")
    assert Counter((r.at, r.target, r.kind) for r in plain if r.kind in kinds) == Counter(
        (r.at, r.target, r.kind) for r in shuffled if r.kind in kinds
    )


def test_it_ends_when_it_ends():
    _, plain, _ = joins()
    _, late, _ = joins(SHUFFLE | {"at": "1900 ms"})
    assert [r for r in late if r.at < 19 * 10**8] == [r for r in plain if r.at < 19 * 10**8]
