"""The blocks of Markdown that hold no prose: front matter, fenced code, and indented code that is clearly code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Characters `start` to `end`. kind: `prose`, `code` or `front_matter`."""

    start: int
    end: int
    kind: str


_LINE = re.compile(r"([^\r\n]*+)(\r\n|\r|\n|\Z)")
_FENCE = re.compile(r"[ \t]*+((?:>[ \t]*+)*+)(?:(?:[-*+]|\d{1,9}+[.)])[ \t]++)?+(`{3,}+|~{3,}+)[ \t]*+([^\r\n]*+)")
_LIST_ITEM = re.compile(r"[ \t]*+(?:[-*+]|\d{1,9}+[.)])[ \t]")
_INDENT = re.compile(r"(?: {4}|\t| {1,3}\t)")
_META_KEY = re.compile(r"[A-Za-z_][\w.-]{0,60}[ \t]*[:=]")
_CODE_SIGNS = re.compile(
    r"[;{}]\s*$|\)\s*:\s*$|^\s*(?:def|class|import|from|return|elif|else:|while|#include|public|private|static|void|"
    r"var|let|const|function|fn|func|print|echo|sudo|pip3?|npm|npx|git|cd|mkdir|docker|curl|SELECT|INSERT|UPDATE|"
    r"CREATE|FROM|WHERE)\b|^\s*(?:\$ |>>> |//|/\*|#!|</?\w+[ >]|[}\])]+[;,)]*\s*$)|"
    r"[^\s=!<>]\s*[-+*/|&]?=[^=>]|==|=>|->|::|\w\(\w*\)|\w\(.*\);?\s*$"
)


def split_blocks(text: str) -> list[Block]:
    """The blocks of a text, without a gap; a fence that is never closed runs to the end (CommonMark 4.5)."""
    lines = [found.span(1) for found in _LINE.finditer(text)]
    code = sorted([*_find_front_matter(text, lines), *_find_code(text, lines)], key=lambda block: block.start)
    blocks: list[Block] = []
    position = 0
    for block in code:
        if position < block.start:
            blocks.append(Block(position, block.start, "prose"))
        blocks.append(block)
        position = block.end
    if position < len(text):
        blocks.append(Block(position, len(text), "prose"))
    return blocks


def _find_front_matter(text: str, lines: Sequence[tuple[int, int]]) -> Iterator[Block]:
    opening = text[slice(*lines[0])].rstrip()
    if opening not in ("---", "+++"):
        return
    keys = 0
    for start, end in lines[1:200]:
        line = text[start : min(end, start + 400)]
        if line.rstrip() == opening or (opening == "---" and line.rstrip() == "..."):
            if keys:
                yield Block(0, end, "front_matter")
            return
        if _META_KEY.match(line):
            keys += 1
        elif line.strip() and line[0] not in " \t-#[]":
            return


def _find_code(text: str, lines: Sequence[tuple[int, int]]) -> Iterator[Block]:
    """Fenced and indented code; the walk knows lists, whose continued lines are indented too."""
    after_blank, in_list = True, False
    number = 0
    front_matter = next(_find_front_matter(text, lines), None)
    while number < len(lines):
        start, end = lines[number]
        if front_matter and start < front_matter.end:
            number += 1
            continue
        fence = _FENCE.match(text, start, end)
        if fence and not (fence[2][0] == "`" and "`" in fence[3]):
            last = _close_fence(text, lines, number, fence)
            yield Block(start, lines[last][1], "code")
            number, after_blank = last + 1, False
            continue
        if after_blank and not in_list and _INDENT.match(text, start, end) and not _is_blank(text, start, end):
            last = _end_indented(text, lines, number)
            if _looks_like_code([text[slice(*lines[i])] for i in range(number, last + 1)]):
                yield Block(start, lines[last][1], "code")
            number, after_blank = last + 1, False
            continue
        after_blank = _is_blank(text, start, end)
        if _LIST_ITEM.match(text, start, end):
            in_list = True
        elif not after_blank and not text[start].isspace():
            in_list = False
        number += 1


def _close_fence(text: str, lines: Sequence[tuple[int, int]], opening: int, fence: re.Match[str]) -> int:
    """The number of the line that closes the fence, or of the last line.

    Within a block marked as Markdown, a fence with an info string opens a nested one: models write such answers,
    though CommonMark would end the outer block at the inner end.
    """
    quoted, mark, nests = bool(fence[1]), fence[2], fence[3].strip().lower() in ("markdown", "md")
    depth = 1
    for number in range(opening + 1, len(lines)):
        start, end = lines[number]
        if quoted and not text[start:end].lstrip(" \t").startswith(">"):
            return number - 1
        line = text[start:end].strip(" \t>")
        if not line.startswith(mark):
            continue
        info = line.lstrip(mark[0])
        if not info:
            depth -= 1
        elif nests and re.fullmatch(r"[\w+#.-]{1,30}", info):
            depth += 1
        if depth == 0:
            return number
    return len(lines) - 1


def _end_indented(text: str, lines: Sequence[tuple[int, int]], first: int) -> int:
    last = first
    for number in range(first + 1, len(lines)):
        start, end = lines[number]
        if _is_blank(text, start, end):
            continue
        if not _INDENT.match(text, start, end) or _FENCE.match(text, start, end):
            break
        last = number
    return last


def _looks_like_code(lines: Sequence[str]) -> bool:
    written = [line[:400] for line in lines if line.strip()]
    return sum(bool(_CODE_SIGNS.search(line)) for line in written) * 2 >= len(written)


def _is_blank(text: str, start: int, end: int) -> bool:
    return start == end or text[start:end].isspace()
