"""Laws of study files: read whole, every finding with its place, written so as to be read again."""

from pathlib import Path

import pytest

from simedge.run.bundled import find, names
from simedge.run.overrides import Override
from simedge.run.problems import ScenarioError
from simedge.study.directory import plan_text
from simedge.study.study_file import read_study

BASE = """\
simedge: 1
name: tiny
duration: 2 s
sensors: {kind: silent}
devices: [{id: cam, count: 2}]
learner: {kind: linear}
protocol: {kind: elal, interval: 4}
"""
WHOLE = """\
simedge-study: 1
name: whole
about: All that a study can say.
scenario: tiny.yaml
set: {duration: 1 s}
factors:
  links.default.delay: [1 ms, 5 ms]
  loss:
    path: links.default.loss
    values:
      none: {kind: none}
      some: {kind: bernoulli, mean: 10%}
  who:
    arms:
      elal: {}
      isolated: {protocol.kind: isolated}
design: grid
seeds: [3, 4]
metrics: [energy_j.total]
"""
CELL = "{links.default.delay: 5 ms, loss: none, who: elal}"
BAD = """\
simedge-study: 2
name: no/slash
scenari: tiny.yaml
scenario: tiny.yaml
set: {duratio: 3 s, seed: 4}
factors:
  links.default.dela: [1 ms]
  empty: {path: duration, values: []}
  unnamed: {path: protocol, values: [{kind: isolated}]}
  both: {path: duration, arms: {a: {}}}
  bare: 5
  twice: {path: duration, values: [1 s, 1 s]}
  wrong: {paht: duration, values: [1 s]}
design: grit
seeds: [1, 1]
metrics: [acuracy.final]
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "tiny.yaml").write_text(BASE)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text)
    return path


def problems(path: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(ScenarioError) as caught:
        read_study(path)
    assert {problem.source for problem in caught.value.problems} == {str(path)}
    return [(one.place.line, one.path, one.message) for one in caught.value.problems]


def test_a_study_says_what_it_varies(folder) -> None:
    plan = read_study(written(folder, WHOLE))
    assert plan.base.duration == 1_000_000_000
    assert [len(factor.levels) for factor in plan.factors] == [2, 2, 2]
    assert len(plan.rows) == 8
    assert (plan.seeds, plan.metrics) == ((3, 4), ("energy_j.total",))


def test_a_study_that_is_written_is_read_as_the_same(folder) -> None:
    plan = read_study(written(folder, WHOLE))
    again = read_study(written(folder, plan_text(plan)))
    assert again.identity() == plan.identity()
    assert (again.name, again.hash8, again.seeds) == (plan.name, plan.hash8, plan.seeds)
    assert plan_text(again) == plan_text(plan)


def test_what_is_asked_outside_the_file_comes_last(folder) -> None:
    path = written(folder, WHOLE)
    asked = Override(path="duration", value="4 s", label="--duration")
    plan = read_study(path, overrides=[asked], seeds=[9])
    assert (plan.base.duration, plan.seeds) == (4_000_000_000, (9,))
    inside = read_study(written(folder, plan_text(plan)), overrides=[asked])
    assert inside.identity() == plan.identity()


@pytest.mark.parametrize(
    ("design", "rows"),
    [
        ("zip", 2),
        ("[{links.default.delay: 5 ms, loss: none, who: elal}]", 1),
    ],
)
def test_cells_go_side_by_side_or_are_listed(folder, design, rows) -> None:
    text = WHOLE.replace("design: grid", f"design: {design}")
    assert len(read_study(written(folder, text)).rows) == rows


def test_all_problems_are_found_at_once_each_at_its_place(folder) -> None:
    found = problems(written(folder, BAD))
    assert [line for line, _, _ in found] == [1, 2, 3, 5, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    said = "\n".join(f"{path}: {message}" for _, path, message in found)
    for words in (
        "did you mean 'scenario'",
        "set.duratio: unknown key (did you mean 'duration'?)",
        "seeds go to the study's own key",
        "1 s is given twice",
        "did you mean 'path'",
        "did you mean 'grid'",
        "the seed 1 is given twice",
        "did you mean 'accuracy.final'",
    ):
        assert words in said, words


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("links.default.delay:", "links.default.dela:"), 7, "did you mean 'delay'"),
        (("1 ms, 5 ms", "1 ms, 5 lightyears"), 7, "lightyears"),
        (("mean: 10%", "mean: 110%"), 12, "0% to 100%"),
        (("protocol.kind: isolated", "protocol.knd: isolated"), 16, "did you mean 'kind'"),
        (("protocol.kind: isolated", "links.default.delay: 2 ms"), 13, "the factor links"),
        (("design: grid", "design: [{loss: none}]"), 17, "is missing"),
        (("loss:", "seed:"), 8, "cannot be called seed"),
        (("loss:", "energy_j.total:"), 8, "cannot be called energy_j.total"),
        (
            ("design: grid", f"design: [{CELL}, {CELL}]"),
            17,
            "is there twice",
        ),
        (("[3, 4]", "{a: 1}"), 18, "a count or a list"),
        (("tiny.yaml", "tinny.yaml"), 4, "no such file"),
        (("tiny.yaml", "5"), 4, "must be a path"),
        (("tiny.yaml", ""), 4, "must be a path"),
        (("tiny.yaml", "t" * 300), 4, "no such file"),
    ],
)
def test_what_is_wrong_is_found_at_its_place(folder, change, line, words) -> None:
    found = problems(written(folder, WHOLE.replace(*change)))
    assert [(at, words in f"{path}: {text}") for at, path, text in found][:1] == [(line, True)]


def test_what_is_wrong_in_the_base_is_told_of_the_base(folder) -> None:
    (folder / "tiny.yaml").write_text(BASE.replace("learner:", "lerner:"))
    with pytest.raises(ScenarioError, match=r"tiny\.yaml:6:1 lerner: unknown key"):
        read_study(written(folder, WHOLE))
    with pytest.raises(ScenarioError, match="a study is a mapping"):
        read_study(written(folder, "- 1\n"))


@pytest.mark.parametrize("name", ["study_loss", "study_interval", "study_dropout", "study_shift"])
def test_bundled_studies_can_be_run(name) -> None:
    assert name not in names(), "a study is no scenario"
    plan = read_study(name)
    assert plan.name == name == find(name, studies=True).stem
    assert len(plan.seeds) in (3, 5)
    assert len(plan.rows) >= 5
