"""Which of the paper's differences differ from chance, given 797 prompts, and which would have been found at all?

Two questions, kept apart: significance is about the difference that was printed (does its interval hold 0?), power
about differences of a size (how often would such a one be found?). A printed difference below what is found 4 times
in 5 can well be significant. The paper prints no spread, so each question has a best and a worst case, see Claim.
"""

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
Z = 1.959964
# A judge's preferences lie between 0 and 1, so their variance is below p (1 - p), that of wins and losses: .76 of it
# in an audit of real judgements. The best case takes this, the worst case all of it.
GRADED = 0.76
Run = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A comparison of two printed win rates over 797 prompts, in the best and in the worst case.

    Best: the languages of an average are independent, the two models win on the same prompts half of the time, and
    preferences vary as `GRADED` says. Worst: the languages say the same, the models' wins have nothing in common, and
    each prompt is won or lost. narrow, wide: the 95 % intervals of the difference in these cases. significant: `yes`
    where not even the wide one holds 0, `no` where the narrow one does, else `depends`.
    least, most: the power, apart from it: the differences that are found 4 times in 5 (two-sided 5 %). detectable:
    whether a difference of this size is: `yes` above `most`, `no` below `least`, else `depends`.
    """

    table: int
    a: str
    b: str
    language: str
    rate_a: float
    rate_b: float
    difference: float
    narrow: tuple[float, float]
    wide: tuple[float, float]
    significant: str
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
    """(least, most) in percentage points, see Claim. rates: percent."""
    least, most = find_errors(rate_a, rate_b, languages, prompts)
    return POWER_FACTOR * least, POWER_FACTOR * most


def find_errors(rate_a: float, rate_b: float, languages: int = 1, prompts: int = PROMPTS) -> tuple[float, float]:
    """The standard errors of the difference in the best and the worst case, in percentage points; see Claim."""
    a, b = (min(max(rate / 100, 0.0), 1.0) for rate in (rate_a, rate_b))
    variance = max(a * (1 - a) + b * (1 - b), 1 / prompts)
    # Half of the lesser model's wins are on prompts that the other wins too: 2 x covariance of two indicators.
    shared = min(a, b) / 2 - a * b
    least = GRADED * max(variance - 2 * max(shared, 0.0), variance / 4)
    scale = 100 / math.sqrt(prompts)
    return scale * math.sqrt(least / max(1, languages)), scale * math.sqrt(variance)


def _judge(table: int, a: Run, b: Run, language: str, rate_a: float, rate_b: float, languages: int) -> Claim:
    errors = find_errors(rate_a, rate_b, languages)
    difference = round(rate_a - rate_b, 2)
    narrow, wide = ((difference - Z * error, difference + Z * error) for error in errors)
    least, most = (POWER_FACTOR * error for error in errors)
    return Claim(
        table=table,
        a=_name(a),
        b=_name(b),
        language=language,
        rate_a=rate_a,
        rate_b=rate_b,
        difference=difference,
        narrow=narrow,
        wide=wide,
        significant=_tell(difference, Z * errors[0], Z * errors[1]),
        least=least,
        most=most,
        detectable=_tell(difference, least, most),
    )


def _tell(difference: float, least: float, most: float) -> str:
    return "yes" if abs(difference) >= most else "no" if abs(difference) < least else "depends"


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
    rows = [["table", "A", "B", "language", "A - B", "best case", "worst case", "significant", "found from", "to"]]
    for one in claims:
        if all_languages or one.language == AVERAGE:
            cells = [str(one.table), one.a, one.b, one.language, f"{one.difference:+.2f}"]
            cells += [f"{low:+.2f} .. {high:+.2f}" for low, high in (one.narrow, one.wide)]
            rows.append([*cells, one.significant, f"{one.least:.2f}", f"{one.most:.2f}"])
    told = ", ".join(f"{verdict} {sum(one.significant == verdict for one in claims)}" for verdict in VERDICTS)
    found = ", ".join(f"{verdict} {sum(one.detectable == verdict for one in claims)}" for verdict in VERDICTS)
    return "\n".join(
        [
            *align_columns(rows, keys=4),
            "",
            f"All {len(claims)} comparisons, languages and averages: significant at 5 %: {told};",
            f"of a size that {PROMPTS} prompts find 4 times in 5: {found}.",
            "Best case, worst case: 95 % intervals of A - B. Best: the models win on the same prompts",
            f"half of the time, languages are independent, and a judge's variance is {GRADED} of that",
            "of wins and losses. Worst: none of it. significant: whether they hold 0; `depends`",
            "where the two differ. found from, to: the power, which is another question: the",
            "differences that are found 4 times in 5. Not corrected for the number of comparisons.",
            "Models and judges have a randomness of their own, which comes on top, and a claim about",
            "training from one seed is a claim about that one run.",
        ]
    )
