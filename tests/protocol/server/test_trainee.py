"""A device at work: what fails is sent again, what is overtaken is given up."""

from simedge.protocol.machine import LinkStatus, Send, SendOutcome, TimerFired

MS, S = 10**6, 10**9
ARM = {"kind": "fedasync", "frames": 4}


def uploading(pump):
    """Return a world in which device 1 has just sent what it trained, and what it sent."""
    world = pump(ARM, devices=1)
    while not _models(world):
        world.run(S, steps=1)
    return world, _models(world)[0]


def _models(world):
    return [send for number, send in world.said if number == 1 and send.cls == "model"]


def test_an_upload_that_failed_is_sent_again_byte_by_byte(pump):
    world, first = uploading(pump)
    device, now = world.machines[1], world.now
    (timer,) = device.handle(SendOutcome(tag=first.tag, ok=False), now + MS)
    assert (timer.id, timer.at) == ("upload", now + MS + S)
    (again,) = device.handle(TimerFired(id="upload"), timer.at)
    assert (again.data, again.seq, again.resend) == (first.data, first.seq, 1)
    (timer,) = device.handle(SendOutcome(tag=first.tag, ok=False), timer.at + MS)
    assert timer.at == now + 2 * MS + 3 * S
    device.handle(LinkStatus(other=0, up=False), timer.at - MS)
    assert device.handle(TimerFired(id="upload"), timer.at) == []
    effects = device.handle(LinkStatus(other=0, up=True), timer.at + MS)
    assert [e.resend for e in effects if isinstance(e, Send)] == [2]
    assert device.handle(SendOutcome(tag=first.tag, ok=True), timer.at + 2 * MS) == []
    assert device.handle(SendOutcome(tag=first.tag, ok=True), timer.at + 3 * MS) == []
    assert device.counters == {"upload_resent": 2, "late_event": 1}
