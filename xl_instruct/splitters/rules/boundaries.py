"""Where sentences end: rules with data per language (abbreviations.tsv) that correct a splitter's boundaries.

A rule decides only where it can tell; elsewhere the splitter's own decision holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from xl_suite.languages import table
from xl_suite.tables import read_table


@dataclass(frozen=True, slots=True)
class AbbreviationRow:
    """A row of abbreviations.tsv; `mul` holds for every language. Abbreviations are in lower case, without last stop.

    ordinals: 1 where a full stop after a number makes it an ordinal. open: abbreviations that end no sentence.
    numbered: those that a number follows. ends: those that may end a sentence before any capital (`etc.`). units:
    those that may, but that a name may follow as well (`2 oz. Parmesan`). words: whole words that splitters take for
    abbreviations. starters: words that have a capital only where a sentence begins. names: weekdays, months and the
    like that go on after `ends` (`9 a.m. Monday`). saying: verbs that, after a quotation, belong to its sentence.
    """

    language: str
    ordinals: int
    open: tuple[str, ...]
    numbered: tuple[str, ...]
    ends: tuple[str, ...]
    units: tuple[str, ...]
    words: tuple[str, ...]
    starters: tuple[str, ...]
    names: tuple[str, ...]
    saying: tuple[str, ...]


_QUOTES = "\"”’»«“'」』"
_CLOSERS = rf"{_QUOTES}）)\]》*_~"
# A mark that may end a sentence, the signs that close after it, and the space before what follows; Chinese has none.
_MARK = re.compile(
    rf"(?<![.!?…。！？｡।॥])([.!?…。！？｡।॥]++)([{_CLOSERS}]*+(?:[ \u00a0\u202f]»(?=\s)[{_CLOSERS}]*+)?+)"
    r"(?:\s+|(?<=[。！？”’」』）》*])(?=\S))"
)
_NEXT = re.compile(r"[\"“”„«‘’'(\[（「『《*_~¿¡–—-]*[ \u00a0]?([^\W\d_]+['’-]?|\d+)?")
_WORD = re.compile(r"[^\s\"“”„«»‘'(\[（「『《*_~/–—\u3040-\u9fff]+\Z")
_USUAL = re.compile(r"(?<![^ ])[a-z]{4,}\Z")  # a whole word as most sentences end with
_SPACED_INITIALS = re.compile(r"(?:(?<!\w)[^\W\d_]\. ?)+[^\W\d_]\Z")
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.[ -]?)*[^\W\d_]{1,2}\Z")
_ROMAN = re.compile(r"[IVXLC]+\Z")
_ORDINAL = re.compile(r"\d{1,2}\Z|\d{1,2}\.\d{1,2}\Z|[IVXLC]+\Z")
_GOES_ON = frozenset(",;:，、；：")
_REACH = 40  # characters before a mark in which its word and the one before it are looked for
_SAID = 60  # characters after a quotation in which its verb of saying is looked for
_LONG = 4  # letters of a word in lower case that is taken for no abbreviation unless the table has it
_SHORT = 3  # code points of an abbreviation in Devanagari at most


class Rules:
    """The row of a language together with that of `mul`."""

    def __init__(self, row: AbbreviationRow, shared: AbbreviationRow):
        self.ordinals = bool(row.ordinals)
        self.full = row is not shared
        self.words, self.starters, self.names = map(frozenset, (row.words, row.starters, row.names))
        own = {*row.open, *row.ends, *row.units, *row.words}  # what a language says of a word beats the common row
        self.open, self.ends, self.units = (
            frozenset(named) | (frozenset(common) - own)
            for named, common in ((row.open, shared.open), (row.ends, shared.ends), (row.units, shared.units))
        )
        self.numbered = frozenset((*row.numbered, *shared.numbered))
        self.listed = self.open | self.numbered | self.ends | self.units
        self.saying = row.saying

    def is_end(self, text: str, found: re.Match[str], own: bool, casual: bool, begin: int) -> bool:
        """Whether a sentence ends with the mark that `found` (of `_MARK`) is.

        own: the splitter's decision. casual: whether the text has no capitals. begin: where its sentence begins.
        """
        mark, closers = found.groups()
        start = found.start()
        if own and mark == "." and not closers and text[found.end()].isupper():
            usual = _USUAL.search(text, max(0, start - _REACH), start)
            if usual and usual[0] not in self.listed:
                return True
        following = _NEXT.match(text, found.end())
        word = (following[1] if following else "") or ""
        quoted = any(sign in _QUOTES for sign in closers) and _find_first(text, begin) in tuple("\"“„«»'‘「『”")
        if text[found.end()] in _GOES_ON or (quoted and mark[-1] in "!?！？。" and self._is_said(text, found.end())):
            return False
        if mark[0] in "。！？｡।॥":
            return True
        if mark == ".":
            return self._is_stop(text, found, following, own, casual, begin)
        if word[:1].islower() and not casual:
            return own and not word.islower()
        if text[start - 1 : start] in tuple("(["):
            return own
        if mark[-1] in "!?":
            return own or word[:1].isupper() or word[:1].isdigit()
        return word[:1].isupper() and word.strip("'’") != "I" and (own or self._begins(text, following))

    def _is_stop(
        self, text: str, found: re.Match[str], following: re.Match[str] | None, own: bool, casual: bool, begin: int
    ) -> bool:
        start = found.start()
        word = (following[1] if following else "") or ""
        head = text[max(begin, start - _REACH) : start]
        last = _WORD.search(head)
        if not last:
            return own
        raw = last[0]
        spaced = _SPACED_INITIALS.search(head) if len(raw) == 1 else None
        token = (spaced[0].replace(" ", "") if spaced else raw).casefold()
        tokens = {token, token.rpartition("-")[2]}
        upper, digit = word[:1].isupper(), word[:1].isdigit()
        starter = self._begins(text, following)
        if tokens & self.words:
            return own or upper
        if tokens & self.open:
            return False
        if word[:1].islower() and not casual:
            return own and not word.islower()
        initials = bool(_INITIALS.match(spaced[0] if spaced else raw)) and (
            "." in token or (len(raw) == 1 and raw.isupper())
        )
        known = tokens & self.listed
        if ")" in found[2] and head[last.start() - 1 : last.start()] == "(" and raw.islower():
            return False  # a word alone in brackets: `(n.)`
        if (known or initials) and ")" in found[2] and _find_first(text, begin) != "(":
            return False
        whole = self.full and raw.isalpha() and raw.islower() and len(raw) >= _LONG  # no abbreviation is missing
        if digit:
            return (own or whole) and not known
        if tokens & self.numbered and _ROMAN.match(word):
            return False
        if tokens & self.ends:
            return own if not upper else word not in self.names
        if tokens & self.units:
            return starter or (own and not upper and not word[:1].islower())
        if raw.replace(".", "").isdigit() and not head[: last.start()].strip(" *_("):
            return False  # the number of a list item
        if self.ordinals and _ORDINAL.match(raw) and head[last.start() - 1 : last.start()] not in tuple("–—/"):
            before = _WORD.search(head[: last.start()].rstrip(" ."))
            counted = before is not None and before[0].casefold() in self.numbered
            return starter or (counted and upper and word not in self.names)
        if initials:
            return starter
        if "\u0900" <= raw[0] <= "\u097f" and max(map(len, raw.split("."))) <= _SHORT:
            return False
        return own or starter or (upper and (whole or raw.isdigit() or bool(found[2])))

    def _begins(self, text: str, following: re.Match[str] | None) -> bool:
        """Whether a word comes that only the beginning of a sentence gives a capital."""
        if following is None or not following[1]:
            return False
        word = following[1]
        if len(word) == 1 and text[following.end() : following.end() + 1] == ".":
            return False  # an initial
        return word in self.starters or word.rstrip("'’-") in self.starters

    def _is_said(self, text: str, start: int) -> bool:
        if not self.saying:
            return False
        clause = re.split("[,.;，。！？।]", text[start : start + _SAID], maxsplit=1)[0]
        words = clause.split()[:6] if " " in clause else [clause[:10]]
        return any(verb == word or (len(words) == 1 and verb in word) for word in words for verb in self.saying)


@cache
def find_rules(language: str) -> Rules:
    """The rules of an ISO 639-1 or 639-3 code; those that hold for every language where the table lacks it."""
    rows = {row.language: row for row in read_table(__package__, "abbreviations.tsv", AbbreviationRow)}
    code = next((known.code for known in table() if language in (known.code, known.code2)), language)
    return Rules(rows.get(code, rows["mul"]), rows["mul"])


def correct_boundaries(text: str, ends: Iterable[int], language: str) -> list[int]:
    """The ends of the sentences of `text` in order, given those of a splitter; the last is the text's length.

    language: ISO 639-1 or 639-3. A sentence includes the space that follows it.
    """
    size = len(text)
    given = [place for end in ends if (place := _place(text, end)) and place < size]
    last = [size] if size else []
    found = _MARK.search(text)
    if not found or found.end() == size:
        return given + last
    rules = find_rules(language)
    casual = text.islower()
    kept: list[int] = []
    place = begin = 0
    while found and found.end() < size:
        start, end = found.span()
        while place < len(given) and given[place] <= start:
            kept.append(given[place])
            place += 1
        own = place < len(given) and given[place] <= end
        while place < len(given) and given[place] <= end:
            place += 1
        if rules.is_end(text, found, own, casual, begin):
            kept.append(end)
            begin = end
        found = _MARK.search(text, end)
    return kept + given[place:] + last


def _find_first(text: str, begin: int) -> str:
    """The first character from `begin` on that is not a space."""
    while begin < len(text) and text[begin].isspace():
        begin += 1
    return text[begin : begin + 1]


def _place(text: str, end: int) -> int:
    """A splitter's boundary; 0 where it lies within a word, and moved before an opening quotation mark."""
    if not 1 < end < len(text) or text[end - 1].isspace():
        return end
    before, after = text[end - 1], text[end]
    if before in ".!?" and (after.isalnum() or after in "-–°ª/,;:@&"):
        return 0  # `J.|-C.`, `n.|º`, `.|NET`
    if before in "\"'”’“„«" and text[end - 2].isspace() and after.isalnum():
        return end - 1
    return end
