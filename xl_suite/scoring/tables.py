"""Scores and comparisons as text tables for a person."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten, wrap
from typing import Any

from xl_suite.display import align_columns
from xl_suite.judging.addressed import KINDS
from xl_suite.scoring.compare import Comparison
from xl_suite.scoring.gating import VERDICTS
from xl_suite.scoring.score import LanguageScore, OverallScore, Score, Side

MISSING = "-"


def show_score(judges: Mapping[str, Score], agreement: Mapping[str, Any] | None = None) -> str:
    """Tables of the scores by each judge. agreement: the result of `describe_judges` for several."""
    lines = [line for score in judges.values() for line in (*_show_judge(score), "")]
    if agreement is None:
        return "\n".join(lines[:-1])
    shared = agreement["agreement"]
    lines.append(
        f"agreement over {shared['n_shared']} judgements: Fleiss kappa {_number(shared['fleiss'], 2)},\n"
        f"  alpha {_number(shared['alpha_nominal'], 2)} (outcomes), "
        f"{_number(shared['alpha_interval'], 2)} (preferences)"
    )
    lines += [f"  Cohen kappa {_number(kappa, 2)}  {pair}" for pair, kappa in shared["cohen"].items()]
    if isinstance(agreement["self_preference"], str):
        return "\n".join([*lines, f"self-preference: {agreement['self_preference']}"])
    lines += [
        f"self-preference: {one['annotator']} ({one['family']}) gives the {one['side']} {one['favour']:+.1f} points "
        f"[{one['ci_low']:+.1f}, {one['ci_high']:+.1f}] beyond people"
        for one in agreement["self_preference"]
    ]
    return "\n".join(lines)


def show_comparison(found: Comparison) -> str:
    """A comparison as a table."""
    header = ["language", "n", "A", "B", "A - B", "interval", "p", "p (Holm)", "detectable"]
    rows = []
    for name, one in found.list_rows():
        interval = (
            MISSING if one.ci_low is None or one.ci_high is None else f"{one.ci_low:+.2f} .. {one.ci_high:+.2f}"
        )
        rows.append(
            [
                name or "all",
                str(one.n),
                _number(one.win_rate_a, 2),
                _number(one.win_rate_b, 2),
                MISSING if one.difference is None else f"{one.difference:+.2f}",
                interval,
                _number(one.p_value, 4),
                _number(one.p_holm, 4),
                _number(one.smallest_detectable, 2),
            ]
        )
    origin = found.provenance
    head = [
        f"A: {found.model_a}   B: {found.model_b}",
        f"judge: {origin.annotator} ({origin.method or 'method not named'})   reference: {origin.reference}",
        *([] if found.gate == "none" else [f"gated win rates (gate: {found.gate})"]),
        "",
    ]
    note = (
        "Intervals (95 %) and tests cover prompts only. detectable: the difference that\n"
        "so many prompts show 4 times in 5. Each side is one trained model: a difference\n"
        "between ways to train needs several seeds of each."
    )
    if found.n_only_a or found.n_only_b:
        note += f"\nLeft out, judged for one model only: {found.n_only_a} of A, {found.n_only_b} of B."
    return "\n".join([*head, *align_columns([header, *rows]), "", note])


def _show_judge(score: Score) -> list[str]:
    """Tables of at most 80 columns: the rates, their bounds, and the answers behind them."""
    rows = [(name or "all", one) for name, one in score.list_rows()]
    origin = score.provenance
    lines = [
        f"model: {score.model}   reference: {origin.reference} ({origin.reference_digest})",
        f"judge: {origin.annotator} ({origin.method or 'method not named'})   order: {origin.order}",
        "",
        *align_columns(
            [
                ["language", "judged", "win rate", "95 % interval", "gated", "gated 95 %", "LC"],
                *(_tell_rates(name, one) for name, one in rows),
            ]
        ),
        "",
        "Intervals cover prompts only. LC: win rate at equal lengths.",
        *_tell_control(rows),
        "",
        *align_columns(
            [
                ["open", "unjudged", "win rate", "gated", "undet. lost", "mixed judged"],
                *(_tell_bounds(name, one) for name, one in rows),
            ]
        ),
        "",
        "Worst and best case, if the unjudged prompts were lost or won; the gated rate",
        "if all undetermined answers lost, and if the judge had decided on mixed ones.",
    ]
    if any(one.gated.win_rate is not None for _, one in rows):
        own = [(name or "all", one) for name, one in score.languages.items()]
        for title, sides in (
            ("answers", [(name, one.model) for name, one in own]),
            ("reference", [(name, one.reference) for name, one in own]),
        ):
            head = [title, "pass", *("undet." if verdict == "undetermined" else verdict for verdict in VERDICTS)]
            lines += ["", *align_columns([head, *(_tell_fidelity(name, side) for name, side in sides)])]
    head = ["length", "model", "reference", "cut off", "reference's"]
    lines += ["", *align_columns([head, *(_tell_lengths(name, one) for name, one in rows)])]
    lines += _tell_unknown_ends(score)
    lines += [
        f"WARNING {name or 'all'}: {one.constant} outputs repeat one text; a judge that likes it was misled."
        for name, one in score.languages.items()
        if one.is_constant
    ]
    for name, one in score.languages.items():
        if one.addressed:
            first = ", ".join(shorten(str(row.prompt), 40) for row in one.addressed[:5])
            more = ", ..." if len(one.addressed) > 5 else ""
            kinds = [what for kind, what in KINDS.items() if any(kind in row.kinds for row in one.addressed)]
            told = f"WARNING {name or 'all'}: {len(one.addressed)} outputs address the judge ({'; '.join(kinds)})"
            lines += wrap(f"{told}; read them before you trust the rates. Prompts: {first}{more}.", 80)
    return [*lines, *_tell_variance(score)]


def _tell_unknown_ends(score: Score) -> list[str]:
    """A note if it is unknown whether answers were cut off, which influences the gate's verdicts."""
    sides = {
        "answers (--outputs FOLDER tells)": [one.model for one in score.languages.values()],
        "reference's answers (--reference FOLDER tells)": [one.reference for one in score.languages.values()],
    }
    unknown = [name for name, own in sides.items() if any(side.truncation_rate is None for side in own)]
    if not unknown or all(one.gated.win_rate is None for one in score.languages.values()):
        return []
    told = f"Not known: whether the {' and the '.join(unknown)} were cut off. "
    return wrap(told + "The gate treats the last sentence of each like the others.", 80)


def _tell_rates(name: str, one: LanguageScore | OverallScore) -> list[str]:
    return [
        name,
        f"{one.counts.n_total}/{one.counts.n_asked}",
        _number(one.raw.win_rate, 2),
        _interval(one.raw.ci_low, one.raw.ci_high),
        _number(one.gated.win_rate, 2),
        _interval(one.gated.ci_low, one.gated.ci_high),
        _number(one.controlled.win_rate, 2),
    ]


def _tell_control(rows: list[tuple[str, LanguageScore | OverallScore]]) -> list[str]:
    """The basis of the rates at equal lengths, and why some are missing."""
    bases: dict[str, list[str]] = {}
    for name, one in rows:
        if one.controlled.basis:
            bases.setdefault(one.controlled.basis, []).append(name)
    lines = []
    for basis, names in bases.items():
        where = "" if len(bases) == 1 else f" ({', '.join(names)})"
        lines += wrap(f"LC{where}: {basis}.", 80)
    for name, one in rows:
        found = one.alpaca_eval if isinstance(one, LanguageScore) else None
        if found is not None:
            error = _number(found.standard_error, 2)
            told = f"AlpacaEval's formula without its difficulties of prompts ({name}): {_number(found.win_rate, 2)} "
            lines += wrap(f"{told}(standard error {error}); on average 0.7 points from published rates.", 80)
    return lines


def _tell_variance(score: Score) -> list[str]:
    """The sources of the error, and what would reduce it."""
    lines = []
    if spread := score.whole.runs:
        lines += wrap(
            f"{spread.n_runs} runs: with their own spread the standard error is {spread.standard_error:.2f}, the "
            f"interval {_interval(spread.ci_low, spread.ci_high)}.",
            80,
        )
    budget = score.variance
    if budget is None:
        return lines
    rows = [
        [
            one.name,
            str(one.n),
            _number(one.variance, 2),
            _percent(one.share),
            _number(one.standard_error_doubled, 2),
        ]
        for one in budget.components
    ]
    head = ["error from", "draws", "variance", "share", "SE if doubled"]
    lines += ["", *align_columns([head, *rows])]
    return [*lines, *(line for advice in budget.advice for line in wrap(advice, 80))]


def _tell_bounds(name: str, one: LanguageScore | OverallScore) -> list[str]:
    return [
        name,
        str(one.counts.n_asked - one.counts.n_total),
        _interval(one.raw.worst, one.raw.best),
        _interval(one.gated.worst, one.gated.best),
        _number(one.bounds.if_undetermined_lost, 2),
        _number(one.bounds.if_mixed_judged, 2),
    ]


def _tell_fidelity(name: str, side: Side) -> list[str]:
    counts = [MISSING if side.fidelity is None else str(getattr(side.fidelity, f"n_{one}")) for one in VERDICTS]
    return [name, _percent(side.pass_rate), *counts]


def _tell_lengths(name: str, one: LanguageScore | OverallScore) -> list[str]:
    return [
        name,
        *(_number(side.avg_length, 0) for side in (one.model, one.reference)),
        *(_percent_of(side.truncation_rate) for side in (one.model, one.reference)),
    ]


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def _percent(rate: float | None) -> str:
    return MISSING if rate is None else f"{rate * 100:.1f} %"


def _percent_of(percent: float | None) -> str:
    return MISSING if percent is None else f"{percent:.1f} %"


def _interval(low: float | None, high: float | None) -> str:
    return MISSING if low is None or high is None else f"{low:.2f} .. {high:.2f}"
