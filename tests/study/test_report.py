"""Laws of reports: they say what the summary says, ask no network, and name what is damaged."""

import dataclasses
import json
import re
import shutil
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from simedge.study.report.errors import MissingExtraError, ReportError
from simedge.study.report.history import read_history
from simedge.study.report.links import links_of
from simedge.study.report.runs import read_run
from simedge.study.report.tables import HEADLINES, every_figure, headline
from simedge.study.report.write import report
from simedge.study.report.written import figure
from simedge_cli.commands import app

EXTRA = "the extra 'report' (altair, vl-convert-python) is not installed"


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def summary_of(path: Path):
    return json.loads((path / "summary.json").read_bytes())


@pytest.fixture(scope="session")
def page(finished):
    pytest.importorskip("altair", reason=EXTRA)
    pytest.importorskip("vl_convert", reason=EXTRA)
    return report([finished])


class Loads(HTMLParser):
    """Everything in a page that could make a browser fetch something, and its inline parts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.styles: list[str] = []
        self.ids: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._in = tag
        self.ids += [value for name, value in attrs if name == "id"]
        loading = {"src", "srcset", "href", "data", "action", "poster", "background"}
        self.found += [f"{tag} {name}" for name, _ in attrs if name in loading]
        self.found += [tag] * (tag in {"link", "iframe", "img", "object", "embed", "base"})

    def handle_data(self, data):
        if self._in == "style":
            self.styles.append(data)


def test_the_json_form_has_every_key_of_the_summary_as_it_is(finished) -> None:
    made = json.loads(report([finished], form="json").text)
    assert made["runs"][0]["summary"] == summary_of(finished)
    assert made["runs"][0]["provenance"]["seed"] == 1


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def wanted(path):
    """Return every number of a summary but those of single devices, and the wall clock's."""
    found = dict(leaves(summary_of(path)))
    return {
        name: json.dumps(value)
        for name, value in found.items()
        if "per_device" not in name and name not in {"wall_s", "accuracy.curve"}
    }


def test_the_table_of_every_figure_is_the_summary(finished) -> None:
    assert dict(every_figure(read_run(finished)).rows) == wanted(finished)


@pytest.mark.parametrize("path", [one.path for one in HEADLINES])
def test_a_headline_is_the_summary_rounded(finished, path: str) -> None:
    label, _, shown = next(row for row in headline(read_run(finished)).rows if row[1] == path)
    assert label
    exact = getattr(shown, "exact", shown)
    value = dict(leaves(summary_of(finished)))[path]
    if value is None:
        assert shown == "-"
    else:
        number = float(exact.split()[0].replace(",", ""))
        scale = 100 if shown.endswith("%") else 1
        assert number == pytest.approx(scale * value, rel=1e-3)


PREFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "": 1.0}
PREFIXES |= {f"{sign}i": 2.0 ** (10 * place) for place, sign in enumerate("KMGT", 1)}


@settings(max_examples=60)
@given(st.floats(1e-9, 1e14) | st.integers(0, 10**14), st.sampled_from(["bit", "bit/s", "B", "J"]))
def test_a_figure_is_short_and_its_exact_one_is_kept(value, unit) -> None:
    shown = figure(value, unit)
    number, _, written = shown.partition(" ")
    by = PREFIXES[written.removesuffix(unit)]
    assert float(number.replace(",", "")) * by == pytest.approx(value, rel=6e-4)
    if by != 1.0:
        assert float(shown.exact.split()[0].replace(",", "")) == value


def links_drawn(*, lost: float, rates=(1, 1)):
    pytest.importorskip("altair", reason=EXTRA)
    from simedge.study.report import charts

    places = {"x": 0, "y": 0, "x2": 1, "y2": 1}
    rows = [{"link": "a.b", "lost": lost, "rate": rate, **places} for rate in rates]
    return charts._links_drawn(rows).to_dict()["encoding"]  # noqa: SLF001 -- its spec is what counts


def test_links_that_lose_nothing_have_the_colour_of_zero_on_a_scale_that_has_a_width():
    for lost in (0.0, 0.2):
        scale = links_drawn(lost=lost)["color"]["scale"]
        assert scale["domain"][0] == 0 < scale["domain"][-1]
        assert scale["domain"][-1] >= lost
    assert "scale" not in links_drawn(lost=0.0)["strokeWidth"]
    far = links_drawn(lost=0.0, rates=(1_000, 9_000))["strokeWidth"]["scale"]
    assert far["domain"] == [1_000, 9_000]


def test_a_page_names_curves_in_words_and_keeps_exact_figures_at_hand(finished, page) -> None:
    sampled = {row.split(",")[2] for row in (finished / "metrics.csv").read_text().splitlines()[1:]}
    raw = {name for name in sampled if "_" in name}
    assert raw
    assert not {name for name in raw if f'"metric": "{name}"' in page.text}
    sent = summary_of(finished)["communication"]["bits_up"]
    assert f'title="{sent:,} bit"' in page.text


def test_markdown_and_page_say_the_same_figures(finished, page) -> None:
    text = report([finished], form="md").text
    rows = re.findall(r"^\| (\S+) \| (.+) \|$", text, re.MULTILINE)
    cells = re.findall(r'<tr><td>([^<]+)</td><td class="n">([^<]*)</td></tr>', page.text)
    for name, value in wanted(finished).items():
        assert (name, value) in rows
        assert (name, value) in [(unescape(a), unescape(b)) for a, b in cells]
    for row in headline(read_run(finished)).rows:
        assert f"| {' | '.join(row)} |" in text
        assert row[2] in unescape(page.text)


def test_a_page_loads_nothing_and_forbids_itself_to(page) -> None:
    seen = Loads(page.text)
    assert seen.found == []
    assert not any(word in style for style in seen.styles for word in ("url(", "@import"))
    assert "default-src 'none'" in page.text
    assert "unsafe-eval" not in page.text
    specs = re.search(r'id="charts-data">(.*?)</script>', page.text, re.DOTALL)
    assert specs is not None
    assert "http" not in specs[1]


def test_a_page_is_small_and_has_a_place_for_every_chart(page) -> None:
    assert len(page.text.encode()) <= 1_500_000
    specs = re.search(r'id="charts-data">(.*?)</script>', page.text, re.DOTALL)
    assert specs is not None
    charts = json.loads(specs[1])
    assert charts.keys() == page.charts.keys()
    assert {f"chart-{name}" for name in charts} <= set(Loads(page.text).ids)
    assert {"accuracy", "accuracy-bits", "energy", "latency", "staleness", "topology"} <= set(
        charts
    )


def crowded(run, count=3000):
    """Return a run of very many devices that said a lot, made up from a small one."""
    names = [f"cam-{i}" for i in range(1, count + 1)]
    scenario = run.scenario.vary({"devices[0].count": count, "topology": {"kind": "ring"}})
    summary = json.loads(json.dumps(run.summary))
    for part in (summary["accuracy"], summary["energy_j"]):
        part["per_device"] = {name: 1 / 3 + i / 10**5 for i, name in enumerate(names)}
    summary["accuracy"]["curve"] = [[t / 7, (t % 97) / 97] for t in range(5000)]
    samples = {
        metric: [(t / 7, name, (t % 89) / 89 * i) for t in range(0, 60, 3) for i, name in busy]
        for metric in [*run.samples, *(f"own_{k}" for k in range(20))]
        for busy in [list(enumerate(names))[:200]]
    }
    return dataclasses.replace(
        run, scenario=scenario, text="# x\n" * 65_536, summary=summary, samples=samples
    )


def test_a_page_of_very_many_devices_is_small(finished) -> None:
    pytest.importorskip("altair", reason=EXTRA)
    from simedge.study.report.page import html_report

    text, _ = html_report([crowded(read_run(finished))], [])
    assert len(text.encode()) <= 1_500_000
    assert "2,600 more rows are left out." in text


def test_a_page_of_very_many_runs_is_small(finished) -> None:
    pytest.importorskip("altair", reason=EXTRA)
    from simedge.study.report.page import html_report

    run = read_run(finished)
    curve = [[t / 7, (t % 97) / 97] for t in range(5000)]
    summary = {**run.summary, "accuracy": {**run.summary["accuracy"], "curve": curve}}
    runs = [
        dataclasses.replace(run, name=f"a-long-name-of-a-run-s{seed}-0123abcd", summary=summary)
        for seed in range(300)
    ]
    text, _ = html_report(runs, [])
    assert len(text.encode()) <= 1_500_000
    assert "200 more rows are left out." in text


def test_runs_of_one_name_are_told_apart_by_their_paths(finished, tmp_path) -> None:
    twins = [Path(shutil.copytree(finished, tmp_path / place / "run")) for place in "ab"]
    made = json.loads(report([*twins, twins[0]], form="json").text)
    assert [run["run"] for run in made["runs"]] == [str(path) for path in twins]


def test_text_of_a_scenario_is_text_in_a_page(page) -> None:
    assert "Two &lt;cameras&gt; &amp; a | lossy link." in page.text
    assert "<cameras>" not in page.text


def test_static_charts_lie_beside_the_page(finished, tmp_path, page) -> None:
    done = call("report", finished, "-o", tmp_path / "r.html")
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text() == page.text, "the same run gives the same page"
    drawn = {path.stem: path.read_text() for path in (tmp_path / "r-svg").iterdir()}
    assert drawn == page.charts
    assert all(svg.startswith("<svg") for svg in drawn.values())


def without_origin(text: str) -> str:
    return re.sub(r'<section id="provenance">.*?</section>', "", text, flags=re.DOTALL)


def test_equal_runs_differ_in_their_provenance_alone(small, page, tmp_path) -> None:
    import simedge

    simedge.simulate(small, out=tmp_path / "small-s1")
    again = report([tmp_path / "small-s1"])
    assert again.text != page.text
    assert without_origin(again.text) == without_origin(page.text)


def test_links_count_what_the_summary_counts(finished) -> None:
    run, datagrams = read_run(finished), summary_of(finished)["communication"]["datagrams"]
    links = links_of(run)
    assert sum(link.sent or 0 for link in links) == datagrams["sent"]
    assert sum(link.lost or 0 for link in links) == datagrams["lost"]
    bits = summary_of(finished)["communication"]
    assert sum(link.wire_bits or 0 for link in links) == (
        bits["bits_up"] + bits["bits_down"] - bits["bits_preinstalled"]
    )


def test_latencies_of_the_log_are_those_of_the_summary(finished) -> None:
    updates = sorted(read_history(finished / "events.msgpack").update_ns)
    middle = updates[-(-len(updates) // 2) - 1]
    assert middle / 1e6 == summary_of(finished)["latency_ms"]["update"]["p50"]


def test_a_crash_and_a_shift_are_marked(finished) -> None:
    made = json.loads(report([finished], form="json").text)
    assert {"t_s": 3.0, "what": "crash", "who": "cam-1"} in made["runs"][0]["marks"]


def test_several_runs_are_one_row_each_and_their_settings_are_compared(finished, hushed) -> None:
    text = report([finished, hushed], form="md").text
    assert text.startswith("# 2 runs\n")
    for path in (finished, hushed):
        row = next(line for line in text.splitlines() if line.startswith(f"| {path.name} |"))
        share = 100 * summary_of(path)["accuracy"]["final"]
        assert f" {share:.2f} % " in row
    assert "| links.default.loss.mean | 20% | 5% |" in text
    assert "| seed | 1 | 2 |" in text


def test_a_run_without_a_log_is_reported_as_far_as_it_goes(hushed) -> None:
    pytest.importorskip("altair", reason=EXTRA)
    made = report([hushed])
    assert "No event log was kept" in made.text
    assert "accuracy-bits" not in made.charts
    assert {"accuracy", "topology", "energy"} <= made.charts.keys()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("summary.json", "summary.json is not what was written"),
        ("metrics.csv", "metrics.csv is not what was written"),
        ("provenance.json", "provenance.json is damaged"),
        ("events.msgpack", "the log has a record with a wrong checksum"),
    ],
)
def test_a_damaged_directory_is_named_and_skipped(finished, copied, name: str, why: str) -> None:
    raw = bytearray((copied / name).read_bytes())
    raw[len(raw) // 2] ^= 0x40
    (copied / name).write_bytes(raw)
    alone = call("report", copied, "--format", "md")
    assert alone.exit_code == 3
    assert f"{copied}: {why}" in alone.stderr or f"{copied}: events.msgpack: {why}" in alone.stderr
    both = call("report", copied, finished, "--format", "json", "-o", "-")
    assert both.exit_code == 0
    assert f"skipped {copied}: " in both.stderr
    told = json.loads(both.stdout)
    assert [run["run"] for run in told["runs"]] == [finished.name]
    assert why in told["skipped"][0]["why"]


@pytest.mark.parametrize("name", ["summary.json", "status.json", "scenario.yaml", "metrics.csv"])
def test_a_directory_that_lacks_a_part_is_refused_by_name(copied, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(ReportError, match=re.escape(str(copied))):
        report([copied], form="md")


def test_what_was_left_out_stands_in_every_form(finished, tmp_path) -> None:
    text = report([finished, tmp_path / "gone"], form="md").text
    assert f"- {tmp_path / 'gone'}: no run directory (no readable status.json)" in text


def test_the_newest_run_is_reported_by_default(finished, hushed, tmp_path, monkeypatch) -> None:
    import os

    monkeypatch.chdir(tmp_path)
    assert call("report", "--format", "md").exit_code == 3
    for age, path in enumerate((finished, hushed)):
        shutil.copytree(path, tmp_path / "runs" / path.name)
        os.utime(tmp_path / "runs" / path.name / "status.json", ns=(0, 10**18 - age))
    done = call("report", "--format", "md")
    assert done.stdout.strip() == f"runs/{finished.name}/report.md"
    assert (tmp_path / "runs" / finished.name / "report.md").is_file()


def test_a_report_in_the_run_directory_damages_nothing(copied) -> None:
    assert call("report", copied, "--format", "json").exit_code == 0
    assert json.loads((copied / "report.json").read_bytes())["skipped"] == []
    assert read_run(copied).summary == summary_of(copied)


def test_without_its_extra_a_page_says_how_to_get_it(finished, monkeypatch) -> None:
    for name in [name for name in sys.modules if name.startswith("simedge.study.report.")]:
        if name.rpartition(".")[2] in {"page", "charts"}:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'simedge[report]'")):
        report([finished])
    done = call("report", finished)
    assert done.exit_code == 2
    assert "pip install 'simedge[report]'" in done.stderr
    assert call("report", finished, "--format", "md", "-o", "-").exit_code == 0


def test_devices_that_say_nothing_have_a_report_too(small, tmp_path) -> None:
    import simedge

    quiet = small.vary({"protocol": {"kind": "isolated"}, "faults": [], "duration": "1 s"})
    simedge.simulate(quiet, out=tmp_path / "quiet")
    text = report([tmp_path / "quiet"], form="md").text
    assert "- Faults: this scenario has none." in text
    assert "- Faults of the scenario" not in text
    pytest.importorskip("altair", reason=EXTRA)
    assert report([tmp_path / "quiet"]).charts.keys() & {"accuracy-bits", "staleness"} == set()
