"""The arms of a run beside each other: naive, best-of-k and whole responses, by another metric than chose.

The estimator that picks winners and cuts rows favours the arm that it picked from, so that its scores compare no
arms. What does: the estimator that only reports, and people. For these, pairs are exported blind; until they have
judged them, the comparison is open.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xl_instruct.config import Config
from xl_instruct.dataset.folder import Composer, Measured, name_translations, score_again
from xl_instruct.dataset.selection import DOCUMENT, Choice, choose, view
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import Row, StageFile
from xl_suite.records import write_jsonl
from xl_suite.translation.consistency import find_drift

PAIRS = 50
BLIND, KEY = "blind-pairs.jsonl", "blind-pairs-key.jsonl"
OPEN = (
    f"Open: no person has compared the arms. {BLIND} has up to {PAIRS} pairs of responses in a drawn order, and "
    f"{KEY} says which is which."
)


@dataclass(slots=True)
class Arm:
    """rows: with a response. drifting: of these, those in which a term is not translated in one way. terms: how many
    such terms."""

    rows: int = 0
    drifting: int = 0
    terms: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm minus another on the rows that both have, by the estimator that only reports; low, high: 95 %."""

    arm: str
    other: str
    rows: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Arms:
    """metric: the estimator that compares; empty where there is none. chosen_by: the one that chose winners."""

    arms: Mapping[str, Arm]
    differences: Sequence[Difference]
    metric: str
    chosen_by: str
    pairs: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "arms": {
                name: {"rows": one.rows, "drifting_rows": one.drifting, "drifting_terms": one.terms}
                for name, one in self.arms.items()
            },
            "metric": self.metric or None,
            "chosen_by": self.chosen_by,
            "differences": [asdict(one) for one in self.differences],
            "blind_pairs": self.pairs,
            "judged_by_people": False,
        }

    def describe(self) -> Iterator[str]:
        """Lines for the report and for a person."""
        for name, one in self.arms.items():
            yield f"{name}: {one.rows:,} responses; in {one.drifting:,} a term is translated in several ways"
        if not self.metric:
            yield (
                f"The arms are not compared by scores: {self.chosen_by} chose the winners. `report_with` in "
                "`estimation` names another estimator that compares them."
            )
        for each in self.differences:
            yield (
                f"{each.arm} minus {each.other} by {self.metric}: {each.mean:+.4f} "
                f"({each.low:+.4f} to {each.high:+.4f}, {each.rows:,} rows)"
            )
        yield OPEN


def compare_arms(
    config: Config, scored: Mapping[str, StageFile], reported: Mapping[str, StageFile], names: tuple[str, str]
) -> Arms:
    """The arms of a run that has the document arm. names: of the estimator that chose, and of the one that reports.

    The interval is that of a mean of paired differences, rows of one passage in several languages counted as one.
    """
    arms = {name: Arm() for name in name_translations(config)}
    others = [name for name in arms if name != DOCUMENT]
    found: dict[str, dict[int, list[float]]] = {name: {} for name in others}
    for language, file in scored.items():
        again = reported[language].rows() if language in reported else None
        for row in file.rows():
            second = next(again) if again is not None else None
            choices: dict[str, Choice] = {}
            for name in arms:
                choice = choose(row["segments"], name, config.translation.mix)
                if isinstance(choice, Choice):
                    choices[name] = choice
                    _add(arms[name], row, name, choice, language)
            if second is not None and DOCUMENT in choices:
                own = score_again(second, DOCUMENT, choices[DOCUMENT])
                for name in others:
                    if name in choices:
                        value = own - score_again(second, name, choices[name])
                        found[name].setdefault(row["id"], []).append(value)
    differences = [_measure(name, list(values.values())) for name, values in found.items() if len(values) > 1]
    return Arms(arms, differences, names[1] if differences else "", names[0], 0)


def export_pairs(folder: Path, config: Config, composer: Composer, measured: Measured) -> int:
    """Writes up to PAIRS pairs of the document arm and the best of the others, in a drawn order, and their key.

    Rows are drawn over all languages from those that both arms have, whether the cut left them or not; responses that
    are the same in both are left out.
    """
    best = name_translations(config)[-1]
    both = []
    for language in measured.scores[DOCUMENT]:
        left, right = (_number(measured, name, language) for name in (DOCUMENT, best))
        both += [(language, id) for id in sorted(left.keys() & right.keys())]
    draw = random.Random(config.seed)
    draw.shuffle(both)
    pairs: list[dict[str, Any]] = []
    key: list[dict[str, Any]] = []
    for language, id in both:
        if len(pairs) == PAIRS:
            break
        one, other = (
            next(composer.rows(name, language, [_number(measured, name, language)[id]])) for name in (DOCUMENT, best)
        )
        if one.response == other.response:
            continue
        sides = [(DOCUMENT, one.response), (best, other.response)]
        if draw.random() < 0.5:
            sides.reverse()
        head = {"pair": len(pairs) + 1, "id": id, "language": language}
        texts = {"instruction": one.prompt, "source": one.source_response, "a": sides[0][1], "b": sides[1][1]}
        pairs.append({**head, **texts, "better": ""})
        key.append({**head, "a": sides[0][0], "b": sides[1][0]})
    write_jsonl(folder / BLIND, pairs)
    write_jsonl(folder / KEY, key)
    return len(pairs)


def _number(measured: Measured, name: str, language: str) -> dict[int, int]:
    return {id: number for number, id in enumerate(measured.scores[name][language].ids)}


def _add(arm: Arm, row: Row, name: str, choice: Choice, language: str) -> None:
    todo = [part for part in view(row["segments"], name) if part["kind"] in TRANSLATABLE]
    texts = [part["candidates"][winner]["text"] for part, winner in zip(todo, choice.winners, strict=True)]
    drift = find_drift([part["text"] for part in todo], texts, language)
    arm.rows += 1
    arm.drifting += bool(drift)
    arm.terms += len(drift)


def _measure(name: str, values: Sequence[Sequence[float]]) -> Difference:
    """The mean difference to an arm. values: those of each passage."""
    means = [math.fsum(own) / len(own) for own in values]
    mean = math.fsum(means) / len(means)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in means) / (len(means) - 1) / len(means))
    return Difference(DOCUMENT, name, sum(map(len, values)), mean, mean - 1.96 * spread, mean + 1.96 * spread)


def read_judgements(pairs: Path, key: Path) -> Counter[str]:
    """How often each arm was judged better, and `tie`, from a BLIND file whose `better` says a, b or tie."""
    from xl_suite.records import read_raw

    arms = {row["pair"]: row for row in read_raw(key)}
    counts: Counter[str] = Counter()
    for row in read_raw(pairs):
        better = str(row.get("better") or "").strip().lower()
        if better in ("a", "b"):
            counts[arms[row["pair"]][better]] += 1
        elif better:
            counts["tie"] += 1
    return counts
