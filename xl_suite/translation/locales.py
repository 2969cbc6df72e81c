"""How a language writes numbers, dates and units: from CLDR (babel), with words for numbers from numerals.tsv."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from xl_suite.languages import find_language, table
from xl_suite.tables import read_table

# No other letter or vowel sign follows; Devanagari's signs are not letters.
_WORD_END = r"(?![^\W\d_]|[\u0900-\u0903\u093a-\u094f])"
_SPACES = "\u00a0\u202f\u2009 "
# What units of one system are in those of the other: (unit, unit of the translation, factor).
CONVERSIONS = (
    ("length-mile", "length-kilometer", 1.609),
    ("length-foot", "length-meter", 0.3048),
    ("length-foot", "length-centimeter", 30.48),
    ("length-inch", "length-centimeter", 2.54),
    ("length-inch", "length-millimeter", 25.4),
    ("length-yard", "length-meter", 0.9144),
    ("mass-pound", "mass-kilogram", 0.4536),
    ("mass-ounce", "mass-gram", 28.35),
    ("mass-stone", "mass-kilogram", 6.35),
    ("volume-gallon", "volume-liter", 3.785),
    ("volume-cup", "volume-milliliter", 236.6),
    ("area-acre", "area-hectare", 0.4047),
    ("area-acre", "area-square-meter", 4047.0),
    ("area-square-mile", "area-square-kilometer", 2.59),
    ("area-square-foot", "area-square-meter", 0.0929),
    ("speed-mile-per-hour", "speed-kilometer-per-hour", 1.609),
)
MODEST = 6  # the power of ten from which on a number in words is compared; smaller ones may become anything
# Languages whose dates have the day as an ordinal with a full stop; those of CLDR that are written in Latin letters.
_ORDINAL_DATES = (
    "deu", "fin", "hun", "ces", "slk", "slv", "hrv", "bos", "dan", "nob", "nno", "isl", "fao", "est", "lav", "ltz",
    "hsb", "dsb", "gsw",
)  # fmt: skip
_VARIANTS = {"eng": "en_GB", "por": "pt_PT"}  # which spell units in another way
_COLLOQUIAL = {"mass-kilogram": {"kilo", "kiló", "quilo"}}


@dataclass(frozen=True, slots=True)
class Numerals:
    """A row of numerals.tsv: forms by value, `2=two|second`; parts: stems of half, quarter and third."""

    language: str
    words: tuple[str, ...]
    scales: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Locale:
    """decimal, group: separators (group: one sign; a space for all kinds of them). order: of day, month and year in
    a numeric date, such as `dmy`. months: (pattern, names in lower case with their numbers). units: the names by
    CLDR's name of the unit. words, scales: forms in lower case with value and power of ten. parts: stems for half,
    quarter and third. large: scales whose numbers are compared in words too, as they are written in a text."""

    language: str
    decimal: str
    group: str
    order: str
    months: tuple[re.Pattern[str] | None, dict[str, int]]
    units: dict[str, tuple[str, ...]]
    words: tuple[re.Pattern[str] | None, dict[str, int]]
    scales: tuple[re.Pattern[str] | None, dict[str, int]]
    parts: tuple[str, ...]
    large: tuple[str, ...]


@cache
def find_locale(language: str) -> Locale:
    """The conventions of an ISO 639-3 language; where CLDR lacks it, English separators and no names."""
    rows = {row.language: row for row in read_table("xl_suite.translation", "numerals.tsv", Numerals)}
    numerals = rows.get(language, Numerals(language, (), (), ()))
    cldr = _load(language)
    words = {form: int(value) for value, form in _read_forms(numerals.words)}
    scales = {form.casefold(): len(value) - 1 for value, form in _read_forms(numerals.scales)}
    scales.setdefault("bn", 9)  # English, and copied as it is
    months = _read_months(cldr) if cldr else {}
    symbols = (cldr.number_symbols.get("latn") or cldr.number_symbols) if cldr else {}
    group = symbols.get("group", ",")
    return Locale(
        language,
        symbols.get("decimal", "."),
        " " if group in _SPACES else group,
        re.sub(r"[^dmy]|(.)(?=.*\1)", "", cldr.date_formats["short"].pattern.lower()) if cldr else "",
        (_compile(months), months),
        _merge(_read_units(cldr), _read_units(_load(language, variant=True))) if cldr else {},
        (_compile(words, scales), words),
        (_compile_scales(scales, language), scales),
        tuple(form for _, form in _read_forms(numerals.parts)),
        tuple(form for form, power in scales.items() if power >= MODEST and len(form) > 2),
    )


def _merge(units: dict[str, tuple[str, ...]], others: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {unit: tuple(dict.fromkeys((*names, *others.get(unit, ())))) for unit, names in units.items()}


@cache
def _find_date_months(language: str) -> re.Pattern[str]:
    """Month names that follow the ordinal of a day: those of the language if it writes dates so, without such a
    language those of all that do, but for names that are English too."""
    codes = {row.code2: row.code for row in table()}
    code = codes.get(language, language)
    if code in _ORDINAL_DATES:
        names = set(find_locale(code).months[1])
    else:
        names = {name for one in _ORDINAL_DATES for name in find_locale(one).months[1]}
        names -= set(find_locale("eng").months[1])
    ordered = sorted((name for name in names if len(name) > 2), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, ordered))})[^\W\d_]{{0,5}}(?![\w:])", re.IGNORECASE)


def begins_with_month(text: str, start: int, language: str) -> bool:
    """Whether a month's name is at `start`, in a language that writes `14. März`. language: ISO 639-1 or 639-3; for
    one that does not, such as English, the names of all that do are looked for."""
    return bool(_find_date_months(language).match(text, start))


def _load(language: str, variant: bool = False) -> Any:
    from babel import Locale as Babel
    from babel import UnknownLocaleError

    known = find_language(language)
    code = known.code2 or known.code
    try:
        return Babel.parse(_VARIANTS.get(language, code) if variant else code)
    except (UnknownLocaleError, ValueError):
        return None


def _read_forms(cells: Iterable[str]) -> Iterator[tuple[str, str]]:
    for cell in cells:
        value, _, forms = cell.partition("=")
        for form in forms.split("|"):
            yield value, form


def _read_months(cldr: Any) -> dict[str, int]:
    """The names of months in lower case; the forms of a month alone only where they resemble those within a date."""
    names: dict[str, int] = {}
    for width in ("wide", "abbreviated"):
        for number, name in cldr.months["format"][width].items():
            names.setdefault(name.casefold().rstrip(".॰"), number)
            alone = cldr.months["stand-alone"][width].get(number, "").casefold().rstrip(".")
            if alone[:2] == name.casefold()[:2]:
                names.setdefault(alone, number)
    names |= {name.replace("ंब", "म्ब"): number for name, number in names.items()}  # both are right in Hindi
    return {
        name: number for name, number in names.items() if len(name) > 1 + name.isascii() and not name[0].isdigit()
    }


def _read_units(cldr: Any) -> dict[str, tuple[str, ...]]:
    """The names of units in lower case, the longest first; `temperature` has those of all degrees."""
    units: dict[str, set[str]] = {}
    temperatures = ("temperature-generic", "temperature-celsius", "temperature-fahrenheit")
    for unit in {name for one, other, _ in CONVERSIONS for name in (one, other)}.union(temperatures):
        names = units.setdefault("temperature" if unit in temperatures else unit, set(_COLLOQUIAL.get(unit, ())))
        for forms in (cldr._data["unit_patterns"].get(unit) or {}).values():
            for key, form in forms.items() if hasattr(forms, "items") else ():
                if isinstance(form, str) and key != "per":
                    names.add(form.replace("{0}", "").strip(_SPACES).casefold())
        if unit == "temperature-celsius":
            names |= {name.split()[0] for name in names if " " in name}
    return {unit: tuple(sorted(names - {""}, key=len, reverse=True)) for unit, names in units.items()}


def _compile(names: Iterable[str], scales: Iterable[str] = ()) -> re.Pattern[str] | None:
    """Of words that may have an ending, or, with three letters or fewer, a scale: `kétszáz`."""
    forms = sorted(names, key=len, reverse=True)
    if not forms:
        return None
    alone = "|".join([_WORD_END, *(f"(?={re.escape(scale)})" for scale in scales if len(scale) > 3)])
    pattern = "|".join(re.escape(form) + (f"(?:{alone})" if len(form) <= 3 else "") for form in forms)
    return re.compile(rf"(?<![^\W\d_])({pattern})")


def _compile_scales(scales: dict[str, int], language: str) -> re.Pattern[str] | None:
    if not scales:
        return None
    ordered = sorted(scales, key=len, reverse=True)
    if language == "zho":
        return re.compile(rf"[ \u00a0]?[多余几]?({'|'.join(map(re.escape, ordered))})")
    # A long form may have an ending (`miljoonalla`); `de` is French and Portuguese, `százalék` means percent.
    forms = (re.escape(form) + rf"(?![^\W\d_]{{{1 if len(form) < 4 else 5}}})(?!alék)" for form in ordered)
    return re.compile(rf"(?:-il )?[ \u00a0\u202f-]?(?:de |d['’])?({'|'.join(forms)})", re.IGNORECASE)
