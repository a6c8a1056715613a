"""Energy in whole femtojoules (1 uW for 1 ns): two ledgers that are never one number.

The *operations* ledger prices what a learner did, op by op, at the energy of the arithmetic. The
*board* ledger is what a meter at the plug would say: idle power while on, the rest while busy,
and the radio. They differ by two orders of magnitude, and may rank methods differently.

Sources: 45 nm arithmetic after Horowitz (ISSCC 2014); neuromorphic figures are simulated ones of
Davies et al. (IEEE Micro 2018), without data movement, the price of a plasticity update
unverified; wifi: default currents of ns-3 at 3 V (voltage unverified); ble: data sheets of CC2340
and nRF52840 at 3 V; lte and 5g: 1.29 W and 0.438 W a Mbit/s up, 0.052 W down, tail 11.6 s at
1.06 W (all unverified); lora: 44 mA sending and 11.5 mA receiving at 3.3 V (unverified), asleep
otherwise. Nothing sends a wifi radio to sleep (0.10 W): it idles, which dominates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from simedge.world.accounts import AirTime
from simedge.world.compute import Board
from simedge.world.links import Link
from simedge.world.settings import DeviceSettings, ProfileName, RadioName

__all__ = ["PRICES", "RADIOS", "Energy", "Meter", "Radio", "board_fj", "operations_fj", "radio_of"]

PRICES: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        # fp32: multiply 3.7 pJ, add 0.9 pJ; half of 10 pJ a 64-bit access to an 8 kB cache.
        "45nm": MappingProxyType(
            {
                "macs": 4_600,
                "synaptic_events": 900,
                "neuron_updates": 4_600,
                "trace_touches": 4_600,
                "plasticity_updates": 4_600,
                "weight_writes": 5_000,
            }
        ),
        "neuromorphic": MappingProxyType(
            {
                "macs": 4_600,
                "synaptic_events": 23_600,
                "neuron_updates": 81_000,
                "plasticity_updates": 120_000,
            }
        ),
    }
)


def operations_fj(counts: Mapping[str, int], prices: str = "45nm") -> int:
    """Return the sum of count times price; what has no price costs nothing.

    Examples
    --------
    >>> operations_fj({"macs": 1_820_000_000}) / 10**15
    0.008372
    """
    table = PRICES[prices]
    return sum(count * table.get(name, 0) for name, count in counts.items())


class Energy(NamedTuple):
    """Board energy of a device in femtojoules, by cause."""

    idle_fj: int
    compute_fj: int
    radio_fj: int

    @property
    def total_fj(self) -> int:
        """The sum."""
        return sum(self)


def board_fj(board: Board, *, on_ns: int, busy_ns: int) -> tuple[int, int]:
    """Return P_idle T_on and (P_busy - P_idle) T_busy."""
    return board.idle_uw * on_ns, (board.busy_uw - board.idle_uw) * busy_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """Powers of a radio in microwatts.

    `transmit_nw_per_bps` and `receive_nw_per_bps` are added for each bit a second of the link's
    rate, in nanowatts; after each use the radio stays at `tail_uw` for at most `tail_ns`.
    """

    transmit_uw: int = 0
    receive_uw: int = 0
    idle_uw: int = 0
    transmit_nw_per_bps: int = 0
    receive_nw_per_bps: int = 0
    tail_uw: int = 0
    tail_ns: int = 0

    def sending_uw(self, rate_bps: int) -> int:
        """Return the power above idle while sending at a rate."""
        return self.transmit_uw + self.transmit_nw_per_bps * rate_bps // 1000 - self.idle_uw

    def receiving_uw(self, rate_bps: int) -> int:
        """Return the power above idle while receiving at a rate."""
        return self.receive_uw + self.receive_nw_per_bps * rate_bps // 1000 - self.idle_uw


_CELLULAR = Radio(
    transmit_uw=1_290_000,
    receive_uw=1_290_000,
    transmit_nw_per_bps=438,
    receive_nw_per_bps=52,
    tail_uw=1_060_000,
    tail_ns=11_600_000_000,
)
_NO_RADIO = Radio()
RADIOS: Final[Mapping[str, Radio]] = MappingProxyType(
    {
        "none": _NO_RADIO,
        "wifi": Radio(transmit_uw=1_140_000, receive_uw=940_000, idle_uw=820_000),
        "ble": Radio(transmit_uw=15_300, receive_uw=15_900),
        "lte": _CELLULAR,
        "5g": _CELLULAR,
        "lora": Radio(transmit_uw=145_000, receive_uw=38_000),
    }
)
_OF_PROFILE: Final[Mapping[str, str]] = MappingProxyType(
    {"wifi": "wifi", "wifi-air": "wifi", "lte": "lte", "5g": "5g", "ble": "ble"}
    | {f"lora-sf{spread}": "lora" for spread in range(7, 13)}
)


def radio_of(name: RadioName, profile: ProfileName) -> Radio:
    """Return the radio that a device uses on a link of a profile; wires have none."""
    return RADIOS[_OF_PROFILE.get(profile, "none") if name == "auto" else name]


class Meter:
    """Reads the board energy of one device.

    Parameters
    ----------
    settings
        The device, for its radio.
    board
        Its powers.
    number
        Its number: which end of a link it is.
    links
        The links that start or end at it.
    """

    __slots__ = ("_air", "_always_uw", "_board", "_links", "_tail")

    def __init__(
        self, settings: DeviceSettings, board: Board, *, number: int, links: Sequence[Link]
    ) -> None:
        self._board = board
        radios = [(link, radio_of(settings.radio, link.model.profile)) for link in links]
        self._links = [
            (link, radio.sending_uw(rate) if link.src == number else radio.receiving_uw(rate))
            for link, radio in radios
            for rate in [link.model.rate_bps]
        ]
        self._always_uw = (
            0 if settings.radio_in_idle else max((radio.idle_uw for _, radio in radios), default=0)
        )
        tailed = [(link, radio) for link, radio in radios if radio.tail_ns]
        self._tail = tailed[0][1] if tailed else _NO_RADIO
        self._air = AirTime(self._tail.tail_ns)
        for link, _ in tailed:
            link.airs += (self._air,)

    @property
    def peak_uw(self) -> int:
        """Power of the board with everything at work at once."""
        air_uw = sum(max(0, power_uw) for _, power_uw in self._links)
        return self._board.busy_uw + air_uw + self._tail.tail_uw + self._always_uw

    def read(self, now: int, *, on_ns: int, busy_ns: int) -> Energy:
        """Return the energy since the start of the run.

        Parameters
        ----------
        now
            Virtual time.
        on_ns, busy_ns
            How long the device was on, and busy with jobs.
        """
        idle_fj, compute_fj = board_fj(self._board, on_ns=on_ns, busy_ns=busy_ns)
        air_fj = sum(link.busy_ns(now) * power_uw for link, power_uw in self._links)
        tail_fj = self._air.tail_ns(now) * self._tail.tail_uw
        return Energy(idle_fj, compute_fj, air_fj + tail_fj + self._always_uw * on_ns)
