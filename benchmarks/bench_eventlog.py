"""What the event log costs a record: packing, framing, checksum, hash chain, file.

Run: ``python benchmarks/bench_eventlog.py``; prints microseconds of processor time.
"""

import tempfile
import time
from pathlib import Path

from simedge.run.eventlog import EventLog, LogReader

__all__ = ["main"]

RECORDS = 200_000
DETAILS = {
    "one integer": 5,
    "sent": (0, "payload", 1100, 1128),
    "frame-learned": (1, 250, b"x" * 32, b"y" * 32),
}


def append_us(detail, path):
    """Append so many records; return microseconds each."""
    log = EventLog(path)
    append = log.append
    began = time.process_time()
    for i in range(RECORDS):
        append(i * 1000, 5, "cam-1.server", "sent", "cam-1/server/token/1/5/0/0", detail)
    log.close()
    return (time.process_time() - began) / RECORDS * 1e6


def read_us(path):
    """Read them back; return microseconds each."""
    began = time.process_time()
    count = sum(1 for _ in LogReader(path))
    return (time.process_time() - began) / count * 1e6


def main():
    """Print the best of three for each kind of record."""
    print(f"{'record':<16}{'append us':>12}{'read us':>12}")
    for name, detail in DETAILS.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / str(i) for i in range(3)]
            append = min(append_us(detail, path) for path in paths)
            read = min(read_us(path) for path in paths)
        print(f"{name:<16}{append:>12.2f}{read:>12.2f}")


if __name__ == "__main__":
    main()
