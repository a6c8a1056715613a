"""A device as the driver sees it: machine, processor, learner and camera together."""

from typing import Final

import numpy as np
from typing_extensions import override

from simedge.core.records import Order
from simedge.drivers.feed import Feed
from simedge.drivers.frame_calls import OfFrames
from simedge.drivers.holding import Holding
from simedge.drivers.host import Place, Saved, digest_of
from simedge.drivers.lookahead import LearnerDoor
from simedge.drivers.observer import Predictor
from simedge.drivers.plight import Plight
from simedge.drivers.questions import TELLING
from simedge.drivers.service import Serves
from simedge.drivers.struck_host import StruckHost
from simedge.kernel.kernel import Record
from simedge.learning.finite import check_finite
from simedge.learning.ports import DeviceLearner, Learned
from simedge.protocol.asks import RawFrame, Value
from simedge.protocol.machine import (
    FrameLearned,
    LearnerCall,
    LearnerDone,
    ProxyPass,
    Send,
)
from simedge.sensors.frames import Frame
from simedge.world.compute import pace_dues
from simedge.world.device import Device
from simedge.world.energy import PRICES, Meter, operations_fj
from simedge.world.jobs import Done, Dropped, Job
from simedge.world.settings import DeviceSettings

__all__ = ["DeviceHost"]

HELD_EVERY: Final = 16
"""Of so many frames that arrive one is set aside, where a loss is taken on such."""
LEDGER = "neuromorphic"
"""Prices of the ledger of operations: those of event-driven hardware."""


class DeviceHost(StruckHost):
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
    holding
        What it holds, and the account where its totals go.
    checkpoints
        Whether local checkpoints are taken: only a fault can ask for one.
    sets_aside
        Whether every 16th frame that arrives is never learned, for a loss to be taken on.
    service
        Who predicts for it, if it has no model of its own.
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
        holding: Holding,
        checkpoints: bool,
        sets_aside: bool = False,
        service: Serves | None = None,
    ) -> None:
        super().__init__(place, device=device, plight=plight, account=holding.account)
        self._holding = holding
        self.door = door
        self.learner = learner
        self._service = service
        self._settings = settings
        self._meter = meter
        self._sets_aside = sets_aside
        self.checkpoints = checkpoints
        self.feed = feed
        self._newborn = learner.dump()
        self._priced = dict.fromkeys(PRICES[LEDGER], 0)
        self.uncounted = 0
        """Records of single volleys, and of jobs that a crash undid or a frame cut short, less the
        rows that had no record of their own: how work is cut into records must not show, so kernel
        events are counted without, and each job and volley that ended as one."""

    _unpaused = frozenset({"frame", "volley", "pace"})

    @property
    def predictor(self) -> Predictor | None:
        """Return what predicts on it now: its learner, or a server's; None: nobody answers it."""
        return self._service.predictor(self.number) if self._service else self.learner

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
        self._take_stock()
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
        if account.frames_learned and self.device.update_ns:
            ordered = sorted(self.device.update_ns)
            p95_ms = ordered[-(-19 * len(ordered) // 20) - 1] / 1e6  # by nearest rank
            self._journal.sample(now, self.number, metric="update_p95_ms", value=p95_ms)
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
        self._take_stock()
        for dropped in self.device.crash(now):
            self._drop(dropped, now, lost=True)
        self.account.crashes += 1
        super().crash(now, state=state)
        self.door.crash()

    @override
    def restart(self, now: int) -> None:
        """Come back with the next boot."""
        self.device.restart(now)
        super().restart(now)

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

    @override
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
        for dropped in self._refused(frame) or self.device.frame(frame, now):
            self._drop(dropped, now, lost=False)
        self._look(now)

    @override
    def _take_stock(self) -> None:
        kept = (*self.device.frames_kept(), *self.door.held)
        self._holding.look(kept, self._knowledge.held(self.number))

    def _refused(self, frame: Frame) -> tuple[Dropped, ...]:
        """Return a frame that is set aside, or that nobody wants, as one that is dropped."""
        if not self.up:
            return ()
        if self._sets_aside and self.account.frames_arrived % HELD_EVERY == 0:
            self.door.held.append(frame)
            return (Dropped(frame, "held"),)
        wanted = self.door.calls.wants(self.device.frames_held())
        return () if wanted else (Dropped(frame, "idle"),)

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
        if done.job.kind != "frame":
            if done.whole:
                self._answer(done, now)
            return
        answer = self.door.calls.end(done.value)
        if isinstance(done.value, Learned):
            self._learned(done, now)
        else:
            self._used(done, now)
        if answer is not None:
            self._tell_done(answer.op, answer.call, answer.value, now=now)

    def _count(self, done: Done) -> None:
        """Count jobs that have ended, and what they took, if what came of them are numbers."""
        check_finite(self.learner, done.value, self.number)
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
        self._decided(frame, now)
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

    def _decided(self, frame: Frame, now: int) -> None:
        decided_ns = now - self.feed.start_ns(frame)
        self.account.decision_ns += decided_ns
        self._journal.tally.decision_latencies_ns.append(decided_ns)

    def _used(self, done: Done, now: int) -> None:
        """Count and log a frame whose gradient was taken, or that was taken itself."""
        frame = done.job.subject
        assert isinstance(frame, Frame)
        taken = isinstance(done.value, RawFrame)
        tally, account = self._journal.tally, self.account
        if taken:
            account.frames_taken += 1
            tally.counts.frames_taken += 1
        else:
            account.frames_learned += 1
            tally.counts.frames_learned += 1
            tally.update_latencies_ns.append(now - done.job.since_ns)
            self._decided(frame, now)
        self._journal.log(
            now,
            Order.LEARNED,
            self.number,
            kind="frame-taken" if taken else "frame-sloped",
            subject=frame.index,
            detail=(digest_of(tuple(done.value)),),
        )

    def _answer(self, done: Done, now: int) -> None:
        job, value = done.job, None
        if job.rows:
            assert isinstance(done.value, tuple)
            value = np.stack(done.value).astype(np.float32, copy=False)
            value = self._plight.spoil(value, call=job.call, boot=self.boot)
        elif job.kind in TELLING:
            value = done.value
        self._tell_done(job.kind, job.call, value, now=now)

    def _tell_done(self, op: str, call: int, value: Value, *, now: int) -> None:
        self._journal.log(
            now,
            Order.LEARNED,
            self.number,
            kind="learner-done",
            subject=op,
            detail=(digest_of(value),),
        )
        self._tell(LearnerDone(call=call, value=value), now)

    @override
    def _send(self, effect: Send, now: int) -> None:
        super()._send(self._plight.garble(effect), now)

    @override
    def _call(self, effect: LearnerCall, now: int) -> None:
        if isinstance(effect.args, OfFrames):
            self.door.calls.open(effect.call, effect.op, effect.args)
            return
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
            held=tuple(self.door.held),
        )

    @override
    def _restore(self, saved: Saved | None, now: int) -> None:
        self.learner.load(self._newborn if saved is None else saved.learner)
        self.door.held.extend(() if saved is None else saved.held)
        self._knowledge.put_back(self.number, {} if saved is None else saved.priors, now)
