"""The forms of instruction data in the field, as question and answer, and as training data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xl_instruct.training.data import PreferencePair, PromptCompletion, read_training_data
from xl_instruct.training.foreign import read_foreign
from xl_instruct.training.forms import Choice, Exchange, NoForm, read_choice, read_exchange
from xl_suite.cli.main import main
from xl_suite.errors import BadInput

Q, A = "Why does honey never spoil?", "Honig verdirbt nie, weil er sehr wenig Wasser enthält."


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": Q, "input": "", "output": A},
        {"instruction": Q, "input": None, "output": A, "text": "Below is an instruction"},
        {"instruction": Q, "output": None, "response": A},
        {"instruction": Q, "context": "", "response": A, "category": "open_qa"},
        {"conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": A}]},
        {"messages": [{"role": "user", "content": Q}, {"role": "assistant", "content": A}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": Q}]}, {"role": "model", "content": A}]},
        {"prompt": Q, "completion": A},
        {"prompt": [{"role": "user", "content": Q}], "completion": [{"role": "assistant", "content": A}]},
        {"inputs": Q, "targets": A},
        {"input": Q, "output": A, "dataset_name": "x"},
        {"question": Q, "answer": A},
    ],
)
def test_forms(row: dict[str, Any]) -> None:
    assert read_exchange(row) == Exchange(Q, A)


def test_what_stands_beside_a_question() -> None:
    assert read_exchange({"instruction": "Sum up.", "input": Q, "output": A}).asked == f"Sum up.\n\n{Q}"
    turns = [("system", "Be brief."), ("human", Q), ("gpt", A), ("human", "And?"), ("gpt", "Nichts.")]
    row = {"conversations": [{"from": role, "value": text} for role, text in turns], "language": "German"}
    found = read_exchange(row)
    assert (found.asked, found.answer, found.more) == (f"Be brief.\n\n{Q}", A, 2)
    assert found.language is not None
    assert found.language.code == "deu"
    for wrong, problem in (
        ({"title": Q}, "Fields found: title"),
        ({"messages": [{"role": "assistant", "content": A}]}, "turn 1 is of 'assistant'"),
        ({"messages": [{"role": "user", "content": Q}]}, "without a question and its answer"),
        ({"messages": [{"role": "tool", "content": Q}]}, "turn of 'tool'"),
        ({"instruction": Q, "output": A, "language": "Klingonese"}, "'Klingonese' is not known"),
        ({"prompt": Q, "completion": 3}, "completion is int, not text"),
    ):
        with pytest.raises(NoForm, match=problem):
            read_exchange(wrong)


def test_preferences() -> None:
    user, good, bad = (
        {"role": role, "content": text} for role, text in (("user", Q), ("assistant", A), ("assistant", "x"))
    )
    for row in (
        {"prompt": Q, "chosen": A, "rejected": "x"},
        {"prompt": [user], "chosen": [good], "rejected": [bad]},
        {"prompt": Q, "chosen": [user, good], "rejected": [user, bad]},
        {"chosen": [user, good], "rejected": [user, bad]},
        {"prompt": [user], "chosen": A, "rejected": "x"},
    ):
        assert read_choice(row) == Choice(Q, A, "x")  # type: ignore[arg-type]
    with pytest.raises(NoForm, match="Fields found: prompt, chosen"):
        read_choice({"prompt": Q, "chosen": A})


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_languages_of_rows_files_and_variants(tmp_path: Path) -> None:
    write_lines(tmp_path / "pt-BR.jsonl", [{"instruction": Q, "output": "O mel não estraga."}])
    write_lines(tmp_path / "pt.json", [{"instruction": Q, "output": "O mel nunca se estraga."}])
    rows = [{"instruction": Q, "output": A, "language_code": code} for code in ("deu", "fin", "eng")]
    write_lines(tmp_path / "all.jsonl", [*rows, {"instruction": Q, "output": "?"}, {"instruction": Q, "output": ""}])
    told: list[str] = []
    source = read_foreign(tmp_path, progress=told.append)
    assert {code: len(own) for code, own in source.entries.items()} == {"deu": 1, "fin": 1, "por": 2}
    first, second = source.load([("por", 0), ("por", 1)])
    assert (first.variant, second.variant) == ("pt-BR", "")
    assert "Portuguese (Brazil)" in first.instruction
    assert "(Brazil)" not in second.instruction
    assert "Portuguese" in second.instruction
    assert "1 rows in English, 2 rows of all.jsonl, whose language is not told" in told[-1]
    assert list(read_foreign(tmp_path, ["fin"]).entries) == ["fin"]


def test_questions_that_ask_already_or_are_not_in_english_stay(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"{Q} Answer in German.", "output": A},
        {"instruction": "Who ruled German lands?", "output": A},
    ]
    write_lines(tmp_path / "de.jsonl", rows)
    asks, other = read_foreign(tmp_path).load([("deu", 0), ("deu", 1)])
    assert asks.instruction == rows[0]["instruction"]
    assert other.instruction.startswith(rows[1]["instruction"] + "\n\n")
    german = ["Warum verdirbt Honig eigentlich nie, auch nach vielen Jahren?", "Dreht sich der Mond um sich selbst?"]
    write_lines(tmp_path / "de.jsonl", [{"inputs": text, "targets": A} for text in german])
    told: list[str] = []
    assert [
        row.instruction for row in read_foreign(tmp_path, progress=told.append).load([("deu", 0), ("deu", 1)])
    ] == german
    assert "not in English and stay as they are" in told[-1]


def test_a_word_that_may_be_a_language_is_one_where_the_answers_are_in_it(tmp_path: Path) -> None:
    answer = (
        "Madu tidak pernah rusak karena mengandung sangat sedikit air dan banyak gula, sehingga bakteri tidak hidup."
    )
    write_lines(tmp_path / "x_instruction_id.jsonl", [{"instruction": Q, "output": answer}] * 3)
    write_lines(tmp_path / "sorted_by_id.jsonl", [{"instruction": Q, "output": A}] * 3)
    told: list[str] = []
    source = read_foreign(tmp_path, progress=told.append)
    assert {code: len(own) for code, own in source.entries.items()} == {"ind": 3}
    assert "3 rows of sorted_by_id.jsonl, whose language is not told" in told[-1]


def test_muris_rows_of_other_splits_are_passed_over(tmp_path: Path) -> None:
    rows = [{"input": Q, "output": A, "language": "deu", "split": split} for split in ("train", "test", "validation")]
    write_lines(tmp_path / "rows.jsonl", rows)
    assert len(read_foreign(tmp_path).entries["deu"]) == 1


def test_data_of_others_are_trained_on_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    write_lines(
        folder / "train.jsonl", [{"messages": [{"role": "user", "content": Q}, {"role": "assistant", "content": A}]}]
    )
    write_lines(folder / "test.jsonl", [{"prompt": "no", "completion": "no"}])
    (folder / "README.md").write_text("---\nlicense: mit\npretty_name: Mine\n---\n# Mine\n")
    before = sorted(folder.iterdir())
    data = read_training_data(folder, "sft")
    assert data.rows == (PromptCompletion(Q, A),)
    assert (data.name, data.licence) == ("Mine", "mit")
    assert "1 of split test" in data.notes[0]
    assert "no sentence that asks for a language is added" in data.notes[-1]
    assert sorted(folder.iterdir()) == before
    write_lines(tmp_path / "pairs.jsonl", [{"prompt": Q, "chosen": A, "rejected": "x", "language": "de"}])
    assert read_training_data(tmp_path / "pairs.jsonl", "dpo").rows == (PreferencePair(Q, A, "x", "deu"),)


def test_no_advice_writes_into_the_users_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(tmp_path / "raw" / "rows.jsonl", [{"title": Q}])
    command = [
        "train",
        "train_smoke",
        "--model",
        "m",
        "--data",
        str(tmp_path / "raw"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "Fields found: title" in error
    assert "--out NEW_FOLDER" in error
    assert f"--out {tmp_path / 'raw'}" not in error
    with pytest.raises(BadInput, match="no row has a prompt and an answer"):
        write_lines(tmp_path / "raw" / "rows.jsonl", [{"prompt": Q, "completion": None}])
        read_training_data(tmp_path / "raw", "sft")
