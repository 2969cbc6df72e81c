"""Scores and comparisons as text tables for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "-"


def show_score(answer: Mapping[str, Any]) -> str:
    """The JSON answer of `score` as a table for each judge, and their agreement."""
    if "annotators" not in answer:
        return "\n".join(_show_judge(answer))
    lines: list[str] = []
    for scores in answer["annotators"].values():
        lines += [*_show_judge(scores), ""]
    agreement = answer["agreement"]
    lines.append(
        f"agreement over {agreement['n_shared']} judgements: Fleiss kappa {_number(agreement['fleiss'], 2)}, "
        f"alpha {_number(agreement['alpha_nominal'], 2)} (outcomes), "
        f"{_number(agreement['alpha_interval'], 2)} (preferences)"
    )
    lines += [f"  Cohen kappa {_number(kappa, 2)}  {pair}" for pair, kappa in agreement["cohen"].items()]
    lines += [
        f"self-preference: {one['annotator']} ({one['family']}) gives the {one['side']} {one['favour']:+.1f} points "
        f"[{one['ci_low']:+.1f}, {one['ci_high']:+.1f}] beyond the other judges"
        for one in answer["self_preference"]
    ]
    return "\n".join(lines)


def show_comparison(answer: Mapping[str, Any]) -> str:
    """The JSON answer of `compare` as a table."""
    header = ["language", "n", "A", "B", "A - B", "95 % interval", "p", "p (Holm)", "detectable"]
    rows = []
    for name, one in _list_rows(answer):
        interval = MISSING if one["ci_low"] is None else f"{one['ci_low']:+.2f} .. {one['ci_high']:+.2f}"
        sign = MISSING if one["difference"] is None else f"{one['difference']:+.2f}"
        rows.append(
            [
                name,
                str(one["n"]),
                _number(one["win_rate_a"], 2),
                _number(one["win_rate_b"], 2),
                sign,
                interval,
                _number(one["p_value"], 4),
                _number(one["p_holm"], 4),
                _number(one["smallest_detectable"], 2),
            ]
        )
    head = [
        f"A: {answer['model_a']}   B: {answer['model_b']}",
        f"judge: {answer['annotator']} ({answer['method'] or 'method not named'})   reference: {answer['reference']}",
        *([] if answer["gate"] == "none" else [f"gated win rates (gate: {answer['gate']})"]),
        "",
    ]
    note = (
        "Intervals and tests cover prompts only. detectable: the difference that so many prompts show 4 times in 5."
    )
    if answer["n_only_a"] or answer["n_only_b"]:
        note += f"\nLeft out, judged for one model only: {answer['n_only_a']} of A, {answer['n_only_b']} of B."
    return "\n".join([*head, *align_columns([header, *rows]), "", note])


VERDICTS = ("right", "wrong", "mixed", "empty", "undetermined", "withheld", "failed")


def _show_judge(scores: Mapping[str, Any]) -> list[str]:
    """Three tables of at most 80 columns: the rates, what they leave open, and the answers behind them."""
    rows = _list_rows(scores)
    gated = any(one.get("gated_win_rate") is not None for _, one in rows)
    lines = [
        f"model: {scores['model']}   reference: {scores['reference']} ({scores['reference_digest']})",
        f"judge: {scores['annotator']} ({scores['method'] or 'method not named'})   order: {scores['order']}",
        "",
        *align_columns(
            [
                ["language", "judged", "win rate", "95 % interval", "gated", "gated 95 %", "LC"],
                *(_tell_rates(name, one) for name, one in rows),
            ]
        ),
        "",
        "Intervals cover prompts only. LC: win rate at equal lengths.",
        "",
        *align_columns(
            [
                ["open", "unjudged", "win rate", "gated", "undet. lost", "mixed judged"],
                *(_tell_bounds(name, one) for name, one in rows),
            ]
        ),
        "",
        "Worst and best case, if the unjudged prompts were lost or won; the gated rate if all",
        "undetermined answers lost, and if the judge had decided on all mixed ones.",
    ]
    if gated:
        for side, title in (("fidelity", "answers"), ("reference_fidelity", "reference")):
            head = [title, "pass", *("undet." if verdict == "undetermined" else verdict for verdict in VERDICTS)]
            told = [_tell_fidelity(name, one.get(side) or {}) for name, one in rows if name != "overall"]
            lines += ["", *align_columns([head, *told])]
    head = ["length", "model", "reference", "cut off", "reference's"]
    lines += ["", *align_columns([head, *(_tell_lengths(name, one) for name, one in rows)])]
    lines += [
        f"WARNING {name}: {one['constant']} outputs repeat one text; a judge that likes it was misled."
        for name, one in _list_rows(scores)
        if one.get("is_constant")
    ]
    spread = (scores.get("overall") or scores).get("runs")
    if spread:
        lines.append(
            f"{spread['n_runs']} runs: with the model's own spread the standard error is "
            f"{spread['standard_error']:.2f}, the interval {_interval(spread['ci_low'], spread['ci_high'])}."
        )
    return lines


def _tell_rates(name: str, one: Mapping[str, Any]) -> list[str]:
    return [
        name,
        f"{one.get('n_total', MISSING)}/{one.get('n_asked', MISSING)}",
        _number(one.get("win_rate"), 2),
        _interval(one.get("ci_low"), one.get("ci_high")),
        _number(one.get("gated_win_rate"), 2),
        _interval(one.get("gated_ci_low"), one.get("gated_ci_high")),
        _number(one.get("length_controlled_winrate"), 2),
    ]


def _tell_bounds(name: str, one: Mapping[str, Any]) -> list[str]:
    return [
        name,
        str(one["n_asked"] - one["n_total"]) if "n_asked" in one else MISSING,
        _interval(one.get("win_rate_worst"), one.get("win_rate_best")),
        _interval(one.get("gated_win_rate_worst"), one.get("gated_win_rate_best")),
        _number(one.get("gated_if_undetermined_lost"), 2),
        _number(one.get("gated_if_mixed_judged"), 2),
    ]


def _tell_fidelity(name: str, fidelity: Mapping[str, Any]) -> list[str]:
    counts = [str(fidelity.get(f"n_{verdict}", MISSING)) for verdict in VERDICTS]
    return [name, _percent(fidelity.get("pass_rate")), *counts]


def _tell_lengths(name: str, one: Mapping[str, Any]) -> list[str]:
    return [
        name,
        _number(one.get("avg_length"), 0),
        _number(one.get("avg_length_reference"), 0),
        _percent_of(one.get("truncation_rate")),
        _percent_of(one.get("truncation_rate_reference")),
    ]


def _list_rows(answer: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    if "languages" not in answer:
        return [(answer["language"] or "all", answer)]
    return [*answer["languages"].items(), ("overall", answer["overall"])]


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def _percent(rate: float | None) -> str:
    return MISSING if rate is None else f"{rate * 100:.1f} %"


def _percent_of(percent: float | None) -> str:
    return MISSING if percent is None else f"{percent:.1f} %"


def _interval(low: float | None, high: float | None) -> str:
    return MISSING if low is None or high is None else f"{low:.2f} .. {high:.2f}"
