"""A language is read from a name only where it is sure to be meant."""

from __future__ import annotations

import pytest

from xl_instruct.corpus.file_languages import find_in_names, read_tag

SURE = {
    "fi": "fin", "deu": "deu", "x-instruction_hin": "hin", "train_de": "deu", "no_input_de": "deu", "all_de": "deu",
    "alpaca-lt-cleaned": "lit", "x_instruction_fi_10k": "fin", "swahili": "swa", "Indonesian": "ind", "cmn": "cmn",
    "en-de": "deu", "de-en": "deu", "en": "eng", "english": "eng", "deu_Latn": "deu", "yor": "yor", "gsw": "gsw",
    "th": "tha", "vi": "vie", "id": "ind", "sw": "swa", "bn": "ben", "te": "tel", "ur": "urd",
}  # fmt: skip
UNSURE = """all val dev raw mix set tmp cot train data new min part default web c4 qa haw fr-de-hi in even und zxx
my_new_set it_is_fine sft-data sorted_by_id train-00000-of-00001"""


@pytest.mark.parametrize(("name", "code"), [*SURE.items(), *((name, None) for name in UNSURE.split())])
def test_names(name: str, code: str | None) -> None:
    found = find_in_names([name])
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("name", "code", "variant", "english"),
    [
        ("pt-BR", "por", "pt-BR", "Portuguese (Brazil)"),
        ("pt-br", "por", "pt-BR", "Portuguese (Brazil)"),
        ("zh-Hant", "zho", "zh-Hant", "Chinese (Traditional)"),
        ("zh_Hans", "zho", "", "Chinese"),
        ("alpaca-pt-BR-cleaned", "por", "pt-BR", "Portuguese (Brazil)"),
        ("sft_zho_Hant", "zho", "zh-Hant", "Chinese (Traditional)"),
        ("fr-CA", "fra", "fr-CA", "French (Canada)"),
    ],
)
def test_countries_and_scripts_are_kept(name: str, code: str, variant: str, english: str) -> None:
    found = find_in_names([name])
    assert found is not None
    assert (found.code, found.variant, found.name) == (code, variant, english)


def test_what_was_asked_for_counts_as_a_word_too() -> None:
    found = find_in_names(["x_instruction_id"], ["ind"])
    assert found is not None
    assert found.code == "ind"
    assert find_in_names(["x_instruction_id"]) is None
    assert find_in_names(["fr-de-hi"], ["hin"]) == read_tag("hin")
    assert find_in_names(["fr-ca"]) is None  # French and Catalan, or French of Canada
    assert find_in_names(["all"], ["all"]) is None


def test_folders_and_configs_come_after_the_name() -> None:
    assert find_in_names(["train-00000-of-00001", "fi", "data"]) == read_tag("fin")
    assert find_in_names(["all", "tr", "deu"]) == read_tag("tur")


def test_columns() -> None:
    for text, code in (("Standard Arabic", "arb"), ("Yoruba", "yor"), ("zho_Hant", "zho"), (" de ", "deu")):
        found = read_tag(text)
        assert found is not None
        assert found.code == code
    assert read_tag("Male") is None
    assert read_tag("") is None
