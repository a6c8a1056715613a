"""Laws of who can reach whom: each is told once of what is lost or back, in order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.drivers.reach import Reach
from simedge.world.routing import Routes

EDGES = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda e: e[0] != e[1]))
PAIRS = [(a, b) for a in range(5) for b in range(5) if a != b]


def told(posted):
    return [(target, *payload) for _, _, target, _, payload in posted]


@settings(max_examples=40)
@given(EDGES, EDGES)
def test_each_is_told_what_it_cannot_reach_and_of_every_change_of_that(edges, gone):
    posted = []
    routes = Routes(dict.fromkeys(edges, 1))
    reach = Reach(routes, PAIRS, post=posted.append)
    lost = [pair for pair in PAIRS if not routes.path(*pair)]
    reach.begin()
    assert told(posted) == [(*pair, False) for pair in sorted(lost)]
    for change, up in ((routes.remove, False), (routes.restore, True)):
        posted.clear()
        before = {pair for pair in PAIRS if routes.path(*pair)}
        for each in change(gone):
            reach.changed(each, 7)
        after = {pair for pair in PAIRS if routes.path(*pair)}
        assert sorted(told(posted)) == sorted((*pair, up) for pair in before ^ after)
        for source in range(5):
            posted.clear()
            reach.remind(source, 8)
            others = [b for a, b in PAIRS if a == source and (a, b) not in after]
            assert told(posted) == [(source, other, False) for other in others]
