"""Our scores beside the paper's: the difference, its interval, and whether the two agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.display import align_columns
from xl_suite.paper.published import AVERAGE, find_scores
from xl_suite.records import read_object
from xl_suite.reproduction.costs import PROMPTS
from xl_suite.reproduction.plan import Line, TablePlan

# Two-sided 95 % of a normal distribution.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class ComparedNumber:
    """A number of the paper and ours. ours: None where there is no score yet. ci_low, ci_high: of ours, prompts only.

    agree: whether the difference is within what other prompts could make of it, the paper's own error included,
    which is taken from its win rate and 797 prompts (all preferences 0 or 1: the most it can be); None without ours.
    """

    table: int
    model: str
    training: str
    size: int
    strategy: str
    language: str
    metric: str
    paper: float
    ours: float | None
    ci_low: float | None
    ci_high: float | None
    difference: float | None
    agree: bool | None


def compare_with_paper(plan: TablePlan, out: Path) -> list[ComparedNumber]:
    """All numbers of the plan's tables, in their order, with ours where a score's file is there. Raises BadInput."""
    found = {(line.table, line.model, line.training, line.size, line.strategy): line for line in plan.lines}
    scores = {key: _read(out / line.score) for key, line in found.items()}
    rows = []
    for key, line in found.items():
        direct = scores.get((1, line.model, "none", 0, "direct"))
        rows += list(_compare_line(line, scores[key], direct))
    return rows


def _compare_line(
    line: Line, score: Mapping[str, Any] | None, direct: Mapping[str, Any] | None
) -> Iterator[ComparedNumber]:
    numbers = find_scores(
        table=line.table, model=line.model, training=line.training, size=line.size, strategy=line.strategy
    )
    own = {number.language for number in numbers} - {AVERAGE}
    for number in numbers:
        if number.language not in (AVERAGE, *line.languages) or (
            number.language == AVERAGE and own - {*line.languages}
        ):
            continue  # an average over fewer languages is another number
        ours = _find(score, number.language, number.metric, line.languages)
        if number.metric == "win_rate_change":
            ours = _subtract(ours, _find(direct, number.language, "win_rate", line.languages))
        value, low, high = ours if ours is not None else (None, None, None)
        difference = None if value is None else value - number.value
        yield ComparedNumber(
            line.table,
            line.model,
            line.training,
            line.size,
            line.strategy,
            number.language,
            number.metric,
            number.value,
            value,
            low,
            high,
            difference,
            None if value is None else _agree(value, low, high, number.value, number.metric),
        )


def _find(
    score: Mapping[str, Any] | None, language: str, metric: str, languages: Sequence[str]
) -> tuple[float, float | None, float | None] | None:
    """(value, low, high) of a language or of the average in what `score --json` printed, or None."""
    if score is None:
        return None
    single = score.get("language")
    if language == AVERAGE:
        keys = score.get("overall") or (score if list(languages) == [single] else None)
    else:
        keys = (score.get("languages") or {}).get(language) or (score if single == language else None)
    if metric not in ("win_rate", "win_rate_change"):
        keys = (keys or {}).get(metric)
        named = "mean"
    else:
        named = "win_rate"
    if not keys or keys.get(named) is None:
        return None
    return float(keys[named]), keys.get("ci_low"), keys.get("ci_high")


def _subtract(
    a: tuple[float, float | None, float | None] | None, b: tuple[float, float | None, float | None] | None
) -> tuple[float, float | None, float | None] | None:
    """The difference, with an interval as if the two were independent: wider than that of `xl-suite compare`."""
    if a is None or b is None:
        return None
    if None in a or None in b:
        return a[0] - b[0], None, None
    half = [((one[2] or 0) - (one[1] or 0)) / 2 for one in (a, b)]
    wide = math.hypot(*half)
    return a[0] - b[0], a[0] - b[0] - wide, a[0] - b[0] + wide


def _agree(value: float, low: float | None, high: float | None, paper: float, metric: str) -> bool:
    # The interval of a rate near 0 or 100 is longer on one side: that on which the paper's value lies counts.
    half = 0.0 if low is None or high is None else (value - low if paper < value else high - value)
    if metric in ("win_rate", "win_rate_change"):
        share = min(max(abs(paper) / 100, 1 / PROMPTS), 0.5 if metric == "win_rate_change" else 1.0)
        theirs = 100 * _Z * math.sqrt(share * (1 - share) / PROMPTS)
    else:  # 1 to 5; Table 8 says nothing of its spread, so the rounding and a standard deviation of 1
        theirs = _Z / math.sqrt(PROMPTS)
    return abs(value - paper) <= math.hypot(half, theirs)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    return read_object(path)


def show_compared(rows: Sequence[ComparedNumber]) -> str:
    """A table for a person: a line for each number that has ours beside it, and how many have not."""
    known = [row for row in rows if row.ours is not None]
    head = ["table", "model", "training", "language", "paper", "ours", "95 % interval", "difference", "agree"]
    lines = [head]
    for row in known:
        training = "-" if row.training == "none" else f"{row.training} {row.size}"
        if row.strategy != "direct":
            training = row.strategy
        where = row.language if row.metric in ("win_rate", "win_rate_change") else row.metric
        interval = "-" if row.ci_low is None or row.ci_high is None else f"{row.ci_low:.2f} .. {row.ci_high:.2f}"
        lines.append(
            [str(row.table), row.model, training, where, f"{row.paper:.2f}", f"{row.ours:.2f}", interval,
             f"{row.difference:+.2f}", "yes" if row.agree else "NO"]
        )  # fmt: skip
    missing = len(rows) - len(known)
    agreeing = sum(bool(row.agree) for row in known)
    note = f"{missing} of {len(rows)} numbers have no score of ours yet."
    note = f"{agreeing} of {len(known)} agree; {note}" if known else note
    return "\n".join([*(align_columns(lines, keys=4) if known else []), *([""] if known else []), note])
