"""What the catalogue says of rules is what the code does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from learners import CIRCUIT, NOTHING, SPIKING, frame_of, grown

from simedge.learning.continual.subspaces import LowTrace
from simedge.learning.own import OwnLearner
from simedge.learning.rules import catalogue
from simedge.learning.rules.bptt import Bptt
from simedge.learning.rules.catalogue import RULES, against, kept, measured, resolve
from simedge.learning.rules.e_prop import EProp
from simedge.learning.rules.eligibility import Neuron, Synapses
from simedge.learning.rules.lazy_stack import heard_of
from simedge.learning.rules.ledger import Ledger
from simedge.learning.rules.published import figures
from simedge.learning.rules.s_tllr import lazy_s_tllr, s_tllr
from simedge.learning.rules.stack import Readout, Stack
from simedge.learning.rules.tess import lazy_tess, tess

ROOT = Path(__file__).parents[3]
NAMES = [rule.name for rule in RULES]
Y = np.array([0.0, 1.0, 0.0])


def named(silence):
    return {rule.name for rule in RULES if rule.silence == silence}


def stack(seed=3):
    words = np.random.Generator(np.random.Philox(seed))
    layer = Synapses(weights=words.normal(size=(6, 4)))
    readout = Readout(weights=words.normal(size=(3, 6)), bias=np.zeros(3))
    return Stack(layers=[layer], readout=readout, neuron=Neuron())


FEEDBACK = [np.random.Generator(np.random.Philox(5)).normal(size=(3, 6))]


def test_every_rule_has_one_row_and_an_implementation():
    assert len(set(NAMES)) == len(NAMES)
    for rule in RULES:
        assert all(callable(resolve(place)) for place in rule.code)


def test_deep_nets_of_a_rule_are_references_and_all_references_have_a_row():
    pytest.importorskip("torch", reason="the references need torch: pip install simedge[deep]")
    from simedge.learning.deep.references.settings import RULES as REFERENCES

    assert {rule.name for rule in RULES if rule.torch == "deep nets"} == set(REFERENCES)


def test_no_implementation_in_the_catalogue_loads_torch():
    code = (
        "import sys; from simedge.learning.rules.catalogue import RULES, resolve; "
        "[resolve(place) for rule in RULES for place in rule.code]; "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 -- our own code
    assert done.returncode == 0


def test_every_rule_of_a_scenario_has_a_row():
    assert set(kinds("rule")) - {"delta"} <= set(NAMES)
    assert set(kinds("continual")) <= set(NAMES)


def kinds(part):
    """Return the kinds that a scenario's learner may name."""
    schema = json.loads((ROOT / "topologies/scenario.schema.json").read_text(encoding="utf-8"))
    owners = [schema, *schema["$defs"].values()]
    parts = [one["properties"][part] for one in owners if part in one.get("properties", {})]
    return [kind for node in parts for kind in named_in(node, schema)]


def named_in(node, schema):
    text = json.dumps(node)
    places = {name for name in schema["$defs"] if f'"#/$defs/{name}"' in text}
    held = [schema["$defs"][name]["properties"].get("kind", {}) for name in sorted(places)]
    return [name for kind in held for name in kind.get("enum", [kind.get("const")]) if name]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.run], ids=lambda rule: rule.name)
def test_a_rule_that_runs_is_a_setting_or_a_learner(rule):
    place, _, kind = rule.run.partition(".kind: ")
    if kind:
        part = place.rpartition(".")[2]
        assert kind in kinds(part)
    else:
        assert issubclass(resolve(rule.run), OwnLearner)


SPIKING_LEARNERS = {"hebbian-stdp": SPIKING, "three-factor": CIRCUIT}


@pytest.mark.parametrize("name", sorted(named("free")))
def test_silence_that_is_free_costs_nothing_and_changes_nothing(name):
    learner = grown(SPIKING_LEARNERS[name])
    work = learner.learn(NOTHING)
    assert work.advance().sum() == 0
    work.commit()
    done = work.counts
    hidden = (done.spikes, done.synaptic_events, done.neuron_updates, done.trace_touches)
    assert (*hidden, done.plasticity_updates) == (0,) * 5
    work = learner.learn(frame_of(1))
    assert work.advance().sum() > 0


LAZY = {
    "tess": (lambda n: lazy_tess(stack(), ticks=n), lambda: tess(stack())),
    "s-tllr-dfa": (
        lambda n: lazy_s_tllr(stack(), feedback=FEEDBACK, ticks=n),
        lambda: s_tllr(stack(), signal="dfa", feedback=FEEDBACK),
    ),
    "s-tllr-sdfa": (
        lambda n: lazy_s_tllr(stack(), feedback=FEEDBACK, ticks=n, signal="signed-dfa"),
        lambda: s_tllr(stack(), signal="signed-dfa", feedback=FEEDBACK),
    ),
}


@pytest.mark.parametrize("name", sorted(named("closed form")))
def test_a_closed_form_executes_no_silence_and_learns_the_same(name):
    lazy, clocked = LAZY[name]
    ticks = 30
    rule = lazy(ticks)
    rule.learn(heard_of(np.array([2]), np.array([1]), count=ticks), Y)
    arrivals = np.zeros((ticks, 4))
    arrivals[2, 1] = 1.0
    known = clocked().run(arrivals, Y).layers[0].weights
    assert rule.executed < ticks // 2
    assert np.abs(known).max() > 1e-3
    assert rule.layers(rule.gradient)[0].weights == pytest.approx(known, abs=1e-10)


def bptt_work(ticks):
    Bptt(stack=stack()).run(np.zeros((ticks, 4)), Y, ledger := Ledger())
    return ledger.mac


def e_prop_work(ticks):
    EProp(stack=stack()).run(np.zeros((ticks, 4)), Y, ledger := Ledger())
    return ledger.mac


def s_tllr_work(ticks):
    rule = s_tllr(stack())
    rule.run(np.zeros((ticks, 4)), Y)
    return rule.ledger.mac


CLOCKED = {"bptt": bptt_work, "e-prop": e_prop_work, "s-tllr": s_tllr_work}


@pytest.mark.parametrize("name", sorted(named("every tick")))
def test_what_executes_every_tick_pays_for_silence(name):
    assert CLOCKED[name](20) == 2 * CLOCKED[name](10) > 0


def test_what_goes_round_a_rule_has_traces_that_silence_does_not_touch():
    assert named("as the host") == {"code-cl", "lance"}
    trace = LowTrace(np.eye(3)[:, :2], 0.5)
    assert not trace.at(1000).any()
    assert trace.tally.macs == 0


def test_orders_of_memory_are_those_of_the_formulas(monkeypatch):
    """Twice the ticks: only O(T·n) holds more. Twice the neurons: O(n) twice as much, O(S) four."""
    known = {rule.name: catalogue.cost(rule.name) for rule in RULES}
    assert {n for n, one in known.items() if one is None} == named("free") | named("as the host")
    orders = {rule.name: rule.memory for rule in RULES}
    monkeypatch.setattr(catalogue, "TICKS", 20)
    grew = {n for n, one in known.items() if one and catalogue.cost(n).words != one.words}
    assert grew == {name for name, order in orders.items() if "T" in order}
    monkeypatch.setattr(catalogue, "WIDTHS", (128, 128, 128, 20))
    for name, one in known.items():
        if one and orders[name] in {"O(n)", "O(S)"}:
            ratio = catalogue.cost(name).words / one.words
            assert ratio == pytest.approx(2 if orders[name] == "O(n)" else 4, rel=0.02)


def test_costs_of_the_net_that_was_measured():
    """By hand: 8,832 synapses, 128 hidden neurons and 10 classes, 10 device ticks."""
    macs = {rule.name: one.macs for rule in RULES if (one := catalogue.cost(rule.name))}
    assert macs["bptt"] == 20 * 8832
    assert macs["s-tllr"] == 30 * 8832
    assert macs["s-tllr-dfa"] == macs["s-tllr-sdfa"] == 20 * 8832 + 10 * 1280
    assert macs["tess"] == 20 * 8832 + 20 * 1280
    assert macs["bp"] == 8832 + (64 * 64 + 640)
    assert macs["dfa"] == 8832 + 1280
    assert [macs[n] - macs["lls"] for n in ("lls", "lls-m", "lls-mxm")] == [0, 20, 600]


def test_what_was_measured_was_measured_of_known_rules_with_every_seed():
    held = measured()
    assert len(held["commit"]) == 40
    wanted = {"net": "mlp", "width": 0.5, "ticks": catalogue.TICKS}
    assert held["settings"] | wanted == held["settings"]
    assert {"digits", "N-MNIST", "sign digits"} == set(held["tasks"])
    for task in held["tasks"].values():
        assert set(task["rules"]) <= set(NAMES)
        for one in task["rules"].values():
            assert len(one["accuracies"]) == len(held["seeds"])
            assert one["tried"] == held["tries"]
            counts = np.array(one["accuracies"]) * task["held_out"]
            assert np.abs(counts - counts.round()).max() < 1e-3
    assert not set(held["seeds"]) & set(held["tuning_seeds"])


def row(*accuracies, **more):
    return {"accuracies": accuracies, **more}


FABRICATED = {
    "tasks": {
        "spikes": {"rules": {"bptt": row(0.9, 0.8), "tess": row(0.7, 0.8), "bp": row(1.0, 1.0)}},
        "frames": {"rules": {"bp": row(0.9, 0.8), "lls": row(0.9, 0.9, untrained=[0.1, 0.2])}},
    },
    "five_tasks": {
        "streams": {
            "classes": {
                "plain": {"accuracy": [0.8, 0.6], "forgetting": [0.2, 0.4]},
                "lance": {"accuracy": [0.9, 0.9], "forgetting": [0.0, 0.06]},
            }
        }
    },
}


def test_gaps_are_to_bptt_or_to_bp_where_there_are_frames_alone():
    tess, bp, lls = (
        against(FABRICATED, *place)
        for place in (("spikes", "tess"), ("spikes", "bp"), ("frames", "lls"))
    )
    assert tess.points == pytest.approx(-10)
    assert bp.points == pytest.approx(15)
    assert lls.points == pytest.approx(5)
    assert lls.own_circuit
    assert not tess.own_circuit
    assert against(FABRICATED, "spikes", "bptt").points is None
    assert against(FABRICATED, "frames", "bp").points is None
    assert against(FABRICATED, "frames", "tess") is None


def test_what_protects_tasks_is_held_against_plain_training():
    found = kept(FABRICATED, "classes", "lance")
    assert found.accuracy == pytest.approx(0.9)
    assert found.of_plain == pytest.approx(0.1)
    assert kept(FABRICATED, "classes", "plain").of_plain == 1.0
    assert kept(FABRICATED, "classes", "bptt") is None


def test_the_page_of_references_tells_the_same_figures():
    page = (ROOT / "docs/references.md").read_text(encoding="utf-8")
    held = measured()
    for task, one in held["tasks"].items():
        part = page.partition(f"### {task}:")[2].partition("###")[0]
        for name in one["rules"]:
            gap = against(held, task, name)
            row = next(line for line in part.splitlines() if line.startswith(f"| {name} |"))
            assert f"| {100 * gap.mean:.1f} ± {100 * gap.spread:.1f} |" in row


def test_figures_of_papers_agree_but_for_those_that_are_known_not_to():
    found = figures()
    differing = {(f.paper, f.formula) for f in found if f.verdict == "differs"}
    assert differing == {
        ("LLS", "Σ_(l≥2) MAC_l/(2·C·Σ m_l)"),
        ("LLS", "Σ n_l/max(n_(l-1) + n_l)"),
        ("TESS", "2·C·T·Σ m_l, the rule as written"),
        ("TESS", "the rule as written"),
    }
    fits = [f for f in found if f.verdict == "agrees, by a fit"]
    assert len(fits) == 2 + 4 + 12
    through = [f.shown for f in found if f.what.startswith("10⁶ MACs of BPTT")]
    assert through == ["13,589.59", "12,079.69", "3,623.90", "3,624.18"]
