"""Could the paper's comparisons be told from chance with 797 prompts? The smallest differences that can."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xl_suite.display import align_columns
from xl_suite.paper.published import AVERAGE, find_scores, group_by_run, published_scores
from xl_suite.reproduction.costs import PROMPTS
from xl_suite.scoring.compare import POWER_FACTOR

VERDICTS = ("yes", "depends", "no")
Run = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A comparison of two printed win rates, and the differences that 797 prompts show 4 times in 5 (two-sided 5 %).

    least: when all that can help does: the languages of an average are independent, and the two models win on
    the same prompts half of the time. most: the languages say the same, and the models' wins have nothing in common.
    detectable: `yes` where the difference is above `most`, `no` below `least`, else `depends`.
    """

    table: int
    a: str
    b: str
    language: str
    rate_a: float
    rate_b: float
    difference: float
    least: float
    most: float
    detectable: str


def list_claims(tables: Sequence[int] | None = None) -> list[Claim]:
    """The comparisons that the paper's tables make, average first: each trained model with its untrained one (3, 6,
    7, 10), each method with the others (9, 10), neighbours in the ranking (1), and both strategies (2). Table 8 says
    nothing of its scores' spread."""
    claims: list[Claim] = []
    for table in tables or (1, 2, 3, 6, 7, 9, 10):
        for (run_a, rates_a), (run_b, rates_b) in _pair_lines(table):
            languages = [code for code in rates_a if code in rates_b]
            for language in languages:
                count = sum(code not in (AVERAGE, "eng") for code in languages) if language == AVERAGE else 1
                claims.append(_judge(table, run_a, run_b, language, rates_a[language], rates_b[language], count))
    return claims


def find_detectable(rate_a: float, rate_b: float, languages: int = 1, prompts: int = PROMPTS) -> tuple[float, float]:
    """(least, most) in percentage points, see Claim. rates: percent; each prompt is won or lost."""
    a, b = (min(max(rate / 100, 0.0), 1.0) for rate in (rate_a, rate_b))
    variance = max(a * (1 - a) + b * (1 - b), 1 / prompts)
    # Half of the lesser model's wins are on prompts that the other wins too: 2 x covariance of two indicators.
    shared = min(a, b) / 2 - a * b
    least = max(variance - 2 * max(shared, 0.0), variance / 4)
    scale = 100 * POWER_FACTOR / math.sqrt(prompts)
    return scale * math.sqrt(least / max(1, languages)), scale * math.sqrt(variance)


def _judge(table: int, a: Run, b: Run, language: str, rate_a: float, rate_b: float, languages: int) -> Claim:
    least, most = find_detectable(rate_a, rate_b, languages)
    difference = rate_a - rate_b
    size = abs(difference)
    verdict = "yes" if size >= most else "no" if size < least else "depends"
    return Claim(table, _name(a), _name(b), language, rate_a, rate_b, round(difference, 2), least, most, verdict)


def _pair_lines(table: int) -> Iterator[tuple[tuple[Run, dict[str, float]], tuple[Run, dict[str, float]]]]:
    if table == 2:
        yield from _pair_strategies()
        return
    rows = [row for row in published_scores() if row.table == table]
    lines = {(model, training, size): line for (_, model, training, size), line in group_by_run(rows).items()}
    runs = list(lines)
    if table == 1:
        ranked = sorted(runs, key=lambda run: -lines[run][AVERAGE])
        pairs = list(pairwise(ranked))
    elif table == 9:
        pairs = [(b, a) for number, a in enumerate(runs) for b in runs[number + 1 :]]
    else:
        pairs = [(run, (run[0], "none", 0)) for run in runs if run[1] != "none"]
        if table == 7:
            pairs += [(run, ("EuroLLM 9B Instruct", "none", 0)) for run in runs if run[1] != "none"]
        if table == 10:
            best = [run for run in runs if run[1].endswith("best-of-3")]
            pairs += [(a, b) for a in best for b in runs if b[0] == a[0] and b[1] not in ("none", a[1])]
    for a, b in pairs:
        yield (a, lines[a]), (b, lines[b])


def _pair_strategies() -> Iterator[tuple[tuple[Run, dict[str, float]], tuple[Run, dict[str, float]]]]:
    """Table 2 gives differences; where its sum with Table 1 is below zero, it is taken for zero."""
    for model in dict.fromkeys(row.model for row in published_scores() if row.table == 2):
        direct = {row.language: row.value for row in find_scores(table=1, model=model)}
        changed = {
            row.language: max(0.0, direct[row.language] + row.value) for row in find_scores(table=2, model=model)
        }
        yield ((f"{model} (reason-then-translate)", "none", 0), changed), ((model, "none", 0), direct)


def _name(run: Run) -> str:
    model, training, size = run
    return model if training == "none" else f"{model} + {training} {size}"


def show_claims(claims: Sequence[Claim], *, all_languages: bool = False) -> str:
    """A table for a person: the averages, or every language."""
    rows = [["table", "A", "B", "language", "A - B", "detectable from", "to", "told from chance"]]
    for one in claims:
        if all_languages or one.language == AVERAGE:
            rows.append(
                [str(one.table), one.a, one.b, one.language, f"{one.difference:+.2f}", f"{one.least:.2f}",
                 f"{one.most:.2f}", one.detectable]
            )  # fmt: skip
    counts = ", ".join(f"{verdict} {sum(one.detectable == verdict for one in claims)}" for verdict in VERDICTS)
    return "\n".join(
        [
            *align_columns(rows, keys=4),
            "",
            f"All {len(claims)} comparisons, languages and averages: {counts}.",
            f"A difference can be told from chance when {PROMPTS} prompts show one of its size 4 times in 5 "
            "(two-sided 5 %). From: the models win on the same prompts half of the time, and languages are "
            "independent. To: neither. Models and judges have a randomness of their own, which comes on top.",
        ]
    )
