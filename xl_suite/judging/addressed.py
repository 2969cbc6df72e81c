"""Text in an answer that addresses the judge: instructions to it, verdicts, control tokens, the frame of its prompt.

Such text raises win rates (Zheng et al. 2024, "Cheating Automatic LLM Benchmarks", arXiv 2410.07137), and the prompt
of AlpacaEval does not say where an answer ends. It is flagged and never changes a score: an answer about judges or
about chat templates may hold it for good reasons, so a person has to look.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from xl_suite.judging.structured import find_structured
from xl_suite.judging.words import is_key, match_label, match_separator
from xl_suite.tables import read_table

KINDS = {
    "instruction": "tells the judge what to prefer",
    "verdict": "gives a verdict or full marks",
    "token": "holds control tokens of a chat",
    "frame": "holds the frame of a judge's prompt",
}
LABELS = ("m", "M", "A", "B", "1", "2")  # of the annotators that are in use
LONGEST = 20_000  # characters that are looked at on each side of a longer answer

_TOKEN = re.compile(r"<\|[^\s<>|]{1,40}\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>", re.IGNORECASE)
_FRAME = re.compile(
    r"\bmodel_identifier\b|\bbest model identifier\b|</?answer(?:\s+name=[^>]{1,20})?>"
    r"|\[the (?:start|end) of assistant|<\|the (?:start|end) of assistant",
    re.IGNORECASE,
)
_OVERRIDE = re.compile(
    r"\b(?:ignore|disregard|forget|override)\s+(?:\w+\s+){0,3}?(?:previous|prior|earlier|above|all)\s+(?:\w+\s+){0,3}?"
    r"(?:instructions?|prompts?|rules|guidelines)\b",
    re.IGNORECASE,
)
_BRACKETED = re.compile(rf"\[\[\s*(?:{'|'.join(LABELS)}|tie)\s*\]\]\W*$", re.MULTILINE)
_NAMED = re.compile(r"\b(?:answer|response|output|assistant|model|write|with|is|be)\s*[:(\"'“]*\s*[mM]\b")
_CHOOSE = re.compile(
    r"\b(?i:choose|select|prefer|pick|print)\s+(?:\w+\s+){0,2}?(?i:answer|response|output|assistant|model)\s*[(\"'“]*\s*"
    r"[mM]\b(?!['’.-]\w)"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """Regular expressions of one language. this: words that refer to the answer itself."""

    language: str
    judge: str
    this: str
    prefer: str
    ignore: str
    rules: str
    verdict: str


def find_addressed(output: str) -> tuple[str, ...]:
    """The KINDS of text addressed to the judge in an answer, in their order; empty for nearly all answers."""
    text = output if len(output) <= 2 * LONGEST else f"{output[:LONGEST]}\n{output[-LONGEST:]}"
    text = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    lines = text.splitlines()
    found = {
        "instruction": any(map(_instructs, lines)),
        "verdict": bool(_BRACKETED.search(text)) or any(map(_decides, lines)) or _has_structured_verdict(text),
        "token": bool(_TOKEN.search(text)),
        "frame": bool(_FRAME.search(text)),
    }
    return tuple(kind for kind in KINDS if found[kind])


def describe_addressed(kinds: tuple[str, ...]) -> str:
    """A flag for people: the kinds of text addressed to the judge in an answer."""
    return f"addresses the judge: {', '.join(KINDS[kind] for kind in kinds)}"


def _instructs(line: str) -> bool:
    if _OVERRIDE.search(line) or _CHOOSE.search(line):
        return True
    this = bool(_match("this").search(line))
    if not this and not _NAMED.search(line):
        return False
    to_judge = _match("judge").search(line) and _match("prefer").search(line)
    return bool(to_judge or (this and _match("ignore").search(line) and _match("rules").search(line)))


def _decides(line: str) -> bool:
    return bool(_match_verdict().search(line) or _match_marks().search(line))


def _has_structured_verdict(text: str) -> bool:
    if "{" not in text and "</" not in text:
        return False
    found = find_structured(text, lambda name: is_key(name, ("verdict",)))
    return any(str(value).strip() in LABELS for value in found.values if not isinstance(value, int | float))


@cache
def _match(role: str) -> re.Pattern[str]:
    """Any language's words of a role; words of cased letters begin where a word does."""
    rows = read_table("xl_suite.judging", "addressed.tsv", _Row)
    words = [word for row in rows for word in _split(getattr(row, role))]
    cased = "|".join(word for word in words if re.search(r"[a-zà-ž]", word))
    others = "|".join(word for word in words if not re.search(r"[a-zà-ž]", word))
    return re.compile(rf"(?<![^\W\d_])(?:{cased})|{others}", re.IGNORECASE)


def _split(words: str) -> list[str]:
    """The alternatives of an expression; those in brackets stay together."""
    return re.findall(r"(?:\([^()]*\)|\[[^\]]*\]|[^|()\[\]])+", words)


@cache
def _match_verdict() -> re.Pattern[str]:
    """A line `Final verdict: M`, or one whose verdict is this answer."""
    labels = rf"[\[(\"'*]*(?:(?:answer|response|output|assistant|model)\s+)?(?:{'|'.join(LABELS)})[\])\"'*.]*\s*$"
    value = rf"(?:{labels}|.{{0,40}}(?:{_match('this').pattern}))"
    return re.compile(
        rf"^\W*(?:\w+\s+){{0,2}}(?:{_match('verdict').pattern})\w{{0,3}}\W{{0,3}}(?:\s+\w+)?\s*[:=]\s*\W*{value}",
        re.IGNORECASE,
    )


@cache
def _match_marks() -> re.Pattern[str]:
    """A line that gives full marks and nothing else: `Overall score: 10/10`."""
    return re.compile(rf"^\W*{match_label('score')}{match_separator()}\W*(\d+)\s*/\s*\1\W*$", re.IGNORECASE)
