"""What a report says of its own limits: what is modelled in a run, and what is not."""

from collections.abc import Iterable

from simedge.run.needs import caveat_of
from simedge.study.report.runs import Run

__all__ = ["caveats", "modelled", "not_modelled"]

_ALWAYS = (
    (
        "Virtual time in whole nanoseconds; every random number from a stream named by seed, "
        "entity and purpose."
    ),
    (
        "Links one by one: rate, queue, delay and its jitter, loss with its bursts, MTU, retries; "
        "every datagram is accounted for."
    ),
    (
        "Devices do one job at a time; its operations become time and energy by figures of boards, "
        "frames that come meanwhile wait or are dropped."
    ),
    (
        "Memory is what learner, tokens, priors and waiting frames take; a device that lacks it is "
        "refused beforehand."
    ),
    (
        "Accuracy is that of each device on items that no device learned from, averaged over "
        "devices that are up."
    ),
)
_NEVER = (
    (
        "Boards and radios are published figures, good within a factor of about two; caches, "
        "operating systems and their schedulers are not there."
    ),
    (
        "Radio waves: links share the air only where the scenario gives them a common medium; no "
        "fading or hidden stations but by rates, delays and losses as set."
    ),
    "Transport and security layers beyond headers, MTU and the reliable sends of the scenario.",
    "The cost of evaluation: it takes no time, energy or traffic.",
)


def caveats(protocols: Iterable[str]) -> list[str]:
    """Return what has to be said of kinds of protocols, each once.

    >>> [text.partition(" ")[0] for text in caveats(["elal", "draco", "draco"])]
    ['draco_style']
    """
    told = [caveat_of(kind) for kind in dict.fromkeys(protocols)]
    return [text for text in told if text is not None]


def modelled(run: Run) -> list[str]:
    """Return what stands for the real thing in this run."""
    kinds = sorted({fault.kind for fault in run.scenario.faults})
    found = list(_ALWAYS)
    if kinds:
        found.append(f"Faults of the scenario: {', '.join(kinds)}.")
    links = run.scenario.links
    if any(link.trace is not None for link in (links.default, *links.overrides)):
        found.append("Recorded networks give some links their rate, delay and loss.")
    return found


def not_modelled(run: Run) -> list[str]:
    """Return what is left out, in general and by this scenario."""
    found = list(_NEVER)
    if run.scenario.sensors.kind == "digits":
        found.append(
            "A camera: real handwritten digits are moved in front of a simulated event camera."
        )
    if run.scenario.server.compute == "free":
        found.append("The server's computing: it takes no time in this scenario.")
    if all(device.battery is None for device in run.scenario.devices):
        found.append("Batteries: no device of this scenario has one.")
    if not run.scenario.faults:
        found.append("Faults: this scenario has none.")
    return found
