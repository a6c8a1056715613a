"""Link profiles: the figures behind names such as ``lte``, and settings resolved into a model.

Sources: wifi: delay tail of Sui et al. (MobiSys 2016), 3 / 20 / 250 ms round trip at p50 / p90 /
p99, rate unverified. lte: medians of Huang et al. (MobiSys 2012), jitter unverified. 5g: drive
tests of Raca et al. (MMSys 2020), rate up and burst unverified. starlink: fit to road data of
Osnabrueck. ethernet, wifi-air (10 % of tries) and ble: nominal, unverified.
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
from simedge.world.loss_settings import BernoulliLoss, GilbertElliottLoss, LossSettings, NoLoss

__all__ = ["PROFILES", "LinkModel", "Profile", "merge", "resolve"]

_MS: Final = 1_000_000
_NO_JITTER: Final = NoJitter(kind="none")
_NO_LOSS: Final = NoLoss(kind="none")
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
    trace: TraceSettings | None = None

    def __post_init__(self) -> None:
        if self.rate_bps <= 0:
            raise LinkError(f"rate must be above 0 bit/s, got {self.rate_bps}")
        for name in ("delay_ns", "retries", "gap_ns"):
            if getattr(self, name) < 0:
                raise LinkError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("duplicate", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise LinkError(f"{name} must be in [0, 1], got {getattr(self, name)}")


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
    up_bps: int = given.get("up", profile.up_bps)
    return LinkModel(
        profile=name,
        rate_bps=up_bps if upwards else given.get("down", profile.down_bps),
        delay_ns=given.get("delay", profile.delay_up_ns if upwards else profile.delay_down_ns),
        jitter=given.get("jitter", profile.jitter),
        loss=given.get("loss", profile.loss),
        queue=given.get("queue", _QUEUE),
        flush=settings.queue_on_down == "flush",
        fifo=settings.order != "free",
        mtu=given.get("mtu", profile.mtu),
        retries=arq.retries,
        gap_ns=arq.gap,
        duplicate=given.get("duplicate", Fraction(0)),
        corrupt=given.get("corrupt", Fraction(0)),
        trace=_trace(settings.trace, upwards=upwards),
    )


def _trace(trace: TraceSettings | None, *, upwards: bool) -> TraceSettings | None:
    """Return the recording of one direction: its file and its columns."""
    if trace is None or trace.direction == ("down" if upwards else "up"):
        return None
    file = trace.file if upwards or trace.down is None else trace.down
    direction = "up" if upwards else "down"
    return trace.model_copy(update={"file": file, "down": None, "direction": direction})
