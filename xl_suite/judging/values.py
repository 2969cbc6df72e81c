"""How a verdict's label and a score's number are written, alone or behind a word that labels them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

from xl_suite.judging.plain import normalise
from xl_suite.judging.words import list_words, match_words

TIE = "tie"

Value = TypeVar("Value", bound=str | int)
_QUOTES = " \t\"'“”„‟«»‹›「」『』《》‘’´`*_"
_STOPS = ".!。।"
_OPENING, _CLOSING = "([{", ")]}"


class Bad:
    """Something other than a value in the place of a value."""


BAD = Bad()


class Writing(Protocol[Value]):
    """How values of a kind are written.

    nouns: the roles of the words that label a value, and whether such a label counts in any place.
    """

    @property
    def nouns(self) -> Mapping[str, bool]: ...

    def read(self, text: str) -> Value | Bad | None:
        """The value if it is the whole text; BAD if the text only begins with a value; None for anything else."""

    def read_object(self, value: Any) -> Value | Bad | None:
        """The value under a known key of an object; None for prose."""

    def may_follow(self, remark: str, value: Value) -> bool:
        """Whether a remark after the value does not change it."""

    def may_stand_with_remark(self, marked: bool) -> bool:
        """Whether a line may hold a value and a remark without a label; `marked`: in double brackets."""

    def needs_label(self, line: str) -> bool:
        """Whether a line with only a value is too ambiguous inside a longer text."""

    def shorten(self, line: str) -> str:
        """A line without a word that may precede the value if both are the whole text."""


@dataclass(frozen=True)
class Label:
    """The name of one of two answers, `A` in `Assistant A` or `[[A]]`, or a tie."""

    labels: tuple[str, ...]

    @property
    def nouns(self) -> Mapping[str, bool]:
        return {"verdict": True, "answer": False}

    def read(self, text: str) -> str | Bad | None:
        marked = "[[" in text
        text = strip_around(text)
        if text.casefold() in list_words("tie"):
            return TIE
        names = {label.casefold() for label in self.labels}
        if marked and text.casefold() == "c" and names == {"a", "b"}:  # MT-Bench's third verdict
            return TIE
        label = self._label
        if marked and (sides := re.fullmatch(rf"({label})\s*(>{{1,2}}|=|<{{1,2}})\s*({label})", text, re.I)):
            first, sign, second = self._name(sides[1]), sides[2], self._name(sides[3])
            if first == second:
                return BAD
            return TIE if sign == "=" else first if sign.startswith(">") else second
        if found := self._option.fullmatch(text):
            return self._name(found[1])
        if marked and (found := re.fullmatch(rf"({label})\s*[:.)-]\s+(.*)", text, re.I)):
            return self._name(found[1]) if self.may_follow(found[2], self._name(found[1])) else BAD
        return BAD if re.match(rf"(?:{self._option.pattern})(?!\w|['’]s)", text, re.IGNORECASE) else None

    def read_object(self, value: Any) -> str | Bad | None:
        if isinstance(value, bool) or not isinstance(value, str | int):
            return BAD
        return self.read(normalise(str(value)))

    def may_follow(self, remark: str, value: str) -> bool:
        others = [label for label in self.labels if label != value]
        flags = 0 if self._cased else re.IGNORECASE
        named = any(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", remark, flags) for label in others)
        return not named and not re.search(rf"(?<!\w)(?:{match_words('tie')})(?!\w)", remark, re.IGNORECASE)

    def may_stand_with_remark(self, marked: bool) -> bool:
        return marked

    def needs_label(self, line: str) -> bool:
        return False

    def shorten(self, line: str) -> str:
        return line

    @cached_property
    def _cased(self) -> bool:
        return len({label.casefold() for label in self.labels}) < len(self.labels)

    @cached_property
    def _label(self) -> str:
        names = sorted(self.labels, key=lambda label: -len(label))
        found = "|".join(re.sub(r"(?:_|\\-|\\ )+", r"[_\\s-]?", re.escape(name)) for name in names)
        return f"(?-i:{found})" if self._cased else f"(?:{found})"

    @cached_property
    def _option(self) -> re.Pattern[str]:
        return re.compile(rf"(?:(?:{match_words('wrapper')})\s*)?[(\[\"'#]*({self._label})[)\]\"']*", re.IGNORECASE)

    def _name(self, found: str) -> str:
        def fold(label: str) -> str:
            label = re.sub(r"[_\s-]", "", label)
            return label if self._cased else label.casefold()

        return next(label for label in self.labels if fold(label) == fold(found))


@dataclass(frozen=True)
class Level:
    """A whole number of a scale: `4`, `4.0`, `4/5`, `4 points`."""

    levels: tuple[int, ...]

    @property
    def nouns(self) -> Mapping[str, bool]:
        return {"score": True}

    def read(self, text: str) -> int | Bad | None:
        text = strip_around(text)
        if found := self._number.fullmatch(text):
            value, base = (float(part.replace(",", ".")) if part else None for part in found.groups())
            fits = value in self.levels and base in (None, max(self.levels))
            return int(value) if fits and value is not None else BAD
        return BAD if re.match(r"[-+–]?\d", text) and not re.match(r"[-+–]?\d+\s+[^\W\d_]", text) else None

    def read_object(self, value: Any) -> int | Bad | None:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return BAD
        return self.read(normalise(str(value)))

    def may_follow(self, remark: str, value: int) -> bool:
        scale = rf"^(?:{match_words('out_of')})\s+{max(self.levels)}\)?$"
        return not re.search(r"\d", re.sub(scale, "", remark, flags=re.IGNORECASE))

    def may_stand_with_remark(self, marked: bool) -> bool:
        return True

    def needs_label(self, line: str) -> bool:
        """Points may belong to one mistake in a list of several."""
        return bool(re.search(rf"\d\s*(?:{match_words('points')})", line, re.IGNORECASE))

    def shorten(self, line: str) -> str:
        return re.sub(rf"^(?:{match_words('score')})\s+(?=\d)", "", line, flags=re.IGNORECASE)

    @cached_property
    def _number(self) -> re.Pattern[str]:
        number, points = r"(\d{1,4}(?:[.,]\d{1,4})?)", rf"(?:\s*(?:{match_words('points')}))?"
        base = rf"(?:\s*(?:/|(?<=\s)(?:{match_words('out_of')})\s)\s*{number}{points})?"
        return re.compile(f"{number}{points}{base}", re.IGNORECASE)


def strip_around(text: str) -> str:
    """The text without surrounding quotes, brackets and full stop, and without a copula after it.

    A bracket that closes inside the text stays, as in `[ ] A`, an unchecked box.
    """
    text = text.strip(_QUOTES).rstrip(_STOPS + _QUOTES)
    text = re.sub(rf"(?<=\S)\s*(?:{match_words('suffix')})$", "", text).rstrip(_STOPS + _QUOTES + _CLOSING)
    while text and text[0] in _OPENING and _CLOSING[_OPENING.index(text[0])] not in text:
        text = text.lstrip(text[0] + _QUOTES)
    return text
