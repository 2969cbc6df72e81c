"""The score of a model by one judge: a number with its interval for each language, and for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xl_suite.fidelity.repeats import count_repeats, is_constant
from xl_suite.judging.addressed import find_addressed
from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.answers import (
    Answers,
    FidelityCache,
    collect_answers,
    gate_language,
    look_at_languages,
    measure_lengths,
    measure_truncation,
)
from xl_suite.scoring.context import Context
from xl_suite.scoring.controlled import (
    Control,
    average_controls,
    control_by_alpaca_eval,
    control_languages,
    describe_control,
)
from xl_suite.scoring.denominators import bound_missing, require_prompts
from xl_suite.scoring.gating import Gate, Gated
from xl_suite.scoring.intervals import Intervals, bound_means
from xl_suite.scoring.overall import score_overall
from xl_suite.scoring.preferences import Array, Preferences, average, tabulate_preferences
from xl_suite.scoring.score import (
    AddressedJudge,
    Counts,
    GateBounds,
    LanguageScore,
    OverallScore,
    Provenance,
    Rate,
    Score,
    Side,
)
from xl_suite.scoring.variance import estimate_budget, estimate_run_spread
from xl_suite.scoring.win_rate import summarize_preferences

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity
    from xl_suite.records import ModelOutput

NOT_AVERAGED = "eng"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The inputs of each language's score. gated, gated_bounds: None without a gate."""

    table: Preferences
    answers: Mapping[str, Answers]
    bounds: Intervals
    gated: Mapping[str, Gated | None]
    gated_bounds: Intervals | None
    controls: Mapping[str, Control | str]
    context: Context


def score_annotations(
    annotations: Sequence[Annotation],
    context: Context | None = None,
    *,
    gate: Gate = "both",
    resamples: int = 10_000,
    seed: int = 0,
    cache: FidelityCache | None = None,
) -> Score:
    """Scores the annotations of one model by one judge against one reference.

    gate: see `gating`; with `none` the languages of the answers are not identified. cache: see `look_at_languages`.
    Raises BadInput for several judges, models, references or methods, and for judgements of other prompts than the
    context's.
    """
    context = context or Context()
    require_prompts(annotations, context.prompts)
    table = tabulate_preferences(annotations)
    answers = {language: collect_answers(table, language, context) for language in table.languages}
    if gate != "none":
        answers = look_at_languages(answers, context.expected, cache)
    gated = {
        language: gate_language(table, column, answers[language], gate)
        for column, language in enumerate(table.languages)
    }
    gated_values = stack_gated(table, gated)
    evidence = Evidence(
        table=table,
        answers=answers,
        bounds=bound_means(table.by_prompt, resamples=resamples, seed=seed),
        gated=gated,
        gated_bounds=None
        if gated_values is None
        else bound_means(average(gated_values, 0), resamples=resamples, seed=seed),
        controls=control_languages(table, answers, context.slope),
        context=context,
    )
    languages = {language: _score_language(evidence, column) for column, language in enumerate(table.languages)}
    overall = None
    if len(table.languages) > 1:
        judged = [
            language
            for language in table.languages
            if language != NOT_AVERAGED and languages[language].counts.n_total
        ]
        overall = OverallScore(tuple(judged))
        if judged:
            columns = [table.languages.index(language) for language in judged]
            overall = score_overall(
                {language: languages[language] for language in judged},
                table.values[:, :, columns],
                None if gated_values is None else gated_values[:, :, columns],
                describe_control(
                    average_controls({language: evidence.controls[language] for language in judged}),
                    context.slope,
                    judged,
                ),
                resamples,
                seed,
            )
    return Score(
        model=next(iter(table.rows.values())).generator_2,
        provenance=find_provenance(annotations),
        n_runs=len(table.values),
        languages=languages,
        overall=overall,
        slope=context.slope,
        variance=estimate_budget(annotations, context.seeds),
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
    """The gated preferences, runs x prompts x languages; a language without a gate keeps its raw ones."""
    if all(one is None for one in gated.values()):
        return None
    values = table.values.copy()
    for column, language in enumerate(table.languages):
        one = gated[language]
        if one is not None:
            values[:, :, column] = one.values
    return values


def _score_language(evidence: Evidence, column: int) -> LanguageScore:
    """The score over prompts: several runs are averaged first."""
    table, bounds = evidence.table, evidence.bounds
    language = table.languages[column]
    answers, gated, gated_bounds = evidence.answers[language], evidence.gated[language], evidence.gated_bounds
    by_prompt = table.by_prompt[:, column]
    summary = summarize_preferences(by_prompt[~np.isnan(by_prompt)])
    rows = {prompt for _, prompt, code in table.rows if code == language}
    n_asked = max(len(evidence.context.prompts.get(language, {})), len(rows))
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
        controlled=describe_control(evidence.controls[language], evidence.context.slope, (language,)),
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
        alpaca_eval=control_by_alpaca_eval(table, column, answers),
        addressed=_list_addressed(table, answers),
    )


def _list_addressed(table: Preferences, answers: Answers) -> tuple[AddressedJudge, ...]:
    found = ((find_addressed(row.output), cell) for row, cell in zip(answers.model, answers.cells, strict=True))
    return tuple(AddressedJudge(table.prompts[place], run, kinds) for kinds, (run, place) in found if kinds)


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
    """The mean in percent over prompts of runs x prompts; None without any value."""
    by_prompt = average(values, axis=0)
    known = by_prompt[~np.isnan(by_prompt)]
    return float(known.mean() * 100) if len(known) else None


def _describe_side(outputs: tuple[ModelOutput, ...], fidelity: Fidelity | None) -> Side:
    return Side(
        avg_length=measure_lengths(outputs),
        truncation_rate=measure_truncation(outputs),
        pass_rate=None if fidelity is None else fidelity.pass_rate,
        fidelity=fidelity,
    )
