"""A report as one HTML page with everything inside: it asks no network for anything.

The page forbids itself to load anything (a content security policy), and Vega evaluates its
expressions by an interpreter, so no code is made from text either. Needs the extra ``report``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape

import vl_convert

from simedge.study.report.charts import pictures, pictures_together
from simedge.study.report.content import Section, content, title
from simedge.study.report.picture import Picture
from simedge.study.report.runs import Run, Skipped
from simedge.study.report.studies.charts import family_pictures
from simedge.study.report.studies.content import (
    StudyReport,
    charts_of,
    sections,
    study_title,
    suffix,
)
from simedge.study.report.tables import Table
from simedge.study.report.written import Figure

__all__ = ["html_report", "study_page", "svg_of"]

_VEGA_LITE = "v6.4"
_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 70rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin-bottom: 0; } p.about { margin: 0 0 .5rem; color: #555; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .9rem .15rem 0; text-align: left; border-bottom: 1px solid #ddd; }
th.n, td.n { text-align: right; } td.n { white-space: nowrap; }
td:first-child, td:nth-child(2):not(.n) { white-space: nowrap; }
summary { cursor: pointer; color: #06c; }
.wide { overflow-x: auto; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 12px; }
"""
_DRAW = """
const charts = JSON.parse(document.getElementById("charts-data").textContent);
for (const [name, spec] of Object.entries(charts)) {
  vegaEmbed(`#chart-${name}`, spec, {mode: "vega-lite", actions: false, ast: true});
}
"""


def html_report(runs: Sequence[Run], skipped: Sequence[Skipped]) -> tuple[str, dict[str, str]]:
    """Return the page of runs, and its charts as SVG by name."""
    drawn = pictures(runs[0]) if len(runs) == 1 else pictures_together(runs)
    return _page(title(runs), content(runs, skipped), {"charts": drawn})


def study_page(report: StudyReport) -> tuple[str, dict[str, str]]:
    """Return the page of a study, and its charts as SVG by name."""
    metrics = report.whole.table.metrics
    drawn = {
        charts_of(end): family_pictures(part.family, metrics, suffix=end)
        for place, part in enumerate(report.parts)
        for end in [suffix(report, place)]
    }
    return _page(study_title(report), sections(report), drawn)


def _page(
    heading: str, parts: Sequence[Section], drawn: Mapping[str, Sequence[Picture]]
) -> tuple[str, dict[str, str]]:
    """Return a page and its charts as SVG; `drawn` are the charts of sections, by their names."""
    heading = escape(heading)
    every = [one for several in drawn.values() for one in several]
    specs = json.dumps({one.name: one.spec for one in every}, ensure_ascii=False)
    page = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{heading}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{heading}</h1>",
        *(_section(section, drawn.get(section.name)) for section in parts),
        f'<script type="application/json" id="charts-data">{_in_script(specs)}</script>',
        f"<script>{_vega()}</script>",
        f"<script>{_DRAW}</script>",
        "</body></html>",
    ]
    return "\n".join(page) + "\n", {one.name: svg_of(one) for one in every}


def svg_of(picture: Picture) -> str:
    """Return a chart as it stands still; ids in it count from 0, whatever was drawn before."""
    svg = str(vl_convert.vegalite_to_svg(picture.spec, vl_version=_VEGA_LITE))
    names = dict.fromkeys(re.findall(r'\bid="([a-z_]+[0-9]+)"', svg))
    count = {name: f"part-{place}" for place, name in enumerate(names)}
    return re.sub(
        r'(\bid="|url\(#|href="#)([a-z_]+[0-9]+)',
        lambda found: found[1] + count.get(found[2], found[2]),
        svg,
    )


@cache
def _vega() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script; making it takes some seconds."""
    bundle = vl_convert.javascript_bundle(_SNIPPET, vl_version=_VEGA_LITE)
    return re.sub("</(script)", r"<\\/\1", bundle, flags=re.IGNORECASE)


def _in_script(text: str) -> str:
    """Keep JSON from ending the script that holds it."""
    return text.replace("<", "\\u003c")


def _section(section: Section, drawn: Sequence[Picture] | None) -> str:
    parts = [f'<section id="{section.name}"><h2>{escape(section.title)}</h2>']
    if drawn is not None:
        parts += [_chart(one) for one in drawn]
        parts.append("<noscript>Charts need scripts; as SVG they lie beside this page.</noscript>")
    if section.words:
        parts.append(f"<p>{escape(section.words)}</p>")
    if section.listed:
        parts += ["<ul>", *(f"<li>{escape(text)}</li>" for text in section.listed), "</ul>"]
    long = [] if section.table is None else [_table(section.table)]
    if section.verbatim:
        long.append(f"<pre>{escape(section.verbatim)}</pre>")
    if section.folded and long:
        long = ["<details><summary>show</summary>", *long, "</details>"]
    parts += long
    return "\n".join([*parts, "</section>"])


def _chart(picture: Picture) -> str:
    return (
        f'<h3>{escape(picture.title)}</h3><p class="about">{escape(picture.about)}</p>'
        f'<div id="chart-{picture.name}"></div>'
    )


def _table(table: Table) -> str:
    rows = ["".join(_cell("th", text, figure=k >= table.left) for k, text in enumerate(table.head))]
    rows += [
        "".join(_cell("td", text, figure=k >= table.left) for k, text in enumerate(row))
        for row in table.rows
    ]
    more = f"<p>{table.omitted:,} more rows are left out.</p>" if table.omitted else ""
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table>{body}</table></div>{more}'


def _cell(tag: str, text: str, *, figure: bool) -> str:
    kind = ' class="n"' if figure else ""
    if isinstance(text, Figure):
        kind += f' title="{escape(text.exact)}"'
    return f"<{tag}{kind}>{escape(text)}</{tag}>"
