"""The languages of the benchmarks, and any other language of ISO 639-3."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from xl_suite.errors import BadInput, UnknownLanguage
from xl_suite.tables import read_table


@dataclass(frozen=True, slots=True)
class Language:
    """A row of languages.tsv.

    code: ISO 639-3. code2: ISO 639-1, empty where there is none. name: CLDR's English name, which the response
    templates use. script: ISO 15924. resource: the paper's group of the language (Table 1; `zero-shot` is
    Table 7's), empty outside the table. benchmarks: those that have the language as a published split.
    """

    code: str
    code2: str
    name: str
    script: str
    resource: str
    benchmarks: tuple[str, ...]

    @property
    def split(self) -> str:
        """The name as a split of a dataset's `default` config: `german`, `norwegian_bokmal`."""
        letters = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode()
        return re.sub(r"\W+", "_", letters.lower()).strip("_")


@cache
def table() -> tuple[Language, ...]:
    """The twelve languages of the benchmarks, `eng` last."""
    return read_table("xl_suite", "languages.tsv", Language)


@cache
def find_language(code: str) -> Language:
    """The language of an ISO 639-3 code, in the table or not. Raises UnknownLanguage, naming the nearest code."""
    found = _look_up(code)
    if found is not None:
        return found
    near = _nearest(code)
    hint = f" Did you mean {near.code!r} ({near.name})?" if near else ""
    raise UnknownLanguage(
        f"{code!r} is not an ISO 639-3 code of a language.{hint} "
        "`xl-suite languages` lists the table; any other ISO 639-3 code works too."
    )


def parse_languages(text: str, known: Sequence[str]) -> list[Language]:
    """The languages of an option: `deu,zho`, or `all` for those of `known`. Raises for an unknown or doubled one."""
    codes = list(known) if text == "all" else [code.strip() for code in text.split(",") if code.strip()]
    if not codes:
        raise BadInput(f"{text!r} names no language. Write codes with commas between them (deu,zho), or all.")
    doubled = {code for code in codes if codes.count(code) > 1}
    if doubled:
        raise BadInput(f"{', '.join(sorted(doubled))} is named twice in {text!r}.")
    return [find_language(code) for code in codes]


def _look_up(code: str) -> Language | None:
    for language in table():
        if language.code == code:
            return language
    if not re.fullmatch("[a-z]{3}", code):
        return None
    from iso639 import Language as IsoLanguage
    from iso639 import LanguageNotFoundError

    try:
        known = IsoLanguage.from_part3(code)
    except LanguageNotFoundError:
        return None
    if known.type == "S":  # mis, mul, und, zxx: codes for no single language
        return None
    return Language(code, known.part1 or "", _name(code, known.name), _script(code), "", ())


def _name(code: str, fallback: str) -> str:
    """CLDR's English name; ISO's reference name ("Modern Greek (1453-)") only where CLDR has none."""
    import langcodes

    name = langcodes.Language.get(code).display_name("en")
    return fallback if name.startswith("Unknown language") else name


def _script(code: str) -> str:
    import langcodes

    return langcodes.Language.get(code).maximize().script or ""


def _nearest(text: str) -> Language | None:
    """What a wrong code was probably meant to be: another code or name of a language, or one letter off."""
    from iso639 import Language as IsoLanguage
    from iso639 import LanguageNotFoundError

    wanted = text.strip().lower()
    for candidate in (wanted, wanted.title()):
        try:
            found = _look_up(IsoLanguage.match(candidate).part3 or "")
        except LanguageNotFoundError:
            continue
        if found is not None:
            return found
    names = {name: language for language in table() for name in (language.code, language.name.lower())}
    close = difflib.get_close_matches(wanted, names, n=1)
    return names[close[0]] if close else None
