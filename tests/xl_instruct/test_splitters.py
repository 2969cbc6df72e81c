"""Splitters give every character back."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from xl_instruct.splitters import check_join, list_splitters, load_splitter
from xl_suite.errors import BadInput, MissingExtra, ModelUnavailable


def test_names() -> None:
    assert {"sat", "sentencex"} <= set(list_splitters())
    with pytest.raises(BadInput, match=r"'nltk' is not a sentence splitter. Valid: .*sat, sentencex"):
        load_splitter("nltk")
    with pytest.raises(BadInput, match=r"splitter 'sentencex'.*model"):
        load_splitter("sentencex", model="x")


@pytest.mark.parametrize(
    ("language", "text", "pieces"),
    [
        ("en", "Dr. Smith left.  He ran!", ["Dr. Smith left.  ", "He ran!"]),
        ("de", "Am 3. Oktober war es z.B. kalt. Ja.", ["Am 3. Oktober war es z.B. kalt. ", "Ja."]),
        ("zh", "他去了。她走了！", ["他去了。", "她走了！"]),
        ("en", "One \ud800. Two \udfff!", ["One \ud800. ", "Two \udfff!"]),
        ("mlt", "", []),
    ],
)
def test_sentencex(language: str, text: str, pieces: list[str]) -> None:
    assert load_splitter("sentencex")(text, language) == pieces


@settings(max_examples=examples(200))
@given(st.text(st.one_of(st.sampled_from("aA.! \n\r。\0"), st.characters(), st.characters(categories=["Cs"]))))
def test_sentencex_joins_back(text: str) -> None:
    assert "".join(load_splitter("sentencex")(text, "en")) == text


@pytest.mark.parametrize("sentence", ["他去了。", "It is so. ", "x" * 9999 + "! "])
def test_sentencex_windows_lose_no_boundary(sentence: str) -> None:
    number = 50_000 // len(sentence)
    assert load_splitter("sentencex")(sentence * number, "en") == [sentence] * number


def test_check_join_names_the_place() -> None:
    with pytest.raises(BadInput, match=r"'sat' changed the text at character 2: '\\nb' became 'b'"):
        check_join("sat", "a.\nb", ["a.", "b"])


class FakeSat:
    made: tuple[str, dict[str, Any]] = ("", {})

    def __init__(self, model: str, **options: Any):
        if model == "absent":
            raise OSError("no such model")
        type(self).made = (model, options)

    def split(self, text: str, split_on_input_newlines: bool = True, **options: Any) -> list[str]:
        text.encode()
        return text.splitlines(keepends=not split_on_input_newlines)


def test_sat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Against a stand-in for wtpsplit that drops newlines by default, as wtpsplit does."""
    module = types.ModuleType("wtpsplit")
    module.SaT = FakeSat  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wtpsplit", module)
    assert load_splitter("sat")("One.\nTwo.", "en") == ["One.\n", "Two."]
    assert FakeSat.made == ("sat-3l-sm", {})
    assert load_splitter("sat")("One \ud800.\nTwo.", "en") == ["One \ud800.\n", "Two."]
    assert load_splitter("sat", model=str(tmp_path))(" \n", "en") == [" \n"]
    assert FakeSat.made == (str(tmp_path), {"tokenizer_name_or_path": str(tmp_path)})
    with pytest.raises(ModelUnavailable, match="'absent' could not be loaded: no such model"):
        load_splitter("sat", model="absent")
    with pytest.raises(ModelUnavailable, match=r"'\./absent' is not a folder"):
        load_splitter("sat", model="./absent")


def test_sat_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wtpsplit", None)
    with pytest.raises(MissingExtra, match=r"xl-suite\[sat\]"):
        load_splitter("sat")
