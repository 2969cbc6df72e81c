"""sentencex (Wikimedia, MIT): rules and abbreviations for some 250 languages, no model to download.

Its boundaries are corrected by the rules of `rules.boundaries`.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from xl_instruct.splitters import Splitter, check_join
from xl_instruct.splitters.rules.boundaries import correct_boundaries
from xl_suite.languages import table
from xl_suite.surrogates import replace_surrogates

# sentencex 1.0.32 takes time quadratic in a text without spaces (9 s for 120,000 characters of Chinese), so it is
# given a window at a time; a sentence that a window cuts goes on in the next.
_WINDOW = 4096


def make_splitter() -> Splitter:
    from sentencex import segment

    def split(text: str, language: str) -> list[str]:
        seen, _ = replace_surrogates(text)
        code = _find_code(language)
        ends: list[int] = []
        start = 0
        while start < len(seen):
            window = seen[start : start + _WINDOW]
            found = check_join("sentencex", window, list(segment(code, window)))
            cut = start + len(window)
            if cut < len(seen):
                found.pop()
            for piece in found:
                start += len(piece)
                ends.append(start)
            if not found:
                start = cut
        return [text[left:right] for left, right in pairwise([0, *correct_boundaries(seen, ends, language)])]

    return split


@cache
def _find_code(language: str) -> str:
    """The code that sentencex knows a language of our table by: ISO 639-1 where there is one; any other as it is."""
    return next((known.code2 or known.code for known in table() if known.code == language), language)
