"""The beta policy: known values of psi, a gradient that is one, moments of what is drawn."""

import math

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simedge.core.streams import Streams
from simedge.protocol.beta import BetaShares, digamma
from simedge.protocol.policy import Outlook, Reinforce, open_policy
from simedge.protocol.settings import BetaSettings

STREAM = Streams(7).stream("policy", "cam-1", "noise")
STATE = np.array([0.5, 0.2, 0.1, 0.0, 1.0, 1.0])
PARTS = st.lists(st.floats(-3, 3), min_size=12, max_size=12)
SHARE = st.floats(0.01, 0.99)


@given(st.floats(0.01, 500))
def test_psi_is_the_derivative_of_the_logarithm_of_gamma(x):
    h = 1e-4 * min(x, 1)
    slope = (math.lgamma(x + h) - math.lgamma(x - h)) / (2 * h)
    assert digamma(x) == pytest.approx(slope, rel=1e-5, abs=1e-6)
    assert digamma(x + 1) == pytest.approx(digamma(x) + 1 / x, rel=1e-12, abs=1e-12)


def test_psi_has_its_known_values():
    euler = 0.5772156649015329
    assert digamma(1) == pytest.approx(-euler, abs=1e-13)
    assert digamma(2) == pytest.approx(1 - euler, abs=1e-13)
    assert digamma(0.5) == pytest.approx(-euler - 2 * math.log(2), abs=1e-13)


def log_density(phi, values):
    total = 0.0
    for layer, value in enumerate(values):
        a, b = (1 + math.log1p(math.exp(phi[row] @ STATE)) for row in (layer, layer + len(values)))
        total += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        total += (a - 1) * math.log(value) + (b - 1) * math.log(1 - value)
    return total


@settings(max_examples=40)
@given(PARTS, SHARE)
def test_the_score_is_the_gradient_of_the_log_density(parts, value):
    phi, h = np.array(parts).reshape(2, 6), 1e-5
    score = BetaShares(1, STREAM).score(phi, STATE, [value])
    for index in np.ndindex(phi.shape):
        step = np.zeros_like(phi)
        step[index] = h
        slope = (log_density(phi + step, [value]) - log_density(phi - step, [value])) / (2 * h)
        assert score[index] == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (3.0, -1.0), (-800.0, -800.0), (900.0, 900.0)])
def test_shares_have_the_moments_of_their_distribution(tilt):
    phi = np.zeros((2, 6))
    phi[:, -1] = tilt
    a, b = (1 + (x if x > 30 else math.log1p(math.exp(x))) for x in tilt)
    shares = BetaShares(1, STREAM)
    drawn = np.array([shares.choose(phi, STATE, number)[0][0] for number in range(3000)])
    deviation = math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
    assert 0 < drawn.min() <= drawn.max() < 1
    assert abs(drawn.mean() - a / (a + b)) < 4 * deviation / math.sqrt(3000)
    assert drawn.std() == pytest.approx(deviation, rel=0.06)


def test_rewarded_shares_become_likely():
    policy = open_policy(BetaSettings(episode=4, lr=0.3), 2, classes=10, stream=STREAM)
    assert policy.begin() == (0.5, 0.5)
    loss, means = 1.0, []
    for _ in range(1600):
        decision = policy.decide(Outlook(loss=loss))
        assert decision is not None
        loss = 2 * (1 - decision.values[0]) + decision.values[1]
        means.append(decision.values)
    first, last = np.mean(means[:400], axis=0), np.mean(means[-400:], axis=0)
    assert last[0] > first[0] + 0.1
    assert last[1] < first[1]


def test_a_loaded_policy_is_the_one_that_was_dumped():
    policy = Reinforce(BetaSettings(episode=2), 3, classes=10, stream=STREAM)
    for _ in range(7):
        state = msgpack.packb(policy.dump())
        twin = Reinforce(BetaSettings(episode=2), 3, classes=10, stream=STREAM)
        twin.load(msgpack.unpackb(state))
        assert msgpack.packb(twin.dump()) == state
        assert twin.decide(Outlook(loss=1.0)) == policy.decide(Outlook(loss=1.0))


def test_chance_that_never_relents_gives_the_mode():
    class Stuck:
        def words(self, w1=0, w2=0, w3=0, *, w0=0):
            del w1, w2, w3, w0
            return 0, 0, 0, 0

    assert BetaShares(1, Stuck()).choose(np.zeros((2, 6)), STATE, 1)[0] == (0.5,)


def test_without_hidden_layers_there_is_nothing_to_draw():
    assert open_policy(BetaSettings(), 0, classes=10, stream=STREAM).begin() == ()
