"""The numbers of a sentence, and whether its translation still has them, however it writes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_SEPARATED = re.compile(r"(?<=\d)[.,'’٫٬](?=\d)|(?<=\d)[\u0020\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_NUMBER = re.compile(r"\d+")
_DECADE = re.compile(r"\b(\d{2,4})[’']?s\b")
_AFTERNOON = re.compile(r"\b(\d{1,2})(?:[:.]\d\d)?\s?[ap]\.?\s?m\b", re.IGNORECASE)
_ROMAN = re.compile(r"\b(?=[IVXLC])(C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})(?![IVXLC])")
_HAN = re.compile(r"[〇零一二三四五六七八九十百千万亿两]+")
_HAN_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
# Up to twelve, and powers of ten, are written as words in many languages.
_SPELLED = 12


def find_numbers(text: str) -> list[str]:
    """The numbers of a text as bare digits, in order: `1,000.50`, `1.000,50` and `१,०००.५०` are all `100050`."""
    return _NUMBER.findall(_SEPARATED.sub("", _to_ascii_digits(text)))


def find_lost_numbers(source: str, translation: str) -> list[str]:
    """The numbers of `source` that `translation` has in no form that a translator may choose.

    Allowed: other separators and digits; words for numbers up to twelve and powers of ten (unless a number stands
    there that the source does not have); Chinese and Roman numerals; scales of one's own (`1.5 million` = `150万`);
    `3 pm` = `15`; `1990s` = `90年代`.
    """
    wanted = find_numbers(source)
    if not wanted:
        return []
    found = find_numbers(translation)
    values = [*found, *_read_han(translation), *_read_roman(translation)]
    run = "".join(found)
    significant = {_strip_zeros(value) for value in values}
    decades = {number[-2:] for number in _DECADE.findall(source)}
    hours = {str((int(hour) + 12) % 24) for hour in _AFTERNOON.findall(source)}
    known = {_strip_zeros(number) for number in wanted}
    invented = [number for number in found if _strip_zeros(number) not in known and number not in decades | hours]
    lost = []
    for number in dict.fromkeys(wanted):
        bare = _strip_zeros(number)
        if number in values or bare in significant or (len(number) > 2 and number in run):
            continue
        if number[-2:] in decades and number[-2:] in values:
            continue
        if len(number) < 3 and str((int(number) + 12) % 24) in hours & set(values):
            continue
        if (bare in ("", "1") or int(number[:4]) <= _SPELLED) and len(number) < 8 and not invented:
            continue
        lost.append(number)
    return lost


def _to_ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def _strip_zeros(number: str) -> str:
    return number.strip("0")


def _read_roman(text: str) -> Sequence[str]:
    values = []
    for found in _ROMAN.finditer(text):
        tens = {"XC": 90, "XL": 40}.get(found[2], 50 * ("L" in found[2]) + 10 * found[2].count("X"))
        ones = {"IX": 9, "IV": 4}.get(found[3], 5 * ("V" in found[3]) + found[3].count("I"))
        values.append(str(100 * len(found[1]) + tens + ones))
    return values


def _read_han(text: str) -> Sequence[str]:
    values = []
    for found in _HAN.findall(text):
        total = section = digit = 0
        for sign in found:
            if sign in _HAN_DIGITS:
                digit = (
                    digit * 10 + _HAN_DIGITS[sign]
                    if len(found) > 1 and not _HAN_UNITS.keys() & set(found)
                    else (_HAN_DIGITS[sign])
                )
            elif _HAN_UNITS[sign] < 10**4:
                section += (digit or 1) * _HAN_UNITS[sign]
                digit = 0
            else:
                total += (section + digit or 1) * _HAN_UNITS[sign]
                section = digit = 0
        values.append(str(total + section + digit))
    return values
