"""Laws of the YAML reader: hostile bytes give one clean error, and every value has its place."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.run.problems import Place, ScenarioError
from simedge.run.yaml_reader import DEPTH_MAX, SIZE_MAX_BYTES, parse, read_file, scalar
from simedge.run.yaml_writer import dump


def complaint(raw: bytes | str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse(raw, source="f.yaml")
    return str(caught.value)


REFUSED = {
    "a megabyte of nesting": ("[" * 1_000_000, "f.yaml:1:1: larger than 256 KiB"),
    "nesting below the size limit": ("[" * 3_000, f"f.yaml:1:{DEPTH_MAX + 1}: nested deeper than"),
    "nested list items": ("- " * 3_000, f"f.yaml:1:{2 * DEPTH_MAX + 1}: nested deeper than"),
    "nested mappings": ("{a: " * 3_000, f"f.yaml:1:{4 * DEPTH_MAX + 1}: nested deeper than"),
    "an alias bomb": (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "f.yaml:1:4 a: anchors are refused (&a)",
    ),
    "an alias to nothing": ("a: *b\n", "f.yaml:1:4 a: aliases are refused (*b)"),
    "a tag": ("a: !!python/object:os.system x", "f.yaml:1:4 a: tags are refused"),
    "a tag on a list": ("a:\n  b: !x [1]", "f.yaml:2:6 a.b: tags are refused"),
    "binary junk": (bytes(range(256)), "f.yaml:3:115: not UTF-8 text (byte 0x80)"),
    "UTF-16": ("a: 1".encode("utf-16"), "f.yaml:1:1: not UTF-8 text (byte 0xff)"),
    "a null character": ("a: 1\nb: \0", "f.yaml:2:4: the character '\\x00' is not allowed"),
    "half a surrogate pair": ('a: "\\ud800"', "f.yaml:1:4 a: half of a surrogate pair"),
    "a character beyond Unicode": ('a: "\\U0011FFFF"', "not YAML: chr() arg"),
    "an escape that is none": ('a: "\\xZZ"', "f.yaml:1:7: not YAML"),
    "an empty file": ("", "f.yaml:1:1: the file is empty"),
    "only a comment": ("# nothing\n", "f.yaml:1:1: the file is empty"),
    "two documents": ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here"),
    "an old directive": ("%YAML 1.1\n---\na: 1\n", "f.yaml:2:1: only the directive %YAML 1.2"),
    "a tag directive": ("%TAG ! x\n---\na: 1\n", "f.yaml:2:1: only the directive %YAML 1.2"),
    "a list as a key": ("? [x]\n: 1\n", "f.yaml:1:3: a key must be plain text"),
    "a tab as indentation": ("a:\n\tb: 1", "f.yaml:2:1: not YAML"),
    "an open bracket": ("a: [1, 2", "f.yaml:1:9: not YAML: while parsing a flow sequence"),
    "an open quote": ("a: 'x", "f.yaml:1:6: not YAML"),
    "an infinite number": ("a: .inf", "f.yaml:1:4 a: the number '.inf' is not finite"),
    "a number that overflows": ("a: 1e999", "f.yaml:1:4 a: the number '1e999' is not finite"),
    "a number of a thousand digits": ("a: " + "9" * 1000, "a number of more than 40 digits"),
}


@pytest.mark.parametrize(("raw", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_gives_one_line_with_its_place(raw: bytes | str, expected: str) -> None:
    text = complaint(raw)
    assert expected in text
    assert len(text.splitlines()) == 1


def test_errors_never_carry_what_steers_a_terminal() -> None:
    assert complaint('"\\e[31m\\u202e": [1, *x]').isprintable()


def read_or_refuse(raw: bytes | str) -> bool:
    """Whether every outcome is a document or problems that all have a place."""
    try:
        document = parse(raw, source="f")
    except ScenarioError as error:
        return bool(error.problems) and all(p.place is not None for p in error.problems)
    return () in document.values


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_place(raw: bytes) -> None:
    assert read_or_refuse(raw)


@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@# \n\ta0", max_size=60))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    assert read_or_refuse(text)


def test_a_refusal_costs_little_memory() -> None:
    tracemalloc.start()
    complaint("[" * 3_000 + "x" * 200_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * SIZE_MAX_BYTES


def test_keys_and_values_have_line_and_column() -> None:
    document = parse("a:\n  - {b: 1,\n     c: [x, y]}\n", source="f")
    assert document.data == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert document.place(("a", 0, "c"), key=True) == Place(line=3, column=6)
    assert document.place(("a", 0, "c", 1)) == Place(line=3, column=13)
    assert document.place(("a", 0, "b")) == Place(line=2, column=9)


def test_what_the_document_lacks_stands_where_its_parent_stands() -> None:
    document = parse("x: 1\na:\n  b: {c: 1}\n", source="f")
    assert document.place(("a", "b", "lacking", 3)) == Place(line=3, column=3)
    assert document.place(("lacking",)) == Place(line=1, column=1)


def test_every_duplicate_key_is_found_in_one_reading() -> None:
    document = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n", source="f.yaml")
    assert [p.line() for p in document.problems] == [
        "f.yaml:2:11 b.c: given twice (first in line 2)",
        "f.yaml:3:1 a: given twice (first in line 1)",
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_line_ends_change_nothing(newline: str, mark: bytes) -> None:
    raw = mark + newline.join(["a: 1", "b:", "  - x", "  - 'y z'", ""]).encode()
    document = parse(raw, source="f")
    assert document.data == {"a": 1, "b": ["x", "y z"]}
    assert document.place(("b", 1)) == Place(line=4, column=5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("012", 12),
        ("0o17", 15),
        ("0xff", 255),
        ("-5", -5),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("20 ms", "20 ms"),
        ("20%", "20%"),
        ("2001-01-01", "2001-01-01"),
        ("true", True),
        ("~", None),
        ("", None),
        ("<<", "<<"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc1.%", max_size=4), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc1.%", max_size=4), PLAIN))
def test_what_is_written_reads_back_equal(data: dict[str, object]) -> None:
    assert parse(dump(data), source="f").data == data


def test_what_cannot_be_opened_is_a_problem_of_the_file(tmp_path) -> None:
    with pytest.raises(ScenarioError, match=r"gone\.yaml:1:1: cannot read: No such file"):
        read_file(tmp_path / "gone.yaml")
    with pytest.raises(ScenarioError, match=rf"^{tmp_path}: is a directory$"):
        read_file(tmp_path)


def test_no_more_than_the_limit_is_read(tmp_path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (SIZE_MAX_BYTES + 1))
    with pytest.raises(ScenarioError, match="larger than 256 KiB"):
        read_file(path)
    path.write_bytes(b"a: 1\n" + b"#" * (SIZE_MAX_BYTES - 5))
    assert read_file(path).data == {"a": 1}
