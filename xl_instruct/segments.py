"""A Markdown text as segments: sentences to translate, and everything around them that stays as it is.

The texts of the segments join back to the input, whatever it holds (paper, section 4.3: translations are
substituted in place). All of it takes time linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from xl_instruct.splitters import Splitter, load_splitter
from xl_suite.errors import BadInput
from xl_suite.markdown.blocks import split_blocks
from xl_suite.markdown.inline import Span, find_spans
from xl_suite.markdown.lines import Piece, split_lines
from xl_suite.translation.locales import begins_with_month

_LONGEST_BEGIN = 200  # characters of a line that may still be no more than markers
Unit = Literal["sentence", "paragraph", "document"]
TRANSLATABLE = frozenset({"text", "cell"})

_KINDS = {"environment": "math"}  # of a span, where a segment's kind has another name
_WRAPS = ("***", "___", "**", "__", "~~", "*", "_")
_NUMBER = re.compile(r"\d{1,3}[.)](?=[^\S\u00a0\u202f])")  # within emphasis: **1. Title**
_DAY = re.compile(r"\d{1,2}\.\Z")
# What Markdown would take for the number of a list item, and where it would.
_ORDINAL = re.compile(r"(\d{1,9}[.)])[ \t]+(?=\S)")
_LINE_BEGIN = re.compile(r"(?:[ \t>]|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))*\Z")
_STRONG = re.compile(r"(?<!\*)\*\*(?!\*)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a text.

    kind: `text` and `cell` (of a table) are to be translated. All others stay verbatim: `code`, `math`, `url`,
    `email`, `html`, `link`, `entity`, `front_matter`, `marker` (of a list, heading, quotation or emphasis),
    `table` (pipes), `rule`, `symbols` (no letter in it), `space`.
    protected: the spans within a text to be translated (inline code, URL, formula, tag ...) that its translation
    must hold verbatim, in their order, as often as they occur.
    """

    kind: str
    text: str
    protected: tuple[str, ...] = ()

    @property
    def translatable(self) -> bool:
        return self.kind in TRANSLATABLE


def segment(
    text: str, splitter: Splitter | str = "sentencex", *, language: str = "en", unit: Unit = "sentence"
) -> list[Segment]:
    """The segments of `text`; their texts join back to it.

    splitter: a name (`xl_instruct.splitters`) or a function. language: of the text, for the splitter.
    unit: what one translatable segment is: a sentence (the paper's choice), a paragraph (a line of running text,
    a list item, a heading, a cell), or the document, which is then one segment with all its protected spans.
    Raises BadInput for an unknown unit or splitter, or a splitter that changes the text.
    """
    if unit not in ("sentence", "paragraph", "document"):
        raise BadInput(f"{unit!r} is not a unit of translation. Valid: sentence, paragraph, document.")
    split = _load(splitter) if isinstance(splitter, str) else splitter
    if unit == "document":
        return _merge(_segment_document(text))
    found: list[Segment] = []
    for block in split_blocks(text) if text else []:
        part = text[block.start : block.end]
        if block.kind != "prose":
            found.append(Segment("code" if block.is_code else block.kind, part))
            continue
        spans = find_spans(part)
        for piece in _join_dates(split_lines(part, spans), part, language):
            if piece.kind not in TRANSLATABLE:
                found.append(Segment(piece.kind, part[piece.start : piece.end]))
                continue
            found += _segment_piece(part, piece, split if unit == "sentence" else None, language)
    return _merge(found)


def reassemble(segments: Sequence[Segment], translations: Iterable[str]) -> str:
    """The text with each translatable segment replaced by its translation, in order.

    A translation's outer whitespace is dropped, since that of the source is in segments of its own; a line
    break becomes a space where the source had none, and a pipe in a cell is escaped, so that the form holds. Where a
    line begins with an ordinal (`14. März`), a no-break space follows it, or it would begin a list.
    Raises BadInput unless there are as many translations as translatable segments.
    """
    given = list(translations)
    wanted = sum(part.translatable for part in segments)
    if len(given) != wanted:
        raise BadInput(f"{len(given)} translations for {wanted} translatable segments.")
    rest = iter(given)
    placed: list[str] = []
    line = ""  # what the line that is being written holds so far
    for part in segments:
        placed.append(_place(part, next(rest), line) if part.translatable else part.text)
        line = (
            (line + placed[-1]).rpartition("\n")[2] if len(line) < _LONGEST_BEGIN else placed[-1].rpartition("\n")[2]
        )
    return "".join(placed)


def _place(part: Segment, translation: str, line: str) -> str:
    placed = translation.strip()
    if "\n" not in part.text and "\r" not in part.text:
        placed = re.sub(r"[ \t]*+[\r\n]++\s*", " ", placed)
    if part.kind == "cell" and not any("|" in span for span in part.protected):
        placed = re.sub(r"(?<!\\)\|", r"\\|", placed)
    if (ordinal := _ORDINAL.match(placed)) and _LINE_BEGIN.match(line) and not _ORDINAL.match(part.text):
        placed = f"{ordinal[1]}\u00a0{placed[ordinal.end() :]}"
    return placed


def _join_dates(pieces: Iterable[Piece], text: str, language: str) -> Iterator[Piece]:
    """The pieces, with the day of a date that begins a line (`14. März`) in its text instead of a list's marker."""
    held: list[Piece] = []  # a day, and the space after it
    for piece in pieces:
        if held and piece.kind == "space" and len(held) == 1:
            held.append(piece)
            continue
        if held and piece.kind == "text" and begins_with_month(text, piece.start, language):
            yield Piece(held[0].start, piece.end, "text", piece.spans)
            held = []
            continue
        yield from held
        held = []
        if piece.kind == "marker" and _DAY.match(text, piece.start, piece.end):
            held.append(piece)
        else:
            yield piece
    yield from held


@cache
def _load(name: str) -> Splitter:
    return load_splitter(name)


def _segment_document(text: str) -> Iterator[Segment]:
    protected: list[str] = []
    outside: list[str] = []
    for block in split_blocks(text) if text else []:
        part = text[block.start : block.end]
        if block.kind != "prose":
            protected.append(part)
            continue
        position = 0
        for span in find_spans(part):
            protected.append(part[span.start : span.end])
            outside.append(part[position : span.start])
            position = span.end
        outside.append(part[position:])
    start, end = _strip(text, 0, len(text))
    yield Segment("space", text[:start])
    # Whitespace around the document is outside of it, also where a code block began or ended with it.
    kept = tuple(span.strip() for span in protected)
    yield Segment("text" if any(map(_has_letter, outside)) else "symbols", text[start:end], kept)
    yield Segment("space", text[end:])


def _segment_piece(text: str, piece: Piece, split: Splitter | None, language: str) -> Iterator[Segment]:
    """The segments of a run of text within one line, cell or hard-wrapped paragraph."""
    start, end, spans = piece.start, piece.end, list(piece.spans)
    wrap = _find_wrap(text, start, end, spans)
    if wrap:
        yield Segment("marker", wrap)
    start, end = start + len(wrap), end - len(wrap)
    number = _NUMBER.match(text, start, end)
    if number and not begins_with_month(text, number.end() + 1, language):
        yield Segment("marker", number[0])
        start = number.end()
    place = 0
    for left, right in _cut(text, start, end, spans, split, language):
        inside = []
        while place < len(spans) and spans[place].start < right:
            inside.append(spans[place])
            place += 1
        inner_left, inner_right = _strip(text, left, right)
        yield Segment("space", text[left:inner_left])
        yield _make_segment(text, inner_left, inner_right, piece.kind, inside)
        yield Segment("space", text[inner_right:right])
    if wrap:
        yield Segment("marker", wrap)


def _make_segment(text: str, start: int, end: int, kind: str, spans: Sequence[Span]) -> Segment:
    whole = text[start:end]
    outside, position = [], start
    for span in spans:
        outside.append(text[position : span.start])
        position = span.end
    outside.append(text[position:end])
    if _has_letter("".join(outside)):
        return Segment(kind, whole, tuple(text[span.start : span.end] for span in spans))
    return Segment(_KINDS.get(spans[0].kind, spans[0].kind) if spans else "symbols", whole)


def _cut(
    text: str, start: int, end: int, spans: Sequence[Span], split: Splitter | None, language: str
) -> Iterator[tuple[int, int]]:
    """Where the sentences of text[start:end] begin and end; none is cut within a span, a link or strong text."""
    if split is None:
        yield start, end
        return
    seen, position = [], start
    for span in spans:
        # The splitter sees a word in the place of a span: a full stop in a URL or formula ends no sentence.
        seen += [text[position : span.start], "X", "x" * (span.end - span.start - 1)]
        position = span.end
    masked = "".join([*seen, text[position:end]])
    pieces = split(masked, language)
    if "".join(pieces) != masked:
        raise BadInput("the sentence splitter changed the text: its pieces must join back to it.")
    whole = sorted([*((span.glued, span.end) for span in spans), *_pair_strong(text, start, end)])
    place, reach, left, right = 0, start, start, start
    for length in map(len, pieces):
        right += length
        while place < len(whole) and whole[place][0] < right:
            reach = max(reach, whole[place][1])
            place += 1
        # After a Latin full stop there is a space: `.NET`, `e.g.this` and the like are not ends.
        ends = (
            right == end
            or not masked[right - start - 1].isascii()
            or text[right - 1 : right + 1].strip() != (text[right - 1 : right + 1])
        )
        if ends and right >= reach and left < right:
            yield left, right
            left = right
    if left < end:
        yield left, end


def _pair_strong(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    marks = [found.start() for found in _STRONG.finditer(text, start, end)]
    if len(marks) % 2 == 0:
        for opening, closing in zip(marks[::2], marks[1::2], strict=True):
            yield opening, closing + 2


def _find_wrap(text: str, start: int, end: int, spans: Sequence[Span]) -> str:
    """The emphasis marker that encloses the whole of text[start:end], if any: `**Title**` has `**`."""
    if (spans and (spans[0].start == start or spans[-1].end == end)) or end - start > 10_000:
        return ""
    for mark in _WRAPS:
        size = len(mark)
        if end - start <= 2 * size or not (text.startswith(mark, start) and text.endswith(mark, start, end)):
            continue
        inner = text[start + size : end - size]
        if inner[0].isspace() or inner[-1].isspace() or mark[0] in inner:
            return ""
        return mark
    return ""


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _merge(segments: Iterable[Segment]) -> list[Segment]:
    """The segments without empty ones, and neighbouring whitespace as one."""
    merged: list[Segment] = []
    space: list[str] = []
    for part in segments:
        if part.kind == "space":
            space.append(part.text)
        elif part.text:
            if any(space):
                merged.append(Segment("space", "".join(space)))
            space = []
            merged.append(part)
    if any(space):
        merged.append(Segment("space", "".join(space)))
    return merged
