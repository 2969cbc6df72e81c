"""The blocks of Markdown that hold no prose: front matter, fenced code, and indented code that is clearly code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Characters `start` to `end` of a text; line ends after a block of code belong to the prose that follows.

    kind: `prose`, `fence`, `indented` (code) or `front_matter`.
    body_start, body_end: the text inside of a fence, from its first line to the line end before the closing fence;
    the whole block for the other kinds. `read_body` gives it without indentation and quotation marks.
    info: what follows the opening fence (`python`). indent: columns before the fence or the code; a tab goes to the
    next multiple of four. quoted: within a block quote. closed: whether a fence has a closing fence of its own.
    """

    start: int
    end: int
    kind: str
    body_start: int
    body_end: int
    info: str = ""
    indent: int = 0
    quoted: bool = False
    closed: bool = True

    @property
    def is_code(self) -> bool:
        return self.kind in ("fence", "indented")


_LINE = re.compile(r"([^\r\n]*+)(\r\n|\r|\n|\Z)")
_CODE_MARKS = ("```", "~~~", "    ", "\t")  # no code without one of them
_FENCE = re.compile(
    r"([ \t]*+)((?:>[ \t]*+)*+)((?:(?:[-*+]|\d{1,9}+[.)])[ \t]++)?+)(`{3,}+|~{3,}+)[ \t]*+([^\r\n]*+)"
)
_CLOSING = re.compile(r"[ \t>]*+(`{3,}+|~{3,}+)[ \t]*+([^\r\n]*+)")
_LANGUAGE = re.compile(r"[\w+#.,={}-]{1,40}", re.ASCII)
_QUOTE = re.compile(r"[ \t]*+(?:>[ \t]?+)++")
_LIST_ITEM = re.compile(r"[ \t]*+(?:[-*+]|\d{1,9}+[.)])[ \t]")
_INDENT = re.compile(r"(?: {4}|\t| {1,3}\t)")
_META_KEY = re.compile(r"[A-Za-z_][\w.-]{0,60}[ \t]*[:=]")
_CODE_SIGNS = re.compile(
    r"[;{}]\s*$|\)\s*:\s*$|^\s*(?:def|class|import|from|return|elif|else:|while|#include|public|private|static|void|"
    r"var|let|const|function|fn|func|print|echo|sudo|pip3?|npm|npx|git|cd|mkdir|docker|curl|SELECT|INSERT|UPDATE|"
    r"CREATE|FROM|WHERE)\b|^\s*(?:\$ |>>> |//|/\*|#!|</?\w+[ >]|[}\])]+[;,)]*\s*$)|"
    r"[^\s=!<>]\s*[-+*/|&]?=[^=>]|==|=>|->|::|\w\(\w*\)|\w\(.*\);?\s*$"
)
_WRAPPED = re.compile(r"\s*(`{3,}|~{3,})[ \t]*[\w+#.-]{0,30}[ \t]*\r?\n(.*)\n[ \t]*\1\s*", re.DOTALL)


def split_blocks(text: str) -> list[Block]:
    """The blocks of a text, without a gap; none for an empty one.

    A fence may be indented as deep as its list item, and may follow the item's marker. One that is never closed runs
    to the end (CommonMark 4.5). Beyond CommonMark, since models write so: a closing fence may be followed by running
    text (a word after it would be a language), which is prose, and fences within a block marked as Markdown nest.
    """
    if text and not text.startswith(("---", "+++")) and not any(mark in text for mark in _CODE_MARKS):
        return [Block(0, len(text), "prose", 0, len(text))]
    lines = [found.span(1) for found in _LINE.finditer(text)]
    blocks: list[Block] = []
    position = 0
    for block in _find_blocks(text, lines):
        if position < block.start:
            blocks.append(Block(position, block.start, "prose", position, block.start))
        blocks.append(block)
        position = block.end
    if position < len(text):
        blocks.append(Block(position, len(text), "prose", position, len(text)))
    return blocks


def read_body(text: str, block: Block) -> str:
    """What a block of code holds: no fences, no indentation that the whole block has, no marks of quotation."""
    lines = text[block.body_start : block.body_end].splitlines(keepends=True)
    if block.quoted:
        lines = [_QUOTE.sub("", line, count=1) for line in lines]
    return "".join(_dedent(line, block.indent) for line in lines)


def unwrap_fence(text: str) -> str | None:
    """The inside of a text whose first line opens a fence and whose last line closes it, else None.

    Fences inside are not looked at: where they matter, the caller checks the inside.
    """
    found = _WRAPPED.fullmatch(text)
    return found[2] if found else None


def _dedent(line: str, columns: int) -> str:
    at = width = 0
    while width < columns and at < len(line) and line[at] in " \t":
        width += 4 - width % 4 if line[at] == "\t" else 1
        at += 1
    return line[at:]


def _find_blocks(text: str, lines: Sequence[tuple[int, int]]) -> Iterator[Block]:
    """What is not prose, in order; the walk knows lists, whose continued lines are indented too."""
    after_blank, in_list = True, False
    number = 0
    if front_matter := _find_front_matter(text, lines):
        yield front_matter
        while number < len(lines) and lines[number][0] < front_matter.end:
            number += 1
    while number < len(lines):
        start, end = lines[number]
        fence = _FENCE.match(text, start, end)
        if fence and ("`" if fence[4][0] == "`" else fence[4]) not in fence[5]:  # else closed in the same line
            block, number = _read_fence(text, lines, number, fence)
            yield block
            after_blank = False
            continue
        if after_blank and not in_list and _INDENT.match(text, start, end) and not _is_blank(text, start, end):
            last = _end_indented(text, lines, number)
            if _looks_like_code([text[slice(*lines[i])] for i in range(number, last + 1)]):
                stop = lines[last][1]
                yield Block(start, stop, "indented", start, stop, indent=4)
            number, after_blank = last + 1, False
            continue
        after_blank = _is_blank(text, start, end)
        if _LIST_ITEM.match(text, start, end):
            in_list = True
        elif not after_blank and not text[start].isspace():
            in_list = False
        number += 1


def _find_front_matter(text: str, lines: Sequence[tuple[int, int]]) -> Block | None:
    opening = text[slice(*lines[0])].rstrip()
    if opening not in ("---", "+++"):
        return None
    keys = 0
    for start, end in lines[1:200]:
        line = text[start : min(end, start + 400)]
        if line.rstrip() == opening or (opening == "---" and line.rstrip() == "..."):
            return Block(0, end, "front_matter", 0, end) if keys else None
        if _META_KEY.match(line):
            keys += 1
        elif line.strip() and line[0] not in " \t-#[]":
            return None
    return None


def _read_fence(text: str, lines: Sequence[tuple[int, int]], opening: int, fence: re.Match[str]) -> tuple[Block, int]:
    """The block that begins in line `opening`, and the number of the line to go on with.

    Within a block marked as Markdown, a fence with an info string opens a nested one: models write such answers,
    though CommonMark would end the outer block at the inner end.
    """
    quoted, mark, info = bool(fence[2]), fence[4], fence[5].strip()
    nests = info.lower() in ("markdown", "md")
    start = lines[opening][0]
    body_start = lines[opening + 1][0] if opening + 1 < len(lines) else lines[opening][1]
    indent = _measure_indent("" if quoted else fence[1]) + len(fence[3])
    depth = 1
    for number in range(opening + 1, len(lines)):
        left, right = lines[number]
        if quoted and not text[left:right].lstrip(" \t").startswith(">"):
            end = lines[number - 1][1]
            return Block(start, end, "fence", min(body_start, end), end, info, indent, quoted, False), number
        closing = _CLOSING.match(text, left, right)
        if not closing or not closing[1].startswith(mark):
            continue
        rest = closing[2].rstrip(" \t>")
        if not rest or not _LANGUAGE.fullmatch(rest):
            depth -= 1
        elif nests:
            depth += 1
        if depth == 0:
            end = closing.end(1) if rest else right
            return Block(start, end, "fence", body_start, left, info, indent, quoted), number + 1
    end = lines[-1][1]
    return Block(start, end, "fence", min(body_start, end), end, info, indent, quoted, False), len(lines)


def _measure_indent(space: str) -> int:
    width = 0
    for sign in space:
        width += 4 - width % 4 if sign == "\t" else 1
    return width


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
