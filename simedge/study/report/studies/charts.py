"""Charts of a family of arms, in Altair: plain rows in, Vega-Lite out (extra ``report``)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import altair as alt
from altair.utils import schemapi

from simedge.study.report.charts import topology
from simedge.study.report.picture import Picture
from simedge.study.report.studies import series
from simedge.study.report.studies.arms import Arm, Family, words
from simedge.study.report.studies.tables import prefixed

__all__ = ["family_pictures"]

Rows = list[dict[str, Any]]
Spec = dict[str, Any]

_WIDTH: Final = 940
_HEIGHT: Final = 300
_ARMS_DRAWN: Final = 40
_LINES: Final = 20
"""Arms in one chart of lines; of more each has a small one alone."""
_COLOURS: Final = 10
_BANDS: Final = 5
"""Arms whose bands can lie over one another and be read."""
_POINTS: Final = 1_600
_STEP: Final = 18
_PANELS: Final = 8
_LABEL: Final = 240
_TIME: Final = "virtual time / s"
_PERCENT: Final = alt.Axis(format="%")
_POSITIVE: Final = alt.Scale(domainMin=0, clamp=True)
_WHOLE: Final = alt.Scale(domain=[0, 1])
_FAR: Final = 10.0
_QUANTILES: Final = ("p50", "p95", "p99")


def family_pictures(family: Family, metrics: Sequence[str], *, suffix: str) -> list[Picture]:
    """Return the charts that a family has data for; `suffix` tells its names from another's."""
    with schemapi.debug_mode(False):  # Altair would check each part of each chart as it is made
        return _pictures(family, metrics, suffix=suffix)


def _pictures(family: Family, metrics: Sequence[str], *, suffix: str) -> list[Picture]:
    arms = family.arms[:_ARMS_DRAWN]
    few = (
        ""
        if len(arms) == len(family.arms)
        else f" The first {len(arms)} of {len(family.arms)} arms."
    )
    rows = series.curves(arms, points_max=_POINTS)
    bits = series.accuracy_and_bits(arms[:_LINES], points_max=_POINTS)
    made = [
        ("figures", "Figures", f"{_MEANS}{few}", _figures(family, metrics)),
        ("accuracy", "Accuracy over virtual time", f"{_CURVES}{few}", _overlay(family, rows)),
        ("accuracy-arms", "Accuracy, arm by arm", f"{_BAND}{few}", _apart(family, rows)),
        ("accuracy-bits", "Accuracy against bits", _bits_about(arms[:_LINES], bits), _bits(bits)),
        ("energy", "Energy", f"{_ENERGY}{few}", _energy(arms)),
        ("latency", "Update latency", f"{_LATENCY}{few}", _latency(arms)),
        ("age", "Age of information and staleness", f"{_AGES}{few}", _ages(arms)),
        ("topology", "Topology", _topology_about(family), _topology(family)),
    ]
    return [
        Picture(name=f"{name}{suffix}", title=title, about=about, spec=spec)
        for name, title, about, spec in made
        if spec is not None
    ]


_MEANS = (
    "Means over seeds with Student's 95 % interval; dashed: the arm that others are compared with."
)
_CURVES = (
    "Means over seeds of the mean over devices that are up. Dashed: shifts. A click on a name "
    "brings it out."
)
_BAND = "Mean and Student's 95 % band over seeds; grey: the arm that others are compared with."
_ENERGY = "Compute, radio and idle of all boards, each on a scale of its own, means over seeds."
_LATENCY = (
    "From a frame to what was learned from it: the time that half, 95 % and 99 % of all take at "
    "most, means over seeds with Student's 95 % interval."
)
_AGES = (
    "How old the newest observation in what devices hold is, and how many versions behind what is "
    "merged is: means over seeds with Student's 95 % interval."
)


def _bits_about(arms: Sequence[Arm], rows: Rows) -> str:
    silent = {arm.label for arm in arms} - {row["arm"] for row in rows if row["bits"]}
    told = f" Without traffic: {', '.join(sorted(silent))}." if silent else ""
    return f"Means over seeds at evaluations, each hop and each try counted.{told}"


def _topology_about(family: Family) -> str:
    run = family.reference.run
    name = "" if run is None else run.name
    return (
        f"Of {family.reference.label} ({name}); other arms may have other links. Colour: share of "
        "datagrams lost, as set; grey: none. Width: rate as set, if links differ in it. The server "
        "stands in the middle."
    )


def _figures(family: Family, metrics: Sequence[str]) -> Spec | None:
    """Draw mean and interval of each figure, two panels abreast."""
    arms = family.arms[:_ARMS_DRAWN]
    panels: list[Any] = []
    for path in metrics[:_PANELS]:
        headline = words(path)
        rows = series.points(arms, [(headline.label, path)])
        if not rows:
            continue
        unit, by = prefixed(headline.unit, [row["high"] for row in rows])
        rows = series.points(arms, [(headline.label, path)], by=by)
        title = f"{headline.label} / {unit}" if unit and unit != "%" else headline.label
        panels.append(
            _dots(family, rows, title=title, percent=unit == "%", first=not len(panels) % 2)
        )
    if not panels:
        return None
    return _spec(alt.concat(*panels, columns=2, spacing=24))


def _dots(family: Family, rows: Rows, *, title: str, percent: bool, first: bool) -> Any:  # noqa: ANN401 -- layers have no common type
    """Draw a dot and its interval an arm, the reference's mean as a line."""
    order = [arm.label for arm in family.arms[:_ARMS_DRAWN]]
    axis = alt.Axis(format=".0%" if percent else ".4~g", tickCount=5, labelOverlap=True)
    labels = alt.Axis(labelLimit=_LABEL) if first else alt.Axis(labels=False, ticks=False)
    y = alt.Y("arm:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=labels)
    x = alt.X("mean:Q", title=title, axis=axis, scale=alt.Scale(zero=False))
    rule = _chart(rows).mark_rule().encode(x=alt.X("low:Q", title=title), x2=alt.X2("high:Q"), y=y)
    dot = _chart(rows).mark_point(filled=True, size=55, opacity=1).encode(
        x=x, y=y, tooltip=_tips("arm:N", "mean:Q", "low:Q", "high:Q", "seeds:Q")
    )  # fmt: skip
    own = [row for row in rows if row["arm"] == family.reference.label]
    base = _chart(own).mark_rule(strokeDash=[4, 4], color="#999").encode(x=alt.X("mean:Q"))
    panel = alt.layer(base, rule, dot)
    return panel.properties(width=_WIDTH * 2 // 5, height=alt.Step(_STEP))


def _colour(rows: Rows, *, order: Sequence[str] = ()) -> alt.Color:
    """Return a colour an arm, and a legend below that does not cut names."""
    names = list(order) or list(dict.fromkeys(row["arm"] for row in rows))
    longest = max(map(len, names), default=1)
    columns = max(1, min(5, len(names), int(_WIDTH / (7 * min(longest, 34) + 34))))
    legend = alt.Legend(orient="bottom", columns=columns, labelLimit=_LABEL, symbolStrokeWidth=3)
    few = len(names) <= _COLOURS
    scale = alt.Scale(scheme="tableau10" if few else "tableau20", domain=names)
    return alt.Color("arm:N", title=None, legend=legend, scale=scale)


def _overlay(family: Family, rows: Rows) -> Spec | None:
    """Draw the curves of all arms in one chart, with bands where they are few."""
    arms = family.arms
    if not rows or len(arms) > _LINES:
        return None
    chosen = alt.selection_point(fields=["arm"], bind="legend")
    colour = _colour(rows)
    layers: list[alt.Chart] = [*_shift(family)]
    if len(arms) <= _BANDS:
        layers.append(_band(rows, colour))
    line = _chart(rows).mark_line(strokeWidth=2.2, clip=True).encode(
        x=alt.X("t_s:Q", title=_TIME, axis=alt.Axis(tickCount=12)),
        y=alt.Y("mean:Q", title="accuracy", axis=_PERCENT, scale=_WHOLE),
        color=colour,
        opacity=alt.condition(chosen, alt.value(1), alt.value(0.12)),
        tooltip=_tips("arm:N", "t_s:Q", "mean:Q", "low:Q", "high:Q", "seeds:Q"),
    )  # fmt: skip
    layers.append(line.add_params(chosen))
    return _spec(alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT))


def _band(rows: Rows, colour: alt.Color) -> alt.Chart:
    drawn: alt.Chart = _chart(rows).mark_area(opacity=0.18).encode(
        x=alt.X("t_s:Q", title=_TIME),
        y=alt.Y("low:Q", title="accuracy", axis=_PERCENT, scale=_WHOLE),
        y2=alt.Y2("high:Q"),
        color=colour,
    )  # fmt: skip
    return drawn


def _shift(family: Family) -> list[alt.Chart]:
    run = family.reference.run
    shift = None if run is None else getattr(run.scenario.sensors, "shift", None)
    if run is None or shift is None or shift.at > run.scenario.duration:
        return []
    rule = _chart([{"t_s": shift.at / 1e9}]).mark_rule(strokeDash=[4, 4], color="#888")
    return [rule.encode(x=alt.X("t_s:Q"))]


def _apart(family: Family, rows: Rows) -> Spec | None:
    """Draw each arm in a small chart of its own, its band and the reference behind it."""
    if not rows or len(family.arms) <= _BANDS:
        return None
    order = list(dict.fromkeys(row["arm"] for row in rows))
    base = [
        {"t_s": r["t_s"], "mean": r["mean"]} for r in rows if r["arm"] == family.reference.label
    ]
    x = alt.X("t_s:Q", title=None, axis=alt.Axis(tickCount=4))
    y = alt.Y("mean:Q", title=None, axis=alt.Axis(format="%", tickCount=4), scale=_WHOLE)
    band = (
        alt.Chart()
        .mark_area(opacity=0.25)
        .encode(x=x, y=alt.Y("low:Q", title=None), y2=alt.Y2("high:Q"))
    )
    line = alt.Chart().mark_line(strokeWidth=2).encode(x=x, y=y)
    behind = _chart(base).mark_line(strokeWidth=1.2, color="#888").encode(x=x, y=y)
    small = alt.layer(behind, band, line, data=alt.InlineData(values=tuple(rows)))
    header = alt.Header(labelLimit=200, labelFontSize=11)
    faceted = small.properties(width=190, height=100).facet(
        facet=alt.Facet("arm:N", title=None, sort=order, header=header), columns=4
    )
    return _spec(faceted)


def _bits(rows: Rows) -> Spec | None:
    """Draw mean accuracy against mean bits; far apart, in logarithms."""
    drawn = [row for row in rows if row["bits"]]
    if not drawn:
        return None
    last = {row["arm"]: row["bits"] for row in drawn}
    far = max(last.values()) > _FAR * min(last.values())
    scale = alt.Scale(type="log", nice=False) if far else alt.Scale()
    chosen = alt.selection_point(fields=["arm"], bind="legend")
    line = _chart(drawn).mark_line(point=alt.OverlayMarkDef(size=16), strokeWidth=1.8).encode(
        x=alt.X("bits:Q", title="bits on all links", axis=alt.Axis(format="~s"), scale=scale),
        y=alt.Y("accuracy:Q", axis=_PERCENT, scale=_WHOLE),
        order=alt.Order("t_s:Q"),
        color=_colour(drawn),
        opacity=alt.condition(chosen, alt.value(1), alt.value(0.12)),
        tooltip=_tips("arm:N", "t_s:Q", "bits:Q", "accuracy:Q"),
    )  # fmt: skip
    return _spec(line.add_params(chosen).properties(width=_WIDTH, height=_HEIGHT))


def _energy(arms: Sequence[Arm]) -> Spec | None:
    """Draw the parts side by side, each on its own scale: idling would hide the others."""
    rows = series.energy(arms)
    if not rows:
        return None
    parts = list(series.ENERGY)
    bar = _chart(rows).mark_bar().encode(
        x=alt.X("joule:Q", title="energy / J", axis=alt.Axis(tickCount=5, labelOverlap=True)),
        y=_arms(arms),
        column=alt.Column("part:N", title=None, sort=parts),
        color=alt.Color("part:N", sort=parts, legend=None),
        tooltip=_tips("arm:N", "part:N", "joule:Q"),
    )  # fmt: skip
    sized = bar.properties(width=_WIDTH // 4, height=alt.Step(_STEP))
    return _spec(sized.resolve_scale(x="independent"))


def _arms(arms: Sequence[Arm]) -> alt.Y:
    order = [arm.label for arm in arms]
    scale = alt.Scale(domain=order)
    return alt.Y("arm:N", title=None, sort=order, scale=scale, axis=alt.Axis(labelLimit=_LABEL))


def _latency(arms: Sequence[Arm]) -> Spec | None:
    rows = series.points(arms, [(name, f"latency_ms.update.{name}") for name in _QUANTILES])
    rows = [row for row in rows if row["low"] > 0]
    if not rows:
        return None
    far = max(row["high"] for row in rows) > _FAR * min(row["low"] for row in rows)
    kind = alt.Scale(type="log", nice=False) if far else _POSITIVE
    return _spec(_quantiles(rows, arms, title="update latency / ms", scale=kind))


def _quantiles(rows: Rows, arms: Sequence[Arm], *, title: str, scale: alt.Scale) -> Any:  # noqa: ANN401 -- layers have no common type
    order = list(dict.fromkeys(row["what"] for row in rows))
    colour = alt.Color("what:N", title=None, sort=order)
    y = _arms(arms)
    beside = alt.YOffset("what:N", sort=order)
    x = alt.X("mean:Q", title=title, scale=scale)
    rule = (
        _chart(rows)
        .mark_rule()
        .encode(
            x=alt.X("low:Q", title=title), x2=alt.X2("high:Q"), y=y, color=colour, yOffset=beside
        )
    )
    dot = _chart(rows).mark_point(filled=True, size=60, opacity=1).encode(
        x=x, y=y, color=colour, shape=alt.Shape("what:N", sort=order, legend=None), yOffset=beside,
        tooltip=_tips("arm:N", "what:N", "mean:Q", "low:Q", "high:Q", "seeds:Q"),
    )  # fmt: skip
    return alt.layer(rule, dot).properties(width=_WIDTH * 3 // 4, height=alt.Step(_STEP // 2))


def _ages(arms: Sequence[Arm]) -> Spec | None:
    parts = []
    for title, root in (
        ("age of information / s", "information_age_s"),
        ("versions behind", "staleness"),
    ):
        rows = series.points(arms, [("mean", f"{root}.mean"), ("p99", f"{root}.p99")])
        if rows:
            having = [arm for arm in arms if any(row["arm"] == arm.label for row in rows)]
            parts.append(_quantiles(rows, having, title=title, scale=_POSITIVE))
    return _spec(alt.vconcat(*parts, spacing=24)) if parts else None


def _topology(family: Family) -> Spec | None:
    return None if family.reference.run is None else topology(family.reference.run)


def _spec(chart: alt.TopLevelMixin) -> Spec:
    """Return Vega-Lite without its address: the page says what language it is."""
    spec: Spec = chart.to_dict(validate=False)  # a second of a page of many arms
    del spec["$schema"]
    return spec


def _tips(*names: str) -> list[alt.Tooltip]:
    """Return what a pointer shows; of bare names Altair would guess the kind, one by one."""
    return [alt.Tooltip(name) for name in names]


def _chart(rows: Iterable[dict[str, Any]]) -> alt.Chart:
    # Altair copies lists again and again, and tuples never.
    return alt.Chart(alt.InlineData(values=tuple(rows)))
