"""`xl-suite journal`: what a journal holds, and answers carried from one journal to another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from xl_suite.cli.main import main

JOURNALS = Path(__file__).resolve().parents[2] / "replay" / "v0" / "journals"
SQLITE, TEXT = JOURNALS / "outputs.sqlite", JOURNALS / "ratings.jsonl"


def ask(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main(["journal", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_show_counts_answers_failures_and_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    models = {one["model"]: one for one in ask(capsys, "show", SQLITE)["models"]}
    assert {name: (one["answers"], one["failed"]) for name, one in models.items()} == {
        "demo-failing": (4, 1),
        "demo-good": (25, 0),
        "demo-reference": (15, 0),
        "demo-slips": (15, 0),
    }
    text = ask(capsys, "show", TEXT)["models"]
    assert [one["answers"] for one in text] == [len(TEXT.read_text().splitlines())]
    assert text[0]["last"] is None


def test_export_import_and_merge_keep_every_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported, again = tmp_path / "a.jsonl", tmp_path / "again.jsonl"
    journal = tmp_path / "journal.sqlite"
    count = ask(capsys, "export", SQLITE, exported)["answers"]
    assert count == 59
    assert ask(capsys, "import", exported, journal)["new"] == count
    assert ask(capsys, "merge", SQLITE, TEXT, journal)["new"] == len(TEXT.read_text().splitlines())
    assert ask(capsys, "merge", SQLITE, TEXT, journal)["new"] == 0
    ask(capsys, "export", journal, again)
    assert sorted(again.read_text().splitlines()) == sorted(
        exported.read_text().splitlines() + TEXT.read_text().splitlines()
    )


@pytest.mark.parametrize(
    "arguments", [("show", "absent.sqlite"), ("merge", "words.txt", "new.sqlite"), ("export", "j", "j")]
)
def test_what_is_not_a_journal_is_refused(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.txt").write_text("words")
    shutil.copy(SQLITE, "j")
    assert main(["journal", *arguments]) == 2
    assert arguments[1] in capsys.readouterr().err
    assert not Path("new.sqlite").exists()
