"""The charts of a report, in Altair: plain rows in, Vega-Lite out. Needs the extra ``report``."""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from simedge.study.report import series
from simedge.study.report.circuits import circuit_pictures
from simedge.study.report.links import links_of, spots_of
from simedge.study.report.picture import Picture
from simedge.study.report.runs import Run

__all__ = ["pictures", "pictures_together"]

Rows = list[dict[str, Any]]
Spec = dict[str, Any]

_WIDTH = 720
_HEIGHT = 260
_SMALL = 210
_LINKS_SHOWN = 800
_MARKS_SHOWN = 40
_RUNS_SHOWN = 20
_POINTS_EACH = 60
_TIME = "virtual time / s"
_ACCURACY = alt.Axis(format="%")
_SHORT = "abs(datum.value) < 1000 ? format(datum.value, '~g') : format(datum.value, '~s')"


def pictures(run: Run) -> list[Picture]:
    """Return all charts of one run that it has data for."""
    made = [
        ("accuracy", "Accuracy over virtual time", _ACCURACY_ABOUT, accuracy(run)),
        ("accuracy-bits", "Accuracy against bits", _BITS_ABOUT, against_bits([run])),
        ("curves", "Other curves over virtual time", _CURVES_ABOUT, curves(run)),
        ("energy", "Energy", "Compute, radio and idle of all boards.", split(run)),
        ("energy-devices", "Energy by device", _ENERGY_ABOUT, energy_of_devices(run)),
        ("latency", "Latency", _LATENCY_ABOUT, latency(run)),
        ("staleness", "Staleness", _STALE_ABOUT, staleness(run)),
        ("topology", "Topology", _TOPOLOGY_ABOUT, topology(run)),
    ]
    return [*_kept(made), *circuit_pictures(run.circuits)]


def pictures_together(runs: Sequence[Run]) -> list[Picture]:
    """Return charts that show several runs side by side, the first ones of very many."""
    shown = runs[:_RUNS_SHOWN]
    rows = [row for run in shown for row in series.mean_accuracy(run, most=_POINTS_EACH)]
    lines = _spec(_line(rows, x="t_s", y="accuracy", colour="run")) if rows else None
    made = [
        ("accuracy", "Accuracy over virtual time", "Mean over devices that are up.", lines),
        (
            "accuracy-bits",
            "Accuracy against bits",
            _BITS_ABOUT,
            against_bits(shown, most=_POINTS_EACH),
        ),
    ]
    return _kept(made)


def _kept(made: Sequence[tuple[str, str, str, Spec | None]]) -> list[Picture]:
    return [
        Picture(name=name, title=title, about=about, spec=spec)
        for name, title, about, spec in made
        if spec is not None
    ]


_ACCURACY_ABOUT = (
    "Thick: mean over devices that are up. Thin: devices, or bands from the 10th to the 90th "
    "percentile where they are many. Dashed: shifts, faults and crashes."
)
_BITS_ABOUT = "Bits that all links carried up to an evaluation, each hop and each try counted."
_CURVES_ABOUT = "Means over all entities in equal spans of virtual time."
_ENERGY_ABOUT = "The most spending devices where they are many."
_LATENCY_ABOUT = "Share of all that took at most so long: frame to update, token to merging."
_STALE_ABOUT = "Above: age of priors when they are applied. Below: versions that tokens are behind."
_TOPOLOGY_ABOUT = (
    "Colour: share of datagrams lost, as counted, else as set; grey: none. Width: rate as set, "
    "if links differ in it. "
    "The server stands in the middle."
)


def accuracy(run: Run) -> Spec | None:
    """Draw the accuracy of devices and their mean, with what befell them."""
    mean = series.mean_accuracy(run)
    if not mean:
        return None
    layers: list[alt.Chart] = []
    devices, bands = series.accuracy_of_devices(run)
    if devices:
        layers.append(
            _line(devices, x="t_s", y="accuracy", detail="device").mark_line(
                strokeWidth=0.8, opacity=0.45
            )
        )
    if bands:
        layers.append(
            _chart(bands)
            .mark_area(opacity=0.3)
            .encode(x=alt.X("t_s:Q", title=_TIME), y=alt.Y("low:Q", title="accuracy"), y2="high:Q")
        )
    layers.append(_line(mean, x="t_s", y="accuracy").mark_line(strokeWidth=3, point=True))
    marks = series.marks(run)[:_MARKS_SHOWN]
    if marks:
        dashed = _chart(marks).mark_rule(strokeDash=[4, 4], strokeWidth=1.5)
        layers.append(
            dashed.encode(
                x="t_s:Q", color=alt.Color("what:N", title=None), tooltip=["t_s:Q", "who:N"]
            )
        )
    return _spec(alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT))


def against_bits(runs: Sequence[Run], *, most: int = series.TIMES) -> Spec | None:
    """Draw mean accuracy against the bits that it took."""
    rows = [row for run in runs for row in series.accuracy_and_bits(run, most=most)]
    if not any(row["bits"] for row in rows):
        return None
    line = _chart(rows).mark_line(point=True, interpolate="step-after")
    drawn = line.encode(
        x=alt.X("bits:Q", title="bits on all links", axis=alt.Axis(format=".4~s")),
        y=alt.Y("accuracy:Q", axis=_ACCURACY, scale=alt.Scale(domain=[0, 1])),
        order="t_s:Q",
        tooltip=["run:N", "t_s:Q", "bits:Q", "accuracy:Q"],
        color=alt.Color("run:N", title=None) if len(runs) > 1 else alt.value("#1f77b4"),
    )
    return _spec(drawn.properties(width=_WIDTH, height=_HEIGHT))


def curves(run: Run) -> Spec | None:
    """Draw small curves of all other metrics, and traffic."""
    rows = series.other_curves(run)
    if not rows:
        return None
    drawn = _chart(rows).mark_line().encode(
        x=alt.X("t_s:Q", title=None),
        y=alt.Y("value:Q", title=None, axis=alt.Axis(labelExpr=_SHORT, tickCount=5)),
        tooltip=["t_s:Q", "value:Q"],
    )  # fmt: skip
    small = drawn.properties(width=_SMALL, height=110)
    return _spec(
        small.facet(facet=alt.Facet("metric:N", title=None), columns=3).resolve_scale(
            y="independent"
        )
    )


def split(run: Run) -> Spec:
    """Draw what the boards' energy went into."""
    energy = run.summary["energy_j"]
    parts = ("compute", "radio", "idle")
    rows = [{"part": part, "joule": energy[part], "place": i} for i, part in enumerate(parts)]
    bar = _chart(rows).mark_bar()
    return _spec(
        bar.encode(
            x=alt.X("joule:Q", title="energy / J", stack=True),
            color=alt.Color("part:N", title=None, sort=list(parts)),
            order="place:Q",
            tooltip=["part:N", "joule:Q"],
        ).properties(width=_WIDTH, height=50)
    )


def energy_of_devices(run: Run) -> Spec | None:
    """Draw the energy of each board."""
    rows = series.energy_of_devices(run)
    if not rows:
        return None
    drawn = _chart(rows).mark_bar().encode(
        x=alt.X("device:N", sort=None, title=None, axis=alt.Axis(labelOverlap=True)),
        y=alt.Y("joule:Q", title="energy / J"),
        color=alt.Color("group:N", title=None),
        tooltip=["device:N", "joule:Q"],
    )  # fmt: skip
    return _spec(drawn.properties(width=_WIDTH, height=_SMALL))


def latency(run: Run) -> Spec | None:
    """Draw how latencies are distributed."""
    rows = series.latencies(run)
    if not rows:
        return None
    drawn = _chart(rows).mark_line(interpolate="step-after").encode(
        x=alt.X("ms:Q", title="latency / ms", scale=alt.Scale(type="log")),
        y=alt.Y("share:Q", title="share", axis=_ACCURACY),
        color=alt.Color("what:N", title=None),
        tooltip=["what:N", "ms:Q", "share:Q"],
    )  # fmt: skip
    return _spec(drawn.properties(width=_WIDTH, height=_HEIGHT))


def staleness(run: Run) -> Spec | None:
    """Draw the age of priors over time and the versions that tokens are behind."""
    ages, versions = series.ages(run), series.versions_behind(run)
    if not ages or not versions:
        return None
    age = _chart(ages).mark_area(opacity=0.3).encode(
        x=alt.X("t_s:Q", title=_TIME), y=alt.Y("low:Q", title="age / s"), y2="high:Q"
    )  # fmt: skip
    mean = _chart(ages).mark_line().encode(x="t_s:Q", y="mean:Q", tooltip=["t_s:Q", "mean:Q"])
    behind = _chart(versions).mark_bar().encode(
        x=alt.X("versions:O", title="versions behind"), y=alt.Y("tokens:Q", title="tokens")
    )  # fmt: skip
    return _spec(
        alt.vconcat(
            alt.layer(age, mean).properties(width=_WIDTH, height=180),
            behind.properties(width=_WIDTH, height=110),
        )
    )


def topology(run: Run) -> Spec:
    """Draw who has a link to whom, what it loses and how fast it is."""
    spots = spots_of(run)
    at = {spot.name: spot for spot in spots}
    lines = [
        {
            "link": link.name,
            "x": at[link.source].x,
            "y": at[link.source].y,
            # An edge is two links; each is drawn up to the middle, on the side of its source.
            "x2": (at[link.source].x + at[link.destination].x) / 2,
            "y2": (at[link.source].y + at[link.destination].y) / 2,
            "lost": link.loss if link.lost_share is None else link.lost_share,
            "rate": link.rate_bps,
        }
        for link in links_of(run)[:_LINKS_SHOWN]
    ]
    drawn = [_links_drawn(lines)] if lines else []
    dots = [{"name": s.name, "group": s.group, "x": s.x, "y": s.y} for s in spots[:_LINKS_SHOWN]]
    x, y = (alt.Value(0), alt.Value(0)) if not dots else (_place("x"), _place("y"))
    points = _chart(dots).mark_point(filled=True, opacity=1, size=90)
    seen = points.encode(x=x, y=y, shape=alt.Shape("group:N", title=None), tooltip=["name:N"])
    names = _chart(dots if len(dots) <= _SMALL // 3 else []).mark_text(dy=-11, fontSize=10)
    named = names.encode(x=x, y=y, text="name:N")
    return _spec(alt.layer(*drawn, seen, named).properties(width=_WIDTH - 180, height=_WIDTH - 180))


def _spec(chart: alt.TopLevelMixin) -> Spec:
    """Return Vega-Lite without its address: the page says what language it is."""
    spec: Spec = chart.to_dict(validate=False)
    del spec["$schema"]
    return spec


def _links_drawn(lines: Rows) -> alt.Chart:
    drawn: alt.Chart = _chart(lines).mark_rule().encode(
        x=_place("x"),
        y=_place("y"),
        x2="x2:Q",
        y2="y2:Q",
        color=alt.Color("lost:Q", title="lost", scale=_lost_scale(lines), legend=_PERCENT),
        strokeWidth=_rate_width(lines),
        tooltip=[
            alt.Tooltip("link:N"),
            alt.Tooltip("lost:Q", format=".2%"),
            alt.Tooltip("rate:Q", title="rate / bit/s", format=","),
        ],
    )  # fmt: skip
    return drawn


def _lost_scale(lines: Rows) -> alt.Scale:
    """Let nothing lost be grey, whatever else is: a scale of its own data has no zero."""
    most = max(line["lost"] for line in lines)
    top = most or 0.01
    return alt.Scale(domain=[0, top / 2, top], range=_LOST, interpolate="rgb")


def _rate_width(lines: Rows) -> Any:  # noqa: ANN401 -- a channel or its value
    """Return widths by rates; where all links are equally fast there is nothing to tell."""
    rates = [line["rate"] for line in lines]
    low, high = min(rates), max(rates)
    if low == high:
        return alt.StrokeWidthValue(2)
    scale = alt.Scale(type="log", domain=[low, high], range=[1, 4])
    legend = alt.Legend(format=".3~s", values=[low, high])
    return alt.StrokeWidth("rate:Q", title="bit/s", scale=scale, legend=legend)


_PERCENT = alt.Legend(format=".1~%", tickCount=4)
_LOST = ["#9fb3c8", "#f59e0b", "#b91c1c"]


def _place(name: str) -> Any:  # noqa: ANN401 -- X and Y have no common type
    channel = alt.X if name == "x" else alt.Y
    return channel(f"{name}:Q", axis=None, scale=alt.Scale(domain=[-1.15, 1.15]))


def _line(rows: Rows, *, x: str, y: str, **lines: str) -> alt.Chart:
    """Draw shares over virtual time; `colour` and `detail` name what makes a line."""
    drawn: alt.Chart = _chart(rows).mark_line().encode(
        x=alt.X(f"{x}:Q", title=_TIME),
        y=alt.Y(f"{y}:Q", axis=_ACCURACY, scale=alt.Scale(domain=[0, 1])),
        tooltip=[f"{name}:{'N' if isinstance(rows[0][name], str) else 'Q'}" for name in rows[0]],
    )  # fmt: skip
    if "colour" in lines:
        drawn = drawn.encode(color=alt.Color(f"{lines['colour']}:N", title=None))
    if "detail" in lines:
        drawn = drawn.encode(detail=f"{lines['detail']}:N")
    drawn.width, drawn.height = _WIDTH, _HEIGHT
    return drawn


def _chart(rows: Iterable[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(rows)))
