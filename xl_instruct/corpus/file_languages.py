"""The language that a file's name, a folder's name or a column says: only where it is sure to be meant.

Every word of three letters is a code of some language (`all` is Allar, `raw` Rawang), so a code counts where the
table or CLDR knows it as a written language; an English word counts only where it is the whole name or was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from xl_suite.errors import UnknownLanguage
from xl_suite.languages import find_language, table
from xl_suite.tables import read_table


@dataclass(frozen=True, slots=True)
class _FileWord:
    """A row of file_words.tsv. use: `file` for what data files are called, which is never a language; `english` for
    words and abbreviations that count only where their language was asked for or, with two letters, alone."""

    word: str
    use: str


@cache
def _list_words(use: str) -> frozenset[str]:
    return frozenset(
        row.word for row in read_table("xl_instruct.corpus", "file_words.tsv", _FileWord) if row.use == use
    )


@dataclass(frozen=True, slots=True)
class LanguageTag:
    """A language (ISO 639-3), and its country or script where one is named: `pt-BR`, `zh-Hant`; else empty."""

    code: str
    variant: str = ""

    @property
    def name(self) -> str:
        """CLDR's English name: German, Chinese (Traditional)."""
        if not self.variant:
            return find_language(self.code).name
        import langcodes

        return str(langcodes.Language.get(self.variant).display_name("en"))


def find_in_names(names: Sequence[str], listed: Sequence[str] = ()) -> LanguageTag | None:
    """The language of the first of `names` that says one: as a whole, or by a single one of its words.

    names: without suffixes, the file's own first. listed: ISO 639-3 codes that were asked for; these count wherever
    they are a word. None where no name says a language, or one says several. English counts only where no other
    language is beside it (`en-de`).
    """
    for name in names:
        whole = read_tag(name) if name.lower() not in _list_words("file") else None
        if whole is not None and (
            len(name) == 2 or name.lower() not in _list_words("english") or whole.code in listed
        ):
            return whole
        found = list(dict.fromkeys(_find_words(re.findall(r"[A-Za-z]+", name), listed)))
        asked = [tag for tag in found if tag.code in listed]
        found = asked if len(asked) == 1 else [tag for tag in found if tag.code != "eng"] or found
        if found:
            return found[0] if len(found) == 1 else None
    return None


def list_unsure(names: Sequence[str]) -> list[str]:
    """The ISO 639-3 codes that are words in `names`, but English words too: `id` in `x_instruction_id`."""
    words = [word.lower() for name in names for word in re.findall(r"[A-Za-z]+", name)]
    codes = [_find_written(word) for word in words if word in _list_words("english")]
    return list(dict.fromkeys(code for code in codes if code is not None))


def read_tag(text: str) -> LanguageTag | None:
    """The language of a code (ISO 639-1 or 639-3, with a script or country or not) or of an English name."""
    text = text.strip()
    parts = re.fullmatch(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}|[A-Za-z]{4}|\d{3}))?", text)
    if parts is None or _find_written(parts[1].lower()) is None:
        return _find_by_name(text)
    code = _find_written(parts[1].lower())
    assert code is not None
    if parts[2] is None:
        return LanguageTag(code)
    return _add_variant(code, parts[2], sure=parts[1].islower() and parts[2].isupper())


def _find_words(words: Sequence[str], listed: Sequence[str]) -> list[LanguageTag]:
    found, place = [], 0
    while place < len(words):
        word, after = words[place], words[place + 1] if place + 1 < len(words) else ""
        place += 1
        lower = word.lower()
        code = _find_written(lower) if lower not in _list_words("file") else None
        if code is not None and lower in _list_words("english") and code not in listed:
            code = None
        tag = LanguageTag(code) if code is not None else _find_by_name(word)
        if tag is None:
            continue
        variant = _add_variant(tag.code, after, sure=word.islower() and after.isupper()) if code and after else None
        place += variant is not None
        found.append(variant or tag)
    return found


@cache
def _find_written(code: str) -> str | None:
    """The ISO 639-3 code of a code of two or three letters, if the table or CLDR knows the language as written."""
    for language in table():
        if code in (language.code, language.code2):
            return language.code
    import langcodes
    from iso639 import Language as IsoLanguage
    from iso639 import LanguageNotFoundError

    try:
        known = IsoLanguage.from_part1(code) if len(code) == 2 else IsoLanguage.from_part3(code)
        if known.part1 or langcodes.Language.get(code).prefer_macrolanguage().writing_population() > 0:
            return find_language(known.part3).code
    except (LanguageNotFoundError, UnknownLanguage):
        pass
    return None


@cache
def _find_by_name(text: str) -> LanguageTag | None:
    """By an English name: of a language with an ISO 639-1 code, or ISO's own of more than one word."""
    if len(text) < 4:
        return None
    wanted = text.replace("_", " ").casefold()
    code = _names().get(wanted)
    if code is None and " " in wanted:  # one word may be the name of a small language: Even, Male, Bench
        from iso639 import Language as IsoLanguage
        from iso639 import LanguageNotFoundError

        try:
            code = _find_written(IsoLanguage.from_name(wanted.title()).part3 or "")
        except LanguageNotFoundError:
            return None
    return LanguageTag(code) if code is not None else None


@cache
def _names() -> dict[str, str]:
    """The codes of the languages with an ISO 639-1 code, by CLDR's English name and by ISO's."""
    from iso639 import ALL_LANGUAGES

    names: dict[str, str] = {}
    for known in ALL_LANGUAGES:
        if known.part1 and known.part3 and known.type != "S":
            for name in (find_language(known.part3).name, known.name):
                names.setdefault(name.casefold(), known.part3)
    return names


def _add_variant(code: str, part: str, *, sure: bool) -> LanguageTag | None:
    """The language with a script or country; None where `part` is not one of it. A script that the language is
    written in anyway adds nothing. sure: whether a country may be any, not only one where the language is the first.
    """
    import langcodes

    short = find_language(code).code2 or code
    if len(part) == 4:
        script = part.title()
        if not langcodes.tag_is_valid(f"{short}-{script}"):
            return None
        return LanguageTag(code, "" if script == find_language(code).script else f"{short}-{script}")
    region = part.upper()
    if not langcodes.tag_is_valid(f"{short}-{region}") or not (region.isdigit() or len(region) == 2):
        return None
    if not sure and langcodes.Language.get(f"und-{region}").maximize().language != short:
        return None
    return LanguageTag(code, f"{short}-{region}")
