"""Language fidelity on real text: both sides of the identification, and mixed answers (DESIGN's bars)."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from xl_suite.fidelity import FidelityAnswer, judge_answers, score_fidelity
from xl_suite.languages import table
from xl_suite.records import ModelOutput, read_records

CODES = [language.code for language in table()]
NEIGHBOURS = [("por", "spa"), ("deu", "nld"), ("gle", "gla"), ("fin", "est"), ("hin", "mar"), ("hin", "nep")]
GENERATORS = ("alpaca-7b", "gpt-4o-mini-2024-07-18", "gpt4_1106_preview")


@pytest.fixture(scope="module")
def paragraphs(shared_data: Path) -> dict[str, list[str]]:
    """The Universal Declaration by language, a paragraph a string."""
    files = sorted((shared_data / "udhr").glob("*.txt"))
    return {path.stem: path.read_text(encoding="utf-8").split("\n") for path in files}


@pytest.fixture(scope="module")
def sentences(paragraphs: dict[str, list[str]]) -> dict[str, list[str]]:
    return {
        code: [part for line in lines for part in re.split(r"(?<=[.।。]) *", line.strip()) if len(part) > 15]
        for code, lines in paragraphs.items()
    }


@pytest.fixture(scope="module")
def answers(shared_data: Path) -> list[ModelOutput]:
    """2,415 English answers of three models to AlpacaEval's prompts."""
    folder = shared_data / "alpaca_eval" / "results"
    return [row for name in GENERATORS for row in read_records(folder / name / "model_outputs.json", ModelOutput)]


def count(outputs: list[str], language: str, *verdicts: str) -> float:
    """The share of the outputs that get one of the verdicts."""
    found = judge_answers([FidelityAnswer(output) for output in outputs if output.strip()], language)
    return sum(verdict.verdict in verdicts for verdict in found) / len(found)


@pytest.mark.parametrize("code", CODES)
def test_real_paragraphs_are_right(code: str, paragraphs: dict[str, list[str]]) -> None:
    assert count(paragraphs[code], code, "right") >= 0.98


@pytest.mark.parametrize(("code", "neighbour"), NEIGHBOURS)
def test_neighbours_are_rejected(code: str, neighbour: str, paragraphs: dict[str, list[str]]) -> None:
    assert count(paragraphs[neighbour], code, "wrong", "mixed") >= 0.95


@pytest.mark.parametrize("code", CODES)
def test_other_languages_are_rejected(code: str, paragraphs: dict[str, list[str]]) -> None:
    for other in CODES:
        if other != code:
            assert count(paragraphs[other], code, "wrong") >= 0.95, other


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("joint", [" ", "\n"])
def test_one_foreign_sentence_in_five_is_found(code: str, joint: str, sentences: dict[str, list[str]]) -> None:
    draw = random.Random(f"{code}{joint}")
    mixed = []
    for other in sentences:
        for foreign in sentences[other] if other != code else []:
            five = draw.sample(sentences[code], 4)
            five.insert(draw.randrange(5), foreign)
            mixed.append(joint.join(five))
    assert count(mixed, code, "mixed") >= 0.95


def test_english_answers_are_right_in_english(answers: list[ModelOutput]) -> None:
    score = score_fidelity(answers, "eng")
    assert score.pass_rate is not None
    assert score.pass_rate >= 0.99
    assert score.n_undetermined <= 0.05 * len(answers)
    assert score.constant <= 0.005 * len(answers)
    assert not score.is_constant


@pytest.mark.parametrize("language", ["deu", "zho", "hin", "mlt"])
def test_english_answers_are_not_right_in_another_language(answers: list[ModelOutput], language: str) -> None:
    """Two prompts ask about German, and one is answered in it; nothing else may pass or look mixed."""
    score = score_fidelity(answers, language)
    assert score.n_right + score.n_mixed <= 3
    assert score.n_wrong >= 0.95 * len(answers)


@pytest.mark.slow
def test_a_foreign_sentence_in_an_english_answer_is_found(
    answers: list[ModelOutput], sentences: dict[str, list[str]]
) -> None:
    draw = random.Random(11)
    foreign = [sentence for code, own in sentences.items() if code != "eng" for sentence in own]
    right = [
        row
        for row, verdict in zip(answers, score_fidelity(answers, "eng").verdicts, strict=True)
        if verdict.verdict == "right"
    ]
    for place in ("start", "end", "line"):
        changed = []
        for row in right:
            lines = row.output.split("\n")
            sentence = draw.choice(foreign)
            if place == "start":
                lines[0] = f"{sentence} {lines[0]}"
            elif place == "end":
                lines.append(sentence)
            else:
                places = [at for at in range(len(lines) + 1) if "\n".join(lines[:at]).count("```") % 2 == 0]
                lines.insert(draw.choice(places), sentence)
            changed.append(replace(row, output="\n".join(lines)))
        score = score_fidelity(changed, "eng")
        assert score.n_mixed >= 0.95 * len(changed), place
        assert score.n_right <= 0.02 * len(changed), place
