"""Pairwise annotations in AlpacaEval's keys: the record, its files and folders, and the definition of a preference.

Folders look like `OUT/<generator>/<annotator>/<language>.json`; a file, an annotator's folder and a generator's
folder can each be read, and so can the files that alpaca_eval itself writes, gzipped or not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xl_suite.chat.answers import WITHHELD
from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.inspect_logs import ENDING, read_log
from xl_suite.languages import parse_languages
from xl_suite.listing import Kind, Listing, join_listings, list_folder, list_folders, log_left_alone
from xl_suite.records import parse_record, read_raw

# alpaca_eval's own file is `annotations.json`, whose rows may repeat those of `<language>.json`.
ANNOTATIONS = Kind(
    "annotations",
    lambda head: "output_1" in head and "output_2" in head,
    copies=frozenset({"annotations"}),
)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A judge's verdict on two answers to one instruction; generator_2 is the model, generator_1 the reference.

    preference: 1 (the reference is better) to 2 (the model is better); 0 and 1.5 are draws. None, and anything
    else, is a failed judgement. price_per_example: dollars. raw_completion: the response of the judge's server.
    id: 1-based AlpacaEval ID. benchmark: its name, or empty. language: ISO 639-3.
    order: how the answers were shown, `12`, `21`, or `both` where a row is the mean of two; rows of one prompt that
    differ in order are averaged before any statistics.
    method: how the verdict was read, `logprobs`, `sampled` or `parsed`. sample: counts a model's several answers.
    status: `judged`; `unread` where the judge gave no verdict; `failed` where it did not answer; `model withheld`,
    `reference withheld` or `both withheld` where a moderation kept an answer back, so that no judge was asked.
    finish_reason_1, finish_reason_2: why the answers ended, as in `ModelOutput`; empty where it is not known.
    """

    instruction: str
    output_1: str
    generator_1: str
    output_2: str
    generator_2: str
    annotator: str
    preference: float | None = None
    price_per_example: float | None = None
    raw_completion: Any = None
    id: int | None = None
    dataset: str = ""
    benchmark: str = ""
    language: str = ""
    order: str = ""
    method: str = ""
    sample: int = 0
    status: str = ""
    finish_reason_1: str = ""
    finish_reason_2: str = ""

    @property
    def is_withheld(self) -> bool:
        """Whether no judge was asked, because an answer was withheld."""
        return self.status.endswith(WITHHELD)

    @property
    def has_failed(self) -> bool:
        """Whether a judge was asked and there is no preference."""
        return scale_preference(self.preference) is None and not self.is_withheld

    @property
    def prompt(self) -> int | str:
        """The key of the prompt, which joins languages, models and judges: its ID, or its instruction without one."""
        return self.instruction if self.id is None else self.id


def scale_preference(preference: float | None) -> float | None:
    """The model's share of the win, 0 to 1, or None where the judgement failed, by AlpacaEval's rule.

    1 to 2 becomes 0 to 1, and 0, an older way to write a draw, becomes 1/2. -1, null, NaN and all other values are
    failed judgements.
    """
    if preference is None or math.isnan(preference):
        return None
    if preference == 0:
        return 0.5
    return preference - 1 if 1 <= preference <= 2 else None


def read_annotations(path: Path) -> list[Annotation]:
    """All annotations of a file, an annotator's folder or a generator's folder, in the order of the file names.

    A row without a language takes it from a file name like `deu.json`. Raises BadInput where there are none, and
    BadRecord for a malformed row or a duplicate judgement.
    """
    listing = list_annotations(path)
    log_left_alone(listing, ANNOTATIONS)
    annotations = [row for file in listing.files for row in read_file(file)]
    if not annotations:
        raise BadInput(f"{path}: no annotations.")
    return annotations


def read_file(path: Path) -> list[Annotation]:
    """The annotations of one file. Raises as `read_annotations`."""
    stem = path.name.partition(".")[0]
    language = stem if re.fullmatch("[a-z]{3}", stem) else ""
    rows = []
    seen: dict[tuple[Any, ...], int] = {}
    for number, raw in enumerate(read_log(path) if path.suffix == ENDING else read_raw(path), start=1):
        row = parse_record(_drop_missing(raw), Annotation, path, number)
        row = replace(row, language=row.language or language)
        if row.id is not None:
            key = (row.id, row.annotator, row.generator_1, row.generator_2, row.language, row.order, row.sample)
            if seen.setdefault(key, number) != number:
                problem = f"prompt {row.id} is judged in record {seen[key]} already, with the same order and sample."
                raise BadRecord(path, problem, row=number, field="id")
        rows.append(row)
    return rows


def list_annotations(path: Path) -> Listing:
    """The annotation files of a path: itself, or those in it, or else those in its folders.

    Raises BadInput where there are none, or the folders of generators.
    """
    if not path.is_dir():
        return Listing((path,))
    own = list_folder(path, ANNOTATIONS)
    inner = [list_folder(folder, ANNOTATIONS) for folder in list_folders(path)]
    listing = own if own.files else join_listings([own, *inner])
    if listing.files:
        return listing
    generators = [
        folder.name
        for folder in list_folders(path)
        if any(list_folder(inner, ANNOTATIONS).files for inner in list_folders(folder))
    ]
    if generators:
        raise BadInput(f"{path} holds the folders of generators; name one: {', '.join(generators[:10])}.")
    note = listing.describe(ANNOTATIONS)
    raise BadInput(
        f"{path}: no annotations. Name a file, an annotator's folder (OUT/<generator>/<annotator>) or a "
        "generator's folder (OUT/<generator>); `xl-suite judge --out OUT` writes them."
        + (f" {note[0].upper()}{note[1:]}" if note else "")
    )


def choose_languages(annotations: Iterable[Annotation], languages: str) -> list[Annotation]:
    """The annotations in `languages`: codes with commas, or `all`. Raises BadInput for a code without annotations."""
    if languages == "all":
        return list(annotations)
    return select_languages(annotations, [language.code for language in parse_languages(languages, [])])


def select_languages(annotations: Iterable[Annotation], codes: Sequence[str]) -> list[Annotation]:
    """The annotations in the languages of `codes`. Raises BadInput for a code without annotations."""
    annotations = list(annotations)
    found = sorted({row.language for row in annotations})
    missing = [code for code in codes if code not in found]
    if missing:
        listed = ", ".join(code or "(none named)" for code in found)
        raise BadInput(f"no annotations in {', '.join(missing)}. The languages found: {listed}.")
    return [row for row in annotations if row.language in codes]


def _drop_missing(raw: Any) -> Any:
    """The row without keys that hold null or NaN, which pandas writes for what is not there."""
    if not isinstance(raw, Mapping):
        return raw
    return {
        key: value
        for key, value in raw.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }
