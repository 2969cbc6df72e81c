"""The scores of a model on rubrics: means with intervals by criterion and language, and their macro average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xl_suite.display import align_columns
from xl_suite.errors import BadInput
from xl_suite.rating.ratings import Rating
from xl_suite.scoring.intervals import bound_means, standard_error_of_macro
from xl_suite.scoring.preferences import Array, average
from xl_suite.scoring.score import INTERVAL
from xl_suite.scoring.scores import NOT_AVERAGED

AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class _Table:
    """values: prompts x languages for each criterion, 1 to 5, NaN where there is no score."""

    languages: tuple[str, ...]
    values: dict[str, Array]


def score_ratings(ratings: Sequence[Rating], *, resamples: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """The JSON answer of `score` for one model by one judge: `mean, standard_error, ci_low, ci_high, n` by criterion.

    `average` is the mean over an answer's criteria, for answers that have all of them (Table 8's first column).
    `overall` is the macro average over the languages without `eng`; a single language is at the top level.
    Raises BadInput for several models, judges, methods or rubrics: such scores are never averaged.
    """
    head = {
        "model": _require_one(ratings, "generator"),
        "judge": _require_one(ratings, "judge"),
        "method": _require_one(ratings, "method"),
        "rubrics": _require_one(ratings, "rubrics"),
        "interval": INTERVAL,
    }
    table = _tabulate(ratings)
    languages: dict[str, dict[str, Any]] = {language: {} for language in table.languages}
    overall: dict[str, Any] = {}
    columns = [place for place, language in enumerate(table.languages) if language != NOT_AVERAGED]
    for criterion, values in table.values.items():
        bounds = bound_means((values - 1) / 4, resamples=resamples, seed=seed)
        means = average(values, axis=0)
        for place, language in enumerate(table.languages):
            known = values[:, place][~np.isnan(values[:, place])]
            languages[language][criterion] = {
                "mean": _number(means[place]),
                "standard_error": float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None,
                "ci_low": _scale(bounds.low[place]) if len(known) else None,
                "ci_high": _scale(bounds.high[place]) if len(known) else None,
                "n": len(known),
            }
        overall[criterion] = _describe_macro(values[:, columns], resamples, seed) if columns else None
    criteria = [name for name in table.values if name != AVERAGE]
    if len(languages) == 1:
        ((language, keys),) = languages.items()
        return {**head, "criteria": criteria, "language": language or None, **keys}
    averaged = [table.languages[place] for place in columns]
    return {**head, "criteria": criteria, "languages": languages, "overall": {"languages": averaged, **overall}}


def show_ratings(answer: dict[str, Any]) -> str:
    """The JSON answer as a table: a row for each language, a column for each criterion."""
    names = [AVERAGE, *answer["criteria"]]
    if "languages" in answer:
        rows = [*answer["languages"].items(), ("overall", answer["overall"])]
    else:
        rows = [(answer["language"] or "all", answer)]
    table = [["language", "n", *names]]
    for language, keys in rows:
        counts = [keys[name]["n"] for name in names if keys[name] is not None]
        table.append([language, str(max(counts, default=0)), *(_show(keys[name]) for name in names)])
    return "\n".join(
        [
            f"model: {answer['model']}",
            f"judge: {answer['judge']} ({answer['method']})   rubrics: {answer['rubrics']}",
            "",
            *align_columns(table),
            "",
            "Means from 1 to 5 with their 95 % intervals, which cover prompts only.",
        ]
    )


def _show(keys: dict[str, Any] | None) -> str:
    if keys is None or keys["mean"] is None:
        return "-"
    return f"{keys['mean']:.2f} [{keys['ci_low']:.2f}, {keys['ci_high']:.2f}]"


def _tabulate(ratings: Sequence[Rating]) -> _Table:
    prompts = sorted({row.prompt for row in ratings}, key=lambda prompt: (isinstance(prompt, str), prompt))
    languages = tuple(sorted({row.language for row in ratings}))
    criteria = list(dict.fromkeys(name for row in ratings for name in row.scores))
    places = {prompt: place for place, prompt in enumerate(prompts)}
    values = {name: np.full((len(prompts), len(languages)), np.nan) for name in [*criteria, AVERAGE]}
    for row in ratings:
        cell = places[row.prompt], languages.index(row.language)
        for name, score in row.scores.items():
            values[name][cell] = score
        if len(row.scores) == len(criteria):
            values[AVERAGE][cell] = sum(row.scores.values()) / len(criteria)
    return _Table(languages, values)


def _describe_macro(values: Array, resamples: int, seed: int) -> dict[str, Any]:
    if np.isnan(values).all(axis=0).any():  # a language without a score has no mean, so there is none over all
        return {"mean": None, "standard_error": None, "ci_low": None, "ci_high": None, "n": 0}
    scaled = (values - 1) / 4
    bounds = bound_means(scaled, resamples=resamples, seed=seed)
    error = standard_error_of_macro(scaled)
    return {
        "mean": float(average(values, axis=0).mean()),
        "standard_error": None if error is None else error * 4,
        "ci_low": _scale(bounds.macro_low),
        "ci_high": _scale(bounds.macro_high),
        "n": int((~np.isnan(values)).any(axis=1).sum()),
    }


def _scale(share: float) -> float:
    return 1 + 4 * share


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _require_one(ratings: Sequence[Rating], name: str) -> str:
    found = sorted({str(getattr(row, name)) for row in ratings})
    if len(found) != 1:
        raise BadInput(
            f"the ratings have several values of {name}: {', '.join(found[:5])}. Scores are never averaged over "
            "them: name the folder of one judge and one generator."
        )
    return found[0]
