"""Runs over traces: an outage starves devices and harms nothing that they hold."""

import importlib.util
from pathlib import Path

import pytest

import simedge
from simedge.core.streams import Streams
from simedge.run.errors import BuildError
from simedge.run.problems import ScenarioError
from simedge.run.recording import write_run
from simedge.run.scenario import Scenario
from simedge.world.link_settings import TraceSettings
from simedge.world.traces.door import TraceDoor
from simedge.world.traces.rows import TraceError
from simedge.world.traces.source import bundled, open_trace

ROOT = Path(__file__).parents[2]
SECOND = 10**9
TINY = """
simedge: 1
name: tiny
duration: 60 s
sensors: {kind: digits, size: 10, rate: 4 Hz, proxy: {blocks: 4, rows: 4}}
devices: [{id: cam, count: 2}]
links: {default: {profile: lte, loss: {kind: none}}}
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
evaluate: {every: 10 s, items: 20}
"""
LOSSY = {"kind": "bernoulli", "mean": "20%"}
OUTAGE = "t_s,rate_bps\n0,1000000\n15,0\n45,1000000\n"


@pytest.fixture
def traced(tmp_path):
    def scenario(text, **settings):
        file = tmp_path / "trace.csv"
        file.write_text(text)
        return Scenario.parse(TINY).vary(
            {"links.default.trace": {"file": str(file), "repeat": "hold", **settings}}
        )

    return scenario


def test_an_outage_starves_devices_and_they_recover_without_loss_of_state(traced):
    whole = simedge.simulate(Scenario.parse(TINY))
    cut = simedge.simulate(traced(OUTAGE))
    received = [r.at / SECOND for r in cut.records if r.kind == "received"]
    assert not [at for at in received if 16 < at < 45]
    assert len([at for at in received if at >= 45]) > 20
    assert cut.summary["robustness"] == whole.summary["robustness"]
    assert cut.summary["counts"]["frames_learned"] == whole.summary["counts"]["frames_learned"]
    assert cut.summary["latency_ms"]["token"]["p99"] > 25_000
    assert cut.summary["information_age_s"]["p99"] > 25
    assert whole.summary["information_age_s"]["p99"] < 15
    assert cut.summary["invariants"]["broken"] == []
    final = whole.summary["accuracy"]["final"]
    assert cut.summary["accuracy"]["final"] == pytest.approx(final, abs=0.15)


def test_before_the_outage_nothing_tells_that_it_comes(traced):
    calm = simedge.simulate(traced("t_s,rate_bps\n0,1000000\n15,1000000\n45,1000000\n"))
    cut = simedge.simulate(traced(OUTAGE))

    def early(run):
        return [record for record in run.records if record.at < 15 * SECOND]

    assert early(calm) == early(cut)
    assert early(cut)


def test_what_a_trace_stops_under_is_lost_with_that_cause(traced):
    run = simedge.simulate(traced("t_s,rate_bps\n0,1000000\n15,1000000\n", repeat="stop"))
    causes = {r.detail for r in run.records if r.kind == "lost" and r.at > 30 * SECOND}
    assert "trace_end" in causes
    assert run.summary["invariants"]["broken"] == []


def test_a_traced_run_comes_again(traced):
    scenario = traced(OUTAGE, phase="random", repeat="wrap")
    hashes = {simedge.simulate(scenario).summary["log_sha256"] for _ in range(2)}
    assert len(hashes) == 1


def test_each_device_has_a_phase_of_its_own_and_its_directions_share_it():
    door = TraceDoor(Streams(3))

    def end(device, direction):
        settings = TraceSettings(file="synthetic-5g-drive", phase="random", direction=direction)
        return door(settings, device, 1).delay_ns

    delays = {
        device: [[end(device, way)(s * SECOND) for s in range(60)] for way in ("up", "down")]
        for device in ("cam-1", "cam-2")
    }
    assert delays["cam-1"][0] == delays["cam-1"][1]
    assert delays["cam-1"] != delays["cam-2"]


def test_a_given_phase_is_where_the_trace_begins():
    door = TraceDoor(Streams(3))
    asked = TraceSettings(file="synthetic-5g-drive", phase="100 s", direction="up")
    plain = TraceSettings(file="synthetic-5g-drive", direction="up")
    shifted, own = door(asked, "cam-1", 1), door(plain, "cam-1", 1)
    assert shifted.delay_ns(5 * SECOND) == own.delay_ns(105 * SECOND)
    begin, end = 100 * SECOND, own.finish_ns(100 * SECOND, 10**7)
    assert shifted.finish_ns(0, 10**7) == end - begin


@pytest.mark.parametrize(
    ("text", "settings", "what"),
    [
        ("t_s,rate_bps\n0,0\n5,0\n", {"repeat": "wrap"}, "cannot wrap"),
        ("0\n5\n", {"repeat": "hold"}, "no last rate to hold"),
        ("5\n3\n", {"repeat": "wrap"}, "the times are not sorted"),
        ("t_s,up_bps\n0,5\n", {}, "nothing for the direction down"),
        ("t_s,rate_bps\n0,5\n", {"mode": "uid"}, "mode uid needs recorded messages"),
        ("t_s,rate_bps\n0,5\n", {"file": "nowhere"}, "no such trace"),
    ],
)
def test_a_trace_that_does_not_fit_is_said_before_the_run(traced, text, settings, what):
    with pytest.raises((BuildError, ScenarioError), match=what):
        simedge.simulate(traced(text, **settings))


def test_a_link_without_a_direction_is_refused():
    with pytest.raises(TraceError, match="one direction"):
        TraceDoor(Streams(1))(TraceSettings(file="synthetic-lte"), "cam-1", 1)


def test_the_bundled_traces_are_what_the_script_makes(tmp_path):
    spec = importlib.util.spec_from_file_location("make", ROOT / "benchmarks" / "make_traces.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        p.name: p.read_bytes() for p in bundled().values()
    }


def test_the_bundled_traces_are_small_and_named_as_synthetic():
    assert len(bundled()) >= 4
    assert sum(path.stat().st_size for path in bundled().values()) < 200_000
    for name, path in bundled().items():
        assert name.startswith("synthetic-")
        assert path.read_text().startswith("# synthetic, no recording")
        assert len(list(open_trace(name).rows())) >= 600


def test_what_is_under_way_at_the_end_of_a_run_is_recorded_as_that_and_not_as_lost(tmp_path):
    slow = {"duration": "4100 ms", "links.default.delay": "700 ms", "links.default.loss": LOSSY}
    scenario = Scenario.parse(TINY).vary(slow)
    ran = simedge.simulate(scenario, out=tmp_path / "run")
    counts = ran.summary["communication"]["datagrams"]
    assert counts["in_flight"] > 0 < counts["lost"]
    with (tmp_path / "live.csv").open("w") as file:
        write_run(tmp_path / "run", file)
    lines = (tmp_path / "live.csv").read_text().splitlines()[2:]
    ends = [line.rsplit(",", 1)[1] for line in lines]
    assert ends.count("lost") == counts["lost"]
    assert ends.count("under way") == counts["in_flight"]
    trace = {"file": str(tmp_path / "live.csv"), "mode": "uid"}
    again = simedge.simulate(scenario.vary({"links.default.trace": trace}))
    assert again.summary["communication"]["datagrams"] == counts
