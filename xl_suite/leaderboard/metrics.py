"""The kinds of numbers on a leaderboard, and the cells that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

AVERAGE = "avg"
RUBRIC = "rubric_"
BOUNDED = ("win_rate", "gated", "lc")  # have an interval in the CSV

Cell = tuple[float | None, float | None, float | None]  # value, and the bounds of its 95 % interval
Cells = dict[str, Cell]  # by language, or AVERAGE


@dataclass(frozen=True, slots=True)
class Metric:
    """A kind of number. unit: `%` or what else is after it. hidden: not shown until it is asked for."""

    key: str
    label: str
    says: str
    unit: str = ""
    digits: int = 1
    hidden: bool = False


METRICS = (
    Metric("win_rate", "Win rate", "Share of prompts on which the judge prefers the model to the reference", "%"),
    Metric(
        "gated", "Gated", "Win rate in which an answer in the wrong language loses, whatever the judge thought", "%"
    ),
    Metric("fidelity", "Fidelity", "Share of answers in the language that was asked for, line by line", "%"),
    Metric("lc", "LC", "Length-controlled: the win rate if both answers were equally long", "%", 1, True),
    Metric("rubric_mean", "Rubric", "Mean of the rubric's ratings, 1 to 5", "", 2),
    Metric("rubric_precision", "Precision", "Rubric's rating of precision, 1 to 5", "", 2, True),
    Metric("rubric_informativeness", "Informativeness", "Rubric's rating of informativeness, 1 to 5", "", 2, True),
    Metric("rubric_naturalness", "Naturalness", "Rubric's rating of naturalness, 1 to 5", "", 2, True),
    Metric("rubric_objectivity", "Objectivity", "Rubric's rating of objectivity, 1 to 5", "", 2, True),
    Metric("n", "n", "Prompts judged", "", 0, True),
    Metric("length", "Length", "Mean length of the answers in characters", "", 0, True),
    Metric("truncated", "Cut off", "Share of answers that the token limit cut off", "%", 1, True),
    Metric("cost", "Cost", "What judging cost, in dollars", "$", 2, True),
)


def list_metrics(keys: Iterable[str]) -> list[Metric]:
    """The metrics of those keys in their order; a rubric of the user's own gets one after ours."""
    found = set(keys)
    known = [metric for metric in METRICS if metric.key in found]
    others = sorted(key for key in found - {metric.key for metric in METRICS} if key.startswith(RUBRIC))
    place = next((at for at, metric in enumerate(known) if metric.key == "n"), len(known))
    added = [
        Metric(
            key,
            (name := key.removeprefix(RUBRIC)).replace("_", " "),
            f"Rubric’s rating of {name}, 1 to 5",
            "",
            2,
            True,
        )
        for key in others
    ]
    return known[:place] + added + known[place:]
