"""Cuts prose into sentences, and long sentences into clauses."""

from __future__ import annotations

import math
import re

from xl_suite.fidelity.words import WORD, measure

LONG_PIECE = 120  # letters; a longer sentence is cut where it has a comma, since it may hold two languages
CLAUSE = 50  # letters that each part of such a sentence has at least
LONGEST_PIECE = 1200  # characters; a longer text without any space is cut anywhere
_MARKERS = re.compile(r"[*_~|#•▪·+\\\[\]{}<>=^]+|^[\s>*+–—-]+")
STOP = re.compile(r"(?:[.;…](?<!\b[A-Z]\.)[\"'”’»)\]]*\s|[!?।॥。！？；][\"'”’»」』）)\]]*)")
_COMMA = re.compile(r"(?<=[,;:，；：、])\s*|\s+(?=[–—(])")


def cut_sentences(text: str) -> list[str]:
    parts = []
    for sentence in STOP.split(text):
        clean = " ".join(_MARKERS.sub(" ", sentence).split())
        if clean and WORD.search(clean):
            parts += split_long(clean)
    return parts


def split_long(sentence: str) -> list[str]:
    """A long sentence as parts of CLAUSE letters and more: at commas, and between words where there are too few."""
    if measure(sentence) <= LONG_PIECE:
        return [sentence]
    parts: list[str] = []
    current, size = "", 0
    for clause in _COMMA.split(sentence):
        for words in _split_words(clause):
            current = f"{current} {words}" if current else words
            size += measure(words)
            if size >= CLAUSE:
                parts.append(current)
                current, size = "", 0
    if current and parts:
        parts[-1] += " " + current
    elif current:
        parts.append(current)
    return parts


def _split_words(clause: str) -> list[str]:
    """The clause, cut between words into equal parts of at most LONG_PIECE letters, or of LONGEST_PIECE anywhere."""
    size = measure(clause)
    if size <= LONG_PIECE:
        return [clause]
    words = clause.split() if size > len(clause) or " " in clause else [clause]
    wanted = size / math.ceil(size / LONG_PIECE)
    parts, current = [], ""
    for word in words:
        current = f"{current} {word}" if current else word
        if measure(current) >= wanted:
            parts.append(current)
            current = ""
    if current:
        parts.append(current)
    return [part[i : i + LONGEST_PIECE] for part in parts for i in range(0, len(part), LONGEST_PIECE)]
