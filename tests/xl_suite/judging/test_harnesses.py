"""Judgements of JudgeArena and of arena-hard-auto, in the forms that their writers have, as annotations."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from xl_suite.cli.main import main
from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.harnesses import read_harness_folder
from xl_suite.records import write_jsonl

# The model wins prompt 1 in both orders; prompt 2 is a tie, and unread in the other order.
SHARES = [0.0, 0.5, 0.0, float("nan")]


def write_judge_arena(folder: Path, preferences: Any = SHARES) -> Path:
    folder.mkdir()
    rows = []
    for first, second in (("model", "base"), ("base", "model")):
        for number in (1, 2):
            row = {"judge_completion": "...", "instruction": f"Prompt {number}", "instruction_index": number}
            row |= {"completion_A": f"{first} {number}", "completion_B": f"{second} {number}"}
            rows.append(row | {"model_A": first, "model_B": second, "judge": "org/judge"})
    with (folder / "run-annotations.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "results-run.json").write_text(json.dumps({"preferences": preferences}), encoding="utf-8")
    return folder


def write_arena_hard(folder: Path) -> Path:
    (folder / "model_answer").mkdir(parents=True)
    (folder / "model_judgment" / "judge").mkdir(parents=True)
    write_jsonl(folder / "question.jsonl", [{"uid": "u1", "prompt": "Prompt 1"}])
    new = [{"uid": "u1", "model": "model", "messages": [{"role": "user"}, {"content": {"answer": "new form"}}]}]
    old = [{"question_id": "u1", "model_id": "base", "choices": [{"turns": [{"content": "old form"}]}]}]
    write_jsonl(folder / "model_answer/model.jsonl", new)
    write_jsonl(folder / "model_answer/base.jsonl", old)
    games = [{"score": "B>>A"}, {"score": "A=B"}]
    judged = [{"uid": "u1", "model": "model", "judge": "judge", "games": games}]
    write_jsonl(folder / "model_judgment/judge/model.jsonl", judged)
    return folder


def test_judge_arena_is_read_in_both_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_harness_folder(write_judge_arena(tmp_path / "r"), "deu")
    assert [(row.instruction, row.order, row.preference, row.status) for row in rows] == [
        ("Prompt 1", "21", 2.0, "judged"),
        ("Prompt 2", "21", 1.5, "judged"),
        ("Prompt 1", "12", 2.0, "judged"),
        ("Prompt 2", "12", None, "unread"),
    ]
    assert {(row.output_2, row.generator_2) for row in rows} == {("model 1", "model"), ("model 2", "model")}
    read = ["annotate", "--import", str(tmp_path / "r"), "--language", "deu", "--out", str(tmp_path / "out")]
    assert main([*read, "--json"]) == 0
    folder = tmp_path / "out/model/org-judge"
    assert json.loads(capsys.readouterr().out) == {"folders": {str(folder): 4}}
    assert main(["score", str(folder), "--gate", "none", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert (scored["win_rate"], scored["n_total"]) == (100, 1)


@pytest.mark.parametrize("preferences", [[0.0], None, [0.0, 2.0, 0.0, 0.0]])
def test_preferences_that_do_not_fit_the_rows_are_refused(tmp_path: Path, preferences: Any) -> None:
    with pytest.raises((BadInput, BadRecord), match="preference"):
        read_harness_folder(write_judge_arena(tmp_path / "r", preferences), "deu")


def test_arena_hard_is_read_in_both_forms_of_answers(tmp_path: Path) -> None:
    folder = write_arena_hard(tmp_path / "a")
    with pytest.raises(BadInput, match="--baseline MODEL: base, model"):
        read_harness_folder(folder)
    with pytest.raises(BadInput, match="no such model"):
        read_harness_folder(folder, baseline="gpt")
    first, second = read_harness_folder(folder, "eng", "base")
    assert (first.instruction, first.output_1, first.output_2) == ("Prompt 1", "old form", "new form")
    assert (first.order, first.preference) == ("12", 2.0)
    assert (second.order, second.preference) == ("21", 1.5)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither a result folder of JudgeArena"):
        read_harness_folder(tmp_path)
