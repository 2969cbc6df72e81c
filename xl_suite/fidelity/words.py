"""Words and letters of texts in any script, and how long a text is by them."""

from __future__ import annotations

import re

LISTED_LETTERS = 2.5  # letters of a word on average under which a text in an alphabet is a list of letters
TITLE_WORD = 5  # letters of the words that a title writes with a capital; shorter ones may be prepositions

# Letters by script, as parts of character classes. DENSE has a word in one or two characters and no spaces
# (kana, Han; Hangul has spaces but is as dense). SIGNED writes vowels as signs, which `\w` does not match.
LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff"
DENSE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003134f"
SIGNED = "\u0900-\u0963\u0971-\u0dff\u0e01-\u109f\u1780-\u17d3"
OTHER = f"\u0370-\u03ff\u0400-\u0482\u048a-\u0900\u10a0-\u177f\u1f00-\u1fff{SIGNED}"

WORD = re.compile(rf"[{DENSE}]|(?:[^\W\d_{DENSE}]|[\u0300-\u036f{SIGNED}])+")
IS_DENSE = re.compile(f"[{DENSE}]")
_UNSPACED = re.compile("[\u0e01-\u0eff\u1000-\u109f\u1780-\u17d3]")  # Thai, Lao, Burmese, Khmer
_UNSPACED_WORD = 6  # their letters and signs that make about a word


def find_words(text: str) -> list[str]:
    """Words of the text; each character of a script without spaces counts as one."""
    return WORD.findall(text)


def count_words(text: str) -> int:
    """How many words, exactly where there are few."""
    spaces = text.count(" ")
    if spaces >= 8:
        return spaces
    return len(find_words(text)) + (0 if text.isascii() else len(_UNSPACED.findall(text)) // _UNSPACED_WORD)


def count_letters(text: str) -> int:
    """Letters and vowel signs; a character of a dense script counts three times."""
    return sum(map(measure, find_words(text)))


def is_title(text: str) -> bool:
    """Whether all longer words have a capital, as in titles and lists of names (iPhone); not so in mere capitals."""
    longer = [word for word in find_words(text) if len(word) >= TITLE_WORD]
    return bool(longer) and all(word != word.lower() for word in longer) and not text.isupper()


def is_listing(text: str) -> bool:
    """Whether all words have a capital, as lists of names have even in German, or are letters and abbreviations."""
    words = find_words(text)
    return all(word != word.lower() for word in words) or sum(map(len, words)) < LISTED_LETTERS * len(words)


def measure(text: str) -> int:
    """The length in letters of an alphabet; a character of a dense script says as much as three of them."""
    return len(text) if text.isascii() or not IS_DENSE.search(text) else 3 * len(text)
