"""What a device of edge-localised asynchronous learning makes of the server's messages."""

import hashlib
from typing import Final, cast

from simedge.protocol.elal_kit import SERVER, Kit
from simedge.protocol.elal_rows import Rows
from simedge.protocol.elal_tokens import Tokens
from simedge.protocol.errors import WireError
from simedge.protocol.machine import Effect, Handler, Received, Sample
from simedge.protocol.register import stamp_of
from simedge.protocol.shape import RELIABLE_BYTES_MAX
from simedge.protocol.wire import Kind, Message, Report, decode

__all__ = ["Hearing"]

_REPORTS_MISSED: Final = 3


class Hearing:
    """Reads priors, reports and replies, each once.

    Parameters
    ----------
    kit, tokens, rows
        Shared with the device's other parts.
    """

    def __init__(self, kit: Kit, tokens: Tokens, rows: Rows) -> None:
        self._kit = kit
        self._tokens = tokens
        self._rows = rows
        self.forget()
        self._readers: dict[int, Handler] = {
            Kind.PRIOR: self._read_prior,
            Kind.REPORT: self._read_report,
            Kind.JOIN: self._read_reply,
            Kind.PROXY: self._read_set,
        }

    def forget(self) -> None:
        """Be as new."""
        self._newest: dict[int, int] = {}

    def dump(self) -> list[object]:
        """Return the state."""
        return [[kind, stamp] for kind, stamp in self._newest.items()]

    def load(self, state: object) -> None:
        """Take over a state that ``dump`` returned."""
        self._newest = dict(cast("list[tuple[int, int]]", state))

    def hear(self, event: Received, now: int) -> list[Effect]:
        """Take a message, whatever it is."""
        kit = self._kit
        try:
            message = self._read(event.data)
        except WireError as error:
            kit.post.got(event.data)
            return kit.refusals.refuse(error.cause, event.src)
        kit.post.got(event.data, whole=message.kind == Kind.PROXY)
        reader = self._readers.get(message.kind)
        cause = self._objection(event.src, message, now)
        if cause is None and reader is None:
            cause = "refused"
        if cause is not None or reader is None:
            return kit.refusals.refuse(cause or "refused", event.src)
        return reader(message, now)

    def miss_report(self, now: int) -> list[Effect]:
        """Take note that no report came for long."""
        kit = self._kit
        kit.feedback.missed()
        again = kit.timers.set("report", now + kit.settings.report_period)
        return [again, Sample(metric="fail", value=kit.feedback.fail)]

    def send_have(self, now: int) -> list[Effect]:
        """Tell the server which versions are held."""
        kit = self._kit
        again = kit.timers.set("have", now + kit.settings.have_period)
        if not kit.ready:
            return [again]
        message = kit.post.write(Kind.REPORT, now, payload=kit.priors.have_vector())
        return [kit.post.send(message, dst=SERVER, cls="have"), again]

    # ------------------------------------------------------------------------------------- below
    def _read(self, data: bytes) -> Message:
        """Return a message: a datagram, or the proxy set that the device waits for."""
        shape = self._kit.shape
        if len(data) <= shape.message_limit or self._kit.has_set:
            return decode(data, shape, shape.message_limit)
        # What is read is remembered by its bytes; megabytes that are read once are not worth it.
        message = decode.__wrapped__(data, shape, RELIABLE_BYTES_MAX)
        if message.kind != Kind.PROXY:
            raise WireError("oversize")
        return message

    def _objection(self, src: int, message: Message, now: int) -> str | None:
        """Return why a message is not read, if it is not."""
        if src != SERVER or message.dev != SERVER:
            return "stranger"
        if message.t_us * 1_000 > now + self._kit.ground.ahead_ns_max:
            return "future"
        if message.kind in {Kind.PRIOR, Kind.PROXY}:
            return None
        # Of reports and replies only the newest counts; priors are ordered by their versions.
        stamp = stamp_of(message.boot, message.seq)
        newest = self._newest.get(message.kind, 0)
        if stamp <= newest:
            return "duplicate" if stamp == newest else "stale"
        self._newest[message.kind] = stamp
        return None

    def _read_prior(self, message: Message, now: int) -> list[Effect]:
        kit = self._kit
        published_ns = message.t_us * 1_000 if kit.ground.shared_clock else now
        assert message.rows is not None
        if not kit.priors.accept(
            message.blk,
            (message.boot, message.g),
            published_ns=published_ns,
            codes=message.rows,
        ):
            return kit.refusals.refuse("stale_prior", SERVER)
        labels = (("block", message.blk), ("boot", message.boot), ("version", message.g))
        age_s = (now - published_ns) / 1e9
        return [Sample(metric="prior_age_s", value=age_s, labels=labels), *self._rows.watch(now)]

    def _read_report(self, message: Message, now: int) -> list[Effect]:
        kit = self._kit
        report = Report.unpack(message.payload)
        if report.boot != kit.post.sender.boot:
            return kit.refusals.refuse("stale_boot", SERVER)
        rtt_ns = kit.feedback.heard(report, now)
        effects = [self._await_report(now), *self._tokens.answered(message.g)]
        if rtt_ns is not None:
            effects.append(Sample(metric="rtt_s", value=rtt_ns / 1e9))
        return [*effects, Sample(metric="fail", value=kit.feedback.fail)]

    def _read_set(self, message: Message, now: int) -> list[Effect]:
        """Take the proxy set, if it is the one that the join named; from now on it is passed."""
        del now
        kit = self._kit
        if kit.has_set:
            unasked = kit.settings.delivery == "preinstalled"
            return kit.refusals.refuse("refused" if unasked else "duplicate", SERVER)
        if hashlib.sha256(message.payload).digest() != kit.ground.pset:
            return kit.refusals.refuse("wrong_proxy", SERVER)
        kit.has_set = True
        kit.joining.revise(kit.join())
        return []

    def _read_reply(self, message: Message, now: int) -> list[Effect]:
        kit = self._kit
        before = kit.joining.joined
        effects = kit.joining.read(message, now)
        if kit.joining.joined and not before:
            effects.append(self._await_report(now))
            effects.append(kit.timers.set("have", now + kit.settings.have_period))
        return effects

    def _await_report(self, now: int) -> Effect:
        period_ns = self._kit.settings.report_period
        return self._kit.timers.set("report", now + _REPORTS_MISSED * period_ns)
