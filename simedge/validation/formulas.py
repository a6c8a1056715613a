"""The closed forms themselves: plain functions of parameters, of nothing that we built.

Loss: Gilbert (1960), Elliott (1963); the inflation V is that of the variance of a mean of
correlated samples. Queues: Kleinrock (1975); the variance of the mean wait is the asymptotic one.
"""

import math
from typing import NamedTuple

__all__ = [
    "Burst",
    "blocking",
    "bursty_survival",
    "clustering",
    "four_states",
    "geometric_age",
    "in_time",
    "md1_wait",
    "mm1_variance",
    "mm1_wait",
    "overload_drops",
    "pipeline_ns",
    "rounds",
    "sends",
    "serialisation_ns",
    "survival_inflation",
    "tries",
]


class Burst(NamedTuple):
    """A two-state chain seen at its samples: steps p (good to bad), r, and losses l_B, l_G."""

    p: float
    r: float
    bad: float
    good: float

    @property
    def share_bad(self) -> float:
        """The stationary share of bad samples, p / (p + r)."""
        return self.p / (self.p + self.r)

    @property
    def rho(self) -> float:
        """The correlation of the state over one step, 1 - p - r."""
        return 1 - self.p - self.r

    @property
    def loss(self) -> float:
        """L = (p l_B + r l_G) / (p + r)."""
        return (self.p * self.bad + self.r * self.good) / (self.p + self.r)

    @property
    def covariance(self) -> float:
        """C = pi_B pi_G (l_B - l_G)^2; losses k steps apart have C rho^k."""
        return self.share_bad * (1 - self.share_bad) * (self.bad - self.good) ** 2

    @property
    def inflation(self) -> float:
        """V = 1 + 2 C rho / ((1 - rho) L (1 - L))."""
        return 1 + 2 * self.covariance * self.rho / ((1 - self.rho) * self.loss * (1 - self.loss))

    @property
    def run(self) -> float:
        """Mean run of losses, L / (L (1 - L) - C rho)."""
        return self.loss / (self.loss * (1 - self.loss) - self.covariance * self.rho)

    @property
    def lag_one(self) -> float:
        """Correlation of two neighbouring losses."""
        return self.covariance * self.rho / (self.loss * (1 - self.loss))


def in_time(*, mean: float, burst_s: float, bad: float, every_s: float) -> Burst:
    """Return a chain in continuous time sampled every so often, with no loss in good times.

    rho = exp(-D (1/t_B + 1/t_G)), p = pi_B (1 - rho), r = pi_G (1 - rho).
    """
    share = mean / bad
    rho = math.exp(-every_s / burst_s / (1 - share))
    return Burst(share * (1 - rho), (1 - share) * (1 - rho), bad, 0.0)


def four_states(p13: float, p31: float, p32: float, *, p23: float, p14: float) -> float:
    """Return the mean loss: a = p13 / p31, (a + p14) / (1 + p14 + a (1 + p32 / p23))."""
    a = p13 / p31
    return (a + p14) / (1 + p14 + a * (1 + p32 / p23))


def bursty_survival(chain: Burst, fragments: int) -> float:
    """Return pi_G (1 - p)^(F - 1): all fragments arrive, where bad loses all and good nothing."""
    return (1 - chain.share_bad) * (1 - chain.p) ** (fragments - 1)


def survival_inflation(chain: Burst, fragments: int) -> float:
    """Return V for messages of F fragments, one after another in the same chain.

    Two messages k apart both arrive with s (s + s pi_B/pi_G rho^((k-1) F + 1)).
    """
    s = bursty_survival(chain, fragments)
    odds = chain.share_bad / (1 - chain.share_bad)
    return 1 + 2 * s * odds * chain.rho / ((1 - s) * (1 - chain.rho**fragments))


def tries(p: float, retries: int) -> tuple[float, float]:
    """Return what is left after retries, p^(R + 1), and the mean tries, (1 - p^(R+1)) / (1 - p)."""
    left = p ** (retries + 1)
    return left, (1 - left) / (1 - p)


def sends(p: float, back: float, fragments: int) -> float:
    """Return the mean sendings of a message that is sent until it is answered."""
    return 1 / ((1 - p) ** fragments * (1 - back))


def rounds(p: float, segments: int) -> float:
    """Return the mean rounds until all segments are through: sum of 1 - (1 - p^k)^n."""
    total, k = 0.0, 0
    while (term := 1 - (1 - p**k) ** segments) > 1e-15:
        total, k = total + term, k + 1
    return total


def mm1_wait(load: float) -> float:
    """Return the mean wait in units of the mean service, load / (1 - load)."""
    return load / (1 - load)


def mm1_variance(load: float) -> float:
    """Return n times the variance of the mean of n waits."""
    return load * (2 + 5 * load - 4 * load**2 + load**3) / (1 - load) ** 4


def md1_wait(load: float) -> float:
    """Return the mean wait in units of the service, load / (2 (1 - load))."""
    return load / (2 * (1 - load))


def blocking(load: float, places: int) -> float:
    """Return the share that a queue of K places turns away, (1 - a) a^K / (1 - a^(K + 1))."""
    return (1 - load) * load**places / (1 - load ** (places + 1))


def overload_drops(n: int, *, period_ns: int, service_ns: int, places: int) -> int:
    """Return n (1 - P / S) - Q for datagrams that come faster than they are served."""
    return n * (service_ns - period_ns) // service_ns - places


def serialisation_ns(octets: int, rate_bps: int) -> int:
    """Return ceil(8 n 1e9 / r)."""
    return -(-8 * octets * 10**9 // rate_bps)


def pipeline_ns(k: int, hops: int, *, service_ns: int, delay_ns: int) -> int:
    """Return when the last of k datagrams is over h hops: (k + h - 1) S + h d."""
    return (k + hops - 1) * service_ns + hops * delay_ns


def geometric_age(p: float, over: int | None = None) -> tuple[float, float]:
    """Return a time average over gaps of a geometric law, in gaps of one, and n times its variance.

    With gaps G of law (1 - p) p^(g - 1) the mean age is E[G^2] / (2 E[G]) = (1 + p) / (2 (1 - p));
    `over` asks for the share of time with an age above that many gaps, p^over. The variance is
    that of a ratio of sums over n (1 - p) gaps.
    """
    mean = (1 + p) / (2 * (1 - p)) if over is None else p**over
    gaps = [(g, (1 - p) * p ** (g - 1)) for g in range(1, 200)]
    parts = [(g * g / 2 if over is None else max(0, g - over), g, w) for g, w in gaps]
    spread = math.fsum(w * (area - mean * g) ** 2 for area, g, w in parts)
    return mean, spread * (1 - p)


def clustering(neighbours: int, rewire: float) -> float:
    """Return 3/4 (k - 2) / (k - 1) (1 - q)^3 of a small world (Barrat and Weigt 2000)."""
    return 0.75 * (neighbours - 2) / (neighbours - 1) * (1 - rewire) ** 3
