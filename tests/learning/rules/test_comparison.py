"""Laws of the program that compares rules: its walk, its parts of the data, its file."""

import importlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def room():
    """Return what loads a module of the program."""
    pytest.importorskip("torch", reason="the references need torch: pip install simedge[deep]")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield importlib.import_module


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    tries=st.integers(1, 12),
    seed=st.integers(0, 999),
)
def test_the_walk_tries_as_many_settings_as_it_may_and_ends_at_the_best(room, sizes, tries, seed):
    drawn, asked = np.random.Generator(np.random.Philox(seed)), []
    ladders = {f"c{n}": tuple(range(size)) for n, size in enumerate(sizes)}
    start = {name: ladder[drawn.integers(len(ladder))] for name, ladder in ladders.items()}

    def score(chosen):
        asked.append((tuple(chosen.values()), drawn.random()))
        return asked[-1][1]

    chosen, tried = room("compared.search").search(start, ladders, score, tries=tries)
    assert len(asked) == len(tried) == min(tries, math.prod(sizes))
    assert asked[0][0] == tuple(start.values())
    assert tried == dict(asked)
    assert tried[tuple(chosen.values())] == max(tried.values())


def test_tuning_never_sees_what_is_held_out_and_nobody_is_in_two_parts(room):
    tasks = room("compared.tasks")
    task = tasks.digits_task(None)
    people = np.arange(len(task.items.labels)) // 10
    learned, held = tasks.split(np.arange(len(people)), 0.2, people=people)
    signs = task._replace(people=people, learned=learned, held=held)
    for one in (task, signs):
        for _, learned, judged in tasks.folds(one, (1000,)):
            parts = [set(places) for places in (learned, judged, one.held)]
            assert sum(map(len, parts)) == len(set.union(*parts)) == len(one.items.labels)
    everyone = [set(people[places]) for places in (signs.learned, signs.held)]
    assert not set.intersection(*everyone)


def test_a_still_sends_one_event_a_level(room):
    picture = np.array([[0, 3], [16, 1]])
    shown = room("compared.tasks").printed(picture, 4)
    counts = np.zeros((2, 2), int)
    np.add.at(counts, (shown.y, shown.x), 1)
    assert (counts == picture).all()
    assert (np.diff(shown.t_us) >= 0).all()


def test_the_file_goes_on_by_row_and_takes_none_of_another_design(room, tmp_path):
    record = room("compared.record")
    path = tmp_path / "measured.json"
    first, second = (record.Record(path, {"seeds": (1, 2)}) for _ in range(2))
    first.add("digits", {"learned": 9}, name="bp", row={"accuracies": [0.5, 1.0]})
    second.add("digits", {"learned": 9}, name="lls", row={"accuracies": [0.5, 0.5]})
    again = record.Record(path, {"seeds": (1, 2)})
    assert again.has("digits", "bp")
    assert again.has("digits", "lls")
    assert not again.has("digits", "tess")
    assert json.loads(path.read_text())["seeds"] == [1, 2]
    with pytest.raises(record.MixedRowsError):
        record.Record(path, {"seeds": (1, 3)})


def test_verdicts_rest_on_the_interval(room):
    verdict = room("compared.page").verdict
    level = [0.9, 0.91, 0.92, 0.93, 0.94]
    for gap, spread, word in (
        (-0.01, 0.001, "is within 2 points of `b`:"),
        (-0.05, 0.001, "**falls short of** `b` by more than 2 points:"),
        (-0.01, 0.02, "is within 2 points of `b` on average, but not by the interval:"),
        (-0.03, 0.02, "is **more than 2 points behind** `b` on average, but not by the interval:"),
    ):
        mine = [x + gap + spread * s for x, s in zip(level, (-1, 1, 0, -1, 1), strict=True)]
        assert f"`a` {word}" in verdict("a", mine, level, other="b")
