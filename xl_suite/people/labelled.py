"""Labels joined with the key of their page: who preferred what, and who knew the known answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.people.labels import Label, write_labels
from xl_suite.people.sheet import Item, Sheet
from xl_suite.records import write_json
from xl_suite.responding.outputs import name_folder

# What an annotation by a person has for the judge's method.
METHOD = "people"
LABELS = "labels.csv"


@dataclass(frozen=True, slots=True)
class Person:
    """What one annotator gave. known_right: of n_known planted rows, how many were told right.

    foreign_right: of n_foreign planted answers in another language, how many were not called in the language.
    """

    annotator: str
    n: int
    n_empty: int
    n_known: int
    known_right: int
    n_foreign: int
    foreign_right: int

    @property
    def known_share(self) -> float | None:
        return self.known_right / self.n_known if self.n_known else None


@dataclass(frozen=True)
class Labelled:
    """Labels with their rows. left_out: annotators whose labels are not used, as they knew too few known answers.

    replaced: labels that a later one of the same person and row takes the place of.
    """

    sheet: Sheet
    labels: tuple[Label, ...]
    people: tuple[Person, ...]
    left_out: tuple[str, ...]
    replaced: int

    @property
    def used(self) -> list[tuple[Label, Item]]:
        """The labels with a preference on rows that are not planted, of the annotators that are kept."""
        items = {item.row: item for item in self.sheet.items}
        return [
            (label, items[label.row])
            for label in self.labels
            if label.preference and not items[label.row].known and label.annotator not in self.left_out
        ]

    def to_dict(self) -> dict[str, Any]:
        languages = Counter(item.language for _, item in self.used)
        return {
            "page": self.sheet.page,
            "n_labels": len(self.labels),
            "n_used": len(self.used),
            "n_replaced": self.replaced,
            "languages": dict(sorted(languages.items())),
            "annotators": [{**asdict(person), "known_share": person.known_share} for person in self.people],
            "left_out": list(self.left_out),
        }


def join_labels(sheet: Sheet, labels: Sequence[Label], least_known: float = 0.0) -> Labelled:
    """The labels with the rows of the key. least_known: the share of known answers below which a person is left out.

    Probabilities are the key's. Raises BadInput for labels of other rows or another page, and where a label says
    another probability than the key.
    """
    items = {item.row: item for item in sheet.items}
    strange = [label for label in labels if label.row not in items or label.page not in ("", sheet.page)]
    if strange:
        raise BadInput(
            f"{len(strange)} of {len(labels)} labels are not of this page ({sheet.page}), such as row "
            f"{strange[0].row!r} of page {strange[0].page or '(none)'!r}. Give the key that was written with their "
            "page."
        )
    newest: dict[tuple[str, str], Label] = {}
    for label in labels:
        item = items[label.row]
        if label.probability and not item.known and not _is_same(label.probability, item.probability):
            raise BadInput(
                f"row {label.row}: the label says that it was drawn with probability {label.probability!r}, the key "
                f"{item.probability}. Give the key that was written with the page."
            )
        told = "" if item.probability is None else repr(item.probability)
        full = replace(label, page=sheet.page, seed=str(sheet.seed), language=item.language, probability=told)
        kept = newest.get((label.annotator, label.row))
        if kept is None or full.time >= kept.time:
            newest[label.annotator, label.row] = full
    ordered = tuple(newest[key] for key in sorted(newest))
    people = tuple(
        _describe(name, [one for one in ordered if one.annotator == name], items)
        for name in sorted({one.annotator for one in ordered})
    )
    left = tuple(one.annotator for one in people if one.known_share is not None and one.known_share < least_known)
    return Labelled(sheet, ordered, people, left, len(labels) - len(ordered))


def write_labelled(out: Path, found: Labelled) -> list[Path]:
    """Writes `labels.csv`, and the labels as annotations: `out/<generator>/people-<annotator>/<language>.json`.

    Returns the folders of annotations.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_labels(out / LABELS, found.labels)
    rows: dict[Path, list[Annotation]] = {}
    for label, item in found.used:
        folder = out / name_folder(item.generator_2) / name_folder(f"people-{label.annotator}")
        rows.setdefault(folder / f"{item.language}.json", []).append(make_annotation(label, item))
    for path, own in rows.items():
        write_json(path, sorted(own, key=lambda row: (str(row.id), row.instruction)))
    return sorted({path.parent for path in rows})


def make_annotation(label: Label, item: Item) -> Annotation:
    """The label as a judge's annotation; order `21` where the model's answer was shown as A."""
    return Annotation(
        instruction=item.instruction,
        output_1=item.output_1,
        generator_1=item.generator_1,
        output_2=item.output_2,
        generator_2=item.generator_2,
        annotator=f"people-{label.annotator}",
        preference=1 + find_share(label, item),
        price_per_example=None,
        id=item.id,
        dataset=item.dataset,
        benchmark=item.benchmark,
        language=item.language,
        order="12" if item.first == 1 else "21",
        method=METHOD,
        status="judged",
    )


def find_share(label: Label, item: Item) -> float:
    """The model's share of the win by a label, 0, 1/2 or 1."""
    if label.preference == "tie":
        return 0.5
    return float((label.preference == "A") == (item.first == 2))


def _describe(name: str, labels: Sequence[Label], items: Mapping[str, Item]) -> Person:
    planted = [(one, items[one.row]) for one in labels if items[one.row].known and one.preference]
    foreign = [
        one.language_a if item.foreign == "A" else one.language_b
        for one, item in ((one, items[one.row]) for one in labels)
        if item.foreign
    ]
    told = [value for value in foreign if value]
    return Person(
        annotator=name,
        n=len(labels),
        n_empty=sum(not one.preference for one in labels),
        n_known=len(planted),
        known_right=sum(one.preference == item.known for one, item in planted),
        n_foreign=len(told),
        foreign_right=sum(value != "yes" for value in told),
    )


def _is_same(text: str, probability: float | None) -> bool:
    try:
        return probability is not None and abs(float(text) - probability) < 1e-9
    except ValueError:
        return False
