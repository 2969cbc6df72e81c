"""The score of a model by one judge: a number with its interval for each language, and for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from xl_suite.dataset.expected import Expected
from xl_suite.fidelity.repeats import count_repeats, is_constant
from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.answers import (
    Answers,
    FidelityKey,
    Reasons,
    collect_answers,
    control_language,
    gate_language,
    look_at_languages,
    measure_lengths,
    measure_truncation,
)
from xl_suite.scoring.denominators import Prompts, bound_missing, require_prompts
from xl_suite.scoring.gating import Gate, Gated
from xl_suite.scoring.intervals import Intervals, bound_means, standard_error_of_macro
from xl_suite.scoring.length_control import LengthControl
from xl_suite.scoring.preferences import Array, Preferences, average, macro_average, tabulate_preferences
from xl_suite.scoring.score import (
    SLOPE_OF,
    Controlled,
    Counts,
    GateBounds,
    LanguageScore,
    OverallScore,
    Provenance,
    Rate,
    Score,
    Side,
)
from xl_suite.scoring.variance import estimate_run_spread
from xl_suite.scoring.win_rate import summarize_preferences

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity
    from xl_suite.records import ModelOutput

NOT_AVERAGED = "eng"
Control = tuple[LengthControl, Array]  # with each prompt's influence


def score_annotations(
    annotations: Sequence[Annotation],
    *,
    expected: Expected | None = None,
    prompts: Prompts | None = None,
    reasons: Reasons | None = None,
    reference_reasons: Reasons | None = None,
    gate: Gate = "both",
    resamples: int = 10_000,
    seed: int = 0,
    workers: int = 1,
    known: dict[FidelityKey, Fidelity] | None = None,
) -> Score:
    """Scores the annotations of one model by one judge against one reference.

    expected: which prompts expect the target language (all, where it does not say). prompts: those of the benchmark,
    which say how many should have been judged. reasons: why answers ended, for the truncation rates and what was
    withheld. gate: see `gating`; with `none` the languages of the answers are not looked at.
    workers, known: see `look_at_languages`. Raises BadInput where judge, model, reference or method are several, and
    for judgements of other prompts than `prompts`.
    """
    require_prompts(annotations, prompts or {})
    table = tabulate_preferences(annotations)
    answers = {
        language: collect_answers(
            table,
            language,
            expected=expected,
            reasons=reasons,
            reference_reasons=reference_reasons,
        )
        for language in table.languages
    }
    if gate != "none":
        answers = look_at_languages(answers, expected, workers=workers, known=known)
    gated = {
        language: gate_language(table, column, answers[language], gate)
        for column, language in enumerate(table.languages)
    }
    bounds = bound_means(table.by_prompt, resamples=resamples, seed=seed)
    gated_values = stack_gated(table, gated)
    gated_bounds = (
        None if gated_values is None else bound_means(average(gated_values, 0), resamples=resamples, seed=seed)
    )
    controls = {
        language: control_language(table, column, answers[language]) if annotations[0].annotator in SLOPE_OF else None
        for column, language in enumerate(table.languages)
    }
    languages = {
        language: _score_language(
            table,
            column,
            answers[language],
            len((prompts or {}).get(language, {})),
            bounds,
            gated[language],
            gated_bounds,
            controls[language],
        )
        for column, language in enumerate(table.languages)
    }
    several = len(table.languages) > 1
    return Score(
        model=next(iter(table.rows.values())).generator_2,
        provenance=find_provenance(annotations),
        n_runs=len(table.values),
        languages=languages,
        overall=_score_overall(table, gated_values, languages, controls, resamples, seed) if several else None,
    )


def find_provenance(annotations: Sequence[Annotation]) -> Provenance:
    """The provenance of annotations that `tabulate_preferences` accepts."""
    digest = hashlib.sha256()
    for language, prompt, text in sorted({(row.language, str(row.prompt), row.output_1) for row in annotations}):
        for part in (language, prompt, text):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    seen = {(row.language, row.prompt, row.sample, row.order) for row in annotations if row.order}
    pairs = {(language, prompt, sample) for language, prompt, sample, _ in seen}
    both = len(seen) > len(pairs) or any(row.order == "both" for row in annotations)
    return Provenance(
        annotator=annotations[0].annotator,
        method=next((row.method for row in annotations if row.method), ""),
        order="both" if both else "random",
        reference=annotations[0].generator_1,
        reference_digest=digest.hexdigest()[:16],
    )


def stack_gated(table: Preferences, gated: dict[str, Gated | None]) -> Array | None:
    """The gated preferences, runs x prompts x languages; a language that was not gated keeps its raw ones."""
    if all(one is None for one in gated.values()):
        return None
    values = table.values.copy()
    for column, language in enumerate(table.languages):
        one = gated[language]
        if one is not None:
            values[:, :, column] = one.values
    return values


def _score_language(
    table: Preferences,
    column: int,
    answers: Answers,
    n_prompts: int,
    bounds: Intervals,
    gated: Gated | None,
    gated_bounds: Intervals | None,
    control: Control | None,
) -> LanguageScore:
    """The score over prompts: several runs are averaged first. n_prompts: of the benchmark, 0 where not known."""
    by_prompt = table.by_prompt[:, column]
    summary = summarize_preferences(by_prompt[~np.isnan(by_prompt)])
    rows = {prompt for _, prompt, language in table.rows if language == table.languages[column]}
    n_asked = max(n_prompts, len(rows))
    raw = _rate(by_prompt, bounds, column, n_asked)
    if answers.fidelity is None:
        constant = count_repeats([row.output for row in answers.model])
    else:
        constant = answers.fidelity.constant
    rate, gate_bounds, gate = Rate(), GateBounds(), None
    if gated is not None and gated_bounds is not None:
        rate = _rate(average(gated.values, axis=0), gated_bounds, column, n_asked)
        gate_bounds = GateBounds(_mean(gated.undetermined_lost), _mean(gated.mixed_judged))
        gate = {name: getattr(gated, name) for name in Gated.__slots__ if name.startswith("n_")}
        gate["n_any_language"] = sum(answers.any_language)
    return LanguageScore(
        raw=raw,
        gated=rate,
        bounds=gate_bounds,
        gate=gate,
        controlled=_describe_control(control),
        counts=Counts(
            summary.n_wins,
            summary.n_wins_base,
            summary.n_draws,
            summary.n_total,
            table.n_failed[column],
            n_asked,
        ),
        discrete_win_rate=summary.discrete_win_rate,
        model=_describe_side(answers.model, answers.fidelity),
        reference=_describe_side(answers.reference, answers.reference_fidelity),
        constant=constant,
        is_constant=is_constant(constant, len(answers.model)),
        runs=estimate_run_spread(table.values[:, :, column], bounds.low[column] * 100, bounds.high[column] * 100),
    )


def _rate(by_prompt: Array, bounds: Intervals, column: int, n_asked: int) -> Rate:
    summary = summarize_preferences(by_prompt[~np.isnan(by_prompt)])
    return Rate(
        summary.win_rate,
        summary.standard_error,
        bounds.low[column] * 100,
        bounds.high[column] * 100,
        *bound_missing(by_prompt, n_asked),
    )


def _mean(values: Array) -> float | None:
    """The mean in percent over prompts of runs x prompts; None where nothing is known."""
    by_prompt = average(values, axis=0)
    known = by_prompt[~np.isnan(by_prompt)]
    return float(known.mean() * 100) if len(known) else None


def _describe_control(control: Control | None) -> Controlled:
    if control is None:
        return Controlled()
    return Controlled(control[0].length_controlled_winrate, _clustered_error(control[1]), control[0].n_rows)


def _describe_side(outputs: tuple[ModelOutput, ...], fidelity: Fidelity | None) -> Side:
    return Side(
        avg_length=measure_lengths(outputs),
        truncation_rate=measure_truncation(outputs),
        pass_rate=None if fidelity is None else fidelity.pass_rate,
        fidelity=fidelity,
    )


def _score_overall(
    table: Preferences,
    gated: Array | None,
    languages: Mapping[str, LanguageScore],
    controls: Mapping[str, Control | None],
    resamples: int,
    seed: int,
) -> OverallScore:
    """The macro averages over the languages but English, with errors and intervals clustered on prompts."""
    columns = [
        column
        for column, language in enumerate(table.languages)
        if language != NOT_AVERAGED and languages[language].counts.n_total
    ]
    names = tuple(table.languages[column] for column in columns)
    if not columns:
        return OverallScore(names)
    own = [languages[language] for language in names]
    values = table.values[:, :, columns]
    raw = _rate_macro(values, [one.raw for one in own], resamples, seed)
    controlled = [control for language in names if (control := controls[language]) is not None]
    return OverallScore(
        languages=names,
        n_prompts=int((~np.isnan(average(values, axis=0))).any(axis=1).sum()),
        raw=raw,
        gated=Rate()
        if gated is None
        else _rate_macro(gated[:, :, columns], [one.gated for one in own], resamples, seed),
        bounds=GateBounds(
            _average([one.bounds.if_undetermined_lost for one in own]),
            _average([one.bounds.if_mixed_judged for one in own]),
        ),
        controlled=Controlled(
            float(np.mean([control[0].length_controlled_winrate for control in controlled])),
            _clustered_error(np.mean([control[1] for control in controlled], axis=0)),
            sum(control[0].n_rows for control in controlled),
        )
        if len(controlled) == len(names)
        else Controlled(),
        counts=Counts(*(sum(getattr(one.counts, field.name) for one in own) for field in fields(Counts))),
        discrete_win_rate=_average([one.discrete_win_rate for one in own]),
        model=_average_sides([one.model for one in own]),
        reference=_average_sides([one.reference for one in own]),
        # The spread of runs needs prompts that were judged in every run and language.
        runs=estimate_run_spread(values.mean(axis=2), raw.ci_low or 0.0, raw.ci_high or 0.0),
    )


def _average_sides(sides: Sequence[Side]) -> Side:
    rates = [side.pass_rate for side in sides]
    known = [rate for rate in rates if rate is not None]
    return Side(
        avg_length=_average([side.avg_length for side in sides]),
        truncation_rate=_average([side.truncation_rate for side in sides]),
        pass_rate=sum(known) / len(rates) if len(known) == len(rates) else None,
    )


def _average(values: Sequence[float | None]) -> float | None:
    """The mean; None where one of the values is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _rate_macro(values: Array, own: Sequence[Rate], resamples: int, seed: int) -> Rate:
    """own: the languages' rates, whose worst and best cases are averaged."""
    by_prompt = average(values, axis=0)
    bounds = bound_means(by_prompt, resamples=resamples, seed=seed)
    error = standard_error_of_macro(by_prompt)
    return Rate(
        win_rate=macro_average(by_prompt) * 100,
        standard_error=None if error is None else error * 100,
        ci_low=bounds.macro_low * 100,
        ci_high=bounds.macro_high * 100,
        worst=_average([one.worst for one in own]),
        best=_average([one.best for one in own]),
    )


def _clustered_error(influence: Array) -> float:
    n = int(np.count_nonzero(influence))
    return float(np.sqrt(n / max(n - 1, 1) * np.sum(influence**2)))
