"""The policies: exact vectors of REINFORCE, and what a restart leaves of it."""

import math

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.core.streams import Streams, normals
from simedge.protocol.arrays import array_of, plain_of
from simedge.protocol.errors import ProtocolError
from simedge.protocol.machine import Note, Sample
from simedge.protocol.policy import Fixed, Outlook, Reinforce, open_policy
from simedge.protocol.settings import FixedSettings, ReinforceSettings

STREAM = Streams(7).stream("policy", "cam-1", "noise")


STATES = ((0.5, 0.2, 0.1, 0, 1, 1), (0.4, 0.1, 0.1, 0.2, 1, 1))
NOISES = ((1.0, -1.0), (0.5, 0.0))


def outlook(**changes):
    return Outlook(**({"loss": 1.0} | changes))


def learned(*, rewards=(-0.6, -0.5), scale=1.0):
    """Return the policy's state after the two decisions and rewards of the vector."""
    policy = Reinforce(ReinforceSettings(episode=2), 2, classes=10, stream=STREAM)
    for state, noise in zip(STATES, NOISES, strict=True):
        policy.act(np.array(state) * scale, np.array(noise))
    before = policy.dump() | {
        "episodes": 1,
        "baseline": plain_of(np.array([-1.2, -0.4])),
        "rewards": [rewards[0]],
    }
    policy.load(before)
    policy.decide(outlook(loss=-rewards[1]))
    return policy.dump()


def test_actions_are_those_of_the_vector():
    policy = Reinforce(ReinforceSettings(episode=2), 2, classes=10, stream=STREAM)
    shares = [
        policy.act(np.array(state), np.array(noise))
        for state, noise in zip(STATES, NOISES, strict=True)
    ]
    assert shares[0] == pytest.approx((0.622459331, 0.377540669), abs=1e-9)
    assert shares[1] == pytest.approx((0.562176501, 0.5), abs=1e-9)


def test_the_step_is_that_of_the_vector():
    state = learned()
    expected = [
        [0.00275, 0.00125, 0.0005, -0.0005, 0.005, 0.005],
        [-0.00375, -0.0015, -0.00075, 0, -0.0075, -0.0075],
    ]
    phi = array_of(state["phi"])
    assert phi == pytest.approx(np.array(expected), abs=1e-12)
    assert array_of(state["baseline"]) == pytest.approx(np.array([-1.185, -0.41]), abs=1e-12)
    assert np.linalg.norm(phi) / 0.05 == pytest.approx(0.274954542, abs=1e-9)


def test_steps_are_never_longer_than_the_learning_rate():
    phi = array_of(learned(rewards=(1e6, 1e6), scale=1e3)["phi"])
    assert np.linalg.norm(phi) == pytest.approx(0.05)


def test_the_state_is_scaled_and_clipped():
    policy = Reinforce(ReinforceSettings(), 1, classes=10, stream=STREAM)
    seen = policy.state(
        outlook(loss=math.log(10), kl_reverse=100.0, srtt_s=0.25, fail=0.3, has_prior=True)
    )
    assert seen == pytest.approx([1.0, 4.0, 0.25, 0.3, 1.0, 1.0])
    assert policy.state(outlook(loss=1e9, srtt_s=9.0))[[0, 2, 4]].tolist() == [4.0, 4.0, 0.0]


def test_the_reward_charges_loss_divergence_and_bits():
    policy = Reinforce(ReinforceSettings(beta=0.5, gamma=0.1), 1, classes=10, stream=STREAM)
    told = outlook(loss=0.9, kl_reverse=0.24, bits=5_760)
    assert policy.reward(told) == pytest.approx(-1.05)


def test_the_first_episode_sets_the_baseline_and_takes_no_step():
    policy = Reinforce(ReinforceSettings(episode=3, discount=0.5), 2, classes=10, stream=STREAM)
    for loss in (9.0, 1.0, 2.0, 4.0):
        policy.decide(outlook(loss=loss))
    state = policy.dump()
    assert not array_of(state["phi"]).any()
    assert array_of(state["baseline"]) == pytest.approx(np.array([-3.0, -4.0, -4.0]))
    for loss in (1.0, 2.0, 5.0):
        policy.decide(outlook(loss=loss))
    assert array_of(policy.dump()["phi"]).any()


def test_decisions_are_numbered_noted_and_sampled():
    policy = Reinforce(ReinforceSettings(), 2, classes=10, stream=STREAM)
    first, second = policy.decide(outlook()), policy.decide(outlook(loss=2.0))
    assert [e.subject for e in (*first.effects, *second.effects) if isinstance(e, Note)] == [1, 2]
    rewards = [
        e.value for e in second.effects if isinstance(e, Sample) and e.metric == "policy_reward"
    ]
    assert rewards == [-2.0]
    assert [e.value for e in first.effects if isinstance(e, Sample)] == list(first.values)


def test_noise_is_keyed_by_the_number_of_the_decision():
    policy = Reinforce(ReinforceSettings(sigma=1.0), 5, classes=10, stream=STREAM)
    for number in (1, 2):
        shares = policy.decide(outlook()).values
        noise = normals(STREAM.block(2, number))[:5]
        assert shares == pytest.approx(1 / (1 + np.exp(-noise)))


@given(losses=st.lists(st.floats(0, 10), min_size=1, max_size=12), layers=st.integers(1, 3))
def test_a_loaded_policy_goes_on_as_the_dumped_one(losses, layers):
    settings = ReinforceSettings(episode=3)
    policy = Reinforce(settings, layers, classes=4, stream=STREAM)
    for loss in losses:
        values = policy.decide(outlook(loss=loss)).values
        assert all(0 <= value <= 1 for value in values)
        state = policy.dump()
        twin = Reinforce(settings, layers, classes=4, stream=STREAM)
        twin.load(msgpack.unpackb(msgpack.packb(state)))
        assert twin.dump() == state
        policy = twin


def test_a_restart_forgets_only_the_decision_whose_reward_is_out():
    policy = Reinforce(ReinforceSettings(), 2, classes=10, stream=STREAM)
    for _ in range(3):
        policy.decide(outlook())
    assert policy.begin() == (0.5, 0.5)
    state = policy.dump()
    assert (len(state["scores"]), len(state["rewards"]), state["number"]) == (2, 2, 3)
    assert not any(
        isinstance(e, Sample) and e.metric == "policy_reward"
        for e in policy.decide(outlook()).effects
    )


def test_far_shares_stay_within_zero_and_one():
    policy = Reinforce(ReinforceSettings(sigma=1_000.0), 64, classes=10, stream=STREAM)
    values = policy.decide(outlook()).values
    assert min(values) < 1e-9
    assert max(values) > 1 - 1e-9
    assert all(0 <= value <= 1 for value in values)


def opened(settings, layers):
    return open_policy(settings, layers, classes=10, stream=STREAM)


def test_fixed_shares_never_change():
    policy = opened(FixedSettings(**{"lambda": 0.25}), 3)
    assert policy.begin() == (0.25, 0.25, 0.25)
    assert policy.decide(outlook()) is None
    policy.load(policy.dump())
    assert policy.begin() == (0.25, 0.25, 0.25)
    assert opened(FixedSettings(**{"lambda": [0.25, 1.0]}), 2).begin() == (0.25, 1.0)
    with pytest.raises(ProtocolError, match="2 shares for 3 hidden layers"):
        opened(FixedSettings(**{"lambda": [0.25, 1.0]}), 3)


def test_without_hidden_layers_nothing_is_decided():
    assert isinstance(opened(ReinforceSettings(), 1), Reinforce)
    policy = opened(ReinforceSettings(), 0)
    assert isinstance(policy, Fixed)
    assert policy.begin() == ()
