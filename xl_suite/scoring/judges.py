"""Several judges of one model: how far they agree, and whether one favours its own family, as people see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.agreement import cohen_kappa, find_family, fleiss_kappa, krippendorff_alpha, to_outcomes
from xl_suite.scoring.compare import Difference, compare_values
from xl_suite.scoring.preferences import Array, average, tabulate_preferences

# What the name of a panel of judges begins with, and the method of its rows: it is a mean of judges, and not one.
PANEL = "panel"
# What the names of people's annotations begin with, as `annotate --import` writes them.
PEOPLE = "people-"
NOT_IDENTIFIED = "not identified: it needs labels by people"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of judges over the prompts and languages that they share; None where it cannot be told.

    cohen: kappa of each pair of judges. n_shared: judgements that all made.
    """

    annotators: tuple[str, ...]
    n_shared: int
    cohen: dict[str, float | None]
    fleiss: float | None
    alpha_nominal: float | None
    alpha_interval: float | None


@dataclass(frozen=True, slots=True)
class SelfPreference:
    """How a judge sees an answer of its own family, beside people's labels.

    side: which answer is of the family, `model` or `reference`. favour: percent points by which the judge gives
    that side more than people do on the same prompts, with a 95 % interval over prompts.
    """

    annotator: str
    family: str
    side: str
    favour: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int


def group_by_judge(annotations: Sequence[Annotation]) -> dict[str, list[Annotation]]:
    groups: dict[str, list[Annotation]] = {}
    for row in annotations:
        groups.setdefault(row.annotator, []).append(row)
    return dict(sorted(groups.items()))


def measure_agreement(judges: dict[str, list[Annotation]]) -> Agreement:
    """The agreement of two or more judges."""
    names = tuple(judges)
    values = _align(judges)
    flat = values.reshape(len(names), -1)
    outcomes = to_outcomes(flat)
    return Agreement(
        annotators=names,
        n_shared=int((~np.isnan(flat)).all(axis=0).sum()),
        cohen={f"{names[i]} / {names[j]}": cohen_kappa(outcomes[i], outcomes[j]) for i, j in _pairs(len(names))},
        fleiss=fleiss_kappa(outcomes),
        alpha_nominal=krippendorff_alpha(outcomes, "nominal"),
        alpha_interval=krippendorff_alpha(flat, "interval"),
    )


def measure_self_preference(
    judges: dict[str, list[Annotation]], families: dict[str, str] | None = None
) -> list[SelfPreference]:
    """For each judge of the model's or the reference's family (not of both), what it gives that side beyond people.

    families: the family of a judge whose name does not tell it. Other judges are no measure: a difference from them
    may be their fault. Empty where nobody's labels are among the annotations. The favour is of this side's answers,
    whatever the reason: a judge that likes long answers favours a family that writes them.
    """
    values = _align(judges)
    names = list(judges)
    known = {name: (families or {}).get(name) or find_family(name) for name in names}
    first = judges[names[0]][0]
    sides = {"model": find_family(first.generator_2), "reference": find_family(first.generator_1)}
    people = {name: i for i, name in enumerate(names) if name.startswith(PEOPLE)}
    found = []
    for place, name in enumerate(names):
        family = known[name]
        own = [side for side, maker in sides.items() if family is not None and maker == family]
        if len(own) != 1 or not people or name in people:
            continue
        theirs = average(values[list(people.values())], axis=0)
        both = ~np.isnan(values[place]) & ~np.isnan(theirs)
        mine, theirs = np.where(both, values[place], np.nan), np.where(both, theirs, np.nan)
        if own == ["reference"]:
            mine, theirs = 1 - mine, 1 - theirs
        found += _describe(name, str(family), own[0], compare_values(mine, theirs))
    return found


def describe_judges(annotations: Sequence[Annotation], families: dict[str, str] | None = None) -> dict[str, Any]:
    """Keys `agreement` and `self_preference` of the JSON answer; a panel's rows are left to its judges."""
    judges = group_by_judge([row for row in annotations if row.method != PANEL])
    measured = [asdict(one) for one in measure_self_preference(judges, families)]
    people = any(name.startswith(PEOPLE) for name in judges)
    return {
        "agreement": asdict(measure_agreement(judges)),
        "self_preference": measured if people else NOT_IDENTIFIED,
    }


def _describe(name: str, family: str, side: str, found: Difference) -> list[SelfPreference]:
    if found.difference is None or found.ci_low is None or found.ci_high is None or found.p_value is None:
        return []
    return [SelfPreference(name, family, side, found.difference, found.ci_low, found.ci_high, found.p_value, found.n)]


def _align(judges: dict[str, list[Annotation]]) -> Array:
    """The judges' preferences, judges x prompts x languages, over all prompts and languages that any of them has."""
    tables = [tabulate_preferences(rows) for rows in judges.values()]
    prompts = {prompt: place for place, prompt in enumerate(sorted({p for t in tables for p in t.prompts}, key=str))}
    languages = {language: place for place, language in enumerate(sorted({c for t in tables for c in t.languages}))}
    values = np.full((len(tables), len(prompts), len(languages)), np.nan)
    for number, table in enumerate(tables):
        rows = [prompts[prompt] for prompt in table.prompts]
        columns = [languages[language] for language in table.languages]
        values[number][np.ix_(rows, columns)] = table.by_prompt
    return values


def _pairs(count: int) -> list[tuple[int, int]]:
    return list(combinations(range(count), 2))
