"""Rows and tables of XL-AlpacaEval: what a row is made of, and what it does not depend on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_alpacaeval.rows import (
    VARIANTS,
    Expectation,
    build_rows,
    edit_prompt,
    edits,
    excluded_ids,
    exclusions,
    expectations,
    expected_language,
)
from xl_alpacaeval.sources import pinned_digests, read_source
from xl_suite.errors import BadInput, UnknownLanguage
from xl_suite.languages import find_language
from xl_suite.records import Prompt
from xl_suite.templates import SEPARATOR, draw_template, templates

ids = st.integers(min_value=1, max_value=2000)
prompts = st.lists(st.builds(Prompt, ids, st.just("own"), st.text(min_size=1)), unique_by=lambda prompt: prompt.id)


def test_a_row_is_prompt_separator_template() -> None:
    (row,) = build_rows([Prompt(7, "own", "Why do bicycles stay upright? \n")], "deu", seed=3)
    assert row.template == draw_template(3, 7).fill("German")
    assert row.instruction == "Why do bicycles stay upright?" + SEPARATOR + row.template
    assert row.prompt == "Why do bicycles stay upright? \n"
    assert (row.id, row.dataset, row.language, row.expected) == (7, "own", "deu", "target")


def test_english_has_no_template() -> None:
    (row,) = build_rows([Prompt(7, "own", "Why do bicycles stay upright?")], "eng")
    assert (row.instruction, row.template) == ("Why do bicycles stay upright?", "")


@given(prompts, st.integers(), st.sampled_from(["deu", "zho", "swe"]))
def test_a_row_depends_on_its_own_prompt_language_and_seed_alone(some: list[Prompt], seed: int, code: str) -> None:
    together = build_rows(some, code, seed=seed)
    alone = [row for prompt in some for row in build_rows([prompt], code, seed=seed)]
    assert together == alone
    by_strict = {row.id: row for row in build_rows(some, code, seed=seed, variant="strict")}
    assert by_strict == {row.id: row for row in together if row.id not in excluded_ids("strict")}
    english_name = find_language(code).name
    assert [row.template for row in together] == [draw_template(seed, row.id).fill(english_name) for row in together]


@given(st.integers(), ids)
def test_a_template_is_one_of_the_twelve_and_stays(seed: int, prompt_id: int) -> None:
    assert draw_template(seed, prompt_id) in templates()
    assert draw_template(seed, prompt_id) == draw_template(seed, prompt_id)


def test_draws_are_pinned_and_spread() -> None:
    """A changed draw would change every published row, so a few are fixed here."""
    assert [draw_template(0, number).id for number in (1, 2, 3, 249, 805)] == [
        "produce-an-answer-language",
        "please-write",
        "produce-an-answer",
        "please-write",
        "produce-an-answer-language",
    ]
    drawn = [draw_template(0, number).id for number in range(1, 806)]
    assert all(40 <= drawn.count(template.id) <= 100 for template in templates())
    assert drawn != [draw_template(1, number).id for number in range(1, 806)]


def test_twelve_templates_the_six_of_the_paper_with_and_without_the_word_language() -> None:
    texts = {template.text for template in templates()}
    assert len(texts) == len({template.id for template in templates()}) == 12
    for text in texts:
        assert text.count("{language}") == 1
        twin = text.removesuffix(" language") if text.endswith(" language") else text + " language"
        assert twin in texts


def test_the_ten_of_table_4_and_which_variant_drops_them() -> None:
    assert [row.id for row in exclusions()] == [183, 200, 350, 458, 476, 495, 635, 662, 663, 714]
    assert all(set(row.variants) <= set(VARIANTS) and "strict" in row.variants and row.reason for row in exclusions())
    assert excluded_ids("strict") - excluded_ids("release") == {200, 458}
    assert 805 - len(excluded_ids("release")) == 797
    with pytest.raises(BadInput, match="'both' is not a variant"):
        excluded_ids("both")


def test_prompts_that_ask_for_english_ask_for_the_language() -> None:
    german = find_language("deu")
    assert edit_prompt(Prompt(249, "own", "A book.\nAnswer in English."), german) == "A book.\nAnswer in German."
    assert edit_prompt(Prompt(250, "own", "Answer in English."), german) == "Answer in English."
    assert edit_prompt(Prompt(249, "own", "English and English"), german) == "English and English"
    for row in edits():
        assert "{language}" in row.replace
        assert row.find.casefold() == "english"
        assert row.reason


@pytest.mark.parametrize("row", expectations(), ids=lambda row: str(row.id))
def test_every_expectation_has_a_form_and_a_reason(row: Expectation) -> None:
    assert 1 <= row.id <= 805
    assert row.reason
    if row.expected != "any":
        found = re.fullmatch(r"other:([a-z]{3})", row.expected)
        assert found
        find_language(found[1])


def test_tables_are_in_order_without_doubles() -> None:
    for table in (exclusions(), edits(), expectations()):
        numbers = [row.id for row in table]  # type: ignore[attr-defined]
        assert numbers == sorted(set(numbers))
    assert sorted(pinned_digests().values()) == list(range(1, 806))
    assert all(re.fullmatch("[0-9a-f]{8}", digest) for digest in pinned_digests())
    assert not {row.id for row in expectations()} & excluded_ids("release")


def test_what_the_paper_and_the_prompts_settle_is_expected_so() -> None:
    assert {n: expected_language(n) for n in (574, 598, 684, 705, 1, 249)} == {
        574: "other:fra",
        598: "other:fra",
        684: "any",
        705: "any",
        1: "target",
        249: "target",
    }


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(UnknownLanguage, match="'ger' is not an ISO"):
        build_rows([Prompt(1, "own", "Hello")], "ger")


def test_the_real_prompts_give_797_and_795_and_take_every_edit(alpaca_eval: Path) -> None:
    source = read_source(str(alpaca_eval))
    assert len(build_rows(source.prompts, "deu")) == 797
    assert len(build_rows(source.prompts, "deu", variant="strict")) == 795
    by_id = {prompt.id: prompt for prompt in source.prompts}
    for edit in edits():
        assert by_id[edit.id].instruction.count(edit.find) == 1
        assert "Maltese" in edit_prompt(by_id[edit.id], find_language("mlt"))
    assert by_id[183].instruction.startswith("Write a story about Anakin")
    untouched = {row.id for row in build_rows(source.prompts, "deu") if row.prompt == by_id[row.id].instruction}
    assert untouched == set(by_id) - excluded_ids("release") - {139, 249, 274}
