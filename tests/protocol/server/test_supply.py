"""Who is owed a model gets it, as new as promised, and gets it once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.protocol.bookkeeping import Refusals, Timers
from simedge.protocol.machine import Send
from simedge.protocol.params import read_message, shape_on
from simedge.protocol.post import Post
from simedge.protocol.shape import Ground
from simedge.protocol.supply import Supply

S = 10**9
DEVICES = (1, 2)
SHAPE = shape_on(Ground(classes=4, blocks=2, rows=2, pset=bytes(32), tau_ns=S))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["give", "withdraw", "link"]), st.sampled_from(DEVICES)),
        st.tuples(st.sampled_from(["arrive", "fail"]), st.integers(0, 9)),
        st.tuples(st.just("advance"), st.just(0)),
    ),
    max_size=30,
)


class Desk:
    """A supply, and what is on its way from it."""

    def __init__(self):
        self.down = set()
        self.supply = Supply(
            Post(0), Timers(), refusals=Refusals(), is_live=lambda dev: dev not in self.down
        )
        self.supply.take_first(np.zeros(2, np.float32), 2)
        self.flying = []
        self.got = []
        self.now = 0

    def note(self, effects):
        self.flying += [effect for effect in effects if isinstance(effect, Send)]

    def do(self, what, which):
        """Let one thing happen."""
        self.now += S
        supply, now = self.supply, self.now
        if what == "give":
            self.note(supply.give(which, now))
        elif what == "withdraw":
            supply.withdraw(which)
        elif what == "link":
            self.down ^= {which}
            self.note(supply.flush(which, now))
        elif what == "advance":
            supply.advance(np.full(2, float(now)), captured_ns=now, n=1)
        elif self.flying:
            send = self.flying.pop(which % len(self.flying))
            if what == "arrive":
                self.got.append((send.dst, read_message(send.data, SHAPE).g))
            self.note(supply.ended(send.tag, now, ok=what == "arrive"))


@settings(max_examples=50)
@given(STEPS)
def test_a_device_owed_a_model_gets_one_at_least_as_new_and_then_no_more(steps):
    desk, wanted = Desk(), {}
    for what, which in steps:
        desk.do(what, which)
        if what == "give":
            wanted[which] = desk.supply.version
        elif what == "withdraw":
            wanted.pop(which, None)
        assert len({send.dst for send in desk.flying}) == len(desk.flying), "one at a time"
    gives = sum(what == "give" for what, _ in steps)
    for dev in DEVICES:
        if dev in desk.down:
            desk.do("link", dev)
        desk.note(desk.supply.flush(dev, desk.now))
    for _ in range(2 * len(DEVICES)):
        desk.do("arrive", 0)
    assert not desk.flying
    assert desk.supply.dump()["debts"] == []
    assert len(desk.got) <= gives
    for dev, version in wanted.items():
        assert max(g for to, g in desk.got if to == dev) >= version
