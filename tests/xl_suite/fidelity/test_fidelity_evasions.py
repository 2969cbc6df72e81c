"""Evasions of the gate, and what only looks like one: marks, disguises, names, copies, code, other spellings."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from xl_suite.fidelity import FidelityAnswer, judge_answers, judge_language, knows_language
from xl_suite.fidelity.code import find_code
from xl_suite.fidelity.disguises import undisguise
from xl_suite.fidelity.error import find_error
from xl_suite.fidelity.prose import find_prose, is_english_prose
from xl_suite.fidelity.support import find_support
from xl_suite.languages import table

DATA = Path(__file__).parents[2] / "data"
GERMAN = "Der Gärtner schneidet im Frühling die Rosen, damit sie im Sommer kräftig blühen."
ENGLISH = "The gardener cuts the roses in spring so that they bloom well when the summer comes, as every year."


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def count_caught(rows: list[dict[str, Any]]) -> int:
    caught = 0
    for language in sorted({row["language"] for row in rows}):
        own = [FidelityAnswer(row["answer"], row.get("prompt", "")) for row in rows if row["language"] == language]
        caught += sum(verdict.verdict in ("wrong", "mixed") for verdict in judge_answers(own, language))
    return caught


@pytest.mark.parametrize("half", ["build", "unseen"])
def test_attacks_are_caught_and_legitimate_answers_are_not_harmed(half: str) -> None:
    attacks = [row for row in read_rows("attacks.jsonl") if row["half"] == half]
    assert count_caught(attacks) >= 0.99 * len(attacks)
    legitimate = [row for row in read_rows("legitimate.jsonl") if row["half"] == half]
    assert count_caught(legitimate) <= 0.01 * len(legitimate)


def test_a_copied_line_is_no_slip_but_copied_words_in_sentences_are() -> None:
    prompt = "Say in German: the gardener who lives at the end of the street cuts his roses every spring."
    line = "the gardener who lives at the end of the street cuts his roses every spring."
    assert judge_language(f"{line}\n{GERMAN}", "deu", prompt=prompt).verdict == "right"
    assert judge_language(f"{GERMAN} Auf Englisch: {line}", "deu", prompt=prompt).verdict == "right"
    inside = f"{GERMAN} Sure, I will say that {line[:-1]} and why he does so."
    assert judge_language(inside, "deu", prompt=prompt).verdict == "mixed"
    assert judge_language(line, "deu", prompt=prompt).verdict == "wrong"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("hin", "Grace Hopper और Alan Turing ने 1940 के दशक में काम किया था।"),
        ("zho", "Grace Hopper 和 Alan Turing 都是 Computer Science 的先驱。"),
        ("rus", "Программу Photoshop выпускает компания Adobe Systems Incorporated."),
        ("ara", "يعمل برنامج Adobe Photoshop على Windows و macOS."),
        (
            "deu",
            "- to bake – backen\n- to fry – braten\n- to boil – kochen\n\nDiese Wörter braucht man in der Küche oft.",
        ),
    ],
)
def test_names_and_terms_of_another_script_or_language_are_no_slip(language: str, text: str) -> None:
    assert judge_language(text, language).verdict == "right"


def test_a_sentence_in_latin_letters_within_chinese_is_one() -> None:
    assert (
        judge_language(f"园丁在春天修剪玫瑰，这样它们在夏天会开得更好。{ENGLISH}他每年都这样做。", "zho").verdict
        == "mixed"
    )


def test_disguises_are_taken_off_line_by_line() -> None:
    assert undisguise("T\u200bh\u00ade\n\U0001d41d\U0001d428\U0001d420 &#99;at") == "The\ndog cat"
    assert undisguise("\u0442\u0435 о\u0441ean") == "\u0442\u0435 ocean"
    assert undisguise("क\u200dष में\u200cहै") == "क\u200dष में\u200cहै"  # joiners are spelling there


def test_prose_is_told_from_programs() -> None:
    program = (
        "# add both numbers and give back the sum\ntotal = first + second\nif total > limit:\n    return total\n"
    )
    assert list(find_prose(program)) == []
    assert [text for _, text in find_prose('say("the gardener cuts the roses");')] == ["the gardener cuts the roses"]
    assert [text for _, text in find_prose('{"a b": "the gardener cuts the ros')] == ["the gardener cuts the ros"]
    assert is_english_prose(ENGLISH)
    assert not is_english_prose("The Silence of the Lambs and Gone with the Wind")
    assert not is_english_prose("git rebase interactive docker compose build")


def test_code_that_nothing_marks_is_found() -> None:
    lines = ["SELECT name FROM people", "WHERE age > 30;", "", "Die Liste ist: kurz.", "a: 1", "  b: 2", "c: 3"]
    assert find_code(lines) == [True, True, False, False, True, True, True]
    assert not any(find_code([GERMAN, ENGLISH, "Zeit: 30 Minuten", 'Antwort: "Ja"']))


@pytest.mark.parametrize(
    ("language", "other", "text"),
    [
        ("deu", "gsw", "Es isch scho spat gsi, und mir händ no nöd gwüsst, wo mer chönne schlafe."),
        ("por", "glg", "Onte fomos ás festas da vila coas miñas irmás, pero non había moita xente nas rúas."),
    ],
)
def test_a_close_relative_is_told_by_its_words(language: str, other: str, text: str) -> None:
    verdict = judge_language(text, language)
    assert verdict.verdict == "wrong"
    assert verdict.lines[0].language == other


def test_what_cannot_be_told_apart_is_named() -> None:
    assert not knows_language("ckb")
    verdict = judge_language("ئەم ڕستەیە بە کوردی نووسراوە و زۆر کورت نییە.", "ckb")
    assert verdict.verdict == "undetermined"
    assert find_support("hrv").confusable == ("bos", "srp", "cnr")
    assert judge_language("Vrtlar u proljeće reže ruže da bi ljeti bolje cvjetale.", "bos").verdict == "right"
    assert judge_language(GERMAN, "bos").verdict == "wrong"
    assert "gsw" in find_support("deu").partly
    assert find_support("fra").why == ""


def test_letters_of_another_script_are_wrong_even_where_no_class_has_them() -> None:
    assert judge_language("ދިވެހި ބަހުން ލިޔެފައިވާ ޖުމްލައެއް މިއީ", "deu").verdict == "wrong"
    assert judge_language("ދިވެހި ބަހުން ލިޔެފައިވާ ޖުމްލައެއް މިއީ", "zho").verdict == "wrong"


def test_characters_without_an_order_are_no_chinese() -> None:
    draw = random.Random(3)
    salad = "".join(chr(draw.randrange(0x4E00, 0x9FA5)) for _ in range(120))
    assert judge_language(salad, "zho").verdict == "wrong"
    mixed = "".join(draw.choice(["的", "是", "在", "यह", "में", " the", "ing", "ный"]) for _ in range(200))
    assert judge_language(mixed, "zho").verdict in ("wrong", "mixed")


def test_the_error_of_the_twelve_languages_is_known() -> None:
    for language in table():
        error = find_error(language.code)
        assert error is not None, language.code
        assert error.right_called_wrong <= error.right_bound <= 0.1
    assert find_error("swa") is None
