"""Link profiles: the figures behind names such as ``lte``, and settings resolved into a model.

Sources: wifi: delay tail of Sui et al. (MobiSys 2016), 3 / 20 / 250 ms round trip at p50 / p90 /
p99, rate unverified. lte: medians of Huang et al. (MobiSys 2012), jitter unverified. 5g: drive
tests of Raca et al. (MMSys 2020), rate up and burst unverified. starlink: fit to road data of
Osnabrueck. ethernet, wifi-air (10 % of tries) and ble: nominal, unverified. lora: air times of the
modulation, application bytes of LoRaWAN EU868 behind a repeater.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

from simedge.world.datagrams import LinkError
from simedge.world.jitter_settings import (
    ExponentialJitter,
    JitterSettings,
    NoJitter,
    NormalJitter,
    TableJitter,
    UniformJitter,
)
from simedge.world.link_settings import (
    ArqSettings,
    LinkSettings,
    ProfileName,
    QueueSettings,
    TraceSettings,
)
from simedge.world.loss_settings import (
    BernoulliLoss,
    GilbertElliottLoss,
    LossSettings,
    NoLoss,
    TraceLoss,
)

__all__ = ["PROFILES", "LinkModel", "Profile", "driving", "merge", "resolve"]

_MS: Final = 1_000_000
_NO_JITTER: Final = NoJitter(kind="none")
_NO_LOSS: Final = NoLoss(kind="none")
_ALWAYS_ON: Final = Fraction(1)
_IP_HEADERS: Final = 28
_HEADER_BYTES: Final = 20
_REASSEMBLY_NS: Final = 2_000_000_000
_NO_ARQ: Final = ArqSettings()
_QUEUE: Final = QueueSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Defaults of one kind of network."""

    up_bps: int
    down_bps: int
    delay_up_ns: int
    delay_down_ns: int
    jitter: JitterSettings = _NO_JITTER
    loss: LossSettings = _NO_LOSS
    arq: ArqSettings = _NO_ARQ
    mtu: int | None = None
    duty: Fraction = _ALWAYS_ON
    spread: int | None = None
    """Spreading factor, where air time is that of LoRa."""


def _lora(spread: int, application_bytes: int) -> Profile:
    """Return EU868, 125 kHz, coding 4/5, at 1 % duty cycle; rates are nominal."""
    nominal_bps = spread * 100_000 // 2**spread
    return Profile(
        up_bps=nominal_bps,
        down_bps=nominal_bps,
        delay_up_ns=0,
        delay_down_ns=0,
        mtu=application_bytes + _IP_HEADERS,
        duty=Fraction(1, 100),
        spread=spread,
    )


_WIFI_TAIL = TableJitter.model_validate(
    {"kind": "table", "points": [["50%", "1500 us"], ["90%", "10 ms"], ["99%", "125 ms"]]}
)

PROFILES: Final[Mapping[ProfileName, Profile]] = MappingProxyType(
    {
        "ethernet": Profile(
            up_bps=10**9, down_bps=10**9, delay_up_ns=100_000, delay_down_ns=100_000
        ),
        "wifi": Profile(
            up_bps=20_000_000,
            down_bps=20_000_000,
            delay_up_ns=0,
            delay_down_ns=0,
            jitter=_WIFI_TAIL,
        ),
        # Never with the tail of wifi: there the retries are inside, they would count twice.
        "wifi-air": Profile(
            up_bps=20_000_000,
            down_bps=20_000_000,
            delay_up_ns=1_500_000,
            delay_down_ns=1_500_000,
            loss=BernoulliLoss(kind="bernoulli", mean=Fraction(1, 10)),
            arq=ArqSettings(retries=7),
        ),
        "lte": Profile(
            up_bps=6_000_000,
            down_bps=13_000_000,
            delay_up_ns=24_500_000,
            delay_down_ns=24_500_000,
            jitter=NormalJitter.model_validate({"kind": "normal", "sd": "5 ms"}),
            loss=BernoulliLoss(kind="bernoulli", mean=Fraction(1, 1000)),
        ),
        "5g": Profile(
            up_bps=10_000_000,
            down_bps=16_000_000,
            delay_up_ns=15 * _MS,
            delay_down_ns=10 * _MS,
            loss=GilbertElliottLoss.model_validate(
                {"kind": "gilbert-elliott", "mean": "1.6%", "burst": "500 ms"}
            ),
        ),
        "starlink": Profile(
            up_bps=16_000_000,
            down_bps=290_000_000,
            delay_up_ns=22 * _MS,
            delay_down_ns=22 * _MS,
            jitter=ExponentialJitter.model_validate({"kind": "exponential", "mean": "6 ms"}),
            loss=GilbertElliottLoss.model_validate(
                {"kind": "gilbert-elliott", "mean": "2.2%", "burst": "660 ms", "bad": "50%"}
            ),
        ),
        # The connection interval is the jitter; retries of the link hide every loss.
        "ble": Profile(
            up_bps=300_000,
            down_bps=300_000,
            delay_up_ns=0,
            delay_down_ns=0,
            jitter=UniformJitter.model_validate({"kind": "uniform", "high": "30 ms"}),
            mtu=244,
        ),
        # Without a repeater SF7 and SF8 take 242 bytes of the application.
        "lora-sf7": _lora(7, 222),
        "lora-sf8": _lora(8, 222),
        "lora-sf9": _lora(9, 115),
        "lora-sf10": _lora(10, 51),
        "lora-sf11": _lora(11, 51),
        "lora-sf12": _lora(12, 51),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkModel:
    """Resolved figures of one direction, shared by every link that has the same."""

    profile: ProfileName = "ethernet"
    rate_bps: int
    delay_ns: int = 0
    jitter: JitterSettings = _NO_JITTER
    loss: LossSettings = _NO_LOSS
    queue: QueueSettings = _QUEUE
    flush: bool = False
    fifo: bool = True
    mtu: int | None = None
    retries: int = 0
    gap_ns: int = 0
    duplicate: Fraction = Fraction(0)
    corrupt: Fraction = Fraction(0)
    fragment: bool = False
    header: int = _HEADER_BYTES
    ip: bool = True
    reassembly_ns: int = _REASSEMBLY_NS
    duty: Fraction = _ALWAYS_ON
    spread: int | None = None
    trace: TraceSettings | None = None
    medium: str | None = None

    def __post_init__(self) -> None:
        if self.rate_bps <= 0:
            raise LinkError(f"rate must be above 0 bit/s, got {self.rate_bps}")
        for name in ("delay_ns", "retries", "gap_ns"):
            if getattr(self, name) < 0:
                raise LinkError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("duplicate", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise LinkError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not 0 < self.duty <= 1:
            raise LinkError(f"duty must be in (0, 1], got {self.duty}")
        if (
            self.fragment
            and self.mtu is not None
            and self.mtu < self.header + (8 if self.ip else 1)
        ):
            raise LinkError(f"an mtu of {self.mtu} B leaves a fragment no room for its payload")


def merge(below: LinkSettings, above: LinkSettings) -> LinkSettings:
    """Return `above` laid over `below`; naming a profile starts from that profile instead."""
    given = _given(above)
    kept = {} if above.profile is not None else _given(below)
    return LinkSettings.model_construct(**(kept | given))


def _given(settings: LinkSettings) -> dict[str, Any]:
    pairs = ((name, getattr(settings, name)) for name in LinkSettings.model_fields)
    return {name: value for name, value in pairs if value is not None}


def resolve(settings: LinkSettings, *, upwards: bool) -> LinkModel:
    """Return the figures of one direction.

    Parameters
    ----------
    settings
        What is written, after `merge` with every override that matches.
    upwards
        Whether it is the direction to the server, or a link between devices.

    Examples
    --------
    >>> resolve(LinkSettings(profile="lte"), upwards=True).rate_bps
    6000000
    """
    name = settings.profile or "ethernet"
    profile = PROFILES[name]
    given = _given(settings)
    arq: ArqSettings = given.get("arq", profile.arq)
    rates = (profile.up_bps, profile.down_bps)
    rate_bps: int = given.get(*(("up", rates[0]) if upwards else ("down", rates[1])))
    own_rate = ("up" if upwards else "down") in given
    trace = driving(settings.trace, upwards=upwards)
    return LinkModel(
        profile=name,
        rate_bps=rate_bps,
        delay_ns=given.get("delay", profile.delay_up_ns if upwards else profile.delay_down_ns),
        jitter=given.get("jitter", profile.jitter),
        loss=_loss(given.get("loss", profile.loss), settings.trace, driven=trace is not None),
        queue=given.get("queue", _QUEUE),
        flush=settings.queue_on_down == "flush",
        fifo=settings.order != "free",
        mtu=given.get("mtu", profile.mtu),
        retries=arq.retries,
        gap_ns=arq.gap,
        duplicate=given.get("duplicate", Fraction(0)),
        corrupt=given.get("corrupt", Fraction(0)),
        fragment=given.get("fragment", False),
        header=given.get("header", _HEADER_BYTES),
        ip=given.get("ip", True),
        reassembly_ns=given.get("reassembly", _REASSEMBLY_NS),
        duty=given.get("duty", profile.duty),
        spread=None if own_rate else profile.spread,
        trace=trace,
        medium=settings.medium,
    )


def driving(trace: TraceSettings | None, *, upwards: bool) -> TraceSettings | None:
    """Return the recording of one direction: its file and its columns."""
    if trace is None or trace.direction == ("down" if upwards else "up"):
        return None
    own = {"direction": "up" if upwards else "down", "down": None, "down_sha256": None}
    if not upwards and trace.down is not None:
        own |= {"file": trace.down, "sha256": trace.down_sha256}
    return trace.model_copy(update=own)


def _loss(loss: LossSettings, trace: TraceSettings | None, *, driven: bool) -> LossSettings:
    """Return the law of one direction; a recording says nothing of one that it does not drive."""
    if not isinstance(loss, TraceLoss) or driven:
        return loss
    if trace is None:
        raise LinkError("loss: trace needs a trace on the same link")
    return _NO_LOSS
