"""In which letters is a language written? What is in other ones is in another language, whatever n-grams say."""

from __future__ import annotations

import unicodedata

_SCRIPTS = """
ARABIC: ara arz fas kur pus snd uig urd
ARMENIAN: hye
BENGALI: asm ben
CJK: zho jpn kor
CYRILLIC: bak bel bul kaz kir mkd mon rus srp tat tgk ukr uzb
DEVANAGARI: hin mar nep san gom
ETHIOPIC: amh
GEORGIAN: kat
GREEK: ell grc
GUJARATI: guj
GURMUKHI: pan
HANGUL: kor
HEBREW: heb hbo
HIRAGANA: jpn
KANNADA: kan
KATAKANA: jpn
KHMER: khm
LAO: lao
MALAYALAM: mal
MYANMAR: mya
ORIYA: ori
SINHALA: sin
TAMIL: tam
TELUGU: tel
THAI: tha
TIBETAN: dzo
"""
SCRIPTS = {
    name: frozenset(codes.split()) for name, _, codes in (line.partition(": ") for line in _SCRIPTS.split("\n"))
}
BOTH = frozenset({"kur", "srp", "uzb", "aze", "tat"})  # written in Latin letters too
NOT_LATIN = frozenset().union(*SCRIPTS.values()) - BOTH
LOOKED_AT = 4  # letters of a text


def is_in_other_letters(text: str, code: str) -> bool:
    """Whether the first letters of a text are all of scripts that language `code` is not written in.

    Nothing is said of Latin letters, in which any language may be quoted or romanised.
    """
    if text.isascii():
        return False
    seen = 0
    for letter in text:
        if not letter.isalpha():
            continue
        script = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
        if script == "LATIN" or code in SCRIPTS.get(script, ()) or (script == "FULLWIDTH"):
            return False
        seen += 1
        if seen == LOOKED_AT:
            break
    return seen > 0
