"""Lines of Markdown as pieces: markers, cells and rules on one side, runs of text to translate on the other."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xl_suite.markdown.inline import Span

# A plain line shorter than this is taken for a line of its own (verse, an address), not for a wrapped one.
_WRAP_LENGTH = 50


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start` to `end` of the prose, with the protected spans in them where `kind` is `text` or `cell`."""

    start: int
    end: int
    kind: str
    spans: Sequence[Span] = ()


@dataclass(slots=True)
class Line:
    """A line of prose, or several where a span holds their line ends.

    start to body: indentation and markers; body to end: the content; end to after: trailing space and line end.
    form: `plain`, `heading`, `table`, `rule`, `link` (a definition), `code` (of a Python session) or `blank`.
    marks: the pieces from start to body. quotes, items: how many of the markers are of quotations and of lists.
    """

    start: int
    body: int
    end: int
    after: int
    marks: list[Piece] = field(default_factory=list)
    form: str = "plain"
    quotes: int = 0
    items: int = 0

    @property
    def plain(self) -> bool:
        return self.form == "plain"


_NEWLINE = re.compile(r"\r\n|\r|\n")
_SPACE = re.compile(r"[^\S\r\n]++")
_MARK = re.compile(
    r"(>)|(#{1,6})(?=\s|\Z)|[-*+•‣▪◦·●–—](?=\s|\Z)|\[[ xX]\](?=\s)|"
    r"(?:\d{1,3}|[a-z]|[ivx]{2,5})[.)](?=[^\S\u00a0\u202f])|[A-Z]\)(?=\s)|\((?:\d{1,3}|[A-Za-z]|[ivx]{2,5})\)(?=\s)|"
    r"\d{1,3}[、．](?!\d)|（(?:\d{1,3}|[a-z])）"
)
_CAPITAL = re.compile(r"([A-Z])\.(?=\s)")
_CAPITALS = re.compile(r"^[ \t]{0,8}([A-Z])\.[ \t]", re.MULTILINE)
_CLOSING_HASHES = re.compile(r"\s++#++\Z")
_DEFINITION = re.compile(r"\[[^\[\]\n]{1,100}\]:[ \t]*\S{1,2000}(?:[ \t]+[\"'(][^\n]{0,300})?\Z")
_RULE_SIGNS = frozenset("-_*=~+#|:. \t─━═")
_DELIMITER_SIGNS = frozenset("|:-+= \t")
_PIPE = re.compile(r"(?<!\\)\|")


def split_lines(text: str, spans: Sequence[Span]) -> Iterator[Piece]:
    """The pieces of a stretch of prose, in order and without a gap. spans: of `find_spans(text)`."""
    starts = [span.start for span in spans]
    lines = read_lines(text, spans)
    number = 0
    while number < len(lines):
        line = lines[number]
        yield from line.marks
        last = number
        if line.form == "table":
            yield from _split_row(text, line, spans, starts)
        elif line.form in ("plain", "heading"):
            last = _end_paragraph(text, lines, number)
            end = lines[last].end
            tail = _CLOSING_HASHES.search(text, max(line.body, end - 20), end) if line.form == "heading" else None
            closing = tail.start() if tail else end
            yield from _split_run(text, line.body, closing, _within(spans, starts, line.body, closing))
            if closing < end:
                yield Piece(closing, end, "marker")
        elif line.body < line.end:
            yield Piece(line.body, line.end, line.form)
        if lines[last].end < lines[last].after:
            yield Piece(lines[last].end, lines[last].after, "space")
        number = last + 1


def _within(spans: Sequence[Span], starts: Sequence[int], start: int, end: int) -> Sequence[Span]:
    return spans[bisect_left(starts, start) : bisect_left(starts, end)]


def read_lines(text: str, spans: Sequence[Span]) -> list[Line]:
    """The lines of a stretch of prose, in order and without a gap. spans: of `find_spans(text)`."""
    starts = [span.start for span in spans]
    capitals = set(_CAPITALS.findall(text))
    lines: list[Line] = []
    start = 0
    place = 0
    for found in _NEWLINE.finditer(text):
        while place < len(spans) and spans[place].end <= found.start():
            place += 1
        if place < len(spans) and spans[place].start <= found.start():
            continue  # within a formula, comment or the like
        lines.append(_read_line(text, start, found.start(), found.end(), starts, capitals))
        start = found.end()
    if start < len(text):
        lines.append(_read_line(text, start, len(text), len(text), starts, capitals))
    _mark_tables(text, lines)
    return lines


def _read_line(text: str, start: int, end: int, after: int, starts: Sequence[int], capitals: set[str]) -> Line:
    line = Line(start, start, end, after)
    while line.body < end:
        space = _SPACE.match(text, line.body, end)
        if space:
            line.marks.append(Piece(line.body, space.end(), "space"))
            line.body = space.end()
            continue
        place = bisect_left(starts, line.body)
        if place < len(starts) and starts[place] == line.body:
            break
        if text.startswith(">>> ", line.body):
            line.form = "code"
            return line
        mark = _MARK.match(text, line.body, end)
        if not mark:
            letter = _CAPITAL.match(text, line.body, end)
            mark = letter if letter and {chr(ord(letter[1]) - 1), chr(ord(letter[1]) + 1)} & capitals else None
        if not mark or (line.items > 2 and text[line.body] != ">") or _is_rule(text, line.body, end):
            break
        heading = mark.re is _MARK and mark[2]
        line.quotes += text[line.body] == ">"
        line.items += text[line.body] != ">" and not heading
        line.marks.append(Piece(line.body, mark.end(), "marker"))
        line.body = mark.end()
        if heading:
            line.form = "heading"
            if space := _SPACE.match(text, line.body, end):
                line.marks.append(Piece(line.body, space.end(), "space"))
                line.body = space.end()
            break
    while line.end > line.body and text[line.end - 1].isspace():
        line.end -= 1
    if line.body == line.end:
        line.form = "blank"
    elif _is_rule(text, line.body, line.end):
        line.form = "rule"
    elif text[line.body] == "[" and _DEFINITION.match(text, line.body, line.end):
        line.form = "link"
    return line


def _is_rule(text: str, start: int, end: int) -> bool:
    return end - start >= 3 and text[start] in _RULE_SIGNS and _RULE_SIGNS.issuperset(text[start:end])


def _mark_tables(text: str, lines: Sequence[Line]) -> None:
    """Rows are lines between outer pipes, and lines with pipes that touch a delimiter row (GFM, "Tables")."""
    under = False
    for number, line in enumerate(lines):
        if line.form == "blank":
            under = False
            continue
        if line.form == "rule":
            content = text[line.body : line.end]
            if "|" in content and "-" in content and _DELIMITER_SIGNS.issuperset(content):
                under = True
                line.form = "table"
                if number and lines[number - 1].plain and "|" in text[lines[number - 1].body : lines[number - 1].end]:
                    lines[number - 1].form = "table"
            continue
        if not line.plain:
            continue
        if text[line.body] == "|" or under:
            pipes = len(_PIPE.findall(text, line.body, line.end))
            if pipes > 1 or (under and pipes):
                line.form = "table"
            else:
                under = False


def _split_row(text: str, line: Line, spans: Sequence[Span], starts: Sequence[int]) -> Iterator[Piece]:
    position, place = line.body, bisect_left(starts, line.body)
    for pipe in _PIPE.finditer(text, line.body, line.end):
        while place < len(spans) and spans[place].end <= pipe.start():
            place += 1
        if place < len(spans) and spans[place].start <= pipe.start():
            continue
        yield from _split_run(text, position, pipe.start(), _within(spans, starts, position, pipe.start()), "cell")
        yield Piece(pipe.start(), pipe.end(), "table")
        position = pipe.end()
    yield from _split_run(text, position, line.end, _within(spans, starts, position, line.end), "cell")


def _split_run(text: str, start: int, end: int, spans: Sequence[Span], kind: str = "text") -> Iterator[Piece]:
    """The run, cut at block-level tags and comments, which are between texts and never in one."""
    inside: list[Span] = []
    for span in spans:
        if not span.breaks:
            inside.append(span)
            continue
        if start < span.start:
            yield _make_piece(text, start, span.start, kind, inside)
        yield Piece(span.start, span.end, "html")
        start, inside = span.end, []
    if start < end:
        yield _make_piece(text, start, end, kind, inside)


def _make_piece(text: str, start: int, end: int, kind: str, spans: Sequence[Span]) -> Piece:
    return Piece(start, end, "space") if text[start:end].isspace() else Piece(start, end, kind, tuple(spans))


def _end_paragraph(text: str, lines: Sequence[Line], first: int) -> int:
    """The number of the line where the sentence flow that begins in line `first` ends: itself unless it was wrapped.

    A line break is kept as form (verse, addresses) unless the text shows that it was wrapped at a column: a long
    line goes on in lower case, or the lines above it did and are of nearly one length.
    """
    last = first
    if lines[first].form == "heading":
        return first
    while (
        last + 1 < len(lines) and lines[last + 1].plain and not any(m.kind == "marker" for m in lines[last + 1].marks)
    ):
        here, following = lines[last], lines[last + 1]
        if here.end - here.start < _WRAP_LENGTH or text[here.end : here.end + 2] == "  ":
            break
        if not text[following.body].islower() and not (last > first and _is_wrapped(text, lines, first, last)):
            break
        last += 1
    return last


def _is_wrapped(text: str, lines: Sequence[Line], first: int, last: int) -> bool:
    lengths = [line.end - line.start for line in lines[max(first, last - 11) : last + 1]]
    return len(lengths) > 1 and max(lengths) <= 120 and min(lengths) * 10 >= max(lengths) * 8
