"""Annotation files and folders: what is read, what is refused, and the table that the statistics start from."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.annotations import Annotation, read_annotations
from xl_suite.scoring.preferences import tabulate_preferences


def row(**changes: Any) -> dict[str, Any]:
    return {
        "instruction": "Say something.",
        "output_1": "eins",
        "generator_1": "reference",
        "output_2": "zwei",
        "generator_2": "model",
        "annotator": "judge",
        "preference": 2.0,
    } | changes


def test_file_folder_of_a_judge_and_folder_of_a_model(tmp_path: Path) -> None:
    for judge, language in (("one", "deu"), ("one", "zho"), ("two", "deu")):
        file = tmp_path / "model" / judge / f"{language}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([row(id=1, annotator=judge)]))
    (tmp_path / "model" / "one" / ".journal.json").write_text("[]")
    (tmp_path / "model" / "model_outputs.json").write_text("[]")
    found = [(r.annotator, r.language) for r in read_annotations(tmp_path / "model")]
    assert found == [("one", "deu"), ("one", "zho"), ("two", "deu")]
    assert [r.language for r in read_annotations(tmp_path / "model" / "one")] == ["deu", "zho"]
    assert len(read_annotations(tmp_path / "model" / "one" / "deu.json")) == 1
    with pytest.raises(BadInput, match="folders of generators; name one: model"):
        read_annotations(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="generator's folder"):
        read_annotations(tmp_path / "empty")


def test_foreign_rows(tmp_path: Path) -> None:
    file = tmp_path / "annotations.json.gz"
    rows = [row(preference=float("nan"), dataset=None, time_per_example=0.1), row(preference=-1), row(preference=1)]
    file.write_bytes(gzip.compress(json.dumps(rows).encode()))
    read = read_annotations(file)
    assert [(r.preference, r.language) for r in read] == [(None, ""), (-1, ""), (1, "")]
    table = tabulate_preferences(read)  # no IDs: rows of the same instruction are prompts of their own
    assert table.values.shape == (1, 3, 1)
    assert table.n_failed == (2,)
    assert np.nansum(table.values) == 0


def test_doubled_judgement_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deu.json"
    file.write_text(json.dumps([row(id=1), row(id=1)]))
    with pytest.raises(BadRecord, match="record 2, field 'id': prompt 1 is judged in record 1 already"):
        read_annotations(file)


def test_both_orders_are_averaged_and_fail_together() -> None:
    def judged(prompt: int, order: str, preference: float | None) -> Annotation:
        return Annotation(**row(id=prompt, order=order, preference=preference))

    table = tabulate_preferences(
        [
            *(judged(2, "12", 1.0), judged(2, "21", 2.0)),
            *(judged(1, "12", 2.0), judged(1, "21", 2.0)),
            *(judged(3, "12", 2.0), judged(3, "21", None)),
        ]
    )
    assert table.prompts == (1, 2, 3)
    np.testing.assert_equal(table.values[0, :, 0], [1.0, 0.5, np.nan])
    assert table.n_failed == (1,)


@pytest.mark.parametrize("field", ["annotator", "generator_1", "generator_2", "method"])
def test_what_differs_is_never_scored_together(field: str) -> None:
    rows = [Annotation(**row(id=1, **{field: "one"})), Annotation(**row(id=2, **{field: "other"}))]
    with pytest.raises(BadInput, match="one, other"):
        tabulate_preferences(rows)
