"""The plain lines of a judge's text, without reasoning, control tokens, fences and marks of Markdown or LaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from xl_suite.markdown.blocks import Block, read_body, split_blocks
from xl_suite.markdown.lines import read_lines

_TAGS = r"(?:\w+:)?(?:think(?:ing)?|thought|reasoning|reflection)"
_OPEN, _CLOSE = rf"(?:<{_TAGS}>|\[THINK\])", rf"(?:</{_TAGS}>|\[/THINK\])"
_REASONING = re.compile(rf"{_OPEN}.*?{_CLOSE}", re.IGNORECASE | re.DOTALL)
_OPENED, _CLOSED = re.compile(_OPEN, re.IGNORECASE), re.compile(_CLOSE, re.IGNORECASE)
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]*<\|message\|>(.*?)(?:<\|(?:end|return|start)\|>|\Z)", re.DOTALL)
_TOKEN = re.compile(r"<[|｜][^<>|｜\n]{1,40}[|｜]>|</?s>|</?(?:start|end)_of_turn>|\[/?INST\]")
_HTML = re.compile(r"</?(?:b|i|em|strong|u|p|br|span|div|code|pre|h[1-6]|li|ul|ol|mark)\s*/?>", re.IGNORECASE)
# Decorative signs before a verdict. A cross is excluded, because it rejects what follows.
_SHOW = "✅✔☑🏆👉➡🥇🎯⚖🏁\ufe0f"
_BOXED = re.compile(r"\\f?boxed\s*\{")
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathit|bm|textit)\s*\{([^{}]*)\}")
_QUOTES = (("“", "”"), ("«", "»"), ("「", "」"), ("『", "』"))
_SENTENCE = re.compile(r"(?<=[.!?।])[\"'”»)\]]*\s+|(?<=[。！？])\s*")


@dataclass(frozen=True, slots=True)
class Line:
    """A line with content.

    listed: it is an entry of a list or a heading. quoted: it is in a block quotation, or in a fence with text on
    both sides.
    """

    text: str
    listed: bool = False
    quoted: bool = False

    def sentences(self) -> Iterator[str]:
        """The sentences of the line, except those that begin inside a quotation."""
        start = 0
        for end in [*(match.end() for match in _SENTENCE.finditer(self.text)), len(self.text)]:
            before = self.text[:start]
            inside = before.count('"') % 2 or any(before.count(a) > before.count(b) for a, b in _QUOTES)
            if self.text[start:end].strip() and not inside:
                yield self.text[start:end].strip()
            start = end


def strip_reasoning(text: str) -> str | None:
    """The text without the reasoning that the server left in it; None where reasoning has no end tag.

    Reads `<think>` and similar tags, `[THINK]`, and the channels of harmony. Some servers drop the start tag: then
    all text before the end tag is reasoning.
    """
    if "<|channel|>" in text:
        final = _FINAL.findall(text)
        if not final:
            return None
        text = final[-1]
    text = _REASONING.sub("", text)
    if _OPENED.search(text):
        return None
    return _CLOSED.split(text)[-1]


def normalise(text: str) -> str:
    """The text in NFKC with plain digits, without control tokens and invisible characters."""
    text = unicodedata.normalize("NFKC", _TOKEN.sub("", text))
    return "".join(_plain(sign) for sign in text)


def _plain(sign: str) -> str:
    kind = unicodedata.category(sign)
    if kind == "Nd":
        return str(unicodedata.digit(sign))
    return "" if kind == "Cf" else sign


def list_lines(text: str) -> list[Line]:
    """The non-empty lines of a normalised text, without marks of Markdown or LaTeX.

    `\\boxed{A}` becomes `[[A]]`, which marks a verdict as well.
    """
    text = _unbox(text)
    blocks = [[*_read_block(text, block)] for block in split_blocks(text)]
    outside = [place for place, block in enumerate(split_blocks(text)) if block.kind != "fence" and blocks[place]]
    return [
        replace(line, quoted=True) if outside and place not in outside and outside[0] < place < outside[-1] else line
        for place, lines in enumerate(blocks)
        for line in lines
    ]


def _read_block(text: str, block: Block) -> Iterator[Line]:
    body = read_body(text, block) if block.kind == "fence" else text[block.start : block.end]
    for line in read_lines(body, ()):
        marks = body[line.start : line.body]
        # Numbers, letters and boxes stay: they identify an entry, or mark it as chosen.
        said = _strip_marks(body[line.start if re.search(r"[\w\[]", marks) else line.body : line.end])
        if line.form not in ("blank", "rule") and re.search(r"\S", said):
            yield Line(said, listed=bool(line.items) or line.form == "heading", quoted=bool(line.quotes))


def _strip_marks(line: str) -> str:
    line = _HTML.sub("", line)
    line = re.sub(r"\$+([^$]*)\$+", r"\1", line)
    line = re.sub(r"\*+|`+|\\[()\[\]]|(?<!\w)_+(?=\w)|(?<=[\w.:!])_+(?!\w)", "", line)
    line = re.sub(r"【\s*([^】]*?)\s*】\s*:?\s*", r"\1: ", line)
    return line.strip().strip(_SHOW).strip()


def _unbox(text: str) -> str:
    text = _WRAPPED.sub(r"\1", text)
    parts, place = [], 0
    for match in _BOXED.finditer(text):
        if match.start() < place:
            continue
        depth, end = 1, match.end()
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        if depth:
            break
        parts += [text[place : match.start()], "[[", text[match.end() : end - 1], "]]"]
        place = end
    return "".join([*parts, text[place:]])
