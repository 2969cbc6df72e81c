"""Strict reading of what teacher and translators answer."""

from __future__ import annotations

import re

from xl_suite.chat.calls import Answer
from xl_suite.markdown.blocks import unwrap_fence
from xl_suite.tags import escape_tags, restore_tags
from xl_suite.translation.reading import unwrap_translation

# The tags that set a segment apart in the prompts of translators.
TAGS = ("text", "context")
_THINKING = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL | re.IGNORECASE)


class Malformed(ValueError):
    """An answer that cannot be used; the message says why, in a few words."""


def parse_parts(answer: Answer, names: tuple[str, ...]) -> tuple[str, ...]:
    """The texts between `<name>` and `</name>` for each of `names`, in their order.

    Each part must be there once and not empty. What is outside of the parts, such as a line before them, a reasoning
    block or a code fence, is left out. Raises Malformed.
    """
    if answer.finish_reason == "length":
        raise Malformed("truncated by max_tokens")
    text = _THINKING.sub("", answer.text)
    inside = unwrap_fence(text)
    if inside is not None:
        text = inside
    if not text.strip():
        raise Malformed("empty")
    found, rest = [], text
    for name in names:
        opened, closed = (len(re.findall(rf"<{slash}{name}>", text)) for slash in ("", "/"))
        if (opened, closed) != (1, 1):
            raise Malformed(f"<{name}> is there {opened} times and </{name}> {closed} times, not once each")
        part = re.search(rf"<{name}>(.*)</{name}>", rest, re.DOTALL)
        if part is None:
            raise Malformed(f"<{name}> is not closed, or within another part")
        rest = rest[: part.start()] + rest[part.end() :]
        if not part[1].strip():
            raise Malformed(f"<{name}> is empty")
        found.append(restore_tags(part[1].strip(), "passage", *names))
    return tuple(found)


def read_translation(answer: Answer, source: str) -> str:
    """The translation of a segment in an answer, as it is without what models put around one.

    Tags that had to be escaped in the prompt are as they were. Raises Malformed for a truncated answer.
    """
    if answer.finish_reason == "length":
        raise Malformed("truncated by max_tokens")
    text = unwrap_translation(answer.text, source)
    return restore_tags(text, *TAGS) if escape_tags(source, *TAGS) != source else text
