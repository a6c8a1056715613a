"""From a scenario to a world that is ready to run: plain objects, joined here and nowhere else."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from simedge.core.records import LogSink
from simedge.core.streams import Streams
from simedge.drivers.carrier import Carrier
from simedge.drivers.clock import Clocked
from simedge.drivers.device_host import DeviceHost
from simedge.drivers.faults import Faults
from simedge.drivers.feed import Feed
from simedge.drivers.host import Place
from simedge.drivers.journal import Journal
from simedge.drivers.knowledge import Knowledge
from simedge.drivers.lookahead import Horizon, LearnerDoor, ProxyItems
from simedge.drivers.observer import Observer
from simedge.drivers.plight import Plight
from simedge.drivers.reach import Reach
from simedge.drivers.server_host import ServerHost
from simedge.drivers.service import Service
from simedge.drivers.sides import Sides
from simedge.drivers.tally import Tally
from simedge.drivers.ties import shuffled
from simedge.drivers.twin import TwinHost
from simedge.drivers.virtual import KERNEL, VirtualDriver
from simedge.kernel import Kernel
from simedge.learning.learner import open_learner
from simedge.learning.ports import DeviceLearner, LearnerFactory
from simedge.protocol.crowd import Crowd
from simedge.protocol.machine import Machine
from simedge.protocol.opening import open_device, open_server
from simedge.protocol.settings import ElalSettings
from simedge.run.gear import holding_of, leanings_of, tally_of
from simedge.run.ground import ground_of
from simedge.run.needs import needs_of, predicts_at_server
from simedge.run.settings import ScenarioSettings
from simedge.sensors.registry import open_sensor
from simedge.world.compute import board
from simedge.world.device import Device
from simedge.world.energy import Meter
from simedge.world.fault_settings import TwinFault
from simedge.world.faults import plan_faults, targets
from simedge.world.plan import plan_world
from simedge.world.rates import OpenTrace
from simedge.world.server_fault_settings import OverloadFault, RollbackFault, SplitBrainFault
from simedge.world.topology import SERVER, Member
from simedge.world.traces.door import TraceDoor

__all__ = ["build"]

Rehouse = Callable[[Place], Place]


def build(
    scenario: ScenarioSettings,
    sink: LogSink,
    *,
    executor: Executor,
    learner: LearnerFactory | None = None,
    open_trace: OpenTrace | None = None,
    rehouse: Rehouse | None = None,
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
    rehouse
        Says where a host stands, if not in virtual time: on sockets, without a common clock.

    Raises
    ------
    SimedgeError
        If a part cannot be built; nothing has started then.
    """
    door = open_trace or TraceDoor(Streams(scenario.seed))
    builder = _Builder(scenario, sink, executor, learner=learner, open_trace=door, rehouse=rehouse)
    return builder.build()


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
        rehouse: Rehouse | None,
    ) -> None:
        self.scenario = scenario
        self.rehouse = rehouse
        size = sum(device.count for device in scenario.devices)
        size *= 1 + sum(fault.kind == "twin" for fault in scenario.faults)
        self.needs = needs_of(scenario.protocol)
        splits = sum(isinstance(fault, SplitBrainFault) for fault in scenario.faults)
        size += (1 + splits) * self.needs.server_learner
        self.executor = executor
        self.streams = Streams(scenario.seed)
        self.sensor = open_sensor(scenario.sensors, scenario.seed)
        self.factory = learner or partial(
            open_learner, scenario.learner, pools={}, size=size, starts_ns=self.sensor.start_ns
        )
        self.world = plan_world(
            scenario.devices,
            scenario.topology,
            scenario.links,
            streams=self.streams,
            open_trace=open_trace,
        )
        names = [self.world.names[number] for number in range(len(self.world.names))] + [KERNEL]
        names += [f"{SERVER}-{i + 2}" for i in range(splits)]
        twins = [fault for fault in scenario.faults if isinstance(fault, TwinFault)]
        members = self.world.members
        self.twins = [(f.name, each) for f in twins for each in targets(f, members, self.streams)]
        names += [f"{member.name}~{fault}" for fault, member in self.twins]
        self.tally = tally_of(scenario, self.sensor)
        self.journal = Journal(sink, names, self.tally)
        ties = shuffled(scenario.faults, streams=self.streams, duration_ns=scenario.duration)
        self.kernel = Kernel(ties)
        self.knowledge = Knowledge(self.tally)
        self.sides = Sides(self.knowledge)
        self.served = 0
        self.carrier = Carrier(
            self.world.network,
            transfers=self.world.transfers,
            post=self.kernel.post,
            journal=self.journal,
        )
        self.first = self._learner(self.world.members[1].name)
        self.ground = ground_of(
            scenario,
            self.sensor,
            first=self.first,
            devices=len(self.world.members) - 1,
            live=self.rehouse is not None,
        )
        self.leanings = leanings_of(scenario, members, self.streams)
        self.items: ProxyItems | None = None
        self.horizon: Horizon | None = None

    def build(self) -> tuple[VirtualDriver, Tally]:
        scenario, members = self.scenario, self.world.members
        faults = self._faults()
        server = self._server()
        seconds = self._seconds(server)
        devices = [self._device(member, faults, server=server) for member in members[1:]]
        self._add_twins(devices)
        self.tally.devices = [device.account for device in devices]
        self.tally.rule = devices[0].learner.rule
        driver = VirtualDriver(
            self.kernel,
            server=server,
            devices=devices,
            carrier=self.carrier,
            observer=self._observer(devices),
            faults=faults,
            journal=self.journal,
            knowledge=self.knowledge,
            duration_ns=scenario.duration,
            seconds=seconds,
            sides=self.sides,
            reach=self._reach(),
        )
        return driver, self.tally

    def _server(self) -> ServerHost:
        """Return the server, with room for devices that faults make up."""
        faults, devices = self.scenario.faults, len(self.world.members) - 1
        crowds: dict[str, Crowd] = {}
        for fault in faults:
            if isinstance(fault, OverloadFault) and isinstance(
                self.scenario.protocol, ElalSettings
            ):
                crowds[fault.name] = Crowd(
                    self.scenario.protocol, self.ground, first=devices + 1, senders=fault.senders
                )
                devices += fault.senders
        self.served = devices
        return ServerHost(
            self._place(0, self._server_machine()),
            sides=self.sides,
            crowds=crowds,
            history=max([f.versions for f in faults if isinstance(f, RollbackFault)], default=0),
            learner=self._server_learner(),
            sensor=self.sensor,
        )

    def _server_learner(self) -> DeviceLearner | None:
        return self._learner(SERVER) if self.needs.server_learner else None

    def _server_machine(self) -> Machine:
        stream = self.streams.stream("policy", SERVER, "choices")
        return open_server(self.scenario.protocol, self.ground, devices=self.served, stream=stream)

    def _reach(self) -> Reach | None:
        """Return what tells machines whom they can reach, if they want to know."""
        if not self.needs.news:
            return None
        links = self.world.network.links
        pairs = [(link.src, link.dst) for link in links if link.src and link.dst]
        if not self.needs.peers:
            numbers = range(1, len(self.world.members))
            pairs = [pair for number in numbers for pair in ((0, number), (number, 0))]
        return Reach(self.world.network.routes, pairs, post=self.kernel.post)

    def _add_twins(self, devices: Sequence[DeviceHost]) -> None:
        """Put the twins that faults bring beside their devices."""
        for fault, member in self.twins:
            name = f"{member.name}~{fault}"
            number = self.journal.names.index(name)
            self.journal.numbers[name] = self.carrier.nodes[number] = member.number
            learner = self._learner(member.name)
            assert self.items is not None
            machine = open_device(
                self.scenario.protocol,
                self.ground,
                dev=member.number,
                layers=learner.hidden_layers,
                stream=self.streams.stream("fault", fault, f"policy-{member.name}"),
                neighbours=self._neighbours(member.number),
            )
            twin = TwinHost(
                self._place(number, machine),
                learner=learner,
                door=LearnerDoor(learner, self.sensor, items=self.items, horizon=None),
                interval=self.scenario.protocol.interval,
                tau_ns=self.ground.tau_ns,
            )
            devices[member.number - 1].add_twin(fault, twin)

    def _seconds(self, first: ServerHost) -> list[ServerHost]:
        """Return the servers that come up while a fault splits the world."""
        seconds: list[ServerHost] = []
        for fault in self.scenario.faults:
            if isinstance(fault, SplitBrainFault):
                number = self.journal.names.index(f"{SERVER}-{len(seconds) + 2}")
                self.journal.numbers[self.journal.names[number]] = 0
                self.carrier.nodes[number] = 0
                place = self._place(number, self._server_machine())
                second = ServerHost(
                    place,
                    sides=self.sides,
                    first=first,
                    learner=self._server_learner(),
                    sensor=self.sensor,
                )
                second.retire()
                named = frozenset(fault.groups[1])
                taken = [m.number for m in self.world.members if {m.name, m.group} & named]
                self.sides.add(fault.name, second, taken)
                seconds.append(second)
        return seconds

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
        place = Place(
            number=number,
            machine=machine,
            carrier=self.carrier,
            post=self.kernel.post,
            journal=self.journal,
            knowledge=self.knowledge,
        )
        return place if self.rehouse is None else self.rehouse(place)

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

    def _device(self, member: Member, faults: Faults, *, server: ServerHost) -> DeviceHost:
        scenario, settings = self.scenario, self.world.devices[member.number]
        learner = self.first if member.number == 1 else self._learner(member.name)
        machine = open_device(
            scenario.protocol,
            self.ground,
            dev=member.number,
            layers=learner.hidden_layers,
            stream=self.streams.stream("policy", member.name, "noise"),
            neighbours=self._neighbours(member.number),
        )
        if member.number in faults.wrong_clocks:
            machine = Clocked(machine)
        speeds = board(settings.compute)
        stepped = scenario.kernel.volleys == "stepped"
        if self.items is None:
            self.items = ProxyItems(learner, self.sensor)
        if self.horizon is None and not stepped:
            self.horizon = Horizon(self._together(learner))
        door = LearnerDoor(
            learner,
            self.sensor,
            items=self.items,
            horizon=self.horizon,
            on_call=scenario.protocol.training == "on-call",
        )
        device = Device(
            speeds,
            door,
            number=member.number,
            queue=settings.queue,
            drop=settings.drop,
            stepped=stepped,
        )
        links = self.world.network.links_of(member.number)
        pixels = self.sensor.width * self.sensor.height
        meter = Meter(settings, speeds, number=member.number, links=links)
        return DeviceHost(
            self._place(member.number, machine),
            device=device,
            door=door,
            learner=learner,
            feed=self._feed(member, learner),
            settings=settings,
            meter=meter,
            plight=Plight(member.name, self.streams, meter=meter),
            holding=holding_of(member.name, settings, learner, scenario=scenario, pixels=pixels),
            checkpoints=faults.need_checkpoints,
            sets_aside=self.needs.sets_aside,
            service=self._service(server),
        )

    def _service(self, server: ServerHost) -> Service | None:
        """Return who predicts for devices that have no model of their own."""
        if not predicts_at_server(self.scenario.protocol):
            return None
        return Service(server, sides=self.sides, reaches=self.world.network.reaches)

    def _neighbours(self, number: int) -> tuple[int, ...]:
        """Return the devices that one has a link to."""
        links = self.world.network.links_of(number)
        return tuple(sorted(link.dst for link in links if link.src == number and link.dst))

    def _feed(self, member: Member, learner: DeviceLearner) -> Feed:
        return Feed(
            self.sensor,
            member.name,
            prepare=learner.prepare,
            executor=self.executor,
            devices=len(self.world.members) - 1,
            leanings=self.leanings.get(member.number, ()),
            until_ns=self.scenario.duration,
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
