"""Every planted prompt is found, and nothing where none is."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from xl_instruct.corpus.decontamination import Decontaminator
from xl_instruct.corpus.words import split_words
from xl_suite.errors import BadInput

CHANGES: dict[str, Callable[[str], str]] = {
    "verbatim": str,
    "upper case": str.upper,
    "swapped case": str.swapcase,
    "no punctuation": lambda text: re.sub(r"[^\w\s]|_", "", text),
    "punctuation as spaces": lambda text: re.sub(r"[^\w\s]|_", " ", text),
    "more punctuation": lambda text: re.sub(r"\s+", " -- ", text) + "?!",
    "line breaks": lambda text: re.sub(r"\s+", " \r\n\t", text.strip()),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "zero width": lambda text: text.replace("e", "e\u200b").replace("a", "\u00ada"),
}


@pytest.fixture(scope="module")
def prompts(shared_data: Path) -> list[tuple[int, str]]:
    rows = json.loads((shared_data / "alpaca_eval/alpaca_eval.json").read_text(encoding="utf-8"))
    return [(number, row["instruction"]) for number, row in enumerate(rows, start=1)]


@pytest.fixture(scope="module")
def benchmark(prompts: list[tuple[int, str]]) -> Decontaminator:
    return Decontaminator(prompts)


@pytest.fixture(scope="module")
def clean(shared_data: Path) -> list[str]:
    return (shared_data / "udhr/eng.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("change", CHANGES)
def test_all_planted_prompts_are_found(
    benchmark: Decontaminator, prompts: list[tuple[int, str]], clean: list[str], change: str
) -> None:
    assert len(prompts) == 805
    draw = random.Random(1)
    missed = []
    for number, prompt in prompts:
        before, after = draw.choice(clean), draw.choice(clean)
        if benchmark.find(f"{before} {CHANGES[change](prompt)} {after}") is None:
            missed.append(number)
    assert missed == []


def test_unrelated_text_is_clean(benchmark: Decontaminator, shared_data: Path) -> None:
    for path in (shared_data / "udhr").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert [benchmark.find(line) for line in [text, *text.splitlines()] if benchmark.find(line)] == []


def test_real_answers_overlap_only_with_their_own_prompts(benchmark: Decontaminator, shared_data: Path) -> None:
    """GPT-4 repeats the words of what it answers in 39 of 805 answers; no answer is taken for another's prompt."""
    path = shared_data / "alpaca_eval/results/gpt4_1106_preview/model_outputs.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    found = {number: benchmark.find(row["output"]) for number, row in enumerate(rows, start=1)}
    overlaps = {number: overlap for number, overlap in found.items() if overlap}
    assert all(number == overlap.prompt_id for number, overlap in overlaps.items())
    assert Counter(overlap.reason for overlap in overlaps.values()) == {"5-grams": 19, "13-gram": 17, "contained": 3}


LONG = "Please tell me in a few words how the people of the old town bake their bread"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("They said: tell me, in a FEW words, how the people of the old town ate.", "13-gram"),
        ("Tell me how the people of the old town bake their bread.", None),
        ("First: why is the sky over the sea so blue? Then more.", "contained"),
        ("First: why is the sky over the sea so very blue? Then more.", "5-grams"),
        ("The sky is blue. Why?", None),
        ("So write 'test' here.", "contained"),
        ("So write tests here.", None),
        ("Overwrite test files.", None),
        ("", None),
        ("\ud800\0", None),
    ],
)
def test_reasons(text: str, reason: str | None) -> None:
    found = Decontaminator([(1, LONG), (2, "Why is the sky over the sea so blue?"), (3, 'Write "Test"')]).find(text)
    assert (found and found.reason) == reason


def test_words_are_alike_whatever_their_form() -> None:
    plain = ["cafe", "strasse", "fi", "5", "x"]
    for text in ("Café STRASSE fi 5 x", "cafe\u0301, straße;\u00a0ﬁ ５_x", "ca\u00adfe\u0301 stra\u200bsse\nfi-5 X"):
        assert split_words(text) == plain


def test_no_prompts() -> None:
    with pytest.raises(BadInput, match="no prompts"):
        Decontaminator([(1, " !? ")])
