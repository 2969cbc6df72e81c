"""The figure for a paper: the win rate against the language fidelity, a dot for each language with both intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xl_suite.charts import Dot, draw_dots
from xl_suite.errors import BadInput
from xl_suite.records import write_text
from xl_suite.scoring.score import Score
from xl_suite.scoring.shares import bound_share

NAMED = 3  # the maximum number of models for which each dot has its language code beside it


@dataclass(frozen=True, slots=True)
class Measured:
    """A model in a language: its win rate in percent with the interval (low, high), and its answers in that language.

    n_right, n_counted: answers in the language asked for, and those whose language can be identified.
    """

    language: str
    win_rate: float
    low: float
    high: float
    n_right: int
    n_counted: int


def measure_score(score: Score) -> list[Measured]:
    """The dots of a score. Languages without a rate, or in which no answer's language can be identified, are left
    out."""
    found = []
    for language, one in score.languages.items():
        raw, fidelity = one.raw, one.model.fidelity
        if fidelity is None or raw.win_rate is None or raw.ci_low is None or raw.ci_high is None:
            continue
        counted = fidelity.n_right + fidelity.n_wrong + fidelity.n_mixed + fidelity.n_empty
        if counted:
            found.append(Measured(language, raw.win_rate, raw.ci_low, raw.ci_high, fidelity.n_right, counted))
    return found


def draw_figure(models: Mapping[str, Sequence[Measured]], reference: str) -> str:
    """The SVG. reference: whose answers the win rates are against. Raises BadInput where there is nothing to draw.

    Intervals are 95 %: the score's for the win rate, exact ones for the fidelity (Clopper and Pearson 1934).
    """
    named = len(models) <= NAMED
    series = [(name, [_place(one, named=named) for one in own]) for name, own in models.items() if own]
    if not series:
        raise BadInput(
            "there is nothing to plot: no language has both a win rate with its interval and answers whose language "
            "can be identified (--gate none does not look at the languages)."
        )
    return draw_dots(
        series,
        title="Win rate and language fidelity, by language",
        x_label="answers in the language asked for, %",
        y_label=f"win rate against {reference}, %",
        y_mark=50.0,
    )


def write_figure(path: Path, svg: str) -> str:
    """Writes the figure and returns a line about it. Raises BadInput for another name than *.svg."""
    if path.suffix.lower() != ".svg":
        raise BadInput(f"--plot {path}: the figure is SVG. Name a file that ends in .svg.")
    write_text(path, svg)
    return f"figure: {path}"


def _place(one: Measured, *, named: bool) -> Dot:
    low = 1 - bound_share(one.n_counted - one.n_right, one.n_counted, 0.975)
    high = bound_share(one.n_right, one.n_counted, 0.975)
    share = 100 * one.n_right / one.n_counted
    return Dot(one.language if named else "", share, one.win_rate, (100 * low, 100 * high), (one.low, one.high))
