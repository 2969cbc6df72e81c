"""The score of a model by one judge: a number with its interval for each language, and for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xl_suite.dataset.expected import Expected
from xl_suite.fidelity.repeats import count_repeats, is_constant
from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.answers import (
    Answers,
    Look,
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
from xl_suite.scoring.preferences import Array, Preferences, average, macro_average, tabulate_preferences
from xl_suite.scoring.variance import RunSpread, estimate_run_spread
from xl_suite.scoring.win_rate import summarize_preferences

if TYPE_CHECKING:
    from xl_suite.fidelity import Fidelity

INTERVAL = "95 %, over prompts only: not over the model's randomness, the judge's mistakes or other kinds of prompts"
NOT_AVERAGED = "eng"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a score depends on beside the model. Scores that differ in any of it are never ranked together.

    order: `both` where each pair was judged in both orders, else `random`. reference_digest: of the reference
    outputs themselves, 16 hexadecimal digits; two scores over the same prompts can only be compared when equal.
    """

    annotator: str
    method: str
    order: str
    reference: str
    reference_digest: str


@dataclass(frozen=True, slots=True)
class Score:
    """The score of `model`: AlpacaEval's keys and ours, by language and over all (None for one language)."""

    model: str
    provenance: Provenance
    n_runs: int
    languages: dict[str, dict[str, Any]]
    overall: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """The JSON answer: a single language's keys stand at the top level."""
        head = {"model": self.model, **asdict(self.provenance), "n_runs": self.n_runs, "interval": INTERVAL}
        if self.overall is None:
            ((language, keys),) = self.languages.items()
            return head | {"language": language or None} | keys
        return head | {"languages": self.languages, "overall": self.overall}


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
    known: dict[Look, Fidelity] | None = None,
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
        language: control_language(table, column, answers[language])
        for column, language in enumerate(table.languages)
    }
    languages: dict[str, dict[str, Any]] = {}
    for column, language in enumerate(table.languages):
        keys = _describe_language(table, column, bounds)
        keys["n_asked"] = max(len((prompts or {}).get(language, {})), keys["n_asked"])
        keys["win_rate_worst"], keys["win_rate_best"] = bound_missing(table.by_prompt[:, column], keys["n_asked"])
        keys |= _describe_answers(answers[language])
        keys |= _describe_gate(gated[language], gated_bounds, column, answers[language], keys["n_asked"])
        control = controls[language]
        keys |= {
            "length_controlled_winrate": control and control[0].length_controlled_winrate,
            "lc_standard_error": control and _clustered_error(control[1]),
            "lc_n_rows": control[0].n_rows if control else 0,
        }
        languages[language] = keys
    first = next(iter(table.rows.values()))
    return Score(
        model=first.generator_2,
        provenance=find_provenance(annotations),
        n_runs=len(table.values),
        languages=languages,
        overall=_describe_overall(table, gated_values, languages, controls, resamples, seed)
        if len(table.languages) > 1
        else None,
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


def _describe_language(table: Preferences, column: int, bounds: Intervals) -> dict[str, Any]:
    """AlpacaEval's keys, over prompts: several runs are averaged first. And the interval, and the runs' spread."""
    by_prompt = table.by_prompt[:, column]
    summary = asdict(summarize_preferences(by_prompt[~np.isnan(by_prompt)]))
    low, high = bounds.low[column] * 100, bounds.high[column] * 100
    asked = {prompt for _, prompt, language in table.rows if language == table.languages[column]}
    return {
        **summary,
        "n_failed": table.n_failed[column],
        "n_asked": len(asked),
        "ci_low": low,
        "ci_high": high,
        **_describe_spread(estimate_run_spread(table.values[:, :, column], low, high)),
    }


def _describe_spread(spread: RunSpread | None) -> dict[str, Any]:
    return {} if spread is None else {"runs": asdict(spread)}


def _describe_answers(answers: Answers) -> dict[str, Any]:
    """Lengths, truncation, fidelity; constant: how many outputs repeat one text, is_constant: whether too many do."""
    keys: dict[str, Any] = {
        "avg_length": measure_lengths(answers.model),
        "avg_length_reference": measure_lengths(answers.reference),
        "truncation_rate": measure_truncation(answers.model),
        "truncation_rate_reference": measure_truncation(answers.reference),
    }
    if answers.fidelity is None:
        keys["constant"] = count_repeats([row.output for row in answers.model])
    else:
        keys["constant"] = answers.fidelity.constant
    keys["is_constant"] = is_constant(keys["constant"], len(answers.model))
    for name, fidelity in (("fidelity", answers.fidelity), ("reference_fidelity", answers.reference_fidelity)):
        keys[name] = None if fidelity is None else fidelity.to_json()
    return keys


GATED_KEYS = ("win_rate", "standard_error", "ci_low", "ci_high", "win_rate_worst", "win_rate_best")
GATE_BOUNDS = ("gated_if_undetermined_lost", "gated_if_mixed_judged")


def _describe_gate(
    gated: Gated | None, bounds: Intervals | None, column: int, answers: Answers, n_asked: int
) -> dict[str, Any]:
    """The gated rate with its interval, its bounds, and what the gate did to how many rows (all runs together)."""
    if gated is None or bounds is None:
        return {f"gated_{name}": None for name in GATED_KEYS} | dict.fromkeys(GATE_BOUNDS)
    by_prompt = average(gated.values, axis=0)
    summary = summarize_preferences(by_prompt[~np.isnan(by_prompt)])
    worst, best = bound_missing(by_prompt, n_asked)
    return {
        "gated_win_rate": summary.win_rate,
        "gated_standard_error": summary.standard_error,
        "gated_ci_low": bounds.low[column] * 100,
        "gated_ci_high": bounds.high[column] * 100,
        "gated_win_rate_worst": worst,
        "gated_win_rate_best": best,
        "gated_if_undetermined_lost": _mean(average(gated.undetermined_lost, axis=0)),
        "gated_if_mixed_judged": _mean(average(gated.mixed_judged, axis=0)),
        "gate": {name: getattr(gated, name) for name in Gated.__slots__ if name.startswith("n_")}
        | {"n_any_language": sum(answers.any_language)},
    }


def _mean(by_prompt: Array) -> float | None:
    known = by_prompt[~np.isnan(by_prompt)]
    return float(known.mean() * 100) if len(known) else None


def _describe_overall(
    table: Preferences,
    gated: Array | None,
    languages: dict[str, dict[str, Any]],
    controls: dict[str, Any],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """The macro averages over the languages but English, with errors and intervals clustered on prompts."""
    columns = [
        column
        for column, language in enumerate(table.languages)
        if language != NOT_AVERAGED and languages[language]["n_total"]
    ]
    names = [table.languages[column] for column in columns]
    keys: dict[str, Any] = {"languages": names, "n_prompts": 0}
    if not columns:
        return keys | {"win_rate": None, "standard_error": None, "ci_low": None, "ci_high": None}
    values = table.values[:, :, columns]
    keys["n_prompts"] = int((~np.isnan(average(values, axis=0))).any(axis=1).sum())
    for name in ("n_wins", "n_wins_base", "n_draws", "n_total", "n_failed", "n_asked"):
        keys[name] = sum(languages[language][name] for language in names)
    for name in ("win_rate_worst", "win_rate_best", "gated_win_rate_worst", "gated_win_rate_best", *GATE_BOUNDS):
        keys[name] = _average_known([languages[language][name] for language in names])
    keys |= _describe_macro("", values, resamples, seed)
    keys["discrete_win_rate"] = float(np.mean([languages[language]["discrete_win_rate"] for language in names]))
    if gated is None:
        keys |= {f"gated_{name}": None for name in GATED_KEYS}
    else:
        keys |= _describe_macro("gated_", gated[:, :, columns], resamples, seed)
    controlled = [controls[language] for language in names]
    complete = all(control is not None for control in controlled)
    keys["length_controlled_winrate"] = (
        float(np.mean([control[0].length_controlled_winrate for control in controlled])) if complete else None
    )
    keys["lc_standard_error"] = (
        _clustered_error(np.mean([control[1] for control in controlled], axis=0)) if complete else None
    )
    for name in ("avg_length", "avg_length_reference", "truncation_rate", "truncation_rate_reference"):
        keys[name] = _average_known([languages[language][name] for language in names])
    for name in ("fidelity", "reference_fidelity"):
        rates = [(languages[language][name] or {}).get("pass_rate") for language in names]
        known_rates = [rate for rate in rates if rate is not None]
        keys[name] = {"pass_rate": sum(known_rates) / len(rates) if len(known_rates) == len(rates) else None}
    return keys


def _average_known(values: Sequence[float | None]) -> float | None:
    """The mean; None where one of the values is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _describe_macro(prefix: str, values: Array, resamples: int, seed: int) -> dict[str, Any]:
    by_prompt = average(values, axis=0)
    bounds = bound_means(by_prompt, resamples=resamples, seed=seed)
    error = standard_error_of_macro(by_prompt)
    low, high = bounds.macro_low * 100, bounds.macro_high * 100
    keys: dict[str, Any] = {
        f"{prefix}win_rate": macro_average(by_prompt) * 100,
        f"{prefix}standard_error": None if error is None else error * 100,
        f"{prefix}ci_low": low,
        f"{prefix}ci_high": high,
    }
    # The spread of runs needs prompts that were judged in every run and language.
    return keys | (_describe_spread(estimate_run_spread(values.mean(axis=2), low, high)) if not prefix else {})


def _clustered_error(influence: Array) -> float:
    n = int(np.count_nonzero(influence))
    return float(np.sqrt(n / max(n - 1, 1) * np.sum(influence**2)))
