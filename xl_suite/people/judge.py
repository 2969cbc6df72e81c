"""What labels by people say of a judge in each language: how far it agrees with them, and its win rate corrected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from xl_suite.display import Shown
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation, scale_preference
from xl_suite.people.clustered import Interval, bound_mean
from xl_suite.people.correction import correct_rate, refuse_correction
from xl_suite.people.labelled import Labelled, find_share
from xl_suite.people.labels import Label
from xl_suite.people.sheet import LEAST_ROWS, Cell, Item
from xl_suite.records import write_text
from xl_suite.scoring.preferences import Array, require_one

FILE = "judge.json"
_NOTHING = 1e-9  # of a judge that always says the same, what is beyond chance is 0 but for rounding
UNREAD = 0.5  # the value of an unread verdict in a correction, which holds for any value
RANK, FEW, CHANCE = "rank", "too few labels", "do not rank"

# A pair is told by its instruction and its two answers: IDs are those of another set of answers too.
_Pair = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Checked:
    """A judge in one language and on one model. Shares are 0 to 1, rates are percent.

    agreement: of labels with the judge's winner, a tie being half; low, high: its interval, clustered by prompt and
    annotator. chance: what two of these habits would agree by chance; beyond: the agreement above it, with its
    interval. people: how far two people agree on one row, None with one person. verdict: `rank`, `do not rank` where
    the judge is not shown to agree beyond chance, `too few labels`.
    win_rate: the judge's raw rate over the judged rows; corrected: by labels, None where `refused` says why not.
    weight: that the judge has in it. labels_rate: from the labels alone.
    """

    language: str
    generator: str
    n_rows: int
    n_labels: int
    n_annotators: int
    n_unread: int
    agreement: float | None
    low: float | None
    high: float | None
    chance: float | None
    beyond: float | None
    beyond_low: float | None
    beyond_high: float | None
    people: float | None
    verdict: str
    win_rate: float | None
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None
    weight: float | None
    labels_rate: float | None
    refused: str


@dataclass(frozen=True)
class JudgeCheck(Shown):
    """What people say of one judge."""

    annotator: str
    checked: tuple[Checked, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.checked]

    def to_dict(self) -> dict[str, Any]:
        return {"annotator": self.annotator, "languages": self.to_rows()}

    def title(self) -> str:
        return f"{self.annotator} against people"

    def describe(self) -> str:
        """A few lines for each language."""
        return "\n".join(line for one in self.checked for line in _describe(one))


def check_judge(found: Labelled, annotations: Iterable[Annotation]) -> JudgeCheck:
    """Compares one judge with people. annotations: its judgements of the pairs that the page was drawn from.

    Raises BadInput for the annotations of several judges, and where none of the labelled pairs was judged.
    """
    judged = list(annotations)
    annotator = require_one("annotator", (row.annotator for row in judged))
    shares = _read_shares(judged)
    used = found.used
    cells = {(cell.language, cell.generator): cell for cell in found.sheet.cells}
    checked = []
    for key, cell in sorted(cells.items()):
        own = [(label, item) for label, item in used if (item.language, item.generator_2) == key]
        missing = [item.row for _, item in own if _name(item) not in shares]
        if missing:
            raise BadInput(
                f"{cell.language}, {cell.generator}: {len(missing)} labelled rows are not among {annotator}'s "
                "judgements, such as an answer that was made again. Judge the outputs that the page was made of."
            )
        if own:
            checked.append(_check_cell(cell, own, shares))
    if not checked:
        raise BadInput("there are no labels to compare with.")
    return JudgeCheck(annotator, tuple(checked))


def write_check(out: Path, check: JudgeCheck) -> Path:
    write_text(out / FILE, json.dumps(check.to_dict(), ensure_ascii=False, indent=2) + "\n")
    return out / FILE


def _read_shares(judged: Sequence[Annotation]) -> dict[_Pair, dict[tuple[str, str], float | None]]:
    """The judge's share of the win for each pair, by (language, model); None where an order of it is unread."""
    several: dict[_Pair, dict[tuple[str, str], list[float | None]]] = {}
    for row in judged:
        name = (row.instruction, row.output_1, row.output_2, row.generator_1)
        share = scale_preference(row.preference)
        several.setdefault(name, {}).setdefault((row.language, row.generator_2), []).append(share)
    return {
        name: {
            key: None if None in own else sum(one for one in own if one is not None) / len(own)
            for key, own in by_key.items()
        }
        for name, by_key in several.items()
    }


def _name(item: Item) -> _Pair:
    return item.instruction, item.output_1, item.output_2, item.generator_1


def _check_cell(
    cell: Cell, used: Sequence[tuple[Label, Item]], shares: dict[_Pair, dict[tuple[str, str], float | None]]
) -> Checked:
    key = (cell.language, cell.generator)
    items = {item.row: item for _, item in used}
    rows, people = sorted(items), sorted({label.annotator for label, _ in used})
    labels = np.full((len(rows), len(people)), np.nan)
    for label, item in used:
        labels[rows.index(label.row), people.index(label.annotator)] = find_share(label, item)
    # All that could have been drawn, in an order of their own.
    every = [name for name, own in shares.items() if key in own and name[1] != name[2]]
    places = {name: place for place, name in enumerate(every)}
    told = [shares[name][key] for name in every]
    labelled = [places[_name(items[row])] for row in rows]
    own = np.array([told[place] is not None for place in labelled])
    unread = sum(one is None for one in told)
    judge = np.array([UNREAD if one is None else one for one in told])
    read = [one for one in told if one is not None]
    agreement, chance, beyond = _agree(judge[labelled][own], labels[own])
    raw = _mix(float(np.mean(read)), len(read), cell.n_identical) if read else None
    if len(every) != cell.n_eligible:
        refused = f"the judge judged {len(every)} of the {cell.n_eligible} rows that were drawn from"
    else:
        probabilities = [items[row].probability for row in rows]
        refused = refuse_correction(probabilities, labels, n_drawn=cell.n_drawn, n_rows=len(every)) or ""
    corrected = None if refused else correct_rate(judge, labelled, labels)
    rate = [
        None if corrected is None or value is None else _mix(value, len(every), cell.n_identical)
        for value in (
            [None] * 4
            if corrected is None
            else [corrected.rate.value, corrected.rate.low, corrected.rate.high, corrected.labels_alone.value]
        )
    ]
    few = len(rows) < min(LEAST_ROWS, cell.n_eligible) or beyond is None or beyond.low is None
    return Checked(
        language=cell.language,
        generator=cell.generator,
        n_rows=len(rows),
        n_labels=len(used),
        n_annotators=len(people),
        n_unread=unread,
        agreement=None if agreement is None else agreement.value,
        low=None if agreement is None else _clip(agreement.low),
        high=None if agreement is None else _clip(agreement.high),
        chance=chance,
        beyond=None if beyond is None else beyond.value,
        beyond_low=None if beyond is None else beyond.low,
        beyond_high=None if beyond is None else beyond.high,
        people=_agree_people(labels),
        verdict=FEW if few else RANK if beyond is not None and (beyond.low or 0) > _NOTHING else CHANCE,
        win_rate=raw,
        corrected=rate[0],
        corrected_low=None if rate[1] is None else max(0.0, rate[1]),
        corrected_high=None if rate[2] is None else min(100.0, rate[2]),
        weight=None if corrected is None else corrected.weight,
        labels_rate=rate[3],
        refused=refused,
    )


def find_winner(shares: Array) -> Array:
    """A judge's winners, 0 or 1, and 1/2 where it calls it exactly equal."""
    return np.where(shares == 0.5, 0.5, (shares > 0.5).astype(float))


def measure_agreement(winners: Array, labels: Array) -> Array:
    """Of winners and of labels x annotators: 1 where they are one, 1/2 where one of the two is a tie, else 0."""
    return 1 - np.abs(labels - winners[:, None])


def _agree(shares: Array, labels: Array) -> tuple[Interval | None, float | None, Interval | None]:
    """Agreement, what chance would give, and what is beyond it.

    The interval of the last is that of its influence function, as chance is estimated from the same labels.
    """
    if len(shares) < 2:
        return None, None, None
    winners = find_winner(shares)
    scores = measure_agreement(winners, labels)
    given = labels[~np.isnan(labels)]
    by_label = {value: float(np.mean(1 - np.abs(value - winners))) for value in (0.0, 0.5, 1.0)}
    by_winner = {value: float(np.mean(1 - np.abs(given - value))) for value in (0.0, 0.5, 1.0)}
    chance = float(np.mean([by_winner[float(one)] for one in winners]))
    expected = np.full_like(labels, np.nan)
    for value, share in by_label.items():
        expected[labels == value] = share
    others = np.array([by_winner[float(one)] for one in winners])[:, None]
    return bound_mean(scores), chance, bound_mean(scores - expected - others + chance)


def _agree_people(labels: Array) -> float | None:
    """How far two people agree on a row, over all pairs of people that labelled it."""
    pairs = [1 - np.abs(labels[:, one] - labels[:, other]) for one, other in combinations(range(labels.shape[1]), 2)]
    values = np.concatenate(pairs) if pairs else np.array([])
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None


def _mix(share: float, n: int, identical: int) -> float:
    """The rate in percent with the pairs of one text, which are ties."""
    return 100 * (share * n + 0.5 * identical) / (n + identical)


def _clip(value: float | None) -> float | None:
    return None if value is None else min(1.0, max(0.0, value))


def _describe(one: Checked) -> list[str]:
    who = "1 person" if one.n_annotators == 1 else f"{one.n_annotators} people"
    head = f"{one.language}, {one.generator}: {one.verdict} ({one.n_labels} labels of {one.n_rows} rows by {who})"
    lines = [head]
    if one.agreement is not None and one.low is not None and one.high is not None:
        people = "" if one.people is None else f"; people with each other {one.people:.0%}"
        lines.append(
            f"  agreement {one.agreement:.0%} ({one.low:.0%} to {one.high:.0%}), by chance {one.chance:.0%}{people}"
        )
    if one.win_rate is not None:
        lines.append(f"  win rate by the judge {one.win_rate:.1f}")
    if one.corrected is not None and one.corrected_low is not None and one.corrected_high is not None:
        lines.append(
            f"  corrected by labels {one.corrected:.1f} ({one.corrected_low:.1f} to {one.corrected_high:.1f}), "
            f"labels alone {one.labels_rate:.1f}"
        )
    if one.refused:
        lines.append(f"  not corrected: {one.refused}")
    return lines
