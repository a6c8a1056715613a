"""A device as the driver sees it: machine, processor, learner and camera together."""

from fractions import Fraction

import numpy as np
from typing_extensions import override

from simedge.core.records import Order
from simedge.drivers.clock import Clocked
from simedge.drivers.feed import Feed
from simedge.drivers.host import Host, Place, Saved, digest_of
from simedge.drivers.lookahead import LearnerDoor
from simedge.drivers.plight import Plight
from simedge.drivers.tally import DeviceTally
from simedge.drivers.twin import TwinHost
from simedge.kernel.kernel import Record
from simedge.learning.ports import DeviceLearner, Learned
from simedge.protocol.machine import (
    Forgotten,
    FrameLearned,
    LearnerCall,
    LearnerDone,
    ProxyPass,
    Send,
)
from simedge.sensors.frames import Frame
from simedge.world.clock_fault_settings import ClockFault
from simedge.world.compute import pace_dues
from simedge.world.device import Device
from simedge.world.energy import PRICES, Meter, operations_fj
from simedge.world.fault_settings import BatteryFault, HalfOpenFault, OutOfMemoryFault, State
from simedge.world.faults import Strike
from simedge.world.jobs import Done, Dropped, Job
from simedge.world.settings import DeviceSettings

__all__ = ["DeviceHost"]

LEDGER = "neuromorphic"
"""Prices of the ledger of operations: those of event-driven hardware."""


class DeviceHost(Host):
    """One device in virtual time.

    Parameters
    ----------
    device
        Its processor, whose `door` leads to `learner`.
    feed
        Its camera.
    settings
        What heats, loads and feeds it.
    meter
        Reads its energy.
    plight
        What faults make of it.
    account
        Where its totals go.
    checkpoints
        Whether local checkpoints are taken: only a fault can ask for one.
    """

    def __init__(  # noqa: PLR0913 -- the parts of a device
        self,
        place: Place,
        *,
        device: Device,
        door: LearnerDoor,
        learner: DeviceLearner,
        feed: Feed,
        settings: DeviceSettings,
        meter: Meter,
        plight: Plight,
        account: DeviceTally,
        checkpoints: bool,
    ) -> None:
        super().__init__(place)
        self.device = device
        self.door = door
        self.learner = learner
        self.account = account
        self._settings = settings
        self._meter = meter
        self._plight = plight
        self._dead = False
        self._twins: dict[str, TwinHost] = {}
        self.server: Host | None = None
        """Set by the driver: who hears its tokens."""
        self.checkpoints = checkpoints
        self.feed = feed
        self._newborn = learner.dump()
        self._priced = dict.fromkeys(PRICES[LEDGER], 0)
        self.uncounted = 0
        """Records of single volleys, and of jobs that a crash undid or a frame cut short, less the
        rows that had no record of their own: how work is cut into records must not show, so kernel
        events are counted without, and each job and volley that ended as one."""

    _unpaused = frozenset({"frame", "volley", "pace"})

    def begin(self) -> None:
        """Schedule what is known before the run: a first frame, heat and load, the battery."""
        for due in pace_dues(self._settings, self.number):
            self._post(due)
        if self._settings.battery is not None:
            self.charge(self._settings.battery, "battery", 0)
        if self.feed.flows:
            self._schedule_frame(0)

    def close(self, now: int) -> None:
        """Write the totals at the end of the run."""
        self._catch_up(now)
        account = self.account
        account.up = self.up
        account.busy_ns = self.device.busy_ns(now)
        account.on_ns = self.device.on_ns(now)
        energy = self._meter.read(now, on_ns=account.on_ns, busy_ns=account.busy_ns)
        account.idle_fj, account.compute_fj, account.radio_fj = energy
        account.ops_fj = operations_fj(self._priced, LEDGER)
        account.frames_waiting = self.device.frames_held()
        left_fj = self._left_fj(now)
        if left_fj is not None:
            self._journal.sample(now, self.number, metric="battery_j", value=left_fj / 1e15)
        if account.frames_learned:
            mean_s = account.decision_ns / account.frames_learned / 1e9
            self._journal.sample(now, self.number, metric="decision_latency_s", value=mean_s)
        if account.modulator_bytes:
            bits = 8.0 * account.modulator_bytes
            self._journal.sample(now, self.number, metric="modulator_bits", value=bits)

    @override
    def crash(self, now: int, *, state: str) -> None:
        """Stop at once: jobs, queues and timers are gone."""
        self._order = Order.FAULT
        self._catch_up(now, fault=True)
        self.door.forget()
        for dropped in self.device.crash(now):
            self._drop(dropped, now, lost=True)
        self.account.crashes += 1
        super().crash(now, state=state)

    @override
    def restart(self, now: int) -> None:
        """Come back with the next boot."""
        self.device.restart(now)
        super().restart(now)

    @override
    def strike(self, strike: Strike, now: int) -> State | None:
        """Let a fault begin: of pace, camera, what is said, memory or battery."""
        self._catch_up(now, fault=True)
        super().strike(strike, now)
        fault = strike.fault
        if isinstance(fault, OutOfMemoryFault):
            return "checkpoint" if self.account.memory_peak_bytes > fault.limit else None
        if isinstance(fault, BatteryFault):
            self.charge(fault.capacity, strike.name, now)
        self._plight.strike(strike)
        self._set_clock(strike, now, begins=True)
        if strike.name in self._twins:
            self._twins[strike.name].begin(self, now)
        if isinstance(fault, HalfOpenFault):
            self.forget(fault.side, now)
        self._pace()
        self._settle(now)
        return None

    @override
    def relieve(self, strike: Strike, now: int) -> None:
        """Let it end."""
        self._catch_up(now, fault=True)
        self._plight.relieve(strike.name)
        if strike.name in self._twins:
            self._twins[strike.name].retire()
        self._set_clock(strike, now, begins=False)
        super().relieve(strike, now)
        self._pace()
        self._settle(now)

    def add_twin(self, fault: str, twin: TwinHost) -> None:
        """Add a twin, which comes up with a fault."""
        self._twins[fault] = twin

    @property
    def twins(self) -> list[TwinHost]:
        """Return all twins, up or not."""
        return list(self._twins.values())

    @property
    def image(self) -> Saved | None:
        """Return the last local checkpoint, from which a twin is made."""
        return self._saved

    def charge(self, capacity_j: Fraction, name: str, now: int) -> None:
        """Put a battery in, and look at it again when it may be empty."""
        self._plight.charge(capacity_j, now, **self._used_ns(now))
        self.watch(name, now)

    @override
    def drained(self, now: int) -> bool:
        """Whether the battery is empty; then it is for good."""
        self._dead = self._dead or self._left_fj(now) == 0
        return self._dead

    @override
    def watch(self, name: str, now: int) -> None:
        """Look at the battery of a name again when it may be empty."""
        left_fj = self._left_fj(now)
        lasts_ns = None if left_fj is None else self._plight.lasts_ns(left_fj)
        if lasts_ns is not None:
            self._post((now + lasts_ns, Order.FAULT, self.number, "battery", name))

    def set_pace(self, source: str, pace_ppm: int) -> None:
        """Stretch what is computed from now on, in millionths, for heat or other load."""
        self._plight.set_pace(source, pace_ppm)
        self._pace()

    def forget(self, side: str, now: int) -> None:
        """Let one end of the connection to the server forget it."""
        end, other = (self, 0) if side == "device" else (self.server, self.number)
        if end is not None and end.up:
            end.hear(Forgotten(other=other), now)

    def _set_clock(self, strike: Strike, now: int, *, begins: bool) -> None:
        fault = strike.fault
        if isinstance(fault, ClockFault) and isinstance(self.machine, Clocked):
            for timer in self.machine.turn(fault, now, begins=begins):
                self._set_timer(timer, now)

    def _pace(self) -> None:
        self.device.paused = self.up and bool(self._pauses)
        self.device.pace_ppm = self._plight.pace_ppm

    def _used_ns(self, now: int) -> dict[str, int]:
        return {"on_ns": self.device.on_ns(now), "busy_ns": self.device.busy_ns(now)}

    def _left_fj(self, now: int) -> int | None:
        return self._plight.left_fj(now, **self._used_ns(now))

    @override
    def _own_record(self, record: Record, now: int) -> None:
        _, _, _, kind, payload = record
        if kind == "frame":
            self._frame(now)
            return
        if kind == "pace":
            assert isinstance(payload, tuple)
            self._catch_up(now, fault=True)
            self.set_pace(*payload)
            return
        dues, done = self.device.handle(kind, payload, now)
        for due in dues:
            self._post(due)
        self.uncounted += 1
        if done is not None:
            self._finish(done, now)

    @override
    def _settle(self, now: int) -> None:
        for due in self.device.start(now):
            self._post(due)
        if self.device.idle and self.feed.flows:
            self.door.anticipate(*self.feed.peek())

    def _catch_up(self, now: int, *, fault: bool = False) -> None:
        """Count the rows of a running pass that have ended without a record of their own."""
        done = self.device.catch_up(now, fault=fault)
        if done is not None:
            self._count(done)

    def _schedule_frame(self, index: int) -> None:
        at = self.feed.arrival_ns(whole=self._plight.in_step)
        self._post((at, Order.FRAME, self.number, "frame", index))

    def _frame(self, now: int) -> None:
        frame = self.feed.pop()
        self._schedule_frame(frame.index + 1)
        for _ in range(self._plight.deliveries):
            self._deliver(frame, now)

    def _deliver(self, frame: Frame, now: int) -> None:
        self.account.frames_arrived += 1
        self._journal.tally.counts.frames_arrived += 1
        detail = (len(frame.t_us),)
        self._journal.log(
            now, Order.FRAME, self.number, kind="frame-arrived", subject=frame.index, detail=detail
        )
        for dropped in self.device.frame(frame, now):
            self._drop(dropped, now, lost=False)

    def _drop(self, dropped: Dropped, now: int, *, lost: bool) -> None:
        assert isinstance(dropped.frame, Frame)
        if lost:
            self.account.frames_lost += 1
        else:
            self.account.frames_dropped += 1
            self._journal.tally.counts.frames_dropped += 1
        self._journal.log(
            now,
            self._order,
            self.number,
            kind="frame-dropped",
            subject=dropped.frame.index,
            detail=(dropped.cause,),
        )

    def _finish(self, done: Done, now: int) -> None:
        """Count a job, and tell the machine when it was a frame or the last row of a call."""
        self._count(done)
        if done.job.kind == "frame":
            self._learned(done, now)
        elif done.whole:
            self._answer(done, now)

    def _count(self, done: Done) -> None:
        """Count jobs that have ended, and what they took."""
        self.uncounted -= len(done.works)
        counts, priced = self._journal.tally.counts, self._priced
        counts.jobs += len(done.works)
        for work in done.works:
            spent = work.counts
            counts.volleys += spent.volleys
            counts.spikes += spent.spikes
            counts.synaptic_events += spent.synaptic_events
            counts.plasticity_updates += spent.plasticity_updates
            self.account.modulator_bytes += spent.modulator_bytes
            priced["synaptic_events"] += spent.synaptic_events
            priced["neuron_updates"] += spent.neuron_updates
            priced["plasticity_updates"] += spent.plasticity_updates
            priced["macs"] += spent.macs

    def _learned(self, done: Done, now: int) -> None:
        learned, frame = done.value, done.job.subject
        assert isinstance(learned, Learned)
        assert isinstance(frame, Frame)
        self.account.frames_learned += 1
        tally = self._journal.tally
        tally.counts.frames_learned += 1
        tally.update_latencies_ns.append(now - done.job.since_ns)
        decided_ns = now - self.feed.start_ns(frame)
        self.account.decision_ns += decided_ns
        tally.decision_latencies_ns.append(decided_ns)
        self._journal.log(
            now,
            Order.LEARNED,
            self.number,
            kind="frame-learned",
            subject=frame.index,
            detail=(
                int(learned.correct),
                learned.spikes,
                learned.spike_digest,
                learned.weight_digest,
            ),
        )
        self._tell(FrameLearned(n=1, loss=learned.loss, correct=learned.correct), now)

    def _answer(self, done: Done, now: int) -> None:
        value = None
        if done.job.rows:
            assert isinstance(done.value, tuple)
            value = np.stack(done.value).astype(np.float32, copy=False)
            value = self._plight.spoil(value, call=done.job.call, boot=self.boot)
        self._journal.log(
            now,
            Order.LEARNED,
            self.number,
            kind="learner-done",
            subject=done.job.kind,
            detail=(digest_of(value),),
        )
        self._tell(LearnerDone(call=done.job.call, value=value), now)

    @override
    def _send(self, effect: Send, now: int) -> None:
        super()._send(self._plight.garble(effect), now)

    @override
    def _call(self, effect: LearnerCall, now: int) -> None:
        rows = effect.args.count if isinstance(effect.args, ProxyPass) else 0
        self.device.request(
            Job(kind=effect.op, subject=effect.args, since_ns=now, call=effect.call, rows=rows)
        )

    @override
    def _dump(self, now: int) -> Saved:
        self._catch_up(now)
        return Saved(
            machine=self.machine.dump(),
            learner=self.learner.dump(),
            priors=self._knowledge.held(self.number),
        )

    @override
    def _restore(self, saved: Saved | None, now: int) -> None:
        self.learner.load(self._newborn if saved is None else saved.learner)
        self._knowledge.put_back(self.number, {} if saved is None else saved.priors, now)
