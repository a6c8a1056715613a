"""Blocks in parts over links with small frames: all of a token in one frame, and no part left out.

Whole blocks of these runs would never pass: the links cut nothing, and drop what is too long.
"""

import numpy as np
import pytest
from worlds import Run, lossy

from simedge.protocol.shape import part_of

SLOW = {"duration": "1500 s", "sensors.rate": "0.2 Hz", "protocol.prior_period": "40 s"}
LINKS = {
    "ble": {"duration": "20 s", "protocol.prior_period": "500 ms"},
    "lora-sf7": SLOW | {"protocol.report_period": "300 s", "protocol.have_period": "300 s"},
}


@pytest.mark.parametrize("profile", LINKS)
def test_all_parts_of_all_blocks_arrive_both_ways_over_small_frames(profile):
    scenario = lossy(faults=[], topology={"kind": "star"}, evaluate={"every": "1 h", "items": 10})
    parts = {"sensors.proxy": {"blocks": 2, "rows": 64}, "protocol.part_level": 2}
    scenario = scenario.vary({"links": {"default": {"profile": profile}}, **parts})
    with Run(scenario.vary(LINKS[profile])) as held:
        list(held.slices())
        result = held.finish()
        machines = [device.machine for device in held.driver.devices]
        stamps = [np.frombuffer(m.dump()["priors"]["stamp"][2], "<u8") for m in machines]
        register = held.driver.server.machine.register
        tally = held.driver.journal.tally
    assert result.summary["invariants"]["broken"] == []
    assert sum(link.datagrams.mtu for link in tally.links) == 0
    for link in tally.links:
        assert link.fragments == link.datagrams, "nothing was cut"
    for dev, held_stamps in enumerate(stamps, 1):
        assert held_stamps.all(), "a prior of every row"
        assert all(stamp for block in (0, 1) for stamp, _ in register.look(dev, block))
    applied = {record.subject for record in result.records if record.kind == "applied"}
    assert {part_of(address) for address in applied} == {
        (block, 2, part) for block in (0, 1) for part in range(4)
    }
