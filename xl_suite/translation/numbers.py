"""Whether a translation states the numbers, dates and times of its source, however its language writes them.

Both sides are read as values (`values`) and matched one to one. What cannot be told is flagged, never refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xl_suite.translation.conversions import is_converted
from xl_suite.translation.locales import MODEST, find_locale
from xl_suite.translation.number_words import read_months, read_words
from xl_suite.translation.values import HALF_DAY, VULGAR, Reading, Value, read_values, to_ascii_digits

_SEPARATED = re.compile(r"(?<=\d)[.,'’٫٬](?=\d)|(?<=\d)[\u0020\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_FRACTIONS = "".join(VULGAR)
_DIGIT = re.compile(rf"[0-9{_FRACTIONS}]")
_FRACTION = re.compile(rf"[{_FRACTIONS}]")
_NUMBER = re.compile(r"\d+")
# A whole number without a sign or a unit of time beside it.
_PLAIN = re.compile(r"(?<![\w.,:/'’%-])\d+(?![\w:/'’–-]|[.,]\d|[ \u00a0\u202f]?[hH点點时時年月日世])")
_GROUPED = re.compile(r"\d[ \u00a0\u202f\u2009]\d{3}(?!\d)")
# `300 km (190 miles)`: the same in another unit, which a translator may leave out.
_GLOSS_BEFORE = re.compile(r"\([^\W\d]*[^\w()]{0,3}\Z")
_GLOSS_AFTER = re.compile(r"[^()\d]{0,20}\)")
_SMALL = 12  # numbers up to it, and powers of ten, may become words that no list has
_LONG = 7  # digits of a number that a translator may group anew
_CALLED = re.compile(r"\d[\d ()/.+-]*\d")
_GROUPING = re.compile(r"[ ()/.+\u00a0-]")


@dataclass(frozen=True, slots=True)
class Comparison:
    """lost: values of the source, as written there, that the translation lacks. flags: what cannot be told, as
    `name: text of the source`; names: ambiguous_date, ambiguous_time, ambiguous_number, converted_unit."""

    lost: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def find_numbers(text: str) -> list[str]:
    """The numbers of a text as bare digits, in order: `1,000.50`, `1.000,50` and `१,०००.५०` are all `100050`."""
    return _NUMBER.findall(_SEPARATED.sub("", to_ascii_digits(text)))


def find_lost_numbers(source: str, translation: str, language: str, source_language: str = "eng") -> list[str]:
    """The values of `source` that `translation` lacks; see `compare_numbers`."""
    return list(compare_numbers(source, translation, language, source_language).lost)


def compare_numbers(source: str, translation: str, language: str, source_language: str = "eng") -> Comparison:
    """The values that a translation lost, and those of which it cannot be told.

    Allowed: the separators, digits, dates and times of the language; words for numbers; Chinese and Roman numerals;
    other scales (`1.5 million` = `150万`); `3 pm` = `15`; `1990s` = `90年代`; a number up to twelve that became a
    word which no list has, unless a number is there that the source does not have.
    language, source_language: ISO 639-3. Takes time in the product of the two numbers of values.
    """
    source = to_ascii_digits(source)
    if not _DIGIT.search(source) and not any(form in source for form in find_locale(source_language).large):
        return Comparison()
    translation = to_ascii_digits(translation)
    if _are_same_plain(source, translation, source_language, language):
        return Comparison()
    return _Matching(source, translation, source_language, language).compare()


def _are_same_plain(source: str, translation: str, source_language: str, language: str) -> bool:
    """Whether both texts have the same whole numbers in the same order, and nothing that could make others of them:
    no fractions, separators, scales (`million`), months, halves of the day. The matching would say the same at ten
    times the cost."""
    plain = _PLAIN.findall(source)
    if len(plain) != len(_NUMBER.findall(source)) or plain != _NUMBER.findall(translation):
        return False
    if len(_PLAIN.findall(translation)) != len(plain) or any(
        HALF_DAY.match(source, found.end()) for found in _NUMBER.finditer(source)
    ):
        return False
    for text, code in ((source, source_language), (translation, language)):
        if _FRACTION.search(text) or _GROUPED.search(text) or _has_scale(text, code) or read_months(text, code):
            return False
        lower = text.casefold()
        for form in find_locale(code).large:
            if form in lower:
                return False
    return True


def _has_scale(text: str, language: str) -> bool:
    scales, _ = find_locale(language).scales
    return scales is not None and any(scales.match(text, found.end()) for found in _NUMBER.finditer(text))


class _Matching:
    """The values of two texts, and which of them are matched."""

    def __init__(self, source: str, translation: str, source_language: str, language: str):
        self.source, self.translation = source, translation
        self.source_language, self.language = source_language, language
        self.wanted = read_values(source, source_language)
        if any(form in source for form in find_locale(source_language).large):  # `two million`
            self.wanted += [word for word in read_words(source, source_language) if word.power >= MODEST]
        self.found = read_values(translation, language)
        self.flags: list[str] = []

    def compare(self) -> Comparison:
        self._match()
        months, named = read_months(self.source, self.source_language), read_months(self.translation, self.language)
        self.wanted += months
        self.found += named
        if months or named:
            self._match()
        self._match_split(self.found, self.wanted)
        self._match_split(self.wanted, self.found)
        if not self.wanted:
            return self._end([])
        return self._end(self._find_lost(named))

    def _find_lost(self, named: list[Value]) -> list[Value]:
        """The values that neither digits nor words of the translation give, without those that are excused."""
        words = read_words(self.translation, self.language)
        own_words = [word for word in read_words(self.source, self.source_language) if word not in self.wanted]
        for word in list(own_words):  # a word for a word explains no digits
            if self._take(words, word):
                own_words.remove(word)
        surplus = [value for value in self.found if not self._take(own_words, value)]
        digits = any(value.readings[0][0][0] != "m" for value in surplus)
        lost = []
        for value in self.wanted:
            # Words such as articles and `second` tell nothing where a number is there that the source lacks.
            if digits or not self._take(words, value):
                lost.append(value)
        named += [word for word in words if any(reading[0][0] == "m" for reading in word.readings)]
        before = len(self.flags)
        refused = [value for value in lost if not self._is_excused(value, surplus, named)]
        if len(self.flags) > before and any(value.readings[0][0][0] != "m" for value in surplus):
            return lost  # a doubt explains one number of the translation, and another one is there
        return refused

    def _end(self, lost: Sequence[Value]) -> Comparison:
        return Comparison(tuple(dict.fromkeys(value.text for value in lost)), tuple(dict.fromkeys(self.flags)))

    def _match(self) -> None:
        """Take out the pairs that are the same, those with the same likely reading first."""
        rest = []
        for value in self.wanted:
            for other in self.found:
                if other.readings[0] == value.readings[0]:
                    self._pair(value, other)
                    break
            else:
                rest.append(value)
        self.wanted = []
        for value in rest:
            for other in self.found:
                if _share_reading(value, other):
                    self._pair(value, other)
                    break
            else:
                self.wanted.append(value)

    def _pair(self, value: Value, other: Value) -> None:
        self.found.remove(other)
        if value.doubt:
            self.flags.append(f"{value.doubt}: {value.text}")
        common = value.atoms & other.atoms
        if common and all(reading[0][0] == "T" for reading in common):
            self.flags.append(f"ambiguous_time: {value.text}")

    @staticmethod
    def _match_split(wholes: list[Value], parts: list[Value]) -> None:
        """Take out values that the other side writes in parts: `March 14, 2020` and `14.03.2020`."""
        for whole in list(wholes):
            for reading in whole.readings:
                if len(reading) < 2:
                    continue
                chosen: list[Value] = []
                for atom in reading:
                    part = next((p for p in parts if (atom,) in p.atoms and p not in chosen), None)
                    if part is None:
                        break
                    chosen.append(part)
                else:
                    wholes.remove(whole)
                    for part in chosen:
                        parts.remove(part)
                    break

    @staticmethod
    def _take(values: list[Value], wanted: Value) -> bool:
        for value in values:
            if value.atoms & wanted.atoms:
                values.remove(value)
                return True
        return False

    def _is_excused(self, value: Value, surplus: list[Value], named: Sequence[Value]) -> bool:
        """Whether a value that was not found is not a sign of a wrong translation."""
        reading = value.readings[0]
        if reading[0][0] == "m":
            return not any(reading[0][0] == "m" for other in (*surplus, *named) for reading in other.readings)
        digits = [other for other in surplus if other.readings[0][0][0] != "m"]
        for other in (*digits, *read_words(self.translation, self.language)):
            name = "converted_unit" if self._is_converted(value, other) else self._find_doubt(value, other)
            if name:
                if other in surplus:
                    surplus.remove(other)
                self.flags.append(f"{name}: {value.text}")
                return True
        if self._is_called(value):
            return True
        if digits:
            return False
        if any(_share_reading(other, value) for other in read_values(self.translation, self.language)):
            return True  # said once where the source says it twice
        if self._is_told_in_parts(value):
            return True
        if _GLOSS_BEFORE.search(self.source, max(0, value.start - 16), value.start) and (
            _GLOSS_AFTER.match(self.source, value.end)
        ):
            self.flags.append(f"converted_unit: {value.text}")
            return True
        return all(_is_small(atom) for atom in min(value.readings, key=_size)) and not value.power

    def _is_called(self, value: Value) -> bool:
        """Whether it is in a telephone number or the like, whose digits the translation groups in another way."""
        bare = ""
        for found in _CALLED.finditer(self.source):
            if found.start() <= value.start < found.end():
                bare = bare or _GROUPING.sub("", self.translation)
                digits = _GROUPING.sub("", found[0])
                return len(digits) >= _LONG and digits in bare
        return False

    def _is_converted(self, value: Value, other: Value) -> bool:
        one = (self.source, value, self.source_language)
        return is_converted(*one, self.translation, other, self.language)

    @staticmethod
    def _find_doubt(value: Value, other: Value) -> str:
        """`SS19` and `2019` may be the same year; `1,500` that is copied is another number in German."""
        if value.text == other.text:
            return "ambiguous_number"
        if value.power or other.power or other.text.isalpha():
            return ""
        short, long = sorted((value.readings[0][0], other.readings[0][0]), key=len)
        return "ambiguous_number" if len(short) == 2 and long in (f"19{short}", f"20{short}") else ""

    def _is_told_in_parts(self, value: Value) -> bool:
        """Whether words such as `half` and `quarter` may tell it: `10:30` is `halb elf`, `2.5` is `zweieinhalb`."""
        told = any(part in self.translation.casefold() for part in find_locale(self.language).parts)
        for reading in value.readings:
            if reading[0][0] == "t" and reading[0].partition(":")[2] in ("15", "30", "45") and told:
                return True
            if reading[0].endswith((".5", ".25", ".75")) and told:
                return True
        return False


def _share_reading(value: Value, other: Value) -> bool:
    """Whether two values that are written with digits may be the same: `1980s` and `1880s` share only their word."""
    return any(reading[0][0] != "w" for reading in value.atoms & other.atoms)


def _is_small(atom: str) -> bool:
    if not atom.isdigit():
        return False
    return int(atom) <= _SMALL or (atom[0] == "1" and not atom[1:].strip("0") and len(atom) < 8)


def _size(reading: Reading) -> int:
    return max((int(atom) if atom.isdigit() else 10**9 for atom in reading), default=0)
