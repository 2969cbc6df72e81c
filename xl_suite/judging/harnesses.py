"""Judgements of other harnesses as annotations: JudgeArena's result folders, and arena-hard-auto's data folders."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput, BadRecord
from xl_suite.judging.annotations import Annotation
from xl_suite.records import read_object, read_raw, write_json
from xl_suite.responding.outputs import name_folder

_JUDGE_ARENA = ("instruction", "completion_A", "completion_B", "model_A", "model_B", "judge")
# The share of the win for answer A, by arena-hard's label.
_ARENA_HARD = {
    **dict.fromkeys(("A>>B", "A>B", "B<A", "B<<A"), 1.0),
    **dict.fromkeys(("A=B", "B=A"), 0.5),
    **dict.fromkeys(("B>>A", "B>A", "A<B", "A<<B"), 0.0),
}


def is_harness_folder(path: Path) -> bool:
    """Whether a folder holds judgements in one of the two forms."""
    return path.is_dir() and ((path / "model_judgment").is_dir() or any(path.glob("*-annotations.csv")))


def read_harness_folder(path: Path, language: str = "", baseline: str = "") -> list[Annotation]:
    """The judgements of a folder in both orders, as they were asked.

    language: ISO 639-3 code, which neither format contains. baseline: the baseline of arena-hard, whose judgements do
    not name it. Raises BadInput and BadRecord for what cannot be read.
    """
    if (path / "model_judgment").is_dir():
        return list(_read_arena_hard(path, language, baseline))
    if found := sorted(path.glob("*-annotations.csv")):
        return [row for file in found for row in _read_judge_arena(path, file, language)]
    raise BadInput(
        f"{path}: neither a result folder of JudgeArena (*-annotations.csv, results-*.json) nor a data folder of "
        "arena-hard-auto (model_answer, model_judgment)."
    )


def write_harness_annotations(out: Path, annotations: list[Annotation]) -> list[Path]:
    """Writes `out/<generator>/<judge>/<language>.json`; returns the folders."""
    files: dict[Path, list[Annotation]] = {}
    for row in annotations:
        folder = out / name_folder(row.generator_2) / name_folder(row.annotator)
        files.setdefault(folder / f"{row.language or 'judgements'}.json", []).append(row)
    for path, rows in files.items():
        write_json(path, rows)
    return sorted({path.parent for path in files})


def _read_judge_arena(folder: Path, file: Path, language: str) -> Iterator[Annotation]:
    """Rows of `<name>-annotations.csv`, whose preferences are in `results-<name>.json`.

    A preference is the share of the win of the baseline in the frame of the first order, for the rows of the second
    order too; null or NaN where the judge could not be read.
    """
    name = file.name.removesuffix("-annotations.csv")
    results = folder / f"results-{name}.json"
    if not results.is_file():
        raise BadInput(f"{file}: its preferences are in results-{name}.json, which is not in the folder.")
    preferences = read_object(results).get("preferences")
    rows = _read_csv(file)
    if not isinstance(preferences, list) or len(preferences) != len(rows):
        count = len(preferences) if isinstance(preferences, list) else "no"
        raise BadInput(f"{results}: {count} preferences for the {len(rows)} rows of {file.name}.")
    model = rows[0].get("model_A")
    for number, (row, share) in enumerate(zip(rows, preferences, strict=True), start=1):
        missing = [key for key in _JUDGE_ARENA if row.get(key) is None]
        if missing:
            raise BadRecord(file, f"lacks {', '.join(missing)}.", row=number)
        first = row["model_A"] == model  # the model's answer was shown first
        preference = _to_preference(share, results, number)
        yield Annotation(
            instruction=row["instruction"],
            output_1=row["completion_B" if first else "completion_A"],
            generator_1=row["model_B" if first else "model_A"],
            output_2=row["completion_A" if first else "completion_B"],
            generator_2=row["model_A" if first else "model_B"],
            annotator=row["judge"],
            preference=preference,
            raw_completion=row.get("judge_completion"),
            language=language,
            order="21" if first else "12",
            method="parsed",
            status="unread" if preference is None else "judged",
        )


def _to_preference(share: Any, file: Path, number: int) -> float | None:
    """Converts the baseline's share to AlpacaEval's scale, 1 (reference) to 2 (model)."""
    if share is None or (isinstance(share, float) and share != share):
        return None
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise BadRecord(file, f"{share!r} is not a preference from 0 to 1.", row=number)
    return 2.0 - share


def _read_arena_hard(folder: Path, language: str, baseline: str) -> Iterator[Annotation]:
    """Two games for each prompt: the baseline is A in the first, and B in the second."""
    answers = _read_arena_answers(folder / "model_answer")
    if not baseline:
        raise BadInput(
            f"{folder}: its judgements do not name the baseline. Name it with --baseline MODEL: "
            f"{', '.join(sorted(answers)[:20])}."
        )
    if baseline not in answers:
        raise BadInput(f"--baseline {baseline}: model_answer has no such model: {', '.join(sorted(answers)[:20])}.")
    instructions = _read_arena_questions(folder / "question.jsonl")
    for file in sorted((folder / "model_judgment").rglob("*.jsonl")):
        for number, row in enumerate(read_raw(file), start=1):
            if not isinstance(row, dict):
                raise BadRecord(file, "expected an object.", row=number)
            key = str(row.get("uid") or row.get("question_id") or "")
            model, games = str(row.get("model") or ""), row.get("games")
            if key not in answers.get(model, {}) or key not in answers[baseline]:
                raise BadRecord(file, f"no answer of {model!r} and {baseline!r} to {key!r}.", row=number)
            if not isinstance(games, list) or len(games) != 2:
                raise BadRecord(file, "two games are needed, one in each order.", row=number, field="games")
            for place, game in enumerate(games):
                share = _ARENA_HARD.get(str(game.get("score"))) if isinstance(game, dict) else None
                if share is not None and place == 0:
                    share = 1 - share
                yield Annotation(
                    instruction=instructions.get(key, key),
                    output_1=answers[baseline][key],
                    generator_1=baseline,
                    output_2=answers[model][key],
                    generator_2=model,
                    annotator=str(row.get("judge") or file.parent.name),
                    preference=None if share is None else 1 + share,
                    language=language,
                    order="21" if place else "12",
                    method="parsed",
                    status="unread" if share is None else "judged",
                )


def _read_arena_answers(folder: Path) -> dict[str, dict[str, str]]:
    """Answers by model and question, of both forms: `choices` with `turns` (v0.1), `messages` (v2.0)."""
    answers: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for number, row in enumerate(read_raw(file), start=1):
            if not isinstance(row, dict):
                raise BadRecord(file, "expected an object.", row=number)
            text = _find_answer(row)
            key, model = row.get("uid") or row.get("question_id"), row.get("model") or row.get("model_id")
            if text is None or not key or not model:
                raise BadRecord(file, "a row needs a model, a uid or question_id, and an answer.", row=number)
            answers.setdefault(str(model), {})[str(key)] = text
    return answers


def _find_answer(row: Any) -> str | None:
    try:
        turns = row["messages"] if "messages" in row else row["choices"][0]["turns"]
        content = turns[-1]["content"]
    except (KeyError, IndexError, TypeError):
        return None
    found = content.get("answer") if isinstance(content, Mapping) else content
    return found if isinstance(found, str) else None


def _read_arena_questions(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    questions = {}
    for number, row in enumerate(read_raw(file), start=1):
        try:
            text = row.get("prompt") or row["turns"][0]["content"]
            questions[str(row.get("uid") or row.get("question_id"))] = str(text)
        except (AttributeError, KeyError, IndexError, TypeError) as error:
            raise BadRecord(file, "a row needs a uid or question_id, and a prompt or turns.", row=number) from error
    return questions


def _read_csv(file: Path) -> list[dict[str, str]]:
    csv.field_size_limit(2**27)
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file}: cannot be read as CSV in UTF-8: {error}") from error
    if not rows:
        raise BadInput(f"{file}: the file has no rows.")
    return rows
