"""Real recordings, replayed, against readings of the files in a few independent lines.

They are no part of the project: SIMEDGE_DATA names the directory that holds ``traces/``.
"""

import csv
import os
from datetime import datetime
from pathlib import Path

import pytest

from simedge.core.streams import Streams
from simedge.run.scenario import Scenario
from simedge.run.simulate import simulate
from simedge.world.capacity import OpportunityCapacity, StepCapacity
from simedge.world.link_settings import QueueSettings, TraceSettings
from simedge.world.loss_settings import TraceLoss
from simedge.world.traces.door import TraceDoor
from simedge.world.traces.figures import measure
from simedge.world.traces.source import open_trace
from simedge.world.traces.tracks import load_track

DATA = os.environ.get("SIMEDGE_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="SIMEDGE_DATA names no recordings")
TRACES = Path(DATA or "") / "traces"
CELLULAR = sorted(p.name for p in (TRACES / "mahimahi").glob("*") if p.suffix in {".up", ".down"})
SECOND = 10**9
MS = 10**6


def follow(file, direction="up", **settings):
    asked = TraceSettings(file=str(file), direction=direction, **settings)
    return TraceDoor(Streams(1))(asked, "cam-1", 10**9)


@pytest.mark.parametrize("name", CELLULAR)
@pytest.mark.parametrize("size", [40, 1500, 1504, 9000])
def test_a_saturated_link_gets_every_byte_of_the_trace_and_not_one_more(name, size):
    path = TRACES / "mahimahi" / name
    times = [int(line) for line in path.read_text().split()]
    usable = 1504 * sum(time > 0 for time in times)  # one at 0 is over when the first byte comes
    capacity = OpportunityCapacity(load_track(open_trace(path), "up").opportunities, repeat="stop")
    served, now = 0, 0
    while (end := capacity.finish_ns(now, size)) is not None:
        served, now = served + size, end
    assert served == usable // size * size
    assert now == times[-1] * MS or usable - served < size


@pytest.mark.parametrize("name", CELLULAR)
def test_no_window_of_a_saturated_link_gets_more_than_its_opportunities(name):
    path = TRACES / "mahimahi" / name
    times = [int(line) * MS for line in path.read_text().split()]
    capacity = OpportunityCapacity(load_track(open_trace(path), "up").opportunities)
    now, ends = 0, []
    while now < times[-1]:
        now = capacity.finish_ns(now, 1500)
        ends.append(now)
    for begin in range(0, times[-1], times[-1] // 50):
        for length in (100 * MS, SECOND, 10 * SECOND):
            through = 1500 * sum(begin < end <= begin + length for end in ends)
            there = 1504 * sum(begin < time <= begin + length for time in times)
            assert through <= there + 1503 + 1500


def test_the_cellular_recordings_are_at_hand_in_both_directions():
    assert len(CELLULAR) >= 6
    assert {Path(name).suffix for name in CELLULAR} == {".up", ".down"}


@pytest.mark.parametrize("name", CELLULAR)
def test_a_whole_link_at_saturation_delivers_what_the_trace_allows(name, crank_and_link):
    crank, link, datagram = crank_and_link
    path = TRACES / "mahimahi" / name
    until = 20 * SECOND
    allowed = 1504 * sum(0 < int(line) * MS <= until for line in path.read_text().split())
    recorded = follow(path, Path(name).suffix[1:], repeat="stop")
    queue = QueueSettings(datagrams=10**6, bytes="900 GB")
    run = crank(link(capacity=recorded, queue=queue))
    run.offers([(0, datagram(seq, 1500)) for seq in range(1, allowed // 1500 + 1000)])
    delivered = sum(d.wire_bytes for at, d in run.arrived if at <= until)
    assert delivered == allowed // 1500 * 1500


@pytest.fixture(name="crank_and_link")
def _crank_and_link():
    import importlib.util

    path = Path(__file__).parents[1] / "world" / "conftest.py"
    spec = importlib.util.spec_from_file_location("world_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Crank, module.make_link, module.make_datagram


FIVE_G = sorted((TRACES / "5g").glob("*.csv")) if DATA else []


def held(rows, column, scale):
    """Hold each value until the next, the first also before: (start, end, value) in seconds."""
    known = [(int(row["t_s"]), float(row[column]) * scale) for row in rows if row[column]]
    times = [int(row["t_s"]) for row in rows]
    end = times[-1] + times[-1] - times[-2]
    starts = [0, *(at for at, _ in known[1:])]
    return zip(starts, [*starts[1:], end], [value for _, value in known], strict=True)


@pytest.mark.parametrize("path", FIVE_G, ids=lambda path: path.stem)
def test_the_pings_of_a_5g_drive_come_back(path, crank_and_link):
    crank, link, datagram = crank_and_link
    with path.open() as file:
        rows = list(csv.DictReader(file))
    losses = list(held(rows, "ping_loss_pct", 0.01))
    length_s = losses[-1][1]
    mean = sum((end - start) * loss for start, end, loss in losses) / length_s
    up, down = follow(path, "up"), follow(path, "down")
    assert up.finish_ns(0, 125) == 1000  # no capacity up: the link's own rate
    run = crank(link(capacity=up, loss=TraceLoss(kind="trace")))
    run.offers([(100 * MS * i + 1, datagram(i + 1, 100)) for i in range(10 * length_s)])
    lost = sum(fate.kind == "lost" for _, fate in run.fates) / (10 * length_s)
    # Draws within a second share its loss, so they are independent given the trace.
    spread = (sum((end - start) * p * (1 - p) for start, end, p in losses) / length_s) ** 0.5
    assert abs(lost - mean) <= 4.42 * spread / (10 * length_s) ** 0.5 + 1e-3
    for start, end, rtt_s in held(rows, "ping_avg_ms", 1e-3):
        both = up.delay_ns(start * SECOND) + down.delay_ns(end * SECOND - 1)
        assert abs(both - rtt_s * SECOND) <= 2


@pytest.mark.parametrize("path", FIVE_G, ids=lambda path: path.stem)
def test_pings_over_a_link_take_the_recorded_round_trip(path, crank_and_link):
    crank, link, datagram = crank_and_link
    with path.open() as file:
        recorded = list(held(list(csv.DictReader(file)), "ping_avg_ms", 1e-3))
    length_s = recorded[-1][1]
    mean_s = sum((end - start) * rtt for start, end, rtt in recorded) / length_s
    # The direction up has no capacity in these files: nothing waits for anything but the network.
    run = crank(link(capacity=follow(path, "up"), fifo=False))
    sent = {seq: SECOND * seq // 10 + 1 for seq in range(10 * length_s)}
    run.offers([(at, datagram(seq + 1, 64)) for seq, at in sent.items()])
    waits = [at - sent[d.uid.seq - 1] for at, d in run.arrived]
    assert len(waits) == len(sent)
    assert 2 * sum(waits) / len(waits) / SECOND == pytest.approx(mean_s, rel=0.01)


def test_the_pings_of_the_5g_set_lose_three_percent_in_bursts_up_to_all():
    found = [measure(open_trace(path), "down") for path in FIVE_G]
    rows = [row for path in FIVE_G for row in csv.DictReader(path.read_text().splitlines())]
    samples = [float(row["ping_loss_pct"]) for row in rows if row["ping_loss_pct"]]
    total_ns = sum(figures.duration_ns for figures in found)
    held_mean = sum(figures.loss * figures.duration_ns for figures in found) / total_ns
    # The files hold about three percent a sample; over time the samples weigh by their distance.
    assert held_mean == pytest.approx(sum(samples) / len(samples) / 100, rel=0.35)
    assert max(samples) == 100


@pytest.mark.parametrize("direction", ["up", "down"])
def test_starlink_carries_what_its_rows_say(direction):
    path = TRACES / "starlink" / "throughput_1hz.csv"
    track = load_track(open_trace(path), direction)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    column = "ul_mbps" if direction == "up" else "dl_mbps"
    times = [datetime.fromisoformat(row["timestamp_utc"]) for row in rows]
    megabits = sum(
        float(row[column]) * (end - start).total_seconds()
        for row, start, end in zip(rows, times, times[1:], strict=False)
    )
    last = int((times[-1] - times[0]).total_seconds() * 1000) * MS
    assert track.steps.work(last) / SECOND / 10**6 == pytest.approx(megabits, rel=1e-9)
    octets = int(megabits * 10**6 / 8)
    assert StepCapacity(track.steps).finish_ns(0, octets) <= last + MS
    assert StepCapacity(track.steps, repeat="stop").finish_ns(0, octets * 2) is None


def test_every_recording_can_be_read_both_as_figures_and_as_a_link():
    files = [p for p in TRACES.glob("*/*") if p.suffix != ".md" and p.name != "LICENSE"]
    assert len(files) > 50
    for path in files:
        source = open_trace(path)
        track, figures = load_track(source, "down"), measure(source, "down")
        assert track.period_ns == figures.duration_ns
        if track.steps is not None:
            mean = track.steps.total / track.period_ns
            assert figures.rate.mean == pytest.approx(mean, rel=1e-9)


def test_outages_of_ten_seconds_and_more_are_in_the_recordings():
    longest = max(
        measure(open_trace(path), "up").outage_ns_max for path in (TRACES / "mahimahi").glob("*.*p")
    )
    assert longest > 10 * SECOND


TINY = """
simedge: 1
name: tiny
duration: 150 s
sensors: {kind: digits, size: 10, rate: 4 Hz, proxy: {blocks: 4, rows: 4}}
devices: [{id: cam, count: 2}]
links: {default: {profile: lte, loss: {kind: none}}}
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
evaluate: {every: 10 s, items: 20}
"""


def test_a_recorded_outage_of_a_minute_starves_devices_and_costs_them_nothing():
    path = TRACES / "starlink" / "throughput_1hz.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    first = datetime.fromisoformat(rows[0]["timestamp_utc"])
    times = [(datetime.fromisoformat(row["timestamp_utc"]) - first).total_seconds() for row in rows]
    dead = [float(row["ul_mbps"]) == 0 for row in rows]
    edges = [at for at, here, last in zip(times[1:], dead[1:], dead, strict=False) if here != last]
    start, end = max(zip(edges[::2], edges[1::2], strict=False), key=lambda ends: ends[1] - ends[0])
    assert not dead[0]  # so that the edges come in pairs of start and end
    begin = int(start) - 20  # at the start of the run
    gone, back = start + 1 - begin, end - begin
    assert back - gone > 50
    scenario = Scenario.parse(TINY)
    calm = simulate(scenario)
    cut = simulate(
        scenario.vary({"links.default.trace": {"file": str(path), "phase": f"{begin} s"}})
    )

    def at_s(kind, target):
        return [
            r.at / SECOND for r in cut.records if r.kind == kind and r.target.startswith(target)
        ]

    tokens = at_s("received", "server")
    assert not [at for at in tokens if gone < at < back]
    assert len([at for at in tokens if back <= at < back + 1]) > 50  # all that waited
    for name in ("frames_learned", "tokens_sent", "tokens_accepted"):
        assert cut.summary["counts"][name] == calm.summary["counts"][name]
    ages = [(s.at_ns / SECOND, s.value) for s in cut.samples if s.metric == "prior_age_s"]
    assert not [at for at, _ in ages if gone + 8 < at < back]
    assert max(age for at, age in ages if back <= at < back + 5) < 75
    assert max(age for at, age in ages if at > back + 20) < 10
    assert cut.summary["information_age_s"]["p99"] > 50
    assert calm.summary["information_age_s"]["p99"] < 15
    assert cut.summary["robustness"] == calm.summary["robustness"]
    assert cut.summary["invariants"]["broken"] == []
    final = calm.summary["accuracy"]["final"]
    assert cut.summary["accuracy"]["final"] == pytest.approx(final, abs=0.1)
