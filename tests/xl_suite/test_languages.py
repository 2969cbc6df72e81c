from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.errors import BadInput, UnknownLanguage
from xl_suite.languages import Language, find_language, parse_languages, table

PAPER = ["deu", "por", "hun", "lit", "gle", "mlt", "zho", "hin", "fra", "fin", "tur"]


def test_the_table_begins_with_the_papers_eleven_and_ends_with_english() -> None:
    assert [language.code for language in table()][:11] == PAPER
    assert table()[-1].code == "eng"
    assert [row.code for row in table() if "m-alpacaeval" in row.benchmarks][:8] == PAPER[:8]


@pytest.mark.parametrize("language", table(), ids=lambda language: language.code)
def test_rows_agree_with_iso_and_cldr(language: Language) -> None:
    import langcodes
    from iso639 import Language as IsoLanguage

    assert IsoLanguage.from_part3(language.code).part1 == language.code2
    assert langcodes.Language.get(language.code).display_name("en") == language.name
    assert langcodes.Language.get(language.code).maximize().script == language.script
    assert language.resource in {"high", "medium", "low", "non-EU", "zero-shot", "source"}


@pytest.mark.parametrize(
    ("code", "name", "split"),
    [
        ("swe", "Swedish", "swedish"),
        ("ell", "Greek", "greek"),
        ("nob", "Norwegian Bokmål", "norwegian_bokmal"),
        ("kmr", "Northern Kurdish", "northern_kurdish"),
        ("oak", "Noakhali", "noakhali"),
    ],
)
def test_any_iso_639_3_code_works(code: str, name: str, split: str) -> None:
    language = find_language(code)
    assert (language.name, language.split) == (name, split)
    assert re.fullmatch(r"\w+", language.split)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("ger", "deu"),
        ("german", "deu"),
        ("German", "deu"),
        ("de", "deu"),
        ("zh", "zho"),
        ("fre", "fra"),
        ("irish", "gle"),
    ],
)
def test_a_wrong_code_names_the_right_one(wrong: str, meant: str) -> None:
    with pytest.raises(UnknownLanguage, match=f"{wrong!r}.*Did you mean '{meant}'"):
        find_language(wrong)


@pytest.mark.parametrize("code", ["und", "mul", "zxx", "mis", "xx", "", "../x", "qaa", "DEU "])
def test_codes_of_no_language_are_refused(code: str) -> None:
    with pytest.raises(UnknownLanguage, match="xl-suite languages"):
        find_language(code)


@given(st.text(max_size=12))
def test_any_text_is_a_language_or_a_clear_error(text: str) -> None:
    try:
        assert find_language(text).code == text
    except UnknownLanguage as error:
        assert repr(text) in str(error)


def test_parse_languages() -> None:
    assert [row.code for row in parse_languages("deu, zho", PAPER)] == ["deu", "zho"]
    assert [row.code for row in parse_languages("all", PAPER)] == PAPER
    for wrong in ("", ",", "deu,deu"):
        with pytest.raises(BadInput):
            parse_languages(wrong, PAPER)
