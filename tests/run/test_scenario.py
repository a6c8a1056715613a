"""Laws of scenarios: written and read they are equal; changes are checked like a file."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simedge
from simedge.run.bundled import find, names
from simedge.run.overrides import Override, OverrideError, apply, from_text
from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario, load, read
from simedge.run.schema import schema_text
from simedge.world.loss_settings import BernoulliLoss

SMALL = """\
simedge: 1
name: small
duration: 20 s
sensors: {kind: digits}
devices: [{id: cam, count: 2}, {id: box}]
links:
  default: {profile: lte, loss: {kind: gilbert-elliott, mean: 10%, burst: 200 ms}}
learner: {kind: linear}
protocol: {kind: elal, interval: 16, sharpen: 2}
faults:
  - {kind: crash, name: night, devices: 1, at: 5 s}
"""


@pytest.fixture(scope="module")
def small() -> Scenario:
    return Scenario.parse(SMALL)


@pytest.mark.parametrize("name", ["k20_lossy", "k20_silent", "k5_star_clean", "two_devices"])
def test_a_bundled_scenario_written_and_read_is_equal(name: str) -> None:
    scenario = load(name)
    again = Scenario.parse(scenario.dump())
    assert again == scenario
    assert again.run_name == scenario.run_name
    assert again.dump() == scenario.dump()


def test_bundled_scenarios_are_found_by_name_and_by_their_usual_path() -> None:
    assert set(names()) >= {"k20_lossy", "k20_silent", "k5_star_clean", "two_devices"}
    assert find("two_devices").samefile(find(Path("topologies/two_devices.yaml")))
    assert find("topologies/two_devices.yaml").name == "two_devices.yaml"


def test_bundled_scenarios_are_found_from_anywhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("topologies/k20_lossy.yaml").exists()
    assert load("k20_lossy").name == "k20_lossy"


def test_every_bundled_scenario_opens_with_its_schema_and_is_named_after_its_file() -> None:
    for name in names():
        first = find(name).read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=scenario.schema.json"
        if name != "wearables":  # its recordings are not part of the package
            assert load(name).name == name


@pytest.mark.skipif("SIMEDGE_DATA" not in os.environ, reason="SIMEDGE_DATA names no recordings")
def test_the_scenario_of_wearables_is_whole_once_its_recordings_are_there() -> None:
    root = Path(os.environ["SIMEDGE_DATA"]) / "biosignals" / "BasicMotions"
    asked = Override(path="sensors.root", value=str(root), label="test")
    assert read("wearables", overrides=[asked]).scenario.name == "wearables"


def test_the_scenario_of_wearables_says_what_it_lacks() -> None:
    with pytest.raises(ScenarioError, match=r"BasicMotions: no such folder"):
        load("wearables")


def test_the_committed_schema_is_current() -> None:
    committed = Path(__file__).parents[2] / "topologies" / "scenario.schema.json"
    assert committed.read_text() == schema_text(), "run: simedge schema > " + str(committed)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**63 - 1),
    mean=st.fractions(0, 1, max_denominator=10**6),
    burst=st.integers(10_000, 10**12),
    about=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
def test_any_values_written_and_read_are_equal(
    seed: int, mean: Fraction, burst: int, about: str
) -> None:
    varied = Scenario.parse(SMALL).vary(
        {
            "seed": seed,
            "about": about,
            "links.default.loss.mean": mean,
            "links.default.loss.burst": f"{burst} ns",
        }
    )
    again = Scenario.parse(varied.dump())
    assert again == varied
    assert again.seed == seed
    assert again.about == about
    loss = again.links.default.loss
    assert loss is not None
    assert (loss.mean, loss.burst) == (mean, burst)


def test_varying_leaves_the_scenario_itself_and_everything_else_as_it_was(small) -> None:
    before = small.dump()
    worse = small.vary({"links.default.loss.mean": "20%"})
    assert small.dump() == before
    assert worse.links.default.loss.mean == Fraction(1, 5)
    assert worse.vary({"links.default.loss.mean": "10%"}) == small


def test_the_hash_names_the_resolved_scenario(small) -> None:
    assert small.hash8 != small.vary({"seed": 2}).hash8
    assert small.hash8 == small.vary({"protocol.sharpen": 2.0, "target": "4/5"}).hash8
    assert small.run_name == f"small-s1-{small.hash8}"
    assert len(small.hash8) == 8


def test_what_was_left_to_defaults_follows_a_new_kind(small) -> None:
    """A profile's figures are not frozen into the scenario that names it."""
    other = small.vary({"links.default.profile": "ethernet"})
    assert other.links.default.up is None


def test_list_items_are_named_by_id_name_or_position(small) -> None:
    varied = small.vary(
        {"devices[box].memory": "1 GiB", "devices[0].count": 3, "faults[night].at": "6 s"}
    )
    assert [group.memory for group in varied.devices] == [2**29, 2**30]
    assert varied.devices[0].count == 3
    assert varied.faults[0].at == 6 * 10**9


def test_a_new_kind_keeps_the_keys_that_it_knows_and_says_which_go(small) -> None:
    varied = small.vary({"links.default.loss.kind": "bernoulli"})
    assert varied.links.default.loss == BernoulliLoss(kind="bernoulli", mean=Fraction(1, 10))
    loaded = read("k20_lossy", overrides=[from_text("protocol.kind=isolated")])
    assert loaded.scenario.protocol.kind == "isolated"
    assert loaded.scenario.protocol.interval == 16
    assert "protocol.kl_blocks: dropped, the new kind has no such key" in loaded.notes
    assert not any("interval" in note for note in loaded.notes)


def test_a_model_that_hardly_comes_down_is_a_note() -> None:
    short = [Override(path="protocol", value={"kind": "centralised", "serve": "device"}, label="x")]
    enough = [Override(path="protocol.serve_every", value=1, label="x")]
    (note,) = read("two_devices", overrides=short).notes
    assert "the model comes down" in note
    assert not read("two_devices", overrides=[*short, *enough]).notes


def test_a_key_that_goes_with_its_kind_is_dropped_at_any_depth() -> None:
    loaded = read("two_devices", overrides=[from_text("learner.kind=linear")])
    assert loaded.scenario.learner.kind == "linear"
    assert {note.split(":")[0] for note in loaded.notes} == {"learner.layers", "learner.rule"}


def test_a_key_set_together_with_a_kind_that_does_not_know_it_is_an_error(small) -> None:
    with pytest.raises(ScenarioError, match=r"vary protocol\.quorum: unknown key"):
        small.vary({"protocol.kind": "isolated", "protocol.quorum": 2})


def test_every_bad_change_is_reported_with_the_problems_of_the_file() -> None:
    asked = [from_text("sed=3"), from_text("devices[cm].count=1"), from_text("duration=5")]
    with pytest.raises(ScenarioError) as caught:
        read("two_devices", overrides=asked)
    assert [p.line() for p in caught.value.problems] == [
        "--set devices[cm].count: no item [cm] (did you mean 'cam'?)",
        "--set duration: a duration needs a unit (ns, µs, us, ms, s, min, h, d), got 5",
        "--set sed: unknown key (did you mean 'seed'?)",
    ]


def test_a_change_inside_a_value_that_was_set_names_both() -> None:
    asked = [from_text("protocol={kind: elal, intervall: 3}")]
    with pytest.raises(ScenarioError, match=r"--set protocol: protocol\.intervall: unknown key"):
        read("two_devices", overrides=asked)


def test_changes_may_fill_what_the_file_leaves_out() -> None:
    asked = [from_text("evaluate.items=7"), from_text("kernel.volleys=stepped")]
    scenario = read("two_devices", overrides=asked).scenario
    assert (scenario.evaluate.items, scenario.kernel.volleys) == (7, "stepped")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=5", 5),
        ("a=20 ms", "20 ms"),
        ("a= {b: [1, x]}", {"b": [1, "x"]}),
        ("a=", None),
        ("a=~", None),
        ("a=b=c", "b=c"),
    ],
)
def test_the_value_of_a_change_is_yaml(text: str, value: object) -> None:
    assert from_text(text).value == value


@pytest.mark.parametrize("text", ["a", "=1", " =1", "a={b: 1, b: 2}"])
def test_a_change_without_path_or_with_a_broken_value_is_refused(text: str) -> None:
    with pytest.raises(OverrideError):
        from_text(text)


def test_a_change_whose_value_is_no_yaml_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"--set a:1:"):
        from_text("a=[1, 2")


@pytest.mark.parametrize(
    "path", [".a", "a..b", "a.", "[0]", "a[", "a[]", "a]b", "a b", "a[0]b", "", "a[x].", "a[[x]]"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(OverrideError, match="not a path"):
        apply({"a": [1]}, Override(path=path, value=1, label="change"))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("name.x", "nothing has a key 'x'"),
        ("seed.x", r"vary seed\.x: seed: must be a whole number, got a mapping"),
        ("devices.count", r"name an item as in devices\[cam\]"),
        ("name[0]", "there is no list"),
        ("devices[9].count", "there are 2 items|did you mean"),
        ("devices[zzz].count", "no item"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(small, path: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        small.vary({path: 1})


def test_a_value_that_yaml_could_not_say_is_refused(small) -> None:
    with pytest.raises(ScenarioError, match="object is no plain data"):
        small.vary({"about": object()})


def test_a_model_that_does_not_fit_is_refused_with_every_term(small) -> None:
    with pytest.raises(ScenarioError, match=r"devices\[cam\]\.memory: .* must hold .*runtime"):
        small.vary({"devices[cam].memory": "64 MiB"})


def test_a_kernel_larger_than_its_input_is_refused(small) -> None:
    with pytest.raises(ScenarioError, match="learner"):
        small.vary({"learner": {"kind": "spiking", "layers": [{"kernel": 40}]}})


def test_a_device_beyond_all_paths_is_named() -> None:
    text = SMALL.replace("count: 2", "count: 12") + (
        "topology: {kind: small-world, neighbours: 2, rewire: 100%, uplinks: 1}\n"
    )
    cut_off = []
    for seed in range(1, 41):
        try:
            Scenario.parse(text + f"seed: {seed}\n")
        except ScenarioError as error:
            cut_off.append(error.problems[0].message)
    assert 0 < len(cut_off) < 40, "some graphs hold together, some do not"
    assert all(text.startswith("no path from ") and "unreachable" in text for text in cut_off)


def test_public_names_are_there_and_no_others() -> None:
    for name in set(simedge.__all__) - {"__version__"}:
        assert getattr(simedge, name).__name__ == name
    with pytest.raises(AttributeError, match="simulat"):
        _ = simedge.simulat


def test_reading_a_scenario_loads_neither_numpy_nor_a_kernel() -> None:
    code = (
        "import sys, simedge; simedge.load('k20_lossy');"
        "print([m for m in ('numpy', 'numba', 'simpy', 'networkx', 'torch') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ours
    assert done.stdout.strip() == "[]"
