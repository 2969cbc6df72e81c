"""Labels by people in one CSV schema, whatever tool they were given in.

| column | is |
| --- | --- |
| page, seed | the page's hash and the seed that drew its rows |
| row | the row's hash |
| language | ISO 639-3 code of the language that was asked for |
| annotator | a name or pseudonym |
| time | when the label was given, ISO 8601; may be empty |
| language_a, language_b | is the answer in the language? `yes`, `partly`, `no`, or empty |
| preference | the better answer as shown: `A`, `B`, `tie`, or empty |
| confidence | 1 (a guess), 2, 3 (sure), or empty |
| probability | of the row being drawn, above 0 to 1; empty where it was chosen by hand or planted |
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from xl_suite.errors import BadInput, BadRecord
from xl_suite.records import atomic_write

PREFERENCES = ("A", "B", "tie", "")
IN_LANGUAGE = ("yes", "partly", "no", "")
CONFIDENCES = ("1", "2", "3", "")
# A name may be shown and used for a folder; control characters and the signs that begin a formula are none.
_NAME = re.compile(r"[^\W_][\w .@-]{0,60}")


@dataclass(frozen=True, slots=True)
class Label:
    """One person's label of one row; the fields are the columns of the schema, as text."""

    page: str
    seed: str
    row: str
    language: str
    annotator: str
    time: str = ""
    language_a: str = ""
    language_b: str = ""
    preference: str = ""
    confidence: str = ""
    probability: str = ""


COLUMNS = tuple(field.name for field in fields(Label))
_ALLOWED = {
    "language_a": IN_LANGUAGE,
    "language_b": IN_LANGUAGE,
    "preference": PREFERENCES,
    "confidence": CONFIDENCES,
}


def read_labels(path: Path) -> list[Label]:
    """The labels of a CSV file in the schema. Raises BadInput and BadRecord, naming the line and the column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            found = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    missing = [name for name in ("row", "annotator", "preference") if name not in found]
    if missing:
        raise BadInput(f"{path}: lacks the columns {', '.join(missing)}. The columns are {', '.join(COLUMNS)}.")
    return [
        check_label(Label(**{name: (row.get(name) or "").strip() for name in COLUMNS}), path, number)
        for number, row in enumerate(rows, start=1)
    ]


def check_label(label: Label, path: Path, number: int) -> Label:
    """The label as it is. Raises BadRecord for a value that the schema does not have."""
    if not label.row:
        raise BadRecord(path, "the row's hash is empty.", row=number, field="row")
    if not _NAME.fullmatch(label.annotator):
        raise BadRecord(
            path,
            f"{label.annotator[:80]!r}: a name begins with a letter or digit, and has letters, digits, spaces and "
            ". _ @ - only.",
            row=number,
            field="annotator",
        )
    for name, allowed in _ALLOWED.items():
        value = getattr(label, name)
        if value not in allowed:
            told = ", ".join(one or "(empty)" for one in allowed)
            raise BadRecord(path, f"{value[:80]!r} is not one of {told}.", row=number, field=name)
    return label


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(label) for label in labels)
