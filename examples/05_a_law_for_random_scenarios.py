"""A law for all scenarios, tried on random ones: nothing vanishes, and a seed is a history.

Hypothesis draws small worlds and looks for one that breaks the law; if it finds one, it shrinks it
to the smallest and shows it. In a test file the decorated function is all that is needed.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import simedge

small = simedge.load("k5_star_clean").vary(
    {
        "duration": "3 s",
        "sensors": {"kind": "digits", "size": 8, "rate": "8 Hz", "proxy": {"blocks": 2, "rows": 4}},
        "learner": {"kind": "linear"},
        "protocol.interval": 4,
        "evaluate": {"every": "3 s", "items": 10},
    }
)
worlds = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1000),
        "devices[box].count": st.integers(1, 4),
        "devices[box].queue": st.integers(0, 2),
        "links.default.profile": st.sampled_from(["ethernet", "wifi-air", "lte"]),
        "links.default.loss": st.fixed_dictionaries(
            {"kind": st.just("bernoulli"), "mean": st.sampled_from([0, 0.1, 0.5, 1])}
        ),
    }
)
tried = []


@settings(max_examples=15, derandomize=True, database=None, deadline=None)
@given(worlds)
def nothing_vanishes_and_a_seed_is_a_history(changes: dict[str, Any]) -> None:
    """Check the books of a run, and that running it again gives the same one."""
    scenario = small.vary(changes)
    summary = simedge.simulate(scenario).summary
    flow = summary["communication"]["datagrams"]
    ended = flow["delivered"] + flow["lost"] + flow["in_flight"]
    assert flow["sent"] + flow["duplicated"] == ended
    assert summary["invariants"]["broken"] == []
    assert simedge.simulate(scenario).summary["log_sha256"] == summary["log_sha256"]
    tried.append(flow["lost"] > 0)


nothing_vanishes_and_a_seed_is_a_history()
print(f"the law holds in {len(tried)} random worlds")
print(f"some of them lost datagrams: {any(tried)}")
