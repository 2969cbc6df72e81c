"""Several judges of one model: how far they agree, and whether one favours its own family compared with people."""

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

# The prefix of a panel's name, which is also the method of its rows: a panel is a mean of judges, not a judge.
PANEL = "panel"
# The prefix of the names of people's annotations, as `annotate --import` writes them.
PEOPLE = "people-"
NOT_IDENTIFIED = "not identified: it needs labels by people"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of judges over the prompts and languages that they share; None where it is not defined.

    cohen: kappa of each pair of judges. n_shared: the number of judgements that all made.
    """

    annotators: tuple[str, ...]
    n_shared: int
    cohen: dict[str, float | None]
    fleiss: float | None
    alpha_nominal: float | None
    alpha_interval: float | None


@dataclass(frozen=True, slots=True)
class SelfPreference:
    """How a judge rates an answer of its own family, compared with people's labels.

    side: the side that belongs to the family, `model` or `reference`. favour: the share that the judge gives that
    side minus the share that people give it on the same prompts, in percent points with a 95 % interval over prompts.
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
    """The favour of each judge of the model's or the reference's family (not of both).

    families: the family of a judge whose name does not show it. Only people's labels are the measure: a difference
    from other judges may be their mistake. Empty where the annotations contain no labels by people. The reason for a
    favour is not separated: a judge that prefers long answers favours a family that writes them.
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
    """Keys `agreement` and `self_preference` of the JSON answer; the rows of a panel are ignored, since its judges
    count."""
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
    """The judges' preferences, judges x prompts x languages, over all prompts and languages of any of them."""
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
