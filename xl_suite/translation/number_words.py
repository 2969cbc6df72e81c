"""Numbers written in words: cardinals, months, Roman numerals, Chinese numerals."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xl_suite.translation.locales import find_locale
from xl_suite.translation.values import (
    Reading,
    Value,
    shift_point,
)

_DIGITS = re.compile(r"\d")
_GERMAN = re.compile(r"\b(ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun)und(\w+?zig|dreissig)")
_HAN = re.compile(r"[〇零一二三四五六七八九十百千万亿两萬億]+")
_HAN_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8, "萬": 10**4, "億": 10**8}
_JOINED = 5  # characters between the words of one number, as in `hundred and five`
_PERCENT = re.compile(r"százalék|fil-mija|(?:por|pour|per) ?cent\w*|(?:faoin|sa) g?ch?éad")
_ROMAN = re.compile(r"\b(?=[IVXLC])(C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})(?:e|er|ère|ème|º|ª)?\b")
_TEEN = re.compile(r" (?:\w+ )?dh?éag")


def read_months(text: str, language: str) -> list[Value]:
    """The months that are named beside a digit; elsewhere the names are words of other meanings as often as not."""
    pattern, names = find_locale(language).months
    if pattern is None:
        return []
    lower = text.casefold()
    if len(lower) != len(text):
        lower = text.lower() if len(text.lower()) == len(text) else text
    found = []
    for match in pattern.finditer(lower):
        start, end = match.span()
        if _DIGITS.search(text, max(0, start - 8), start) or _DIGITS.search(text, end, min(len(text), end + 14)):
            reading = ((f"m{names[match[1]]}",),)
            found.append(Value(text[start:end], start, end, reading, 0, "", frozenset(reading)))
    return found


def read_words(text: str, language: str) -> list[Value]:
    """The numbers that are written as words or in Roman or Chinese numerals."""
    locale = find_locale(language)
    found = [*_read_han(text)] if language == "zho" else [*_read_roman(text)]
    if language == "eng":
        found = [value for value in found if value.text != "I"]
    pattern, values = locale.words
    if pattern is None:
        return found
    scales, powers = locale.scales
    lower = text.casefold()
    shares = [found.span() for found in _PERCENT.finditer(lower)]
    position, total = -_JOINED - 1, 0  # where the last word ended, and what it makes with those before it
    for match in pattern.finditer(lower):
        number, end = values[match[1]], match.end()
        if any(start <= match.start() < stop for start, stop in shares):
            continue
        if language == "gle" and number < 10 and _TEEN.match(lower, end):
            number += 10
        power = 0
        while scales is not None and number < 100 and (scale := scales.match(lower, end)):
            power += powers[scale[1].casefold()]
            end = scale.end()
        reading: tuple[Reading, ...] = ((shift_point(str(number), power),),)
        if 20 <= number < 100:
            reading = (*reading, (f"w{number}",))
        found.append(Value(match[0], match.start(), end, reading, power, "", frozenset(reading)))
        whole = number * 10**power
        if match.start() - position <= _JOINED and (joined := _join_words(total, whole, language)):
            both = ((str(joined),),)
            found.append(Value(match[0], match.start(), end, both, 0, "", frozenset(both)))
            whole = joined
        position, total = end, whole
    if language == "deu":
        for compound in _GERMAN.finditer(lower):
            both = ((str(values.get(compound[1], 0) + values.get(compound[2], 0)),),)
            found.append(Value(compound[0], *compound.span(), both, 0, "", frozenset(both)))
    return found


def _join_words(total: int, number: int, language: str) -> int:
    """What `number` makes of the number `total` before it, such as `hundred and thirty-seven`; 0: they are two."""
    if number in (100, 1000) and 0 < total < number:
        return total * number
    if language == "fra" and ((total == 4 and number == 20) or (total in (60, 80) and 10 <= number < 20)):
        return total * number if number == 20 else total + number
    size = 10 ** len(str(number))
    fits = total >= 20 and total % (size if number >= 10 else 10) == 0
    return total + number if fits else 0


def _read_roman(text: str) -> Iterator[Value]:
    for found in _ROMAN.finditer(text):
        tens = {"XC": 90, "XL": 40}.get(found[2], 50 * ("L" in found[2]) + 10 * found[2].count("X"))
        ones = {"IX": 9, "IV": 4}.get(found[3], 5 * ("V" in found[3]) + found[3].count("I"))
        number = 100 * len(found[1]) + tens + ones
        if not number:
            continue
        if len(found[0]) == 1 and number > 10:
            continue  # a letter
        reading = ((str(number),),)
        yield Value(found[0], found.start(), found.end(), reading, 0, "", frozenset(reading))


def _read_han(text: str) -> Iterator[Value]:
    for found in _HAN.finditer(text):
        total = section = digit = 0
        positional = len(found[0]) > 1 and not _HAN_UNITS.keys() & set(found[0])
        for sign in found[0]:
            if sign in _HAN_DIGITS:
                digit = digit * 10 + _HAN_DIGITS[sign] if positional else _HAN_DIGITS[sign]
            elif _HAN_UNITS[sign] < 10**4:
                section += (digit or 1) * _HAN_UNITS[sign]
                digit = 0
            else:
                total += (section + digit or 1) * _HAN_UNITS[sign]
                section = digit = 0
        number = str(total + section + digit)
        reading: tuple[Reading, ...] = ((number,),)
        if text[found.end() : found.end() + 1] == "月":
            reading = (*reading, (f"m{number}",))
        if text.startswith("年代", found.end()):
            reading = (*reading, (f"w{number}",))
        yield Value(found[0], found.start(), found.end(), reading, 0, "", frozenset(reading))
