"""The one reader of what a translator answers: the translation without what models put around it.

Only what is at the edges and is not the source's own is taken off: tokens of chat templates, tags (also half-open
ones), a code fence, quotes or bold around all of it. What is within the text is left for the guards to refuse.
"""

from __future__ import annotations

import re

from xl_suite.chat.reasoning import split_reasoning
from xl_suite.markdown.blocks import unwrap_fence
from xl_suite.translation.wrapping import is_wrapped

_TOKEN = (
    r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,40}｜>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<(?:bos|eos|pad|eod)>|"
    r"\[(?:EOS|BOS)\]"
)
# Tags by which prompts and models set a translation apart; another one may be its text.
_TAG = r"</?(?:text|context|translat\w*|source|target|output|answer|response|result|request(?:-\d+)?)>"
_BEGIN = re.compile(rf"\A\s*({_TOKEN}|{_TAG})\s*", re.IGNORECASE)
_END = re.compile(rf"\s*({_TOKEN}|{_TAG})\s*\Z", re.IGNORECASE)
_LAYERS = 8
_PAIRS = ("**", "__", '""', "“”", "„“", "„”", "«»", "»«", "「」", "『』")


def unwrap_translation(text: str, source: str) -> str:
    """The translation of `source` in an answer, without outer white space and what is only around it."""
    own = source.casefold()
    text = split_reasoning(text)[0].strip()
    for _ in range(_LAYERS):
        before = text
        for edge in (_BEGIN, _END):
            found = edge.search(text)
            if found and found[1].casefold() not in own:
                text = (text[: found.start()] + text[found.end() :]).strip()
        inside = unwrap_fence(text)
        if inside is not None and "```" not in source and "```" not in inside:
            text = inside.strip()
        text = _unquote(text, source)
        if text == before:
            break
    return text


def _unquote(text: str, source: str) -> str:
    """The text without quotes or bold around all of it that the source does not have."""
    if not text or text[0].isalnum() or not is_wrapped(source, text):
        return text
    for pair in _PAIRS:
        begin, end = (pair, pair) if pair in ("**", "__") else (pair[0], pair[1])
        if len(text) > len(begin + end) and text.startswith(begin) and text.endswith(end):
            inner = text[len(begin) : -len(end)].strip()
            if inner and begin not in inner and end not in inner:
                return inner
    return text
