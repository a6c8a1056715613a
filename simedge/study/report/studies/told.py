"""The report of a study as plain data for JSON: no figure rounded, no row left out."""

import json
from dataclasses import asdict
from typing import Any

from simedge.run.needs import reported_name
from simedge.study.report.models import caveats, modelled, not_modelled
from simedge.study.report.studies.arms import Arm, mean_of, words
from simedge.study.report.studies.content import Part, StudyReport, study_title
from simedge.study.report.studies.series import accuracy_and_bits, curves

__all__ = ["study_json"]

_ALL = 10**9


def study_json(report: StudyReport) -> str:
    """Return the report of a study as JSON."""
    whole = report.whole
    arms = [arm for part in report.parts for arm in part.family.arms]
    runs = [arm.run for arm in arms if arm.run is not None]
    told: dict[str, Any] = {
        "schema": 1,
        "title": study_title(report),
        "study": whole.name,
        "about": whole.about,
        "runs": {**whole.table.counts(), "reported": len(whole.told)},
        "seeds": list(whole.table.seeds),
        "factors": {name: list(labels) for name, labels in whole.table.factors.items()},
        "metrics": list(whole.table.metrics),
        "families": [_family(part, whole.table.metrics) for part in report.parts],
        "left_out": [asdict(one) for one in whole.lost],
        "equal_logs": [list(names) for names in whole.table.equal_logs()],
        "notes": list(report.notes),
        "caveats": caveats(arm.protocol for arm in arms),
        "modelled": list(dict.fromkeys(text for run in runs for text in modelled(run))),
        "not_modelled": list(dict.fromkeys(text for run in runs for text in not_modelled(run))),
        "study_yaml": whole.text,
    }
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _family(part: Part, metrics: tuple[str, ...]) -> dict[str, Any]:
    family = part.family
    return {
        "learner": family.learner,
        "reference": family.reference.label,
        "notes": list(family.table.notes),
        "arms": [_arm(arm, metrics) for arm in family.arms],
        "differences": [
            {"figure": one.headline.path, "arm": one.arm.label, **asdict(one.pair)}
            for one in part.differences
        ],
        "analyses": [
            {
                "figure": one.headline.path,
                "one_way": {name: anova.facts() for name, anova in one.analyses.items()},
                "two_way": None if one.both is None else one.both.facts(),
            }
            for one in part.found
        ],
        "curves": curves(family.arms, points_max=_ALL),
        "accuracy_bits": accuracy_and_bits(family.arms, points_max=_ALL),
    }


def _arm(arm: Arm, metrics: tuple[str, ...]) -> dict[str, Any]:
    return {
        "arm": arm.label,
        "factors": dict(arm.factors),
        "protocol": reported_name(arm.protocol),
        "rule": arm.rule,
        "runs": [row.run for row in arm.rows],
        "figures": {
            path: {
                "unit": "" if words(path).unit == "%" else words(path).unit,
                **asdict(mean_of(arm, path)),
                "by_seed": arm.values(path),
            }
            for path in metrics
        },
    }
