"""Why a web page makes no passage: each check gives the name of a reason."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

from xl_suite.fidelity import judge_language
from xl_suite.markdown.blocks import split_blocks
from xl_suite.tables import read_table

REASONS = {
    "no_text": "the text is missing, empty or no string",
    "broken_text": "holds a NUL, a lone surrogate or replacement characters",
    "too_short": "fewer words than `least_words`",
    "too_long": "more words than `most_words`",
    "no_prose": "words, symbols, lines or stop words as running text does not have them (Rae et al. 2021, table A1)",
    "repetitive": "lines that repeat one another (Rae et al. 2021, table A1)",
    "boilerplate": "menus, notices of cookies and rights, placeholder text (boilerplate.tsv)",
    "not_english": "the language is another, or cannot be told (xl_suite.fidelity)",
    "duplicate": "the same words were seen before (case, punctuation, Unicode form and tags do not count)",
    "near_duplicate": "most of its runs of five words are those of a passage that is kept",
    "not_sampled": "drawn against",
    "bad_line": "not a row: no JSON object, or without the columns",
}


@dataclass(frozen=True, slots=True)
class PassageLimits:
    """What a passage may be. The defaults are of the Gopher rules (Rae et al. 2021, table A1) where these have them.

    most_words: ours (Gopher's 100,000 is for pre-training): a response of 2,048 tokens, the paper's limit (section
    3), must hold the passage. boilerplate: share of the characters in lines with a phrase of boilerplate.tsv; ours.
    near: Jaccard similarity of runs of five words from which two passages are near duplicates (Lee et al. 2022).
    """

    least_words: int = 50
    most_words: int = 1000
    mean_word_length: tuple[float, float] = (3.0, 10.0)
    symbols_per_word: float = 0.1
    alphabetic_words: float = 0.8
    stop_words: int = 2
    bullet_lines: float = 0.9
    ellipsis_lines: float = 0.3
    repeated_lines: float = 0.3
    repeated_characters: float = 0.2
    boilerplate: float = 0.3
    language: str = "eng"
    near: float = 0.8


@dataclass(frozen=True, slots=True)
class _Phrase:
    phrase: str
    source: str


_BROKEN = re.compile("[\0\ufffd\ud800-\udfff]")
# Rae et al. 2021, appendix A.1.1.
_STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})


def check_form(text: object, limits: PassageLimits) -> str | None:
    """The reason why a text makes no passage, by its form alone; None where nothing speaks against it."""
    if not isinstance(text, str) or not text.strip():
        return "no_text"
    if _BROKEN.search(text):
        return "broken_text"
    words = text.split()
    if len(words) < limits.least_words:
        return "too_short"
    if len(words) > limits.most_words:
        return "too_long"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not _is_prose(text, words, lines, limits):
        return "no_prose"
    if _repeats(lines, limits):
        return "repetitive"
    if _is_boilerplate(lines, limits):
        return "boilerplate"
    return None


def check_language(text: str, limits: PassageLimits) -> str | None:
    return None if judge_language(text, limits.language).verdict == "right" else "not_english"


def _is_prose(text: str, words: list[str], lines: list[str], limits: PassageLimits) -> bool:
    shortest, longest = limits.mean_word_length
    # A short passage with code in a fence is as good as one without: the fence is not prose to judge.
    prose = (text[block.start : block.end] for block in split_blocks(text) if block.kind != "fence")
    outside = "".join(prose).split() or words
    if not shortest <= sum(map(len, outside)) / len(outside) <= longest:
        return False
    signs = text.count("#") + text.count("...") + text.count("…")
    if signs > limits.symbols_per_word * len(words):
        return False
    if sum(any(map(str.isalpha, word)) for word in outside) < limits.alphabetic_words * len(outside):
        return False
    bullets = sum(line[0] in "•‣-*●▪" and line[:2] != "**" for line in lines)
    ellipses = sum(line.endswith(("...", "…")) for line in lines)
    if bullets > limits.bullet_lines * len(lines) or ellipses > limits.ellipsis_lines * len(lines):
        return False
    if limits.language != "eng":
        return True
    return sum(word.lower() in _STOP_WORDS for word in words) >= limits.stop_words


def _repeats(lines: list[str], limits: PassageLimits) -> bool:
    prose = [line for line in lines if any(map(str.isalnum, line))]
    extra = [(line, count - 1) for line, count in Counter(prose).items() if count > 1]
    repeated = sum(count for _, count in extra)
    characters = sum(len(line) * count for line, count in extra)
    total = sum(map(len, prose))
    return repeated > limits.repeated_lines * len(prose) or characters > limits.repeated_characters * total


def _is_boilerplate(lines: list[str], limits: PassageLimits) -> bool:
    hit = sum(len(line) for line in lines if _phrases().search(line))
    return hit > limits.boilerplate * sum(map(len, lines)) or any("lorem ipsum" in line.lower() for line in lines)


@cache
def _phrases() -> re.Pattern[str]:
    rows = read_table("xl_instruct.corpus", "boilerplate.tsv", _Phrase)
    return re.compile("|".join(rf"\b{re.escape(row.phrase)}\b" for row in rows), re.IGNORECASE)
