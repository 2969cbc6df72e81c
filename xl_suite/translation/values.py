"""The values that a text states: numbers, dates, times and fractions, read as its language writes them.

A value has several readings where its form does not tell: `18.45` is a decimal number, a time, or two numbers. A
reading is one or more atoms. An atom is a number as a plain decimal (`1234.5`, `1/3`), a time of day (`t18:45`;
`T6:45` for either half of the day), a month (`m3`), or a decade as words have it (`w80`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

from xl_suite.translation.locales import Locale, find_locale

Reading = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """text: as written. start, end: where. readings: the first is the most likely. power: of ten, of a word such as
    `million` that belongs to it. doubt: why a reader may take it otherwise; empty: nobody would."""

    text: str
    start: int
    end: int
    readings: tuple[Reading, ...]
    power: int = 0
    doubt: str = ""
    atoms: frozenset[Reading] = field(default=frozenset(), compare=False)


VULGAR = {sign: Fraction(unicodedata.numeric(sign)).limit_denominator(10) for sign in "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
_BEGIN = re.compile(rf"[0-9{''.join(VULGAR)}]")
_TOKEN = re.compile(
    r"(?P<era>(?<!\d)\d{1,2}\s?世[纪紀]\s?\d0\s?年代)|"
    r"(?P<iso>(?<!\d)\d{4}(?:\.\s?|[-/]|\s?年\s?)\d{1,2}(?:\.\s?|[-/]|\s?月\s?)\d{1,2}(?!\d))|"
    r"(?P<date>(?<!\d)\d{1,2}(?P<mark>[./-])\s?\d{1,2}(?P=mark)\s?(?:\d{4}|\d{2})(?!\d|[.,]\d))|"
    rf"(?P<fraction>(?:\d+[ \u00a0-])?\d+/\d+(?![\d/])|\d*\s?[{''.join(VULGAR)}])|"
    r"(?P<time>(?<!\d)\d{1,2}(?::|[ \u00a0\u202f]?[hH][ \u00a0\u202f]?|\s?[点點时時:：]\s?)\d{2}(?!\d|[.,:]\d))|"
    r"(?P<number>\d{1,3}(?:[.,'’٬\u00a0\u202f\u2009]\d{3})+(?!\d)(?:[.,٫]\d+)?|\d{1,3}(?: \d{3})+(?!\d)(?:,\d+)?|"
    r"\d{1,2}(?:,\d{2})+,\d{3}(?!\d)(?:\.\d+)?|\d+(?:[.,٫:]\d+)*)"
)
_PARTS = re.compile(r"\d+")
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
HALF_DAY = re.compile(r"[ \u00a0\u202f]?([ap])\.?[ \u00a0]?m\b", re.IGNORECASE)
_DECADE = re.compile(r"['’]?s\b|['’]?ern?\b|年代|-luvu|-as évek|-es évek")
_CENTURY = re.compile(r"(?:st|nd|rd|th)?(?:[ -]and [^\W_]+)?[ -](?:century|centuries)", re.IGNORECASE)
_AMBIGUOUS = frozenset({"míle", "mhíle"})  # Irish: a thousand, or a mile
_SHARED = 60  # characters between a number and the scale that it shares with a later one
_AND_HALF = re.compile(r" (?:et demie?|e mei[oa]|u nofs|és fél)\b")  # `1 million et demi`
# `Percent` has a hundred in it, which is not a number of its own.
_LITHUANIAN_DECADE = re.compile(r"-?\w*\.? (?:XX a\. )?deš")


def to_ascii_digits(text: str) -> str:
    """The text with the digits of every script as ASCII; its length stays."""
    if text.isascii() or not _OTHER_DIGIT.search(text):
        return text
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def read_values(text: str, language: str) -> list[Value]:
    """The values that `text` (with ASCII digits) writes with digits, in order. language: ISO 639-3."""
    locale = find_locale(language)
    values: list[Value] = []
    begin = _BEGIN.search(text)
    while begin:
        found = _TOKEN.match(text, begin.start())
        if found:
            kind = found.lastgroup if found.lastgroup != "mark" else "date"
            values.append(_read_token(text, found, kind or "", locale))
        begin = _BEGIN.search(text, found.end() if found else begin.end())
    if language == "zho":
        values = _join_scaled(text, values)
    return _share_scales(values)


def _read_token(text: str, found: re.Match[str], kind: str, locale: Locale) -> Value:
    start, end = found.span()
    token = found[0]
    parts = tuple(_plain(part) for part in _PARTS.findall(token))
    doubt = ""
    power = 0
    readings: list[Reading] = []
    if kind == "era":
        readings = [(str((int(parts[0]) - 1) * 100 + int(parts[1])),)]
    elif kind == "iso":
        readings = _read_date(parts[2], parts[1], parts[0])
    elif kind == "date":
        day, month, year = parts
        orders = {"mdy": [(month, day)], "dmy": [(day, month)]}.get(locale.order, [])
        if locale.language == "eng" or not orders:  # British and American texts differ
            orders = [(month, day), (day, month)]
        likely = [reading for one, other in orders for reading in _read_date(one, other, year)]
        readings = likely or [r for one, other in ((day, month), (month, day)) for r in _read_date(one, other, year)]
        if len({reading[:2] for reading in readings}) > 1 and day != month:
            doubt = "ambiguous_date"
    elif kind == "fraction":
        readings = _read_fraction(token)
        if len(parts) == 2 and " " not in token and "/" in token:
            readings += _read_day(parts[0], parts[1], locale)
    elif kind == "time":
        readings, end = _read_time(text, end, int(parts[0]), int(parts[1]), locale)
    else:
        readings, power, end = _read_number(text, start, end, token, locale)
    if len(parts) > 1 and not power:
        readings.append(parts)
    unique = tuple(dict.fromkeys(readings)) or (parts,)
    return Value(text[start:end], start, end, unique, power, doubt, frozenset(unique))


def _read_date(day: str, month: str, year: str) -> list[Reading]:
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return []
    years = [year] if len(year) > 2 else [year, f"20{int(year):02}", f"19{int(year):02}"]
    return [(day, f"m{month}", one) for one in years]


def _read_day(one: str, other: str, locale: Locale) -> list[Reading]:
    """The readings of two numbers as a day and a month."""
    orders = [(other, one), (one, other)] if locale.language == "eng" else [(one, other)]
    return [(day, f"m{month}") for day, month in orders if 1 <= int(day) <= 31 and 1 <= int(month) <= 12]


def _read_fraction(token: str) -> list[Reading]:
    if token[-1] in VULGAR:
        whole = token[:-1].strip()
        return [(_write(int(whole or 0) + VULGAR[token[-1]]),)]
    numbers = [int(part) for part in _PARTS.findall(token)]
    if not numbers[-1]:
        return []
    if len(numbers) == 3:
        apart = [(str(numbers[0]), _write(Fraction(numbers[1], numbers[2])))]
        return [(_write(numbers[0] + Fraction(numbers[1], numbers[2])),), *apart]
    return [(_write(sum(numbers[:-2]) + Fraction(numbers[-2], numbers[-1])),)]


def _read_time(text: str, end: int, hour: int, minute: int, locale: Locale) -> tuple[list[Reading], int]:
    if hour > 24 or minute > 59:
        return [], end
    half = HALF_DAY.match(text, end)
    if half:
        hour = hour % 12 + 12 * (half[1] in "pP")
        end = half.end()
    readings: list[Reading] = [(f"t{hour % 24}:{minute}",)]
    readings += [(f"T{hour % 12}:{minute}",), (str(hour), str(minute))]
    if not minute:
        readings.append((str(hour),))
    return readings, end


def _read_number(text: str, start: int, end: int, token: str, locale: Locale) -> tuple[list[Reading], int, int]:
    numbers = _read_separated(token, locale)
    readings: list[Reading] = []
    scales, powers = locale.scales
    short = False
    power, place = 0, end
    if scales is not None:
        while found := scales.match(text, place):
            power += powers[found[1].casefold()]
            short |= (len(found[1]) == 1 and locale.language != "zho") or found[1].casefold() in _AMBIGUOUS
            place = found.end()
        if power and _AND_HALF.match(text, place):
            numbers = [_write(Fraction(number) + Fraction(1, 2)) for number in numbers]
        if power:
            readings += [(shift_point(number, power),) for number in numbers]
            if not short:
                return readings, power, place
    readings += [(number,) for number in numbers]
    parts = _PARTS.findall(token)
    half = HALF_DAY.match(text, end)
    if len(parts) == 1 and half and int(token) <= 12:
        hour = int(token) % 12 + 12 * (half[1] in "pP")
        return [(str(hour),), *readings, (f"t{hour}:0",), (f"T{hour % 12}:0",)], 0, half.end()
    if len(parts) == 2 and token[len(parts[0])] in ".:" and len(parts[1]) == 2 and len(parts[0]) < 3:
        times, after = _read_time(text, end, int(parts[0]), int(parts[1]), locale)
        if locale.language != "eng" or after > end:
            readings += times
            end = after
    if len(parts) == 2 and token[len(parts[0])] == "." and len(parts[0]) < 3 and len(parts[1]) < 3:
        readings += _read_day(_plain(parts[0]), _plain(parts[1]), locale) if locale.language != "eng" else []
    if len(parts) == 1:
        readings += _read_whole(text, start, end, token, locale)
    return readings, 0, end


def _read_whole(text: str, start: int, end: int, token: str, locale: Locale) -> Iterator[Reading]:
    """Other readings of a number without separators: a month, an hour, a decade, a century, the end of a range."""
    number = int(token)
    after = text[end : end + 2].lstrip()
    if after[:1] == "月" and 1 <= number <= 12:
        yield (f"m{number}",)
    if len(token) <= 2:
        if number <= 24 and (after[:1] in tuple("hH点點时時") or locale.language not in ("eng", "zho")):
            yield (f"t{number % 24}:0",)
        before = text[max(0, start - 5) : start]
        if len(token) == 2 and len(before) == 5 and before[:4].isdigit() and before[4] in "-–/":
            yield (before[:2] + token,)
        if before[-1:] in ("'", "’") or _DECADE.match(text, end):
            yield (f"19{token}",)
            yield (f"20{token}",)
            yield (f"w{token}",)
        if _CENTURY.match(text, end):
            yield (str((number - 1) * 100),)
        if locale.language == "lit" and 1 <= number <= 10 and _LITHUANIAN_DECADE.match(text, end):
            yield (str(1890 + 10 * number),)
    elif len(token) == 4 and _DECADE.match(text, end):
        yield (f"w{token[2:]}",)


def _read_separated(token: str, locale: Locale) -> list[str]:
    """The number that a token with separators is in the language; empty where it is none (`1.2.3`)."""
    signs = [sign for sign in token if not sign.isdigit()]
    parts = _PARTS.findall(token)
    if not signs:
        return [_plain(token)]
    if ":" in signs:
        return []
    kinds = set(signs)
    if len(kinds) == 2 and signs[-1] not in signs[:-1] and signs[-1] in ".,٫":
        return [_decimal("".join(parts[:-1]), parts[-1])]
    grouped = all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3 and parts[0] != "0"
    if len(signs) > 1:
        indian = len(kinds) == 1 and len(parts[-1]) == 3 and all(len(part) == 2 for part in parts[1:-1])
        return [_plain("".join(parts))] if grouped or indian else []
    if signs[0] not in ".,٫" or (grouped and signs[0] not in (locale.decimal, "٫")):
        return [_plain("".join(parts))]
    return [_decimal(parts[0], parts[1])]


def _share_scales(values: list[Value]) -> list[Value]:
    """`2 to 3 million`: the first number may share the scale of one that follows soon."""
    for place, value in enumerate(values):
        if value.power or len(value.readings[0]) > 1 or len(value.text) > 5:
            continue
        after = next((other for other in values[place + 1 : place + 4] if other.power), None)
        number = value.readings[0][0]
        if after is not None and after.start - value.end <= _SHARED and number.replace(".", "", 1).isdigit():
            shared = (*value.readings, (shift_point(number, after.power),))
            values[place] = Value(value.text, value.start, value.end, shared, 0, value.doubt, frozenset(shared))
    return values


def _join_scaled(text: str, values: list[Value]) -> list[Value]:
    """Chinese: `1亿2000万` is one number."""
    joined: list[Value] = []
    for value in values:
        last = joined[-1] if joined else None
        if last and last.power and last.end == value.start and len(last.readings[0]) == 1 == len(value.readings[0]):
            total = (_write(Fraction(last.readings[0][0]) + Fraction(value.readings[0][0])),)
            joined[-1] = Value(
                text[last.start : value.end], last.start, value.end, (total,), last.power, "", frozenset([total])
            )
        else:
            joined.append(value)
    return joined


def _plain(digits: str) -> str:
    return digits.lstrip("0") or "0"


def _decimal(whole: str, part: str) -> str:
    part = part.rstrip("0")
    return f"{_plain(whole)}.{part}" if part else _plain(whole)


def shift_point(number: str, power: int) -> str:
    if "/" in number or not power:
        return number
    whole, _, part = number.partition(".")
    part = part.ljust(power, "0")
    return _decimal(whole + part[:power], part[power:])


@cache
def _write(number: Fraction) -> str:
    """A fraction as a plain decimal where it is one, else as a quotient."""
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    whole, part = divmod(number, 1)
    digits = ""
    while part:
        digit, part = divmod(part * 10, 1)
        digits += str(digit)
    return f"{whole}.{digits}" if digits else str(whole)
