"""Event loops on virtual time, clocks that stand, and what turns a kernel by them."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.records import Order
from simedge.drivers.loop_crank import Crank, RunClock
from simedge.drivers.loop_time import VirtualTimeLoop
from simedge.kernel import Kernel

_S = 1_000_000_000


def at_once(main):
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


class Turned:
    """A kernel with one target that keeps what it is told, and a crank on a clock."""

    def __init__(self, *, end_ns=10 * _S, speed=1.0, handle=None):
        self.kernel, self.told = Kernel(), []
        self.kernel.register(0, handle or (lambda record, now: self.told.append((now, record[3]))))
        self.clock = RunClock(end_ns=end_ns, speed=speed)
        self.crank = Crank(self.kernel, self.clock)

    def post(self, at, kind="timer"):
        self.kernel.post((at, Order.TIMER, 0, kind, None))


@settings(max_examples=20)
@given(st.lists(st.integers(0, 10**13), max_size=8))
def test_who_sleeps_on_virtual_time_wakes_in_order_and_just_in_time(delays_ns):
    woken = []

    async def sleep(delay_ns):
        await asyncio.sleep(delay_ns / _S)
        woken.append((delay_ns, asyncio.get_running_loop().time()))

    async def main():
        await asyncio.gather(*map(sleep, delays_ns))

    at_once(main())
    assert [delay for delay, _ in woken] == sorted(delays_ns)
    assert [now for _, now in woken] == pytest.approx([d / _S for d, _ in woken], abs=1e-8)


def test_an_answer_of_a_thread_is_waited_for_in_no_virtual_time():
    async def main():
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, lambda: "answer"), loop.time()

    assert at_once(main()) == ("answer", 0.0)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 2 * _S), max_size=600), st.sampled_from([0.5, 1.0, 3.0]))
def test_records_are_dispatched_at_their_own_times_up_to_the_end(times, speed):
    async def main():
        turned = Turned(end_ns=_S, speed=speed)
        for at in times:
            turned.post(at)
        turned.crank.start()
        turned.clock.go()
        await turned.crank.finish()
        turned.crank.stop()
        assert [now for now, _ in turned.told] == sorted(at for at in times if at <= _S)
        assert asyncio.get_running_loop().time() == pytest.approx(1 / speed)

    at_once(main())


def test_while_its_clock_stands_only_the_present_is_dispatched():
    async def main():
        turned = Turned()
        turned.post(0, "now")
        turned.post(2 * _S, "later")
        turned.crank.start()
        await asyncio.sleep(100)
        assert turned.told == [(0, "now")]
        turned.clock.go()
        await asyncio.sleep(1)
        turned.clock.hold()
        turned.crank.post(Order.RECEIVED, 0, "came")
        await asyncio.sleep(100)
        assert turned.told == [(0, "now"), (_S, "came")]
        turned.clock.go()
        await turned.crank.finish()
        turned.crank.stop()
        assert turned.told[2:] == [(2 * _S, "later")]
        assert asyncio.get_running_loop().time() == pytest.approx(210)

    at_once(main())


def test_what_comes_after_the_end_is_told_at_the_end_and_after_a_stop_never():
    async def main():
        turned = Turned(end_ns=_S)
        turned.crank.start()
        turned.clock.go()
        await turned.crank.finish()
        await asyncio.sleep(5)
        turned.crank.post(Order.RECEIVED, 0, "late")
        await asyncio.sleep(5)
        turned.crank.stop()
        turned.crank.post(Order.RECEIVED, 0, "too late")
        await asyncio.sleep(5)
        assert turned.told == [(_S, "late")]

    at_once(main())


def test_what_a_handler_raises_is_told_to_who_waits():
    def broken(record, now):
        raise ZeroDivisionError(f"{record[3]} at {now}")

    async def main():
        turned = Turned(handle=broken)
        turned.post(7)
        turned.post(8)
        turned.crank.start()
        turned.clock.go()
        with pytest.raises(ZeroDivisionError, match="timer at 7"):
            await turned.crank.finish()
        turned.crank.stop()

    at_once(main())
