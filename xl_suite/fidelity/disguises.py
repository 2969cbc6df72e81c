"""Letters that only look like a language's own, put back: what a reader sees is what is judged."""

from __future__ import annotations

import re
import unicodedata

from xl_suite.fidelity.words import DENSE, LATIN

# What is not seen: zero-width signs, soft hyphens, marks of direction. Joiners belong to the spelling in Arabic and
# Indic scripts, and stay there.
_UNSEEN = re.compile(
    "[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
    rf"|(?<=[{LATIN}{DENSE}\u0370-\u052f])[\u200c\u200d]"
)
_STYLED = re.compile("[\uff21-\uff3a\uff41-\uff5a\u2460-\u24ff\u2100-\u214f\U0001d400-\U0001d7ff]+")
_ENTITY = re.compile(r"&#(?:x[0-9A-Fa-f]{1,5}|[0-9]{1,6});")
_TWO_SCRIPTS = re.compile(
    r"[A-Za-z]+[\u0370-\u052f][A-Za-z\u0370-\u052f]*|[\u0370-\u052f]+[A-Za-z][A-Za-z\u0370-\u052f]*"
)
_ALIKE = str.maketrans(
    "аеорсхуіјѕԁһкмптвнзАЕОРСХУІЈЅКМТВНЗαορνικτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcxyijsdhkmntbhzAEOPCXYIJSKMTBHZaopviktuxABEZHIKMNOPTYX",
)


def undisguise(text: str) -> str:
    """The text with the plain letters for styled and foreign ones that look like them; line ends stay."""
    if "&#" in text:
        text = _ENTITY.sub(_read_entity, text)
    if text.isascii():
        return text
    text = _UNSEEN.sub("", text)
    text = _STYLED.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return _TWO_SCRIPTS.sub(_read_alike, text)


def _read_entity(found: re.Match[str]) -> str:
    number = found[0][2:-1]
    code = int(number[1:], 16) if number[0] in "xX" else int(number)
    letter = chr(code) if code < 0x110000 else ""
    return letter if letter.isalpha() or letter in " '’.," else found[0]


def _read_alike(found: re.Match[str]) -> str:
    """A word of two scripts as one in Latin letters, where all its other letters look like some."""
    plain = found[0].translate(_ALIKE)
    return plain if plain.isascii() else found[0]
