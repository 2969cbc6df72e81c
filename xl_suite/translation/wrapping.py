"""The form of a translation beside that of its source: what translators put around it.

Tokens of chat templates, tags of prompts, quotes, bold, brackets, code, marks of lists and quotations, and several
versions in place of one. Nothing here knows a language; talk around a translation is in `remarks`. What the source
has itself is never held against its translation.
"""

from __future__ import annotations

import re
from collections import Counter

# A tag, also an open one at the end; `<` before a space or a digit is a sign of arithmetic.
_TAG = re.compile(r"</?[a-z][\w:.-]{0,40}(?:\s[^<>]{0,80})?/?>|<0x[0-9a-f]{2}>|</?[a-z][\w-]{0,40}\Z", re.IGNORECASE)
# What no text has, in the forms of all the chat templates that are known.
_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|?>?|<[^|<>\s]{1,20}\|>|<｜[^｜<>]{1,40}｜?>?|\[\|[^|\[\]]{1,40}\|\]|<</?SYS>>|</?s>|</w>|▁|<<<|>>>|"
    r"\[/?(?-i:g?[A-Z]{3,}(?:_[A-Z]+)*)\]|\[(?:end|start) of (?:text|turn|sentence)\]|"
    r"^#{2,4} ?(?:instruction|response|input|assistant|user|system)s?:|"
    r"^(?:assistant|user|system|human|ai)(?:[:：]|[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTES = '"“”„‟«»‹›「」『』《》〈〉'
_PARTNERS = {
    "“": "”",
    "„": '“”"‟',
    "«": "»",
    "»": "«",
    "‹": "›",
    "「": "」",
    "『": "』",
    "《": "》",
    "〈": "〉",
    "”": "”",
}
_SINGLE = "'‘’‚‛`´"
_SINGLE_QUOTE = re.compile(rf"(?<!\w)[{_SINGLE}](?=\w)|(?<=[\w.!?])[{_SINGLE}](?!\w)")
_BRACKETS = {"(": ")", "（": "）", "[": "]", "【": "】", "{": "}", "［": "］"}
_EMPHASIS = re.compile(r"([*_~]{1,3})(?=\S).*\S\1[.!?。！？।]?\Z", re.DOTALL)
_BLOCK = re.compile(r"#{1,6}\s|>\s?|[-*+•·▪]\s|[a-z]\)\s|\(?(\d{1,2})[.)）、]\s?(?!\d)", re.IGNORECASE)
_NUMBER = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|first|second|third|\w+(?:th|teen|ty))\b",
    re.IGNORECASE,
)
_LISTED = (
    re.compile(r"\A\W*(?:1[.)、:]|\(1\)|（1）)\s*\S.*?[\s。！？.!?](?:2[.)、:]|\(2\)|（2）)\s*\S", re.DOTALL),
    re.compile(r"\A\W*(?:a\)|\(a\))\s.+?\s(?:b\)|\(b\))\s", re.DOTALL | re.IGNORECASE),
    re.compile(r"\A\s*[-*•]\s.+\n\s*[-*•]\s", re.DOTALL),
)
_SIDES = re.compile(
    r"\s+[/|]\s+|\s*[／｜]\s*|\n+\s*(?:or|oder|ou|vagy|arba|nó|jew|tai|veya|或者?|या)\s*[:：]?\s*\n+", re.IGNORECASE
)
_ENDS = ".!?。！？।॥…:：;；"
_WHOLE = 0.6  # of the expected length has a line that is a translation by itself
_CLOSED = "\"'“”„»«’)]）」』*_ "


def has_wrapping(source: str, translation: str, ratio: float = 1.0) -> bool:
    """Whether the translation has something around it that is not part of it, or has several versions.

    ratio: characters of a translation per character of the source.
    """
    source, translation = source.strip(), translation.strip()
    return (
        has_template_tokens(source, translation)
        or is_wrapped(source, translation)
        or has_marks(source, translation)
        or has_alternatives(source, translation, ratio)
        or has_more_lines(source, translation, ratio)
    )


def has_template_tokens(source: str, translation: str) -> bool:
    """Whether the translation holds a token of a chat template or a tag that the source does not hold."""
    if not any(sign in translation for sign in "<[:：▁#>") and "\n" not in translation:
        return False
    if any(token.strip("[]").casefold() not in source.casefold() for token in _TOKEN.findall(translation)):
        return True
    tags = Counter(tag.casefold() for tag in _TAG.findall(translation))
    # A placeholder such as `<name>` may be translated: one tag for one.
    return bool(tags) and tags.total() > len(_TAG.findall(source))


def is_wrapped(source: str, translation: str) -> bool:
    """Whether the whole translation is in quotes, brackets, bold or code, and the source is not; or one is open."""
    if len(translation) < 3:
        return False
    first, last = translation[0], translation[-1]
    inner = translation.rstrip(".。!！?？ ")[-1:]
    if (first in _QUOTES or last in _QUOTES) and not _has_single_quote(source):
        count, own = _count_quotes(translation), _count_quotes(source)
        if count % 2 and not own:  # where the source has one side of a quotation, a translator may add the other
            return True
        if count > own and first in _QUOTES and (last in _QUOTES or inner in _QUOTES) and source[:1] not in _QUOTES:
            return not _closes_early(translation)
    if first in _SINGLE and (last in _SINGLE or inner in _SINGLE) and not _has_single_quote(source):
        return not _count_quotes(source)
    closing = _BRACKETS.get(first)
    if closing and (last == closing or inner == closing) and source[:1] not in _BRACKETS:
        return translation.count(first) == 1 or translation.count(first) > source.count(first)
    mark = _EMPHASIS.match(translation)
    if mark and not source.startswith(mark[1]) and mark[1] not in source:
        return True
    if translation.count("**") % 2 and not source.count("**") % 2:
        return True
    return any(translation.count(mark) > source.count(mark) for mark in ("**", "__", "```"))


def has_marks(source: str, translation: str) -> bool:
    """Whether the translation begins with the mark of a list, a heading or a quotation, and the source does not."""
    found = _BLOCK.match(translation)
    if found is None or _BLOCK.match(source):
        return False
    if found[1]:  # `14. März` and `1. Halbzeit` begin with ordinals
        return found[1] not in source and not _NUMBER.search(source)
    return not (translation[0] in "-•*" and (_count_quotes(source) or source[:1] in "-–—"))  # dashes of speech


def has_alternatives(source: str, translation: str, ratio: float = 1.0) -> bool:
    """Whether there are several translations: numbered, lettered, or with a bar, a slash or `or` between them."""
    if any(listed.search(translation) and not listed.search(source) for listed in _LISTED):
        return True
    sides = _SIDES.split(translation)
    least = max(3.0, len(source) * ratio / 3)
    return (
        1 < len(sides) < 6
        and not _SIDES.search(source)
        and "/" not in source
        and all(len(side) >= least for side in sides)
    )


def has_more_lines(source: str, translation: str, ratio: float = 1.0) -> bool:
    """Whether a source of one line has a translation that is whole before its last line."""
    if "\n" not in translation or "\n" in source:
        return False
    lines = [line.strip() for line in translation.split("\n") if line.strip()]
    least = len(source) * ratio * _WHOLE
    return any(len(line) >= least and line.rstrip(_CLOSED)[-1:] in _ENDS for line in lines[:-1])


def _closes_early(text: str) -> bool:
    """Whether the quote that a text begins with ends before the text does: `"A" and "B"`."""
    inside = next((sign for sign in text[1:].rstrip(".。!！?？ ")[:-1] if sign in _QUOTES), "")
    return bool(inside) and inside in _PARTNERS.get(text[0], text[0])


def _count_quotes(text: str) -> int:
    return sum(map(text.count, _QUOTES))


def _has_single_quote(text: str) -> bool:
    return bool(_SINGLE_QUOTE.search(text)) if any(sign in text for sign in _SINGLE) else False
