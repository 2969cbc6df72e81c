"""Two models against the same reference by the same judge: the paired difference, and whether it is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from xl_suite.dataset.expected import Expected
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.answers import collect_answers, gate_language, look_at_languages
from xl_suite.scoring.bootstrap import resample_means
from xl_suite.scoring.gating import Gate
from xl_suite.scoring.intervals import standard_error_of_macro
from xl_suite.scoring.preferences import Array, Preferences, average, macro_average, tabulate_preferences
from xl_suite.scoring.score import INTERVAL, OVERALL, Provenance
from xl_suite.scoring.scores import NOT_AVERAGED, find_provenance, stack_gated

# Standard errors between no difference and one that is found 80 % of the time at the two-sided 5 % level.
POWER_FACTOR = 1.959964 + 0.841621


@dataclass(frozen=True, slots=True)
class Difference:
    """The win rate of A minus that of B, percent points, over the prompts that both have.

    p_value: of a sign-flip test with prompts as clusters; p_holm: corrected for the number of languages (Holm
    1979), None for the overall difference, which is one test. smallest_detectable: the difference that would be
    found 4 times in 5 with so many prompts. None where there are too few prompts.
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
    """Model A against model B by language and over all (`eng` left out; None for one language).

    n_only_a, n_only_b: judgements of prompts that only one of them has, which are left out. gate: whose answers had
    to be in the target language for the rates that are compared, or `none` for raw win rates.
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
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compares two models prompt by prompt. Raises BadInput unless judge, method, order and reference are equal.

    gate: other than `none`, the gated win rates are compared. expected: see `score_annotations`.
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
        language: compare_values(values[0][:, [column]], values[1][:, [column]], resamples=resamples, seed=seed)
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
        overall = compare_values(values[0][:, others], values[1][:, others], resamples=resamples, seed=seed)
    return Comparison(a[0].generator_2, b[0].generator_2, provenance, found, overall, left_out[0], left_out[1], gate)


def compare_values(a: Array, b: Array, *, resamples: int = 10_000, seed: int = 0) -> Difference:
    """The difference of two tables, prompts x languages in [0, 1], with NaN at the same places; macro-averaged."""
    judged = (~np.isnan(a)).any(axis=0)
    a, b = a[:, judged], b[:, judged]
    n = int((~np.isnan(a)).any(axis=1).sum())
    if n < 2:
        return Difference(n, None, None, None, None, None, None, None, None)
    rows = (~np.isnan(a)).any(axis=1)
    differences = (a - b)[rows]
    error = standard_error_of_macro(differences)
    low, high = bound_difference(differences, resamples, seed)
    return Difference(
        n=n,
        win_rate_a=macro_average(a) * 100,
        win_rate_b=macro_average(b) * 100,
        difference=macro_average(differences) * 100,
        standard_error=None if error is None else error * 100,
        ci_low=low * 100,
        ci_high=high * 100,
        p_value=flip_signs(differences, resamples, seed),
        smallest_detectable=None if error is None else POWER_FACTOR * error * 100,
    )


def bound_difference(differences: Array, resamples: int, seed: int) -> tuple[float, float]:
    """The 95 % interval of the macro-averaged difference, in [-1, 1]; the unseen prompt is 1, or -1, everywhere.

    Unlike in `intervals.bound_macro` nothing is guessed: most differences are 0, which says little of the rest.
    """
    resampled = resample_means(differences, resamples, seed)
    mean = macro_average(differences)
    low = float(np.quantile(resampled.add_unseen(-1).mean(axis=1), 0.025))
    high = float(np.quantile(resampled.add_unseen(1).mean(axis=1), 0.975))
    return max(-1.0, min(low, mean)), min(1.0, max(high, mean))


def flip_signs(differences: Array, resamples: int, seed: int) -> float:
    """The two-sided p-value of the sign-flip test: each prompt's differences change sign together, or not.

    The share of `resamples` draws whose macro average is at least as far from 0, the observed one counted among
    them. It tests that the difference of a prompt is as likely to go either way.
    """
    present = ~np.isnan(differences)
    shares = np.where(present, differences, 0) / present.sum(axis=0) / differences.shape[1]
    by_prompt = shares.sum(axis=1)
    generator = np.random.default_rng(seed)
    observed = abs(float(by_prompt.sum())) - 1e-12
    extreme = 0
    for start in range(0, resamples, 1000):
        size = min(1000, resamples - start)
        signs = generator.integers(0, 2, (size, len(by_prompt)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs.astype(np.float64) @ by_prompt) >= observed).sum())
    return (extreme + 1) / (resamples + 1)


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
    """The table with gated preferences; a language that is not named keeps its raw ones."""
    answers = {language: collect_answers(table, language, expected=expected) for language in table.languages}
    answers = look_at_languages(answers, expected)
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
    """Raises BadInput where the two were given other instructions, or measured against other reference outputs."""
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
