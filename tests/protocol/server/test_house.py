"""Who is live: those who joined, less those whose link is known to be down."""

from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.hub import House
from simedge.protocol.shape import Ground

GROUND = Ground(classes=4, blocks=2, rows=2, pset=bytes(32), tau_ns=1, devices=4, params=1)
STEPS = st.lists(
    st.tuples(st.sampled_from(["join", "forget", "up", "down", "reload"]), st.integers(1, 4)),
    max_size=20,
)


@settings(max_examples=40)
@given(STEPS, st.sets(st.integers(1, 4)))
def test_the_live_are_those_who_joined_and_can_be_reached(steps, asked):
    house, joined, down = House(GROUND, devices=4), set(), set()
    for what, dev in steps:
        if what == "join":
            house.members.admit(dev, 1, part_level=0)
            house.see(dev)
            joined.add(dev)
        elif what == "forget":
            house.members.forget(dev)
            house.see(dev)
            joined.discard(dev)
        elif what == "reload":
            state = house.dump()
            house = House(GROUND, devices=4)
            house.load(state)
        else:
            house.see(dev, up=what == "up")
            (down.discard if what == "up" else down.add)(dev)
        live = joined - down
        assert house.live() == sorted(live)
        assert house.live_count == len(live)
        assert [each for each in range(5) if house.is_live(each)] == sorted(live)
        assert house.all_live_in(asked) == (live <= asked)
