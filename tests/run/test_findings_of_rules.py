"""What is said of keys and kinds of learners that differ by their rule."""

import pytest

from simedge.run.problems import ScenarioError
from simedge.run.scenario import Scenario

BARE = """
simedge: 1
name: tiny
duration: 1 s
sensors: {kind: silent}
devices: [{id: cam, count: 1}]
protocol: {kind: isolated}
"""


@pytest.mark.parametrize(
    ("learner", "said", "unsaid"),
    [
        ("{kind: spiking, rule: {kind: tesss}}", "did you mean 'tess'?", "(known"),
        ("{kind: spiking, rule: {kind: zz}}", "lls-mxm, s-tllr, tess, three-factor", "did you"),
        ("{kind: spiking, rule: {kind: tess}, layers: []}", "known: gain, hidden", "did you"),
        (
            "{kind: spiking, rule: {kind: lls}, neuron: {pre_decay: 0.5}}",
            "known: leak, threshold",
            "did you",
        ),
        (
            "{kind: spiking, rule: {kind: s-tllr, squash: softmax}}",
            "known: batch, first_active",
            "a_plus",
        ),
    ],
)
def test_what_is_known_is_what_the_rule_that_is_named_knows(learner, said, unsaid):
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(f"{BARE}learner: {learner}\n")
    (problem,) = caught.value.problems
    assert said in problem.message
    assert unsaid not in problem.message
