"""Trace files: every format is told by its content, and what is wrong is said with its line."""

import io
import json
import re
import tracemalloc
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simedge.world.capacity import StepCapacity
from simedge.world.traces import tables
from simedge.world.traces.convert import write_csv, write_trace
from simedge.world.traces.figures import measure
from simedge.world.traces.messages import write_messages
from simedge.world.traces.rows import Message, Row, TraceError
from simedge.world.traces.source import open_trace
from simedge.world.traces.text import scaled
from simedge.world.traces.tracks import load_track

MESSAGES = "uid,link,direction,size_bytes,t_send_ns,t_recv_ns\n"
FIVE_G = "t_s,dl_kbps,ul_kbps,ping_avg_ms,ping_loss_pct,mode,rsrp_dbm\n"
STARLINK = "timestamp_utc,dl_mbps,ul_mbps,speed_kmh\n"
NTRACE = {
    "version": 1,
    "description": "to the harbour",
    "entries": [
        {"entryNo": 1, "dateTime": "2020-10-09T08:23:00.478+02:00", "dlBw": 12608},
        {"entryNo": 2, "dateTime": "2020-10-09T06:23:11.138Z", "dlBw": 7641, "ulBw": 5},
        {"entryNo": 3, "dateTime": "2020-10-09T08:23:20.441+02:00", "ulLatency": 30},
    ],
}


@pytest.fixture
def written(tmp_path):
    def write(text, name="trace.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("0\n3\n3\n17\n", "mahimahi"),
        ("0.5 1.25\n1.5\t2\n", "two-column"),
        ("0.5,1.25\n1.5,2\n", "two-column"),
        ("# made\nt_s,rate_bps,delay_s,loss\n0,5,,\n", "csv"),
        ("t_ms,rate_kbps\n0,5\n", "csv"),
        (FIVE_G + "0,7,1,,,5G,-99\n", "5g"),
        (STARLINK + "2024-04-19 16:23:00.001,17.5,12.3,3\n", "starlink"),
        (json.dumps(NTRACE), "ntrace"),
        (MESSAGES + "a/b/token/1/1/0/0,a.b,up,9,0,lost\n", "messages"),
    ],
)
def test_the_format_is_told_by_the_content(written, text, form):
    assert open_trace(written(text)).format == form
    assert open_trace(written(text), form).format == form


def test_every_column_means_what_its_header_says(written):
    ours = "t_ms,rate_kbps,delay_us,loss_pct\n0,1.5,,12.5\n250,,7,\n"
    assert list(open_trace(written(ours)).rows()) == [
        Row(2, 0, up_bps=1500, down_bps=1500, loss=125_000_000),
        Row(3, 250_000_000, up_ns=7000, down_ns=7000),
    ]
    five = FIVE_G + "0,7,1,,,5G,-99\n2,0,9,41.5,33.3333,LTE,\n"
    assert list(open_trace(written(five)).rows()) == [
        Row(2, 0, down_bps=7000),
        Row(3, 2 * 10**9, down_bps=0, up_ns=20_750_000, down_ns=20_750_000, loss=333_333_000),
    ]
    star = STARLINK + "2024-04-19 23:59:59.001,1,2,3\n2024-04-20 00:00:00.002,0,0.5,3\n"
    assert list(open_trace(written(star)).rows()) == [
        Row(2, 0, up_bps=2_000_000, down_bps=1_000_000),
        Row(3, 1_001_000_000, up_bps=500_000, down_bps=0),
    ]
    assert list(open_trace(written(json.dumps(NTRACE, indent=1))).rows()) == [
        Row(5, 0, down_bps=12_608_000),
        Row(10, 10_660_000_000, up_bps=5000, down_bps=7_641_000),
        Row(16, 19_963_000_000, up_ns=30_000),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", None, "an empty file"),
        ("\n\n", None, "an empty file"),
        ("5\n\n7\n", 2, "an empty line"),
        ("5\n3\n", 2, "not sorted: 3 ms after 5 ms"),
        ("5\n-3\n", 2, "must not be negative"),
        ("5\n7.5\n", 2, "a whole number of milliseconds"),
        ("0\n0\n", None, "no delivery opportunity after 0 ms"),
        ("5\n99999999999999\n", 2, "more than 12 digits"),
        (b"5\n\x00\x01\n", 2, "binary data"),
        (b"\x1f\x8b\x08\x00junk\n", 1, "compressed by gzip: unpack it first"),
        (b"PK\x03\x04junk\n", 1, "a zip archive: unpack it first"),
        ("5\n7\n".encode("utf-16"), 1, "text in UTF-16: save it as UTF-8"),
        ("5\r7\r9\r", 1, "a carriage return inside a line"),
        ("5\n7\r9\n", 2, "a carriage return inside a line"),
        ("5\n7\r9\n\n", 2, "a carriage return inside a line"),
        ("5\n9_9\n", 2, "a whole number of milliseconds"),
        ("5\n\u0667\n", 2, "a whole number of milliseconds"),
        ("t_s,rate_bps\n0,\u0667\n", 2, "rate_bps must be a number"),
        ("t_s,rate_bps\n0,5\n9e9,5\n", 3, "a time of 9000000000 s is too large"),
        (STARLINK + "0001-01-01,1,2,3\n9999-12-31,1,2,3\n", 3, "is too large"),
        (b"\xff\xfe\x00", 1, "binary data"),
        (b"5\n\xff\n", 2, "binary data"),
        (b"5\n" + b"7" * 5000, 2, "a line of more than 4096 bytes"),
        ("0 1\n1\n", 2, "1 columns, two are needed"),
        ("0 1\n0 2\n", 2, "not sorted: 0 s after 0 s"),
        ("0 1\n1 nan\n", 2, "must be finite, got nan"),
        ("0 1\n1 inf\n", 2, "must be finite, got inf"),
        ("0 1\n1 -2\n", 2, "must not be negative, got -2"),
        ("0 1\n1 1e40\n", 2, "too large"),
        ("0 1\n1 1e999\n", 2, "must be a number"),
        ("0 1\n1 " + "9" * 300 + "\n", 2, "must be a number"),
        ("hello world\n", 1, "no format of a trace"),
        ("rate_bps\n5\n", 1, "no column of times"),
        ("t_s,rate_furlongs\n0,5\n", 1, "the unknown unit 'furlongs' (known: bps, kbps"),
        ("t_s,rate\n0,5\n", 1, "has no unit"),
        ("t_s,loss_dB\n0,5\n", 1, "unknown unit (known: loss, loss_pct)"),
        ("t_s,colour\n0,5\n", 1, "unknown column 'colour'"),
        ("t_s,rate_bps,rate_kbps\n0,5,5\n", 1, "two columns say the same"),
        ("t_s,t_s\n0,5\n", 1, "a column stands there twice"),
        ("t_s,loss\n0,1.5\n", 2, "a share in [0, 1]"),
        ("t_s,loss_pct\n0,150\n", 2, "0 to 100 percent"),
        ("t_s,rate_bps\n0,5\n1\n", 3, "1 of 2 columns: cut off?"),
        ("t_s,rate_bps\n0,5\n\n", 3, "an empty line"),
        ("t_s,rate_bps\n", None, "no rows"),
        ("t_s,rate_bps\n,5\n", 2, "t_s is empty"),
        ("t_s,rate_bps\n0,5\n9,NaN\n", 3, "must be finite, got NaN"),
        (FIVE_G.replace("t_s", "time") + "0,7,1,,,5G,-99\n", 1, "no column t_s"),
        (STARLINK + "yesterday,1,2,3\n", 2, "no time as in"),
        (STARLINK + "2024-04-19 16:23:01,1,2,3\n2024-04-19 16:23:00,1,2,3\n", 3, "not sorted"),
        (STARLINK + "2024-04-19 16:23:00,1,2,3\n2024-04-19 16:23:01Z,1,2,3\n", 3, "time zone"),
        ('{"version": 1,\n "entries": [', 2, "no JSON"),
        ('{"version": 2, "entries": []}', 1, "version 1, this one 2"),
        ('{"version": 1}', 1, "a list of entries"),
        ('{"version": 1, "entries": []}', None, "no rows"),
        ('{"version": 1,\n "entries": [\n{"dateTime": "now"}]}', 3, "entry 1: no dateTime"),
        ('{"version": 1, "entries": [5]}', 1, "an entry is an object"),
        (
            '{"version": 1, "entries": [{"dateTime": "2020-10-09T08:23:00Z", "ulBw": -1}]}',
            1,
            "ulBw",
        ),
        ('{"version": 1, "entries": [{"ulBw": NaN}]}', None, "must be finite, got NaN"),
        (MESSAGES.replace("uid,link", "uid,lnk"), 1, "the columns begin with uid,link"),
        ("# simedge-messages 9\n" + MESSAGES, 1, "version 1 can be read"),
        (MESSAGES, None, "no messages"),
        (MESSAGES + "a/b,l,up,9,0,1\n", 2, "a uid is source/destination"),
        (MESSAGES + "a/b/c/1/1/0/0,l,side,9,0,1\n", 2, "up or down"),
        (MESSAGES + "a/b/c/1/1/0/0,l,up,9,5,1\n", 2, "before it was sent"),
        (MESSAGES + "a/b/c/1/1/0/0,l,up,9,5,7\n" * 2, 3, "stands twice on l"),
        (
            MESSAGES + "a/b/c/1/1/0/0,l,up,9,5,7\na/b/c/1/2/0/0,l,up,9,4,7\n",
            3,
            "the times of l are not sorted",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(written, text, line, what):
    path = written(text)
    with pytest.raises(TraceError) as error:
        exhaust(open_trace(path))
    place = f"{path}: " if line is None else f"{path}:{line}: "
    assert str(error.value).startswith(place)
    assert what in str(error.value)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "MIXED"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    "text",
    [
        "0\n3\n3\n17",
        "0.5 1.25\n1.5 2",
        "t_s,rate_bps,delay_s,loss\n0,5,,\n1,7,,",
        FIVE_G + "0,7,1,,,5G,-99\n1,7,1,,,5G,-99",
        STARLINK + "2024-04-19 16:23:00,17.5,12.3,3\n2024-04-19 16:23:01,1,2,3",
        json.dumps(NTRACE, indent=1),
        MESSAGES + "a/b/c/1/1/0/0,l,up,9,5,7\na/b/c/1/2/0/0,l,up,9,6,lost",
    ],
    ids=["mahimahi", "two-column", "csv", "5g", "starlink", "ntrace", "messages"],
)
def test_ends_of_lines_and_a_mark_of_utf_8_change_nothing(written, text, mark, ends):
    plain = exhaust(open_trace(written(text, "plain")))
    lines = text.split("\n")
    joined = "".join(
        line + ("\r\n" if ends == "\r\n" or (ends == "MIXED" and i % 2) else "\n")
        for i, line in enumerate(lines)
    )
    assert exhaust(open_trace(written(mark + joined.encode(), "odd"))) == plain
    assert exhaust(open_trace(written(mark + joined.encode().rstrip(), "cut"))) == plain


SAMPLES = {
    "mahimahi": "0\n3\n3\n17\n",
    "two-column": "0.5 1.25\n1.5 2\n",
    "csv": "t_s,rate_bps,delay_s,loss\n0,5,,\n1,7,0.5,1e-1\n",
    "5g": FIVE_G + "0,7,1,41.5,,5G,-99\n1,7,1,,33.3,5G,-99\n",
    "starlink": STARLINK + "2024-04-19 16:23:00,17.5,12.3,3\n2024-04-19 16:23:01Z,1,2,3\n",
    "ntrace": json.dumps(NTRACE, indent=1),
    "messages": MESSAGES + "a/b/c/1/1/0/0,l,up,9,5,7\na/b/c/1/2/0/0,l,up,9,6,lost\n",
}
BITS = ["", "0", "9" * 13, "9" * 19, "-", "nan", "1e99", ",", "\n", "\r", "\0", "\ufeff", "é", "#"]
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from(BITS) | st.text(max_size=5))


@pytest.mark.parametrize("form", SAMPLES)
@given(edits=st.lists(EDIT, max_size=4), junk=st.none() | st.binary(max_size=60))
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(tmp_path_factory, form, edits, junk):
    text = SAMPLES[form]
    for where, cut, bit in edits:
        at = int(where * len(text))
        text = text[:at] + bit + text[at + cut :]
    path = tmp_path_factory.mktemp("odd") / "odd"
    path.write_bytes(text.encode("utf-8", "surrogatepass") if junk is None else junk)
    for asked in (None, form):
        for use in (lambda s: measure(s, "up"), lambda s: load_track(s, "down"), exhaust):
            try:
                use(open_trace(path, asked))
            except TraceError as error:
                assert str(error).startswith(str(path))  # noqa: PT017 -- it need not come


NUMBERS = st.lists(
    st.sampled_from(["0", "3", "03", "12", "999999999999", "9999999999999", "", " 4", "5\r", "1_1"])
    | st.integers(-5, 10**13).map(str),
    min_size=1,
    max_size=6,
)


@given(NUMBERS, st.integers(0, 20))
def test_the_quick_way_to_opportunities_is_the_slow_one(texts, before):
    block = "\n".join(texts).encode()
    quick = tables.plain_times(block)
    try:
        slow = tables.odd_times(Path("file"), 1, block, before=before)
    except TraceError:
        assert quick is None or quick[0] < before
    else:
        assert quick in (None, slow)


@given(
    st.decimals(0, 10**12, allow_nan=False, places=None) | st.integers(0, 10**20), st.integers(0, 9)
)
def test_the_quick_way_to_numbers_is_the_slow_one(number, zeros):
    text, scale = str(number), 10**zeros
    exact = (Decimal(text) * scale).to_integral_value()
    if exact < 2**63 and text_is_short(text):
        assert scaled(text, scale, "it") == int(exact)


def text_is_short(text):
    return re.fullmatch(r"\d{1,30}(\.\d{0,40})?(E[+-]?\d{1,2})?", text) is not None


def exhaust(source):
    of = {"rows": source.rows, "opportunities": source.times, "messages": source.messages}
    return list(of[source.kind]())


def test_a_row_that_is_said_twice_counts_once(written):
    text = STARLINK + "2024-04-19 16:23:00,1,2,3\n" * 2 + "2024-04-19 16:23:01,1,2,3\n"
    assert [row.t_ns for row in open_trace(written(text)).rows()] == [0, 10**9]


def test_a_name_that_is_none_and_a_directory_are_refused(tmp_path):
    with pytest.raises(TraceError, match="no such trace"):
        open_trace(tmp_path / "none")
    with pytest.raises(TraceError, match="a directory"):
        open_trace(tmp_path)


ROWS = st.lists(st.integers(0, 10**12), min_size=1, max_size=20, unique=True).flatmap(
    lambda times: st.tuples(
        st.just(sorted(times)),
        st.lists(
            st.tuples(
                st.none() | st.integers(0, 10**10),
                st.none() | st.integers(0, 10**11),
                st.none() | st.integers(0, 10**9),
            ),
            min_size=len(times),
            max_size=len(times),
        ),
    )
)


@given(ROWS)
def test_our_own_format_reads_back_what_was_written(tmp_path_factory, drawn):
    rows = [
        Row(i + 2, at, up_bps=rate, down_bps=rate, up_ns=delay, down_ns=delay, loss=loss)
        for i, (at, (rate, delay, loss)) in enumerate(zip(*drawn, strict=True))
    ]
    path = tmp_path_factory.mktemp("own") / "own.csv"
    with path.open("w") as out:
        write_csv(iter(rows), out, direction="up")
    assert list(open_trace(path).rows()) == rows


def test_messages_read_back_what_was_written(tmp_path):
    path = tmp_path / "live.csv"
    messages = [
        Message(3, "a/b/token/1/1/0/0", "a.b", "up", 90, 5, 9),
        Message(4, "a/b/token/1/2/0/0", "a.b", "up", 90, 7, None),
    ]
    with path.open("w") as out:
        write_messages(messages, out)
    assert list(open_trace(path).messages()) == messages


def test_opportunities_made_from_steps_carry_what_the_steps_carry(written):
    source = open_trace(written("0 1\n1 0\n2 4.5\n3 0.25\n"))
    out = io.StringIO()
    write_trace(source, out, "mahimahi")
    times = [int(line) for line in out.getvalue().split()]
    steps = load_track(source, "up").steps
    capacity = StepCapacity(steps, repeat="stop")
    ends = [capacity.finish_ns(0, 1504 * (i + 1)) for i in range(len(times))]
    assert times == [-(-end // 10**6) for end in ends]
    assert capacity.finish_ns(0, 1504 * (len(times) + 1)) is None


def test_steps_made_from_opportunities_carry_all_their_bytes(written):
    source = open_trace(written("0\n100\n100\n101\n2500\n"))
    out = io.StringIO()
    write_trace(source, out, "csv", step_ns=100 * 10**6)
    made = load_track(open_trace(written(out.getvalue(), "made.csv")), "up")
    assert made.steps.total == 5 * 1504 * 8 * 10**9
    assert made.period_ns == 2_500_000_000


def test_a_large_trace_is_measured_in_bounded_memory(tmp_path):
    peaks = []
    for rows in (200_000, 400_000):
        path = tmp_path / "long.up"
        path.write_text("".join(f"{at // 3}\n" for at in range(rows)))
        tracemalloc.start()
        measure(open_trace(path), "up")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20_000


def test_figures_of_a_known_trace(written):
    text = "t_s,rate_bps,delay_s,loss\n0,1000,0.02,0\n1,0,,0.5\n4,3000,0.04,0.1\n5,,,0\n"
    figures = measure(open_trace(written(text)), "up")
    assert figures.duration_ns == 6 * 10**9
    assert figures.rates == (1000, 0, 0, 0, 3000, 3000)
    assert figures.rate.mean == pytest.approx(7000 / 6)
    assert (figures.rate.p5, figures.rate.p95) == (0, 3000)
    assert (figures.outages, figures.outage_ns, figures.outage_ns_max) == (1, 3 * 10**9, 3 * 10**9)
    assert figures.loss == pytest.approx(float(Fraction(16, 60)))
    assert figures.loss_bad == pytest.approx(0.4)
    assert (figures.bursts, figures.burst_ns) == (1, 4 * 10**9)
    assert (figures.delay_ns[0], figures.delay_ns[-1]) == (20_000_000, 40_000_000)


def test_a_direction_that_a_file_says_nothing_of_is_refused(written):
    only_up = open_trace(written("t_s,up_bps\n0,5\n"))
    assert load_track(only_up, "up").steps.last_bps == 5
    with pytest.raises(TraceError, match="nothing for the direction down"):
        load_track(only_up, "down")
