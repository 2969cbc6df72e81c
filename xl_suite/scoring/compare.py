"""Two models against the same reference by the same judge: the paired difference and its test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from xl_suite.dataset.expected import Expected
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.answers import collect_answers, gate_language, look_at_languages
from xl_suite.scoring.context import Context
from xl_suite.scoring.gating import Gate
from xl_suite.scoring.intervals import standard_error_of_macro
from xl_suite.scoring.preferences import Array, Preferences, average, macro_average, tabulate_preferences
from xl_suite.scoring.score import INTERVAL, OVERALL, Provenance
from xl_suite.scoring.scores import NOT_AVERAGED, find_provenance, stack_gated
from xl_suite.scoring.student import beyond, find_t

POWER = 0.841621  # standard errors beyond the significance threshold at which a difference is found in 80 % of cases
# Standard errors between no difference and one that is found 80 % of the time at the two-sided 5 % level.
POWER_FACTOR = 1.959964 + POWER
UNSEEN = 2  # prompts added to the observed ones: half a win for each model, the rest draws


@dataclass(frozen=True, slots=True)
class Difference:
    """The win rate of A minus that of B, percent points, over the prompts that both have.

    ci_low, ci_high, p_value: see `bound_difference`, with prompts as clusters; p_holm: corrected for the number of
    languages (Holm 1979), None for the overall difference, which is one test. smallest_detectable: the difference
    that would be found 4 times in 5 with so many prompts; None where no difference would. All are None where
    there are too few prompts.
    """

    n: int
    win_rate_a: float | None
    win_rate_b: float | None
    difference: float | None
    standard_error: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    smallest_detectable: float | None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Model A against model B by language and overall (without `eng`; None for one language).

    n_only_a, n_only_b: the number of judgements left out because only one of the models has them. gate: whose answers
    had to be in the target language for the compared rates, or `none` for raw win rates.
    """

    model_a: str
    model_b: str
    provenance: Provenance
    languages: dict[str, Difference]
    overall: Difference | None
    n_only_a: int
    n_only_b: int
    gate: Gate = "none"

    def list_rows(self) -> Iterator[tuple[str, Difference]]:
        """(language, difference) in the order of the languages, and `overall` where there are several."""
        yield from self.languages.items()
        if self.overall is not None:
            yield OVERALL, self.overall

    def to_json(self) -> dict[str, Any]:
        """The object of `compare --json`."""
        head = {
            "model_a": self.model_a,
            "model_b": self.model_b,
            "annotator": self.provenance.annotator,
            "method": self.provenance.method,
            "order": self.provenance.order,
            "reference": self.provenance.reference,
            "n_only_a": self.n_only_a,
            "n_only_b": self.n_only_b,
            "gate": self.gate,
            "interval": INTERVAL,
        }
        if self.overall is None:
            ((language, difference),) = self.languages.items()
            return head | {"language": language or None} | asdict(difference)
        languages = {language: asdict(difference) for language, difference in self.languages.items()}
        return head | {"languages": languages, "overall": asdict(self.overall)}


def compare_models(
    a: Sequence[Annotation],
    b: Sequence[Annotation],
    *,
    gate: Gate = "none",
    expected: Expected | None = None,
) -> Comparison:
    """Compares two models prompt by prompt. Raises BadInput unless judge, method, order and reference are equal.

    gate: unless it is `none`, the gated win rates are compared. expected: see `score_annotations`.
    """
    tables = tabulate_preferences(a), tabulate_preferences(b)
    provenance = _require_same(a, b)
    languages = [language for language in tables[0].languages if language in tables[1].languages]
    known = set(tables[1].prompts)
    prompts = [prompt for prompt in tables[0].prompts if prompt in known]
    if not languages or not prompts:
        raise BadInput(
            f"{a[0].generator_2} and {b[0].generator_2} have no prompts in a common language to compare: "
            f"{', '.join(tables[0].languages)} and {', '.join(tables[1].languages)}."
        )
    _require_same_texts(tables, prompts, languages)
    if gate != "none":
        tables = _gate(tables[0], gate, expected), _gate(tables[1], gate, expected)
    values = [_select(table, prompts, languages) for table in tables]
    both = ~np.isnan(values[0]) & ~np.isnan(values[1])
    left_out = [int((~np.isnan(table.by_prompt)).sum() - both.sum()) for table in tables]
    values = [np.where(both, one, np.nan) for one in values]
    found = {
        language: compare_values(values[0][:, [column]], values[1][:, [column]])
        for column, language in enumerate(languages)
    }
    corrected = correct_holm([one.p_value for one in found.values()])
    found = {
        language: Difference(**(asdict(one) | {"p_holm": p}))
        for (language, one), p in zip(found.items(), corrected, strict=True)
    }
    others = [column for column, language in enumerate(languages) if language != NOT_AVERAGED]
    overall = None
    if len(languages) > 1:
        overall = compare_values(values[0][:, others], values[1][:, others])
    return Comparison(a[0].generator_2, b[0].generator_2, provenance, found, overall, left_out[0], left_out[1], gate)


def compare_values(a: Array, b: Array) -> Difference:
    """The difference of two tables, prompts x languages in [0, 1], with NaN at the same places; macro-averaged."""
    judged = (~np.isnan(a)).any(axis=0)
    a, b = a[:, judged], b[:, judged]
    rows = (~np.isnan(a)).any(axis=1)
    n = int(rows.sum())
    if n < 2:
        return Difference(n, None, None, None, None, None, None, None, None)
    differences = (a - b)[rows]
    error = standard_error_of_macro(differences)
    low, high, p_value, reach = bound_difference(differences)
    return Difference(
        n=n,
        win_rate_a=macro_average(a) * 100,
        win_rate_b=macro_average(b) * 100,
        difference=macro_average(differences) * 100,
        standard_error=None if error is None else error * 100,
        ci_low=low * 100,
        ci_high=high * 100,
        p_value=p_value,
        smallest_detectable=reach * 100 if reach <= 1 else None,
    )


def bound_difference(differences: Array) -> tuple[float, float, float, float]:
    """(low, high, p, detectable) of the macro-averaged difference of prompts x languages in [-1, 1].

    All come from one distribution, so that the 95 % interval contains 0 exactly where p is above 0.05: Student's t
    about the mean of the observed prompts and of two added ones, which have half a win for each model and are draws
    otherwise (Agresti and Min 2005, for matched pairs), or less where differences are partial. Without the added
    prompts, models that agree on all observed prompts would seem to agree on all others with certainty. detectable:
    the difference that this number of prompts finds 4 times in 5.
    """
    n = len(differences)
    mean, error = macro_average(differences), standard_error_of_macro(differences) or 0.0
    more = n + UNSEEN
    unseen = guess_square(average(differences, axis=1))
    center, spread = map(float, add_unseen(np.array(mean), np.array(error), n, unseen))
    reach = find_t(more - 1) * spread
    p_value = beyond(center / spread, more - 1) if spread else float(center == 0)
    low, high = max(-1.0, min(center - reach, mean)), min(1.0, max(center + reach, mean))
    return low, high, p_value, (find_t(more - 1) + POWER) * spread


def add_unseen(mean: Array, error: Array, n: int, square: Array) -> tuple[Array, Array]:
    """Means and standard errors of differences over n observed prompts and the two added ones.

    square: the square of an added prompt's difference where it is not a draw, see `guess_square`.
    """
    more = n + UNSEEN
    center: Array = n * mean / more
    squares = n * (n - 1) * error**2 + n * mean**2 + UNSEEN / 2 * square
    spread: Array = np.sqrt(np.maximum(squares - more * center**2, 0.0) / (more * (more - 1)))
    return center, spread


def guess_square(differences: Array) -> Array:
    """The square of an added difference: the mean of the squares and of one 1, each weighted by itself.

    differences: along the last axis. The result is 1 for wins and losses only, and where no difference was observed.
    It is smaller where a judge's preferences hardly differ or languages share little.
    """
    squares = differences**2
    guessed: Array = (np.sum(squares**2, axis=-1) + 1) / (np.sum(squares, axis=-1) + 1)
    return guessed


def correct_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction, which keeps the chance of any false finding at the level; None stays None."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        corrected[place] = largest
    return corrected


def _gate(table: Preferences, gate: Gate, expected: Expected | None) -> Preferences:
    """The table with gated preferences; rows without a language code keep their raw ones."""
    context = Context(expected=expected or {})
    answers = {language: collect_answers(table, language, context) for language in table.languages}
    answers = look_at_languages(answers, context.expected)
    gated = {
        language: gate_language(table, column, answers[language], gate)
        for column, language in enumerate(table.languages)
    }
    values = stack_gated(table, gated)
    return table if values is None else replace(table, values=values)


def _require_same(a: Sequence[Annotation], b: Sequence[Annotation]) -> Provenance:
    one, other = find_provenance(a), find_provenance(b)
    for field, words in (
        ("annotator", "judges"),
        ("method", "methods of reading the verdict"),
        ("order", "orders of the answers"),
        ("reference", "references"),
    ):
        if getattr(one, field) != getattr(other, field):
            raise BadInput(
                f"different {words}: {a[0].generator_2} has {getattr(one, field)!r}, {b[0].generator_2} has "
                f"{getattr(other, field)!r}. Such scores cannot be compared; judge one again as the other was."
            )
    return one


def _require_same_texts(
    tables: tuple[Preferences, Preferences], prompts: Sequence[int | str], languages: Sequence[str]
) -> None:
    """Raises BadInput where the two models have different instructions or different reference outputs."""
    for what, field in (("instructions", "instruction"), ("reference outputs", "output_1")):
        texts: list[dict[tuple[int | str, str], str]] = [
            {(prompt, language): getattr(row, field) for (_, prompt, language), row in table.rows.items()}
            for table in tables
        ]
        differing = [
            f"{language or 'row'}/{str(prompt)[:40]}"
            for language in languages
            for prompt in prompts
            if (prompt, language) in texts[0]
            and (prompt, language) in texts[1]
            and texts[0][prompt, language] != texts[1][prompt, language]
        ]
        if differing:
            shown = ", ".join(differing[:5]) + (" ..." if len(differing) > 5 else "")
            raise BadInput(
                f"the two have different {what} for {len(differing)} prompts ({shown}). "
                "Judge both against the same reference outputs on the same benchmark."
            )


def _select(table: Preferences, prompts: Sequence[int | str], languages: Sequence[str]) -> Array:
    places = {prompt: place for place, prompt in enumerate(table.prompts)}
    rows = [places[prompt] for prompt in prompts]
    columns = [table.languages.index(language) for language in languages]
    return average(table.values, axis=0)[np.ix_(rows, columns)]
