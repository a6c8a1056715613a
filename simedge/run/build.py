"""From a scenario to a world that is ready to run: plain objects, joined here and nowhere else."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from simedge.core.errors import SimedgeError
from simedge.core.records import SECOND_NS, LogSink
from simedge.core.streams import Streams
from simedge.drivers.carrier import Carrier
from simedge.drivers.device_host import DeviceHost
from simedge.drivers.faults import Faults
from simedge.drivers.feed import Feed
from simedge.drivers.host import Place, ServerHost
from simedge.drivers.journal import Journal
from simedge.drivers.knowledge import Knowledge
from simedge.drivers.lookahead import Horizon, LearnerDoor, ProxyItems
from simedge.drivers.observer import Observer
from simedge.drivers.plight import Plight
from simedge.drivers.tally import DeviceTally, Tally
from simedge.drivers.virtual import VirtualDriver
from simedge.kernel import Kernel
from simedge.learning.learner import open_learner
from simedge.learning.ports import DeviceLearner, LearnerFactory
from simedge.protocol.machine import Machine
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.settings import ElalSettings
from simedge.protocol.shape import Ground
from simedge.run.settings import ScenarioSettings
from simedge.run.sight import Sight
from simedge.sensors.registry import open_sensor
from simedge.world.compute import board
from simedge.world.device import Device
from simedge.world.energy import Meter
from simedge.world.faults import plan_faults
from simedge.world.memory import check_memory, limit_bytes
from simedge.world.plan import plan_world
from simedge.world.rates import OpenTrace
from simedge.world.settings import DeviceSettings
from simedge.world.topology import Member
from simedge.world.traces.door import TraceDoor

__all__ = ["build", "check_fit", "memory_terms"]

_VALUE_BYTES = 4
_EVENT_BYTES = 13
"""x, y, polarity and time of a pixel event in a frame that waits."""


def build(
    scenario: ScenarioSettings,
    sink: LogSink,
    *,
    executor: Executor,
    learner: LearnerFactory | None = None,
    open_trace: OpenTrace | None = None,
) -> tuple[VirtualDriver, Tally]:
    """Join devices, links, learners, machines and faults into a driver at time 0.

    Parameters
    ----------
    sink
        Takes the lines of the event log.
    executor
        Runs evaluations side by side.
    learner
        Makes the learner of each device, in place of the scenario's.
    open_trace
        Opens the recordings of links; by default a door of their own.

    Raises
    ------
    SimedgeError
        If a part cannot be built; nothing has started then.
    """
    door = open_trace or TraceDoor(Streams(scenario.seed))
    return _Builder(scenario, sink, executor, learner=learner, open_trace=door).build()


def memory_terms(
    settings: DeviceSettings,
    learner: DeviceLearner,
    scenario: ScenarioSettings,
    *,
    pixels: int,
) -> dict[str, int]:
    """Return the bytes that a device must hold, by term; its sensor has so many pixels."""
    proxy, classes = scenario.sensors.proxy, learner.classes
    talks = isinstance(scenario.protocol, ElalSettings)
    rows = proxy.blocks * proxy.rows if talks else 0
    return {
        "runtime": settings.runtime,
        **learner.memory(kept_rows=rows),
        "priors": _VALUE_BYTES * rows * classes,
        "tokens": _VALUE_BYTES * (proxy.rows * classes if talks else 0),
        "queue": settings.queue * _EVENT_BYTES * 8 * pixels,
    }


def check_fit(scenario: ScenarioSettings, sight: Sight) -> list[tuple[int, str]]:
    """Return the device groups (position in the file) whose learner does not fit, and why."""
    streams = Streams(scenario.seed)
    learner = open_learner(
        scenario.learner,
        classes=sight.classes,
        width=sight.width,
        height=sight.height,
        streams=streams,
        device="probe",
    )
    found = []
    for place, settings in enumerate(scenario.devices):
        try:
            pixels = sight.width * sight.height
            terms = memory_terms(settings, learner, scenario, pixels=pixels)
            check_memory(terms, settings.memory, device=f"each {settings.id}")
        except SimedgeError as error:
            found.append((place, str(error)))
    return found


class _Builder:
    """What all parts of one run share while they are joined."""

    def __init__(
        self,
        scenario: ScenarioSettings,
        sink: LogSink,
        executor: Executor,
        *,
        learner: LearnerFactory | None,
        open_trace: OpenTrace,
    ) -> None:
        self.scenario = scenario
        size = sum(device.count for device in scenario.devices)
        self.factory = learner or partial(open_learner, scenario.learner, pools={}, size=size)
        self.executor = executor
        self.streams = Streams(scenario.seed)
        self.sensor = open_sensor(scenario.sensors, scenario.seed)
        self.world = plan_world(
            scenario.devices,
            scenario.topology,
            scenario.links,
            streams=self.streams,
            open_trace=open_trace,
        )
        names = [self.world.names[number] for number in range(len(self.world.names))]
        self.tally = self._tally()
        self.journal = Journal(sink, names, self.tally)
        self.kernel = Kernel()
        self.knowledge = Knowledge(self.tally)
        self.carrier = Carrier(
            self.world.network,
            transfers=self.world.transfers,
            post=self.kernel.post,
            journal=self.journal,
        )
        self.ground = self._ground()
        self.items: ProxyItems | None = None
        self.horizon: Horizon | None = None

    def build(self) -> tuple[VirtualDriver, Tally]:
        scenario, members = self.scenario, self.world.members
        machine = open_server(scenario.protocol, self.ground, devices=len(members) - 1)
        faults = self._faults()
        devices = [self._device(member, faults) for member in members[1:]]
        self.tally.devices = [device.account for device in devices]
        self.tally.rule = devices[0].learner.rule
        driver = VirtualDriver(
            self.kernel,
            server=ServerHost(self._place(0, machine)),
            devices=devices,
            carrier=self.carrier,
            observer=self._observer(devices),
            faults=faults,
            journal=self.journal,
            knowledge=self.knowledge,
            duration_ns=scenario.duration,
        )
        return driver, self.tally

    def _faults(self) -> Faults:
        plan = plan_faults(
            self.scenario.faults,
            self.world.members,
            links=self.world.network.links,
            streams=self.streams,
            duration_ns=self.scenario.duration,
        )
        return Faults(plan, self.journal, carrier=self.carrier, streams=self.streams)

    def _place(self, number: int, machine: Machine) -> Place:
        return Place(
            number=number,
            machine=machine,
            carrier=self.carrier,
            post=self.kernel.post,
            journal=self.journal,
            knowledge=self.knowledge,
        )

    def _observer(self, devices: Sequence[DeviceHost]) -> Observer:
        return Observer(
            devices,
            self.sensor,
            items=self.scenario.evaluate.items,
            every_ns=self.scenario.evaluate.every,
            duration_ns=self.scenario.duration,
            journal=self.journal,
            executor=self.executor,
        )

    def _tally(self) -> Tally:
        scenario, sensor = self.scenario, self.sensor
        shifts = [at for at in sensor.shifts_ns if 0 < at <= scenario.duration]
        return Tally(
            scenario=scenario.name,
            seed=scenario.seed,
            protocol=scenario.protocol.kind,
            rule=None,
            classes=sensor.classes,
            target=None if scenario.target is None else float(scenario.target),
            shift_ns=min(shifts, default=None),
            origin=sensor.origin,
        )

    def _ground(self) -> Ground:
        """Return what the machines agree on; the token period is the same for all devices."""
        scenario = self.scenario
        period = scenario.protocol.interval * SECOND_NS / scenario.sensors.rate
        return Ground(
            classes=self.sensor.classes,
            blocks=scenario.sensors.proxy.blocks,
            rows=scenario.sensors.proxy.rows,
            pset=self.sensor.pset,
            tau_ns=int(period),
        )

    def _device(self, member: Member, faults: Faults) -> DeviceHost:
        scenario, settings = self.scenario, self.world.devices[member.number]
        learner = self._learner(member.name)
        machine = open_device(
            scenario.protocol,
            self.ground,
            dev=member.number,
            layers=learner.hidden_layers,
            stream=self.streams.stream("policy", member.name, "noise"),
        )
        speeds = board(settings.compute)
        stepped = scenario.kernel.volleys == "stepped"
        if self.items is None:
            self.items = ProxyItems(learner, self.sensor)
        if self.horizon is None and not stepped:
            self.horizon = Horizon(self._together(learner))
        door = LearnerDoor(learner, self.sensor, items=self.items, horizon=self.horizon)
        device = Device(
            speeds,
            door,
            number=member.number,
            queue=settings.queue,
            drop=settings.drop,
            stepped=stepped,
        )
        links = self.world.network.links_of(member.number)
        meter = Meter(settings, speeds, number=member.number, links=links)
        return DeviceHost(
            self._place(member.number, machine),
            device=device,
            door=door,
            learner=learner,
            feed=Feed(self.sensor, member.name, prepare=learner.prepare, executor=self.executor),
            settings=settings,
            meter=meter,
            plight=Plight(member.name, self.streams, meter=meter),
            account=self._account(member.name, settings, learner),
            checkpoints=faults.need_checkpoints,
        )

    def _together(self, learner: DeviceLearner) -> Callable[[Sequence[Any]], None] | None:
        """Return how learners like this one run together, if they can."""
        run = getattr(learner, "run_together", None)
        return None if run is None else partial(run, executor=self.executor)

    def _learner(self, device: str) -> DeviceLearner:
        return self.factory(
            classes=self.sensor.classes,
            width=self.sensor.width,
            height=self.sensor.height,
            streams=self.streams,
            device=device,
            span_ns=self.sensor.span_ns,
        )

    def _account(self, name: str, settings: DeviceSettings, learner: DeviceLearner) -> DeviceTally:
        pixels = self.sensor.width * self.sensor.height
        terms: Mapping[str, int] = memory_terms(settings, learner, self.scenario, pixels=pixels)
        peak = check_memory(terms, settings.memory, device=name)
        return DeviceTally(
            name=name,
            memory_peak_bytes=peak,
            memory_limit_bytes=limit_bytes(settings.memory),
        )
