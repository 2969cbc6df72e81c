"""The pages for native speakers: made from this suite's own data, and labels of them read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from scripts.native_speakers import main
from xl_suite.cli.main import main as xl_suite
from xl_suite.records import ModelOutput, write_json

GERMAN = "Das Museum wurde im letzten Jahr gebaut und ist bei allen Besuchern der Stadt sehr beliebt."
ENGLISH = "The museum was built last year and is very popular with all visitors of the city today."


def test_the_wordings_of_all_languages_and_their_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "templates.html"
    main(["templates", "--out", str(page)])
    rows = json.loads((tmp_path / "templates.key.json").read_text(encoding="utf-8"))["rows"]
    languages = {row["language"] for row in rows}
    assert len(languages) >= 11
    assert sum(row["language"] == "hin" for row in rows) == 15, "every two of six wordings"
    assert {row["probability"] for row in rows} == {None}
    with (tmp_path / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "annotator", "preference"])
        writer.writerows([row["row"], "ann", "A"] for row in rows if row["language"] == "deu")
    command = ["annotate", "--import", str(tmp_path / "labels.csv"), "--key", str(tmp_path / "templates.key.json")]
    assert xl_suite([*command, "--out", str(tmp_path / "people")]) == 0
    assert "ann: 15 labels" in capsys.readouterr().out


def test_answers_that_the_language_check_doubts(tmp_path: Path) -> None:
    texts = [GERMAN, f"{GERMAN} Ja.", ENGLISH, f"{ENGLISH} Yes."]
    rows = [ModelOutput(f"F{n}", text, "m", n, "", "deu") for n, text in enumerate(texts, start=1)]
    write_json(tmp_path / "m" / "deu.json", rows)
    main(["fidelity", str(tmp_path / "m"), "--languages", "deu", "--out", str(tmp_path / "page.html")])
    rows_asked = json.loads((tmp_path / "page.key.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["generator_1"], row["generator_2"]) for row in rows_asked] == [("right", "wrong")] * 2
    assert "wrong" not in (tmp_path / "page.html").read_text(encoding="utf-8").split("<main")[1]


def test_what_quality_estimation_chose(tmp_path: Path) -> None:
    candidates = [
        {"text": "Gut.", "score": 0.9, "refused": []},
        {"text": "Schlecht.", "score": 0.2, "refused": []},
        {"text": "Abgelehnt.", "score": 0.1, "refused": ["copied"]},
    ]
    segments = [{"text": "Good.", "translation": "Gut.", "candidates": candidates}]
    table = pa.Table.from_pylist([{"language": "deu", "segments": segments}])
    parquet.write_table(table, tmp_path / "german.parquet")
    main(["choices", str(tmp_path), "--out", str(tmp_path / "page.html")])
    (row,) = json.loads((tmp_path / "page.key.json").read_text(encoding="utf-8"))["rows"]
    assert (row["output_1"], row["output_2"]) == ("Schlecht.", "Gut.")


def test_the_wording_of_the_rubrics(tmp_path: Path) -> None:
    main(["rubrics", "--languages", "deu,hin,zho", "--out", str(tmp_path / "levels.html")])
    rows = json.loads((tmp_path / "levels.key.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 3 * 4 * 4, "four neighbouring pairs of each of four criteria"
    (row,) = [one for one in rows if one["language"] == "hin" and one["generator_2"] == "naturalness 2"]
    assert row["generator_1"] == "naturalness 1"
    assert row["output_1"].startswith("It is not in Hindi")
    assert row["output_2"].startswith("Hindi, but with errors")
    assert "native speaker of Hindi" in row["instruction"]
    assert "Level 2" not in row["output_1"] + row["output_2"], "a number would say which is higher"
    assert len({one["row"] for one in rows}) == len(rows)

    own = tmp_path / "own"
    own.mkdir()
    (own / "naturalness.txt").write_text("Liest sich das wie von Hand auf {language}?", encoding="utf-8")
    main(["rubrics", str(own), "--languages", "deu", "--out", str(tmp_path / "wordings.html")])
    (row,) = json.loads((tmp_path / "wordings.key.json").read_text(encoding="utf-8"))["rows"]
    assert (row["generator_1"], row["generator_2"]) == ("naturalness, shipped", "naturalness")
    assert row["output_2"] == "Liest sich das wie von Hand auf German?"
