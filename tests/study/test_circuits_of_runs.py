"""Laws of spikes and weights kept beside a run: nothing changes, nothing is lost, all is drawn."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simedge
from simedge.run.errors import RunDirectoryError
from simedge.run.problems import ScenarioError
from simedge.run.raster import RASTER, read_raster
from simedge.study.report.charts import pictures
from simedge.study.report.circuits import circuit_pictures, raster_rows, weight_rows
from simedge.study.report.runs import read_run
from simedge.study.report.write import report

_SMALL = {
    "duration": "2 s",
    "sensors.size": 8,
    "sensors.proxy": {"blocks": 1, "rows": 4},
    "devices": [{"id": "cam", "count": 2, "compute": "cpu-small", "memory": "512 MiB"}],
    "learner.layers": [
        {"kind": "microcircuit", "neurons": 20, "inputs": {"kind": "random", "density": "50%"}}
    ],
    "protocol": {"kind": "isolated"},
    "evaluate.items": 4,
}
_RASTER = {"record.raster": {"devices": ["cam-1", "cam-2"], "for": "2 s"}}


@pytest.fixture(scope="module")
def scenario():
    return simedge.load("event_camera").vary(_SMALL)


@pytest.fixture(scope="module")
def kept(scenario, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "kept"
    simedge.simulate(scenario.vary(_RASTER), out=path)
    return path


def test_listening_changes_nothing(scenario, kept):
    told = json.loads((kept / "summary.json").read_bytes())
    plain = simedge.simulate(scenario).summary
    assert {**plain, "wall_s": 0} == {**told, "wall_s": 0}


def test_every_spike_of_a_learned_frame_is_kept(kept):
    told = json.loads((kept / "summary.json").read_bytes())["counts"]
    circuits = read_raster(kept)
    fired = sum(
        ticks.size
        for circuit in circuits
        for shown in circuit.shown
        for name, (ticks, _) in shown.spikes.items()
        if name != "inputs"
    )
    assert fired == told["spikes"] > 0
    assert sum(len(circuit.shown) for circuit in circuits) == told["frames_learned"]


def test_a_span_keeps_what_starts_in_it(scenario, tmp_path):
    span = {"record.raster": {"devices": ["cam-2"], "at": "500 ms", "for": "1 s"}}
    simedge.simulate(scenario.vary(span), out=tmp_path / "span")
    (circuit,) = read_raster(tmp_path / "span")
    assert circuit.device == "cam-2"
    assert [shown.start_ns for shown in circuit.shown] == list(
        range(500_000_000, 1_500_000_000, 125_000_000)
    )


def test_what_is_drawn_is_what_was_kept(kept):
    for circuit in read_raster(kept):
        for name, size in circuit.sizes.items():
            rows = raster_rows(circuit, name, circuit.shown)
            assert len(rows) == sum(shown.spikes[name][0].size for shown in circuit.shown)
            assert all(0 <= row["n"] < size and 0 <= row["t"] < 2 for row in rows)
        for wires in circuit.wires:
            rows = weight_rows(wires)
            assert sum(row["synapses"] for row in rows) == 2 * wires.last.size


def test_a_page_has_a_raster_and_weights_of_each_device(kept):
    run = read_run(kept)
    names = [one.name for one in pictures(run)]
    assert names[-4:] == ["raster-1", "weights-1", "raster-2", "weights-2"]
    told = report([kept], form="md").text
    assert "## Circuits" in told
    assert "| cam-2 | hidden-1 | 20 | 16 |" in told
    (facts,) = json.loads(report([kept], form="json").text)["runs"]
    assert [one["device"] for one in facts["circuits"]] == ["cam-1", "cam-2"]


def test_of_very_many_spikes_the_first_are_drawn(kept):
    (first, *_) = read_raster(kept)
    one = max(first.shown, key=lambda shown: shown.spikes["inputs"][0].size)
    spikes = sum(ticks.size for ticks, _ in one.spikes.values())
    crowded = {"shown": (one,) * (20_000 // spikes + 1)}
    many = type(first)(
        **{name: getattr(first, name) for name in first.__slots__ if name != "shown"}, **crowded
    )
    raster, _ = circuit_pictures([many])
    assert "the first" in raster.about
    assert len(json.dumps(raster.spec)) < 400_000


def test_a_run_that_was_not_asked_keeps_nothing(finished):
    assert not (finished / RASTER).exists()
    assert read_raster(finished) == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"record.raster": {"devices": ["cam-9"]}}, "no device 'cam-9'"),
        ({"record.raster": {"devices": ["cam-1"], "at": "1 h"}}, "over by then"),
        (
            {"learner": {"kind": "linear"}, "record.raster": {"devices": ["cam-1"]}},
            "only recurrent circuits",
        ),
    ],
)
def test_a_raster_of_what_is_not_there_is_refused(scenario, changes, why):
    with pytest.raises(ScenarioError, match=why):
        scenario.vary(changes)


@settings(max_examples=30)
@given(cut=st.integers(0, 200), tail=st.binary(max_size=20))
def test_what_is_no_raster_is_refused_by_name(kept, tmp_path_factory, cut, tail):
    folder = tmp_path_factory.mktemp("broken")
    (folder / RASTER).write_bytes((kept / RASTER).read_bytes()[:cut] + tail)
    with pytest.raises(RunDirectoryError, match=RASTER):
        read_raster(folder)
