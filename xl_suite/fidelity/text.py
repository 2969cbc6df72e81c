"""What of an answer is judged: its prose, cut into pieces of about a sentence.

Left out are code, formulas, addresses, numbers, markup, quotations inside a line, and what is copied from the
prompt. Every pattern is bounded, so that a line of a megabyte takes no longer than its length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from xl_suite.fidelity.words import DENSE, IS_DENSE, LATIN, OTHER, WORD, find_words, measure
from xl_suite.markdown.blocks import split_blocks
from xl_suite.markdown.inline import find_spans

COPIED_WORDS = 5  # a run of so many words that also stands in the prompt is taken for a quotation of it
SHORT_PIECE = 40  # letters; a shorter piece is joined with the short pieces beside it (a list, a table)
LONG_PIECE = 120  # letters; a longer sentence is cut where it has a comma, since it may hold two languages
CLAUSE = 50  # letters that each part of such a sentence has at least
# Characters from which on a passage in another script is no name or loanword any more but text to judge.
LOANED_LETTERS = {"latin": 30, "dense": 12, "other": 30}
LONGEST_PIECE = 1200  # characters; a longer text without any space is cut anywhere

# Words that are none, besides what Markdown marks. Each alternative begins with a plain character, so that the search
# skips quickly from one to the next.
_LEFT_OUT = re.compile(
    r"""
    [@\#]\w{1,60}(?:\.\w{1,60}){0,4}                     # handles and hashtags
    | <[A-Za-z][^<>\n]{0,40}>                             # something to fill in: <your name>
    | \\(?:begin|end)\{[^{}\n]{0,40}\}                   # of LaTeX
    | \\[A-Za-z]{1,30}
    | [0-9](?:[\w.,:/%°'′″-]*[\w%°])?                    # numbers, and what is written on to them
    """,
    re.VERBOSE,
)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_QUOTATION = re.compile(
    r"“[^“”\n]{1,300}”|„[^„“”\n]{1,300}[“”]|«[^«»\n]{1,300}»|\"[^\"\n]{1,300}\""
    r"|「[^「」\n]{1,300}」|『[^『』\n]{1,300}』|《[^《》\n]{1,300}》|(?<!\w)[‘'][^‘’'\n]{3,300}[’'](?!\w)"
    r"|(?<![\w*])\*[^\s*][^*\n]{1,300}\*(?![\w*])"  # a title in italics
)
_QUOTE_SIGN = re.compile(r"[\"“„«「『《‘*]|(?<!\w)'")
_MARKERS = re.compile(r"[*_~|#•▪·+\\\[\]{}<>=^]+|^[\s>*+–—-]+")
_STOP = re.compile(r"(?:[.;…](?<!\b[A-Z]\.)[\"'”’»)\]]*\s|[!?।॥。！？；][\"'”’»」』）)\]]*)")
_COMMA = re.compile(r"(?<=[,;:，；：、])\s*|\s+(?=[–—(])")
_LETTERS = re.compile(rf"(?P<latin>[{LATIN}]+)|(?P<dense>[{DENSE}]+)|(?P<other>[{OTHER}]+)")
_NOT_LATIN = re.compile(f"[{DENSE}{OTHER}]")
_IS_LATIN = re.compile(f"[{LATIN}]")
_CODE_LETTER = re.compile(r"[{}<>=\[\]\\^$;|&@(_/:]")
_CODE_SIGN = re.compile(r"[{}<>=\[\]\\^$;|&@]|\w\(|\)\s*[:.]\s*$|_\w|/\w|::|->")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer's prose.

    line: the 1-based line of the answer in which it begins. quoted: stands in quotation marks inside other text.
    """

    line: int
    text: str
    quoted: bool = False


def find_pieces(output: str, prompt: str = "") -> list[Piece]:
    """The prose of an answer in pieces of about a sentence, in its order, then what it quotes; none without prose.

    Short lines that follow one another come together in one piece. A line break never lies inside a sentence
    otherwise, and a passage in Chinese, Japanese or Korean inside other text is a piece of its own.
    """
    text = leave_out(output)
    copied = frozenset(_make_shingles(find_words(prompt.lower())))
    pieces: list[Piece] = []
    quoted: list[Piece] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        if copied:
            line = _leave_out_copied(line, copied)
        line, quotations = _leave_out_quotations(line)
        pieces += [Piece(number, part) for part in _split_line(line)]
        quoted += [Piece(number, part, quoted=True) for text in quotations for part in _split_line(text)]
    return _join_short(pieces) + quoted


def leave_out(output: str) -> str:
    """The answer without code, formulas, addresses and numbers; its lines keep their numbers.

    What an HTML element or a LaTeX environment holds is judged, since running text may be there too.
    """
    text = output.replace("\r\n", "\n").replace("\r", "\n")
    kept: list[str] = []
    for block in split_blocks(text):
        part = text[block.start : block.end]
        if block.is_code:
            kept.append(_blank(part))
            continue
        position = 0
        for span in find_spans(part):
            kept.append(part[position : span.start])
            inside = part[span.start : span.end]
            judged = span.kind in ("element", "environment") or (span.kind == "code" and inside[0] == "<")
            kept.append(_TAG.sub(" ", inside) if judged else _blank(inside))
            position = span.end
        kept.append(part[position:])
    return _LEFT_OUT.sub(_blank_match, "".join(kept))


def _blank(text: str) -> str:
    return " " + "\n" * text.count("\n")


def _blank_match(match: re.Match[str]) -> str:
    return _blank(match[0])


def _make_shingles(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[i:] for i in range(COPIED_WORDS)), strict=False)


def _leave_out_copied(line: str, copied: frozenset[tuple[str, ...]]) -> str:
    words = find_words(line.lower())
    if copied.isdisjoint(_make_shingles(words)):
        return line
    spans = [word.span() for word in WORD.finditer(line)]
    if len(spans) != len(words):  # a letter that grows when it is lowered; then the line stays as it is
        return line
    kept, at = [], 0
    for i, shingle in enumerate(_make_shingles(words)):
        if shingle in copied:
            start, end = spans[i][0], spans[i + COPIED_WORDS - 1][1]
            if start >= at:
                kept.append(line[at:start])
            at = max(at, end)
    kept.append(line[at:])
    return " ".join(kept)


def _leave_out_quotations(line: str) -> tuple[str, list[str]]:
    """The line without titles and sayings that it quotes, and the longer ones of these.

    A line that is all quotation, but for a word, stays whole.
    """
    if not _QUOTE_SIGN.search(line):
        return line, []
    rest = _QUOTATION.sub(_keep_stop, line)
    if len(rest) == len(line) or len(find_words(rest)) < 2:
        return line, []
    return rest, [text[1:-1] for text in _QUOTATION.findall(line) if measure(text) >= SHORT_PIECE]


def _keep_stop(quotation: re.Match[str]) -> str:
    """A quotation that ends a sentence leaves the end of it behind."""
    return ". " if quotation.group()[-2] in ".!?。！？" else " "


def _split_line(line: str) -> list[str]:
    if _looks_like_code(line):
        return []
    parts = []
    for run in _split_scripts(line):
        for sentence in _STOP.split(run):
            clean = " ".join(_MARKERS.sub(" ", sentence).split())
            if clean and WORD.search(clean):
                parts += _split_long(clean)
    return parts


def _looks_like_code(line: str) -> bool:
    """More than one sign of a programming language in twelve characters."""
    if not _CODE_LETTER.search(line):
        return False
    return 12 * len(_CODE_SIGN.findall(line)) > len(line.strip())


def _split_scripts(line: str) -> list[str]:
    """The line's passages in one script each; short passages in another script than most of the line are dropped.

    Those are names and loanwords: "TensorFlow" in a Chinese line, a Chinese name in a German one.
    """
    if not _NOT_LATIN.search(line) or not _IS_LATIN.search(line):
        return [line]
    runs: list[tuple[str, int, int]] = []  # script, start, end
    letters = {"latin": 0, "dense": 0, "other": 0}
    for match in _LETTERS.finditer(line):
        script = match.lastgroup or ""
        letters[script] += len(match.group()) * (3 if script == "dense" else 1)
        if runs and runs[-1][0] == script:
            runs[-1] = (script, runs[-1][1], match.end())
        else:
            runs.append((script, match.start(), match.end()))
    main = max(letters, key=lambda script: letters[script])
    kept, at = [""], 0
    for script, start, end in runs:
        if script == main:
            continue
        kept[-1] += " " + line[at:start]
        if end - start >= LOANED_LETTERS[script]:
            kept += [line[start:end], ""]
        at = end
    kept[-1] += " " + line[at:]
    return kept


def _split_long(sentence: str) -> list[str]:
    """A long sentence as parts of CLAUSE letters and more: at commas, and between words where there are too few."""
    if measure(sentence) <= LONG_PIECE:
        return [sentence]
    parts: list[str] = []
    current, size = "", 0
    for clause in _COMMA.split(sentence):
        for words in _split_words(clause):
            current = f"{current} {words}" if current else words
            size += measure(words)
            if size >= CLAUSE:
                parts.append(current)
                current, size = "", 0
    if current and parts:
        parts[-1] += " " + current
    elif current:
        parts.append(current)
    return parts


def _split_words(clause: str) -> list[str]:
    """The clause, cut between words into equal parts of at most LONG_PIECE letters, or of LONGEST_PIECE anywhere."""
    size = measure(clause)
    if size <= LONG_PIECE:
        return [clause]
    words = clause.split() if size > len(clause) or " " in clause else [clause]
    wanted = size / math.ceil(size / LONG_PIECE)
    parts, current = [], ""
    for word in words:
        current = f"{current} {word}" if current else word
        if measure(current) >= wanted:
            parts.append(current)
            current = ""
    if current:
        parts.append(current)
    return [part[i : i + LONGEST_PIECE] for part in parts for i in range(0, len(part), LONGEST_PIECE)]


def _join_short(pieces: list[Piece]) -> list[Piece]:
    """Neighbouring pieces in one script under SHORT_PIECE letters in one, until it is no longer short."""
    joined: list[Piece] = []
    waiting: Piece | None = None
    for piece in pieces:
        short = measure(piece.text) < SHORT_PIECE
        if waiting and (not short or _find_script(piece.text) != _find_script(waiting.text)):
            joined.append(waiting)
            waiting = None
        if not short:
            joined.append(piece)
            continue
        waiting = Piece(waiting.line, f"{waiting.text}, {piece.text}") if waiting else piece
        if measure(waiting.text) >= SHORT_PIECE:
            joined.append(waiting)
            waiting = None
    if waiting:
        joined.append(waiting)
    return joined


def _find_script(text: str) -> str:
    found = None if text.isascii() else _NOT_LATIN.search(text)
    return "latin" if found is None else "dense" if IS_DENSE.match(found.group()) else "other"
