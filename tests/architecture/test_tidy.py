"""The house rules that no tool checks: sizes, doors, signs, lists of what is there."""

import ast
import statistics
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("simedge/**/*.py"), *ROOT.glob("cli/**/*.py")])
CODE = sorted({*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("examples/**/*.py")})
FILE_LINES_MAX = 400
BODY_LINES_MAX = 50
BODY_LINES_MEDIAN = 8
BODY_LINES_P90 = 25
POSITIONAL_MAX = 3
BANNED_NAMES = {"utils", "helpers", "common", "util", "helper", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(read(path))


@cache
def functions(path: Path) -> tuple[Function, ...]:
    return tuple(node for node in ast.walk(parsed(path)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines of the body without its docstring."""
    body = function.body
    first = body[1:] if ast.get_docstring(function) is not None else body
    return 0 if not first else (first[-1].end_lineno or 0) - first[0].lineno + 1


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    lengths = {name_of(path): len(read(path).splitlines()) for path in CODE}
    assert {name: n for name, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_every_module_says_what_it_is_for_and_what_it_offers() -> None:
    assert [name_of(path) for path in SOURCES if not ast.get_docstring(parsed(path))] == []
    assert [name_of(path) for path in SOURCES if offers(parsed(path)) != 1] == []


def offers(tree: ast.Module) -> int:
    """How many times a module lists what it offers."""
    return sum(
        isinstance(target, ast.Name) and target.id == "__all__"
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )


def test_no_body_is_longer_than_a_screen() -> None:
    lengths = {(name_of(path), f.name): body_lines(f) for path in SOURCES for f in functions(path)}
    assert {where: n for where, n in lengths.items() if n > BODY_LINES_MAX} == {}


def test_bodies_are_short_as_a_rule() -> None:
    lengths = sorted(body_lines(f) for path in SOURCES for f in functions(path))
    assert statistics.median(lengths) <= BODY_LINES_MEDIAN
    assert lengths[len(lengths) * 9 // 10] <= BODY_LINES_P90


def test_more_than_three_arguments_go_by_name() -> None:
    many = [
        (name_of(path), f.name) for path in SOURCES for f in functions(path) if many_of(f, path)
    ]
    assert many == [], "a reason stands beside every exception (noqa: PLR0917 -- why)"


def many_of(function: Function, path: Path) -> bool:
    """Whether a function takes many arguments by place, without a word why."""
    given = [*function.args.posonlyargs, *function.args.args]
    count = len(given) - bool(given and given[0].arg in {"self", "cls"})
    if count <= POSITIONAL_MAX or is_native(function):
        return False
    lines = read(path).splitlines()
    return "noqa: PLR0917" not in " ".join(lines[function.lineno - 1 : function.body[0].lineno])


NATIVE = frozenset(
    {
        "native",
        "native_inside",
        "native_leaf",
        "native_part",
        "native_sums",
        "unlocked",
        "unlocked_leaf",
        "njit",
        "jit",
    }
)


def is_native(function: Function) -> bool:
    """Whether a decorator compiles the function: native kernels take arrays one by one."""
    names = {ast.unparse(decorator).split("(")[0] for decorator in function.decorator_list}
    return any(name.rsplit(".", 1)[-1] in NATIVE for name in names)


def test_names_say_what_is_inside() -> None:
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in SOURCES}
    assert [name_of(path) for path in SOURCES if not BANNED_NAMES.isdisjoint(parts[path])] == []


def test_only_the_packages_are_importable() -> None:
    rooms = {"cli", "tests", "topologies", "traces", "examples", "benchmarks", "docs"}
    assert [name for name in rooms if (ROOT / name / "__init__.py").exists()] == []


def test_tests_mirror_the_rooms() -> None:
    rooms = {path.parent.name for path in ROOT.glob("simedge/*/__init__.py")}
    tested = {path.parent.name for path in ROOT.glob("tests/*/test_*.py")}
    extra = {"architecture", "cli", "conformance", "examples", "golden", "stateful", "validation"}
    assert tested - rooms - extra == set()


def test_one_file_only_has_rich() -> None:
    having = [name_of(path) for path in SOURCES if imports(path) & {"rich"}]
    assert having == ["cli/simedge_cli/render.py"]


def imports(path: Path) -> set[str]:
    tree = parsed(path)
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    plain = [n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names]
    return {module.split(".")[0] for module in (*modules, *plain)}


def test_every_data_file_is_listed_in_the_readme_beside_it() -> None:
    folders = [*ROOT.glob("simedge/**/data"), ROOT / "traces"]
    missing = [
        name_of(path)
        for folder in folders
        for path in folder.glob("*")
        if path.is_file() and path.suffix not in {".py", ".md"} and path.name != ".gitkeep"
        if path.name not in readme(folder)
    ]
    assert missing == []


def readme(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.glob("README.md"))


def test_every_example_has_its_expected_output() -> None:
    examples = ROOT.glob("examples/**/*.py")
    assert [name_of(path) for path in examples if not path.with_suffix(".out").exists()] == []


def test_every_scenario_is_named_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [path.stem for path in ROOT.glob("topologies/*.yaml")]
    assert [name for name in names if name not in text] == []


def test_the_readme_and_the_gates_run_the_same_tests() -> None:
    command = (
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && "
        ".venv/bin/pytest -q -n auto"
    )
    for name in ("README.md", ".ci/run"):
        assert command in (ROOT / name).read_text(encoding="utf-8").splitlines()
