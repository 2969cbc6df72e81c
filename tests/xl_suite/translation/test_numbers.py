"""Numbers, dates and times of a source are found in its translation, however the language writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xl_suite.languages import table
from xl_suite.translation.number_words import read_words
from xl_suite.translation.numbers import (
    Comparison,
    _are_same_plain,
    _Matching,
    compare_numbers,
    find_lost_numbers,
    find_numbers,
)
from xl_suite.translation.values import read_values, to_ascii_digits

DATA = Path(__file__).resolve().parents[2] / "data" / "localised_numbers.jsonl"
PAIRS = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
CODES = [row.code for row in table()]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["id"])
def test_labelled_pairs(pair: dict[str, str]) -> None:
    found = compare_numbers(pair["source"], pair["translation"], pair["language"], pair["source_language"])
    assert ("wrong" if found.lost else "flag" if found.flags else "right") == pair["label"], found


def test_the_labelled_set_covers_every_language_and_label() -> None:
    assert len(PAIRS) >= 200
    labels = {(pair["language"], pair["label"]) for pair in PAIRS}
    assert {(code, label) for code in CODES for label in ("right", "wrong")} <= labels
    assert {(code, "flag") for code in CODES if code != "eng"} <= labels


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,000.50 or 1.000,50", ["100050", "100050"]),
        ("1 000 000 and 3 400", ["1000000", "3400"]),
        ("१,००० ٤٢", ["1000", "42"]),
        ("in 2020 15 people", ["2020", "15"]),
    ],
)
def test_find_numbers(text: str, numbers: list[str]) -> None:
    assert find_numbers(text) == numbers


@pytest.mark.parametrize(
    ("source", "translation", "language", "lost"),
    [
        ("It costs $1,000.", "Es kostet 1.000 $.", "deu", []),
        ("It costs 12,500 euros.", "Cela coûte 12 500 euros.", "fra", []),
        ("There are 3 eggs.", "Es sind drei Eier.", "deu", []),
        ("There are 3 eggs.", "Es sind 5 Eier.", "deu", ["3"]),
        ("There are 37 eggs.", "Es sind Eier.", "deu", ["37"]),
        ("There are 37 eggs.", "Es sind siebenunddreißig Eier.", "deu", []),
        ("There are 137 eggs.", "Il y a cent trente-sept œufs.", "fra", []),
        ("There are 137 eggs.", "Il y a cent trente-huit œufs.", "fra", ["137"]),
        ("About 1.5 million people", "大约150万人", "zho", []),
        ("About 23 billion messages", "约230亿条消息", "zho", []),
        ("About 120 million messages", "约1亿2000万条消息", "zho", []),
        ("15 people", "十五个人", "zho", []),
        ("In 2024 it rained.", "二〇二四年下雨了。", "zho", []),
        ("the 19th century", "o século XIX", "por", []),
        ("the 1990s", "20世纪90年代", "zho", []),
        ("the 1990s", "1880-luku", "fin", ["1990"]),
        ("at 3:30 pm", "um 15:30 Uhr", "deu", []),
        ("at 3 PM", "um 15 Uhr", "deu", []),
        ("at 3 PM", "um 16 Uhr", "deu", ["3 PM"]),
        ("100 people", "hundert Menschen", "deu", []),
        ("१५ and 42", "15 und 42", "deu", []),
        ("no number", "5 Zahlen", "deu", []),
        ("From 1914 to 1918", "Von 1914 bis 1919", "deu", ["1918"]),
        ("2 to 3 million", "200万到300万", "zho", []),
        ("On March 4, 2020", "Am 03.04.2020", "deu", ["4", "2020"]),
        ("a 1,500 m race", "ein 1,500-m-Lauf", "deu", []),
        ("two million and five million", "zwei Millionen und fünf Millionen", "deu", []),
        ("two million people", "drei Millionen Menschen", "deu", ["two"]),
        ("It was 95 °F.", "Es waren 25 °C.", "deu", ["95"]),
        ("300 km (190 miles)", "300 km", "deu", []),
        ("with 1.5 million", "avec 1 million et demi", "fra", []),
        ("Call 555-867-5309.", "Ruf (555) 8675309 an.", "deu", []),
    ],
)  # fmt: skip
def test_lost_numbers(source: str, translation: str, language: str, lost: list[str]) -> None:
    assert find_lost_numbers(source, translation, language) == lost


@pytest.mark.parametrize(
    ("text", "language", "readings"),
    [
        ("1.234,5", "deu", ["1234.5"]),
        ("1,234.5", "eng", ["1234.5"]),
        ("12,34,567", "hin", ["1234567"]),
        ("1 234,5", "lit", ["1234.5"]),
        ("2 1/2 and ¾", "eng", ["2.5", "0.75"]),
        ("1/3", "eng", ["1/3"]),
        ("2,3 Mrd.", "deu", ["2300000000"]),
        ("3.5 लाख", "hin", ["350000"]),
        ("4.5", "deu", ["4.5"]),
        ("1.500", "deu", ["1500"]),
        ("1.500", "eng", ["1.5"]),
    ],
)
def test_read_values(text: str, language: str, readings: list[str]) -> None:
    assert [value.readings[0][0] for value in read_values(text, language)] == readings


def test_percent_is_no_hundred() -> None:
    assert ("100",) not in {
        reading for value in read_words("cent pour cent", "fra")[1:] for reading in value.readings
    }
    assert read_words("kilenc százalék", "hun")[-1].readings[0] == ("9",)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("0123456789.,:/- hpm年月日万Mär½٤"), max_size=40), st.sampled_from(CODES))
def test_a_copy_loses_nothing(text: str, language: str) -> None:
    assert not compare_numbers(text, text, language, language).lost


@settings(max_examples=100, deadline=None)
@given(st.integers(13, 10**9), st.sampled_from(CODES))
def test_a_lost_number_is_named(number: int, language: str) -> None:
    assert compare_numbers(f"x {number} y", "x y", language).lost or not str(number)[1:].strip("0")


@pytest.mark.parametrize("sign", ["1 ", "1.", "1,111,", "12:30 ", "1/2 ", "million ", "三", "1-", "XVI ", "twenty-"])
def test_long_texts_of_numbers_end_soon(sign: str) -> None:
    """The limit on a test's time would stop it."""
    assert not compare_numbers(sign * 4000, sign * 4000, "eng").lost


@pytest.mark.parametrize("fraction", ["½", "⅖", "⅝"])
def test_a_fraction_in_one_sign_is_a_number(fraction: str) -> None:
    assert compare_numbers(f"Take {fraction} of it.", "Nimm es.", "deu").lost == (fraction,)
    assert not compare_numbers(f"Take {fraction} of it.", f"Nimm {fraction} davon.", "deu").lost


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_texts_with_the_same_plain_numbers_are_as_the_whole_comparison_says(data: st.DataObject) -> None:
    forms = (
        "3 12 1990 2020 1,500 18:45 pm a.m. March März million Millionen 1/2 ½ '90 1990s er % km h Uhr century is der"
    )
    words = st.sampled_from([*forms.split(), *["(", ")", "-", "to", "2", "200", "half"]])
    source = " ".join(data.draw(st.lists(words, max_size=8)))
    kept = data.draw(st.lists(words, max_size=8))
    translation = " ".join(data.draw(st.sampled_from([kept, source.split(), [*source.split(), *kept]])))
    source, translation = to_ascii_digits(source), to_ascii_digits(translation)
    language = data.draw(st.sampled_from(["deu", "fra", "hin", "zho", "hun"]))
    if _are_same_plain(source, translation, "eng", language):
        assert _Matching(source, translation, "eng", language).compare() == Comparison()
