"""Labels out of other tools: the exports of Label Studio and of Argilla, as labels of the one schema.

Both are given the tasks that are written beside a page, show the fields `instruction`, `answer_a` and `answer_b`,
and ask questions named as the columns of the schema: `preference`, `language_a`, `language_b`, `confidence`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput, BadRecord
from xl_suite.people.labels import Label, check_label, read_labels
from xl_suite.records import read_raw

QUESTIONS = ("preference", "language_a", "language_b", "confidence")
# What tools call the sides of a comparison.
_SIDES = {"left": "A", "right": "B", "a": "A", "b": "B", "answer_a": "A", "answer_b": "B"}


def read_any_labels(path: Path) -> list[Label]:
    """The labels of a file: CSV of the schema, or JSON as Label Studio or Argilla export it.

    Raises BadInput for another form, and BadRecord for a value that the schema does not have.
    """
    if path.suffix == ".csv":
        return read_labels(path)
    records = read_raw(path)
    first = records[0] if records and isinstance(records[0], Mapping) else {}
    if "annotations" in first and "data" in first:
        return list(_read_label_studio(records, path))
    if "responses" in first and ("fields" in first or "metadata" in first):
        return list(_read_argilla(records, path))
    raise BadInput(
        f"{path}: not labels that can be read. Known are .csv (`xl-suite annotate --help`), the JSON export of Label "
        "Studio (data, annotations) and Argilla's records.to_json (fields, responses)."
    )


def _read_label_studio(records: list[Any], path: Path) -> Iterator[Label]:
    """A label for each annotation of each task that was not cancelled (guide/task_format of Label Studio)."""
    for number, task in enumerate(records, start=1):
        data = task.get("data")
        if not isinstance(data, Mapping) or not isinstance(task.get("annotations"), list):
            raise BadRecord(path, "a task needs data and annotations.", row=number)
        for annotation in task["annotations"]:
            if annotation.get("was_cancelled"):
                continue
            values = {}
            for result in annotation.get("result", []):
                if result.get("from_name") in QUESTIONS:
                    values[result["from_name"]] = _read_result(result.get("value"), path, number)
            who = annotation.get("completed_by")
            if isinstance(who, Mapping):
                who = who.get("email") or who.get("id")
            when = str(annotation.get("updated_at") or annotation.get("created_at") or "")
            yield _make(path, number, data.get("row"), data.get("language"), f"{who}", when, values)


def _read_argilla(records: list[Any], path: Path) -> Iterator[Label]:
    """A label for each person of each record (Argilla 2's records.to_json): answers by question, then by user."""
    for number, record in enumerate(records, start=1):
        about = {**(record.get("fields") or {}), **(record.get("metadata") or {})}
        people: dict[str, dict[str, str]] = {}
        for question, answers in (record.get("responses") or {}).items():
            for answer in answers if question in QUESTIONS else ():
                people.setdefault(str(answer.get("user_id")), {})[question] = _to_value(answer.get("value"))
        for who, values in people.items():
            yield _make(path, number, about.get("row") or record.get("id"), about.get("language"), who, "", values)


def _make(path: Path, number: int, row: Any, language: Any, who: str, when: str, values: Mapping[str, str]) -> Label:
    label = Label("", "", str(row or ""), str(language or ""), who, when, **values)
    return check_label(label, path, number)


def _read_result(value: Any, path: Path, number: int) -> str:
    """The answer of a control: choices, a rating, or a pairwise selection."""
    if isinstance(value, Mapping):
        for name in ("choices", "rating", "selected"):
            if name in value:
                found = value[name]
                if isinstance(found, list):
                    if len(found) != 1:
                        raise BadRecord(path, f"one choice is needed, found {len(found)}.", row=number)
                    found = found[0]
                return _to_value(found)
    raise BadRecord(path, "an answer must be a choice, a rating or a selected side.", row=number)


def _to_value(value: Any) -> str:
    text = "" if value is None else str(value).strip()
    return _SIDES.get(text.lower(), text)
