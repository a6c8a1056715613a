"""The line of progress fits the screen."""

import pytest

from simedge.run.result import Progress
from simedge_cli.render import progress_line


@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_progress_fits_the_screen_and_what_matters_most_stays(width) -> None:
    some = dict.fromkeys(("records", "bits_up", "bits_down"), 123_456_789)
    at = {"now_ns": 4_730_000_000, "duration_ns": 5 * 10**9, "wall_s": 4.9}
    line = progress_line(
        "k20_lossy",
        Progress(**at, **some, accuracy=0.1, devices_up=18, devices=20),
        width=width,
    ).plain
    assert len(line) <= width
    for text in ("95%", "4.73 s of 5 s", "ETA 280 ms", "accuracy 10.0 %", "18/20 up"):
        assert text in line
    assert ("up 123.46 Mbit" in line) == (width == 140)
