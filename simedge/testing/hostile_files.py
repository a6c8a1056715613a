"""Bad texts and files: scenarios, traces and event logs that are nearly sound."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from simedge.core.errors import SimedgeError
from simedge.run.eventlog import LogReader, LogRecord
from simedge.run.scenario import Scenario
from simedge.testing.hostile import bad_bytes, bad_text, lots
from simedge.world.traces.figures import measure
from simedge.world.traces.source import open_trace

__all__ = ["Findings", "try_logs", "try_scenarios", "try_texts", "try_traces"]

Findings = list[tuple[int, str]]
"""Index and what was wrong: an exception that is not one of ours, or a record made up."""
_TRACES: Final = (
    b"0\n3\n3\n17\n40\n",
    b"0.5 1.25\n1.5\t2\n2.5 0\n",
    b"# made\nt_s,rate_bps,delay_s,loss\n0,5000000,0.02,\n1,4000000,,0.1\n2,0,0.1,1\n",
    b"t_ms,rate_kbps\n0,5\n100,7\n",
    b"t_s,dl_kbps,ul_kbps,ping_avg_ms,ping_loss_pct,mode,rsrp_dbm\n0,7,1,,,5G,-99\n1,8,2,9,3,,\n",
    b"timestamp_utc,dl_mbps,ul_mbps,speed_kmh\n2024-04-19 16:23:00.001,17.5,12.3,3\n",
    (
        b'{"version": 1, "entries": [{"entryNo": 1, "dateTime": "2020-10-09T08:23:00.478+02:00", '
        b'"dlBw": 12608}, {"entryNo": 2, "dateTime": "2020-10-09T06:23:11.138Z", "dlBw": 7641}]}'
    ),
    b"uid,link,direction,size_bytes,t_send_ns,t_recv_ns\na/b/token/1/1/0/0,a.b,up,9,0,lost\n",
)


def try_texts(
    seed: int, indices: range, *, sound: Sequence[str], read: Callable[[str], object]
) -> Findings:
    """Let a reader read bad texts; it may refuse them by an error that says what is wrong."""
    found = []
    for index in indices:
        try:
            read(bad_text(lots(seed, index), sound))
        except SimedgeError:
            continue
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not be
            found.append((index, f"{type(error).__name__}: {error}"[:200]))
    return found


def try_scenarios(seed: int, indices: range, *, sound: Sequence[str]) -> Findings:
    """Read bad scenarios."""
    return try_texts(seed, indices, sound=sound, read=Scenario.parse)


def try_traces(seed: int, indices: range) -> Findings:
    """Read bad traces of every format, to the end."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.txt"
        for index in indices:
            path.write_bytes(bad_bytes(lots(seed, index), _TRACES))
            try:
                measure(open_trace(path), "down")
            except SimedgeError:
                continue
            except Exception as error:  # noqa: BLE001 -- whatever it is, it must not be
                found.append((index, f"{type(error).__name__}: {error}"[:200]))
    return found


def try_logs(seed: int, indices: range, *, raw: bytes, records: Sequence[LogRecord]) -> Findings:
    """Read bad event logs: what is read before the damage are records of the log, unchanged."""
    whole = {repr(record) for record in records}
    found = []
    for index in indices:
        try:
            read = list(LogReader(bad_bytes(lots(seed, index), [raw])))
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not be
            found.append((index, f"{type(error).__name__}: {error}"[:200]))
            continue
        if not {repr(record) for record in read} <= whole:
            found.append((index, "a record was read that was never written"))
    return found
