"""The policy that learns from every reward: its vectors, its gradient, what a restart leaves."""

import math

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.machine import Note, Sample
from simedge.protocol.online import ReinforceOnline
from simedge.protocol.policy import Fixed, Outlook, open_policy
from simedge.protocol.policy_settings import ReinforceOnlineSettings

STREAM = Streams(7).stream("policy", "cam-1", "noise")
PHI = np.array([[0.2, -0.1, 0.0, 0.2, 0.5], [-0.4, 0.3, 0.1, 0.0, 0.0]])
STATE = np.array([0.8, 0.3, 0.1, 0.05, 1.0])


def opened(layers=2, *, phi=None, baseline=None, **changes):
    policy = ReinforceOnline(
        ReinforceOnlineSettings(kind="reinforce-online", **changes), layers, stream=STREAM
    )
    told = policy.dump() | {"baseline": baseline}
    policy.load(told if phi is None else told | {"phi": plain_of(phi)})
    return policy


def learned_of(policy):
    state = policy.dump()
    return array_of(state["phi"]), array_of(state["log_sigma"]), state["baseline"]


def test_a_decision_and_its_step_are_those_of_the_vector():
    policy = opened(phi=PHI, baseline=-1.0)
    means, logits = np.array([0.64, -0.22]), np.array([0.6, -0.5])
    shares = policy.act(STATE, (logits - means) / 0.5)
    assert shares == pytest.approx((0.6456563062, 0.3775406688), abs=1e-10)
    policy.learn(-0.7)
    phi, log_sigma, baseline = learned_of(policy)
    known = [
        [0.199616, -0.100144, -0.000048, 0.199976, 0.49952],
        [-0.402688, 0.298992, 0.099664, -0.000168, -0.00336],
    ]
    assert phi == pytest.approx(np.array(known), abs=1e-12)
    assert log_sigma - math.log(0.5) == pytest.approx([-0.0029808, -0.0020592], abs=1e-12)
    assert baseline == pytest.approx(-0.97)


def test_the_reward_charges_loss_divergence_and_bits():
    told = Outlook(loss=0.9, kl_reverse=0.24, bits=5_760)
    assert opened().reward(told) == pytest.approx(-1.05)


@given(mean=st.floats(-1.5, 1.5), sigma=st.floats(0.2, 0.9))
@settings(max_examples=20)
def test_the_mean_step_is_the_slope_of_the_expected_reward(mean, sigma):
    """By quadrature: E of the step is the gradient of E of r = -(lambda - 0.7)^2."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()

    def expected(mean, log_sigma):
        shares = 1 / (1 + np.exp(-(mean + np.exp(log_sigma) * nodes)))
        return float(-(weights * (shares - 0.7) ** 2).sum())

    steps = []
    for node in nodes.tolist():
        policy = opened(1, phi=np.array([[0, 0, 0, 0, mean]]), baseline=-0.3, lr=1.0, sigma=sigma)
        state = np.array([0, 0, 0, 0, 1.0])
        (share,) = policy.act(state, np.array([node]))
        reward = -((share - 0.7) ** 2)
        before = policy.dump()
        policy.learn(reward)
        phi, log_sigma, _ = learned_of(policy)
        moved = (reward + 0.3) * (node**2 - 1)
        held = np.clip(math.log(sigma) + moved, math.log(0.05), 0.0)
        assert log_sigma[0] == pytest.approx(held)
        steps.append((phi[0, 4] - array_of(before["phi"])[0, 4], moved))
    found = (weights[:, None] * np.array(steps)).sum(axis=0)
    h, log = 1e-5, math.log(sigma)
    by_mean = (expected(mean + h, log) - expected(mean - h, log)) / (2 * h)
    by_log = (expected(mean, log + h) - expected(mean, log - h)) / (2 * h)
    assert found == pytest.approx([by_mean, by_log], rel=0.03, abs=1e-6)


@given(
    losses=st.lists(st.floats(0.0, 50.0), min_size=2, max_size=30), lr=st.sampled_from([0.01, 50.0])
)
def test_shares_are_shares_and_exploration_keeps_its_bounds(losses, lr):
    policy = opened(3, lr=lr)
    for loss in losses:
        decision = policy.decide(Outlook(loss=loss, srtt_s=loss / 7))
        assert all(0.0 < value < 1.0 for value in decision.values)
        sigma = np.exp(learned_of(policy)[1])
        assert (sigma >= 0.05 - 1e-12).all()
        assert (sigma <= 1 + 1e-12).all()


def test_the_state_is_standardised_by_all_that_was_seen():
    policy, seen, loss = opened(1, lr=0.0), [], None
    for number, told in enumerate((1.0, 3.0, 2.0, 5.0), 1):
        loss = told if loss is None else 0.9 * loss + 0.1 * told
        seen.append((loss, told / 2, 0.5, 0.1 * number))
        policy.decide(Outlook(loss=told, kl_reverse=told / 2, srtt_s=0.5, fail=0.1 * number))
        state = array_of(policy.dump()["drawn"][0])
        columns = np.array(seen)
        width = columns.std(axis=0)
        known = np.where(width > 1e-12, (columns[-1] - columns.mean(axis=0)) / (width + 1e-300), 0)
        assert state == pytest.approx(np.append(known, 1.0), abs=1e-9)


def test_the_first_reward_is_the_baseline_and_takes_no_step():
    policy = opened()
    assert policy.begin() == (0.5, 0.5)
    policy.decide(Outlook(loss=1.0))
    decision = policy.decide(Outlook(loss=4.0))
    phi, log_sigma, baseline = learned_of(policy)
    assert (phi.any(), baseline) == (False, -4.0)
    assert log_sigma == pytest.approx(math.log(0.5))
    rewards = [e for e in decision.effects if isinstance(e, Sample) and not e.labels]
    assert [(e.metric, e.value) for e in rewards] == [("policy_reward", -4.0)]
    assert [e.subject for e in decision.effects if isinstance(e, Note)] == [2]
    policy.decide(Outlook(loss=1.0))
    assert learned_of(policy)[0].any()


@given(cut=st.integers(0, 5))
def test_a_policy_that_is_loaded_goes_on_as_the_one_that_was_dumped(cut):
    one, other = opened(2), opened(2)
    for n in range(cut):
        one.decide(Outlook(loss=1.0 + n))
    other.load(msgpack.unpackb(msgpack.packb(one.dump())))
    for n in range(3):
        assert one.decide(Outlook(loss=2.0 - n)) == other.decide(Outlook(loss=2.0 - n))


def test_a_restart_forgets_the_decision_whose_reward_is_out():
    policy = opened()
    policy.decide(Outlook(loss=1.0))
    before = learned_of(policy)
    policy.begin()
    decision = policy.decide(Outlook(loss=9.0))
    assert not [e for e in decision.effects if isinstance(e, Sample) and not e.labels]
    assert learned_of(policy)[2] == before[2]


def test_without_layers_there_is_nothing_to_choose():
    settings_ = ReinforceOnlineSettings(kind="reinforce-online")
    assert isinstance(open_policy(settings_, 1, classes=10, stream=STREAM), ReinforceOnline)
    none = open_policy(settings_, 0, classes=10, stream=STREAM)
    assert isinstance(none, Fixed)
    assert none.begin() == ()
