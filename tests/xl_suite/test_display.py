"""Tables of text: 80 columns, no column lost, no two of one name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.leaderboard_results import SENTENCES, write_annotations, write_ratings
from xl_suite.cli.main import main
from xl_suite.display import align_columns, format_rows
from xl_suite.judging.annotations import read_annotations
from xl_suite.records import write_json


def test_a_wide_table_goes_on_below_with_its_keys() -> None:
    rows = [["name", "language", *(f"column {n}" for n in range(12))], ["a", "deu", *map(str, range(12))]]
    lines = align_columns(rows, keys=2)
    assert max(map(len, lines)) <= 80
    heads = [line for line in lines if line.startswith("name")]
    assert len(heads) > 1
    assert re.findall(r"column \d+", " ".join(heads)) == [f"column {n}" for n in range(12)]
    assert align_columns([["a", "b"], ["1", "2"]]) == ["a  b", "1  2"]


def test_a_column_that_is_too_wide_is_shown_whole() -> None:
    assert align_columns([["a", "b", "c"], ["1", "x" * 90, "3"]])[1].endswith("x" * 90)


@pytest.mark.parametrize(
    "words", [["score", "annotations/m"], ["score", "ratings/m"], ["compare", "annotations/m", "b"]]
)
def test_the_tables_of_the_verbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for judge in ("judge-1", "judge-2"):
        write_annotations(tmp_path, "m", [1.0] * 30, languages=list(SENTENCES), judge=judge)
    write_ratings(tmp_path, "m", 4)
    for language in SENTENCES:
        rows = [row for row in read_annotations(Path("annotations/m/judge-1")) if row.language == language]
        write_json(Path(f"b/{language}.json"), [replace(row, generator_2="b") for row in rows])
    if words[0] == "compare":
        words[1] = "annotations/m/judge-1"
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    heads = [re.split(r"\s{2,}", line) for line in lines if line.startswith("language ")]
    assert heads
    assert all(len(set(head)) == len(head) for head in heads)


def test_rows_become_tables_for_papers_and_spreadsheets() -> None:
    rows = [{"model": "a_b|50%", "rate": 12.345, "n": None}, {"model": "=1+1", "rate": 0.00031, "n": 2}]
    assert format_rows(rows, "markdown").splitlines()[:3] == [
        "| model | rate | n |",
        "| --- | --- | --- |",
        r"| a\_b\|50% | 12.35 | – |",
    ]
    assert format_rows(rows, "markdown").splitlines()[3] == "| =1+1 | 0.00031 | 2 |"
    latex = format_rows(rows, "latex").splitlines()
    assert latex[0] == r"\begin{tabular}{lrr}"
    assert latex[4] == r"a\_b|50\% & 12.35 & – \\"
    assert format_rows(rows, "csv").splitlines() == ["model,rate,n", "a_b|50%,12.345,", "'=1+1,0.00031,2"]
    assert json.loads(format_rows(rows, "json")) == rows
