"""sentencex (Wikimedia, MIT): rules and abbreviations for some 250 languages, no model to download."""

from __future__ import annotations

from xl_instruct.splitters import Splitter, check_join
from xl_suite.surrogates import replace_surrogates

# sentencex 1.0.32 takes time quadratic in a text without spaces (9 s for 120,000 characters of Chinese), so it is
# given a window at a time; a sentence that a window cuts goes on in the next.
_WINDOW = 4096


def make_splitter() -> Splitter:
    from sentencex import segment

    def split(text: str, language: str) -> list[str]:
        seen, _ = replace_surrogates(text)
        pieces: list[str] = []
        start, unended = 0, 0  # of the window; of the sentence that no window has ended yet
        while start < len(seen):
            window = seen[start : start + _WINDOW]
            found = check_join("sentencex", window, list(segment(language, window)))
            cut = start + len(window)
            if cut < len(seen):
                found.pop()
            for piece in found:
                start += len(piece)
                pieces.append(text[unended:start])
                unended = start
            if not found:
                start = cut
        if unended < len(text):
            pieces.append(text[unended:])
        return pieces

    return split
