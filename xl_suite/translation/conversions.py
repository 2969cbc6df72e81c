"""Whether a value was converted into another unit: miles into kilometres, Fahrenheit into Celsius."""

from __future__ import annotations

import re
from collections.abc import Iterable

from xl_suite.translation.locales import CONVERSIONS, find_locale
from xl_suite.translation.values import Value

_TOLERANCE = 0.08  # of the converted value, which writers round
_DEGREES = 1.0  # by which converted degrees are rounded
_AFTER = 30  # characters after a value in which its unit is looked for: `3 to 6 inches`
_RANGE = re.compile(r"(?:\W{0,3}(?:\w{1,4}\W)?\W{0,2}\d+(?:[.,]\d+)?)?[ \u00a0\u202f-]*")  # `3 to 6 in`
_FEET = re.compile(r"(\d)(?:-foot-|['’′] ?|ft\.? ?)(\d{1,2})")


def is_converted(
    source: str, value: Value, source_language: str, translation: str, other: Value, language: str
) -> bool:
    """Whether `other`, in the translation, may be `value` of the source in another unit."""
    one, two = _to_float(value), _to_float(other)
    if one is None or two is None:
        return False
    units, own = find_locale(source_language).units, find_locale(language).units
    after, following = _find_after(source, value), _find_after(translation, other)
    for text, here, metres in ((source, value, two), (translation, other, one)):
        feet = _FEET.match(text, here.start)
        if feet and abs((int(feet[1]) * 12 + int(feet[2])) * 0.0254 - metres) < 0.04:
            return True
    if _has_unit(after, units.get("temperature", ())) or _has_unit(following, own.get("temperature", ())):
        degrees = ((one - 32) / 1.8, one * 1.8 + 32, one / 1.8, one * 1.8)  # of a temperature, of a difference
        if min(abs(degree - two) for degree in degrees) <= _DEGREES:
            return True
    for first, second, factor in CONVERSIONS:
        for unit, goal, times in ((first, second, factor), (second, first, 1 / factor)):
            if abs(one * times - two) > two * _TOLERANCE or not _has_unit(after, units.get(unit, ())):
                continue
            names = own.get(goal, ())
            # Where CLDR has no more than a symbol, a unit that is not that of the source is believed to be the goal.
            if _has_unit(following, names) or (max(map(len, names), default=0) < 4 and language not in _WRITTEN):
                return not _has_unit(following, own.get(unit, ()))
    return False


_WRITTEN = frozenset({"zho", "jpn", "kor"})  # their names of units are short


def _find_after(text: str, value: Value) -> str:
    """What follows a value, up to a bracket, which often has the other unit."""
    return text[value.end : value.end + _AFTER].partition("(")[0].casefold().replace("ºc", "°c").replace("º c", "°c")


def _has_unit(text: str, names: Iterable[str]) -> bool:
    """Whether one of the names begins a word of the text; long ones may have another ending."""
    begun = text[found.end() :] if (found := _RANGE.match(text)) else text
    for name in names:
        if name.isascii() and len(name) < 4:  # a symbol, which is beside its number
            if begun.startswith(name) and not begun[len(name) : len(name) + 1].isalpha() and name != "in":
                return True
            continue
        place = text.find(name[:-1] if len(name) > 4 else name)
        while place >= 0:
            end = place + len(name)
            free = place == 0 or not text[place - 1].isalpha() or not name[0].isascii()
            if free and (len(name) > 4 or not name.isascii() or not text[end : end + 1].isalpha()):
                return True
            place = text.find(name, place + 1)
    return False


def _to_float(value: Value) -> float | None:
    try:
        return float(value.readings[0][0]) if len(value.readings[0]) == 1 else None
    except ValueError:
        return None
