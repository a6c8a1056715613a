"""A summary as rows of text, in the order in which people ask."""

from typing import Any

from simedge_cli.figures import (
    bits,
    bytes_,
    curve,
    joules,
    number,
    percent,
    quantiles,
    seconds,
    times,
)

__all__ = ["Rows", "sections"]

Rows = list[tuple[str, str]]

_LOOKS = 3
_TOLD_S = 0.1


def sections(
    s: dict[str, Any], *, target: float | None = None, compile_s: float = 0.0
) -> list[tuple[str, Rows]]:
    """Return the titles of a summary's parts, each with rows of a name and its figures.

    Parameters
    ----------
    target
        The accuracy whose price in bits the summary has.
    compile_s
        How much of its wall time native code was compiled.
    """
    return [
        ("accuracy", _accuracy(s)),
        ("traffic", _traffic(s, target)),
        ("latency", _latency(s)),
        ("energy", _energy(s)),
        ("dropouts", _dropouts(s)),
        ("convergence", _convergence(s)),
        ("work", _work(s, compile_s)),
        ("checks", _checks(s)),
    ]


def _accuracy(s: dict[str, Any]) -> Rows:
    a = s["accuracy"]
    shares = list(a["per_device"].values())
    spread = f"   devices {percent(min(shares))} to {percent(max(shares))}" if shares else ""
    rows = [("final", f"{percent(a['final'])}   (chance {percent(a['chance'])}){spread}")]
    rows += _few(a["curve"])
    if a["before_shift"] is not None:
        rows.append(("before the shift", percent(a["before_shift"])))
    if a["curve"]:
        rows.append(("over time", curve([share for _, share in a["curve"]])))
    return rows


def _few(points: list[list[float]]) -> Rows:
    """Tell that the final accuracy is of fewer evaluations than three, where it is."""
    # The evaluations just before a shift and at it are one look.
    looks = len({round(at_s, 6) for at_s, _ in points if at_s > 0})
    if not points or looks >= _LOOKS:
        return []
    one = "1 evaluation" if looks == 1 else f"{looks} evaluations"
    those = (
        f"the mean of {one}, not of {_LOOKS}" if looks else "at 0 s, before anything was learned"
    )
    return [("", f"(a short run: {those})")]


def _preinstalled(communication: dict[str, Any]) -> Rows:
    """Tell what of it devices came with, where they did."""
    sent = communication.get("bits_preinstalled", 0)
    return [("of it preinstalled", bits(sent))] if sent else []


def _traffic(s: dict[str, Any], target: float | None) -> Rows:
    c = s["communication"]
    d = c["datagrams"]
    lost = f" ({percent(d['lost'] / d['sent'])})" if d["sent"] else ""
    twice = f"{d['duplicated']:,} duplicated, " if d["duplicated"] else ""
    return [
        ("up, down", f"{bits(c['bits_up'])}, {bits(c['bits_down'])}"),
        ("sent again", bits(c["bits_retransmitted"])),
        *_preinstalled(c),
        (
            "datagrams",
            (
                f"{d['sent']:,} sent, {d['delivered']:,} delivered, {d['lost']:,} lost{lost}, "
                f"{twice}{d['in_flight']:,} under way"
            ),
        ),
        ("to the target", _to_target(c["bits_to_target"], target)),
    ]


def _to_target(sent: int | None, target: float | None) -> str:
    if target is None:
        return "no target"
    return f"{'not reached' if sent is None else bits(sent)}   (accuracy {percent(target)})"


def _latency(s: dict[str, Any]) -> Rows:
    age, stale = s["information_age_s"], s["staleness"]
    return [
        ("update", quantiles(s["latency_ms"]["update"])),
        ("decision", quantiles(s["latency_ms"]["decision"])),
        ("token", quantiles(s["latency_ms"]["token"])),
        ("age of priors", f"mean {seconds(age['mean'])}, p99 {seconds(age['p99'])}"),
        ("versions behind", f"mean {number(stale['mean'])}, p99 {number(stale['p99'])}"),
    ]


def _energy(s: dict[str, Any]) -> Rows:
    e = s["energy_j"]
    memory = list(s["memory_bytes"]["peak_per_device"].values())
    return [
        (
            "boards",
            (
                f"{joules(e['total'])} = compute {joules(e['compute'])} + "
                f"radio {joules(e['radio'])} + idle {joules(e['idle'])}"
            ),
        ),
        ("operations", joules(s["energy_ops_j"])),
        ("memory", f"at most {bytes_(max(memory))} a device" if memory else "-"),
    ]


def _dropouts(s: dict[str, Any]) -> Rows:
    r, c = s["robustness"], s["counts"]
    dropped = c["frames_dropped"]
    share = f" ({percent(dropped / c['frames_arrived'])})" if c["frames_arrived"] else ""
    return [
        (
            "devices",
            f"{r['devices_up_final']} of {s['devices']} up at the end, {r['crashes']} crashes",
        ),
        ("frames", f"{c['frames_learned']:,} learned, {dropped:,} dropped{share}"),
    ]


def _convergence(s: dict[str, Any]) -> Rows:
    v = s["convergence"]
    frames = v["frames_to_90"]
    after = "" if frames is None else f", {frames:,.0f} frames a device"
    whole = "the last" if s["accuracy"]["before_shift"] is None else "that before the shift"
    of_what = f"   (accuracy: nine tenths of {whole})"
    return [
        ("time to 90 %", f"{seconds(v['t90_s'])}{after}{of_what}"),
        ("after the shift", seconds(v["recovery_s"])),
    ]


def _work(s: dict[str, Any], compile_s: float) -> Rows:
    c = s["counts"]
    # Compiling happens once on a machine: it says nothing of how fast a scenario is.
    running_s = s["wall_s"] - compile_s
    compiling = f", of which {seconds(compile_s)} compiling" if compile_s >= _TOLD_S else ""
    speed = f", {times(s['virtual_s'] / running_s)} real time" if running_s > 0 else ""
    return [
        ("time", f"{seconds(s['virtual_s'])} in {s['wall_s']:.2f} s{compiling}{speed}"),
        ("events", f"{c['kernel_events']:,} kernel, {c['jobs']:,} jobs, {c['volleys']:,} volleys"),
        (
            "spikes",
            (
                f"{c['spikes']:,} ({c['synaptic_events']:,} synaptic events, "
                f"{c['plasticity_updates']:,} plasticity updates)"
            ),
        ),
        (
            "tokens",
            (
                f"{c['tokens_sent']:,} sent, {c['tokens_accepted']:,} accepted, "
                f"{c['priors_applied']:,} priors applied"
            ),
        ),
    ]


def _checks(s: dict[str, Any]) -> Rows:
    broken = s["invariants"]["broken"]
    rows = [("invariants", f"{s['invariants']['checked']:,} checked, {len(broken)} broken")]
    rows += [("broken", text) for text in broken[:10]]
    rows.append(("log", s["log_sha256"]))
    return rows
