"""Send credits: who may send when, so that peers neither flood their neighbours nor fall silent.

A peer earns one credit in each period in which it does not send, and pays one for each message in
answer to another (Danner and Jelasity 2018, "Token account algorithms"; after memory, not compared
with the paper)::

    simple       proactive(a) = [a >= cap]                       reactive(a) = [a > 0]
    randomised   proactive(a) = (a - A + 1) / (cap - A + 1)      reactive(a) = a / A, rounded at
                 clipped to [0, 1]                               random, of news; else 0
"""

from fractions import Fraction

from simedge.protocol.draws import Draws
from simedge.protocol.peer_settings import EveryPeriod, FlowSettings, Simple

__all__ = ["Purse", "proactive", "reactive"]

_ALWAYS = Fraction(1)
_NEVER = Fraction(0)


def proactive(flow: FlowSettings, credit: int) -> Fraction:
    """Return the probability of sending unasked with this credit."""
    if isinstance(flow, EveryPeriod) or credit >= flow.cap:
        return _ALWAYS
    if isinstance(flow, Simple):
        return _NEVER
    return max(_NEVER, Fraction(credit - flow.a + 1, flow.cap - flow.a + 1))


def reactive(flow: FlowSettings, credit: int, *, news: bool) -> Fraction:
    """Return how many messages to send in answer on average, before rounding and paying."""
    if isinstance(flow, EveryPeriod):
        return _NEVER
    if isinstance(flow, Simple):
        return Fraction(min(credit, 1))
    return Fraction(credit, flow.a) if news else _NEVER


class Purse:
    """The credit of one peer.

    Parameters
    ----------
    flow
        How it is spent.
    draws
        What is left to chance.
    """

    def __init__(self, flow: FlowSettings, draws: Draws) -> None:
        self._flow = flow
        self._draws = draws
        self.credit = 0

    def period(self) -> bool:
        """Return whether to send at the end of a period; else a credit is earned."""
        share = proactive(self._flow, self.credit)
        if share == _ALWAYS or (share > _NEVER and self._draws.happens(share)):
            return True
        self.credit += 1
        return False

    def answer(self, *, news: bool) -> int:
        """Return how many messages to send upon a message, and pay for them."""
        count = reactive(self._flow, self.credit, news=news)
        whole, rest = divmod(count, 1)
        if rest and self._draws.happens(rest):
            whole += 1
        spent = min(self.credit, whole)
        self.credit -= spent
        return spent
