"""What checkpoints cost: processor time and bytes, for a coupled run and for a thousand devices.

python benchmarks/bench_checkpoints.py
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import simedge
from simedge.run.checkpoint.keeper import Keeper
from simedge.run.checkpoint.made_by import maker
from simedge.run.checkpoint.store import Store
from simedge.run.files import Files
from simedge.run.simulate import Run

ROUNDS = 5
THOUSAND = {
    "learner.kind": "surrogate",
    "devices": [{"id": "box", "count": 1000, "compute": "cpu-large", "memory": "2 GiB"}],
    "topology": {"kind": "star"},
    "links.overrides": [],
    "faults": [],
}


def measure(name: str, changes: dict[str, object], records: int) -> None:
    """Print what a checkpoint after so many records takes, the least of some rounds."""
    with (
        TemporaryDirectory() as folder,
        Run(simedge.load("k20_lossy").vary(changes)) as run,
    ):
        began = time.process_time()
        keeper = Keeper(run.driver, [run.tally], every_ns=10**9)
        survey_s = time.process_time() - began
        store = Store(Path(folder), Files(), maker())
        run.driver.start()
        straight = time.process_time()
        run.driver.run_slice(records)
        straight = time.process_time() - straight
        taken, written, size = [], [], 0
        for _ in range(ROUNDS):
            began = time.process_time()
            saved = keeper.take(run._log.settle(), records=records, wall_s=0.0)  # noqa: SLF001
            taken.append(time.process_time() - began)
            began = time.process_time()
            size = store.put(saved)
            written.append(time.process_time() - began)
    at_s = saved.at_ns / 1e9
    print(
        f"{name}: at {at_s:.1f} s, {straight:.1f} s of processor time: once {1e3 * survey_s:.0f} "
        f"ms, each {1e3 * min(taken):.0f} ms + {1e3 * min(written):.0f} ms, {size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    measure("k20_lossy", {}, int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    measure("1,000 surrogate devices", THOUSAND, 60_000)
