"""The table of notes says what machines note: every kind, with as many entries."""

import ast
from collections import defaultdict
from pathlib import Path

import simedge.protocol
from simedge.protocol.machine import Note

ROOM = Path(simedge.protocol.__file__).parent


def in_the_table():
    """Return the lengths of details by kind, as the docstring has them."""
    lines = [line.strip() for line in Note.__doc__.splitlines()]
    marks = [number for number, line in enumerate(lines) if line.startswith("===")]
    widths = [len(bar) for bar in lines[marks[0]].split()]
    last = sum(widths[:-1]) + len(widths) - 1
    lengths = defaultdict(set)
    for line in lines[marks[1] + 1 : marks[2]]:
        lengths[line.split()[0]].add(len(line[last:].split(", ")))
    return dict(lengths)


def tuples_of(node, function):
    """Return the tuples that an expression is, or that a name in it was set to."""
    if isinstance(node, ast.Tuple):
        return [node]
    assert isinstance(node, ast.Name), ast.dump(node)
    sets = [each for each in ast.walk(function) if isinstance(each, ast.Assign)]
    return [each.value for each in sets if node.id in {getattr(t, "id", "") for t in each.targets}]


def in_the_code():
    """Return the lengths of details by kind, as machines write them."""
    lengths = defaultdict(set)
    for path in ROOM.glob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
        for function in functions:
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Note":
                    said = {keyword.arg: keyword.value for keyword in call.keywords}
                    for detail in tuples_of(said["detail"], function):
                        lengths[said["kind"].value].add(len(detail.elts))
    return dict(lengths)


def test_the_table_of_notes_has_every_kind_and_every_length():
    assert in_the_code() == in_the_table()
