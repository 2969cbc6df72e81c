"""What of an answer is judged: its prose, cut into pieces of about a sentence.

Code, formulas, addresses, numbers, markup, quotations inside a line and what is copied from the prompt are not judged
as the rest is; sentences in them are pieces of their own kind. Every pattern is bounded, so that a line of a megabyte
takes no longer than its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from xl_suite.fidelity.code import find_code, is_statement
from xl_suite.fidelity.disguises import undisguise
from xl_suite.fidelity.prose import PLAIN_WORDS, find_prose, is_english_prose, split_joined
from xl_suite.fidelity.sentences import CLAUSE, STOP, cut_sentences, split_long
from xl_suite.fidelity.words import DENSE, IS_DENSE, LATIN, OTHER, find_words, measure
from xl_suite.markdown.blocks import read_body, split_blocks
from xl_suite.markdown.inline import Span, find_spans

COPIED_WORDS = 5  # words of a line from which on it is looked for in the prompt
SHORT_PIECE = 40  # letters; a shorter piece is joined with the short pieces beside it (a list, a table)
# Characters from which on a passage in another script is not a name or loanword any more but text to judge.
LOANED_LETTERS = {"latin": 30, "dense": 12, "other": 30}
LOANED_WORDS = 6  # words from which on Latin letters in a line of another script may be a sentence
LEAST_PAIRS = 3  # lines of a term and its explanation that make a glossary
MOST_HIDDEN = 20_000  # characters of an answer's marked words that are read for sentences

# Words that are none, besides what Markdown marks. Each alternative begins with a plain character, so that the search
# skips quickly from one to the next.
_LEFT_OUT = re.compile(
    r"""
    <[A-Za-z][^<>\n]{0,40}>                             # something to fill in: <your name>
    | \\(?:begin|end)\{[^{}\n]{0,40}\}                   # of LaTeX
    | \\[A-Za-z]{1,30}
    | [0-9](?:[\w.,:/%°'′″-]*[\w%°])?                    # numbers, and what is written on to them
    """,
    re.VERBOSE,
)
_JOINED = re.compile(
    r"[@\#]\w{1,60}(?:\.\w{1,60}){0,4}"  # handles and hashtags
    r"|[\w.-]{1,60}(?:/[\w.-]{1,60}){2,40}"  # paths
    r"|(?<![^\W_])[^\W_]{1,60}(?:_[^\W_]{1,60}){1,40}"
    r"|\b[A-Z]?[a-z]{1,40}(?:[A-Z][a-z]{1,40}){2,40}"
)
_HAS_JOINED = re.compile(r"[@#_/]|[a-z][A-Z]")
_PAIR = re.compile(r"[\s>|*+•\d.)-]{0,12}([^|:=–—→]{2,60}?)[*_]{0,3}(?:\s+(?:[–—=|→]|-)\s+|:\s+)([^|]{2,60}?)[\s|]*$")
_MENU = re.compile(r"\w[*_\"'”]{0,3}\s(?:>|→)\s[*_\"'“]{0,3}\w")
_REFERENCE = re.compile(
    r"\s*(?:\[?\d{1,3}[\].)]+\s*|[-*•]\s+)?[^\W\d_][\w'’-]+,(?:\s?[A-Z]\.){1,4}.{0,200}\b(?:19|20)\d\d"
)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_VALUE = re.compile(r"=\s*(?:\"([^\"]{8,2000})\"|'([^']{8,2000})')")
_QUOTATION = re.compile(
    r"“[^“”\n]{1,300}”|„[^„“”\n]{1,300}[“”]|«[^«»\n]{1,300}»|\"[^\"\n]{1,300}\""
    r"|「[^「」\n]{1,300}」|『[^『』\n]{1,300}』|《[^《》\n]{1,300}》|(?<!\w)[‘'][^‘’'\n]{3,300}[’'](?!\w)"
    r"|(?<![\w*])\*[^\s*][^*\n]{1,300}\*(?![\w*])"  # a title in italics
)
_QUOTE_SIGN = re.compile(r"[\"“„«「『《‘*]|(?<!\w)'")
_BETWEEN_TERMS = re.compile(r"[,;:、，；：()（）/]")
_LETTERS = re.compile(rf"(?P<latin>[{LATIN}]+)|(?P<dense>[{DENSE}]+)|(?P<other>[{OTHER}]+)")
_NOT_LATIN = re.compile(f"[{DENSE}{OTHER}]")
_IS_LATIN = re.compile(f"[{LATIN}]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer's prose.

    line: the 1-based line of the answer in which it begins.
    kind: `plain`; `quoted` (in quotation marks inside other text, or copied from the prompt); `marked` (sentences of
    a block of code); `hidden` (words that were marked one by one, or names in a line of another script).
    """

    line: int
    text: str
    kind: str = "plain"


@dataclass(slots=True)
class _Found:
    """What an answer holds besides its plain lines: pieces by kind, and marked words with their lines."""

    quoted: list[Piece] = field(default_factory=list)
    marked: list[Piece] = field(default_factory=list)
    words: list[tuple[int, str]] = field(default_factory=list)


def find_pieces(output: str, prompt: str = "", *, latin: bool = True) -> list[Piece]:
    """The prose of an answer in pieces of about a sentence, in its order, then what is marked; none without prose.

    Short lines that follow one another come together in one piece. A line break never lies inside a sentence
    otherwise, and a passage in Chinese, Japanese or Korean inside other text is a piece of its own.
    latin: whether the language asked for is written in Latin letters; in a line of another script these are names.
    """
    found = _Found()
    lines = _leave_out(undisguise(output.replace("\r\n", "\n").replace("\r", "\n")), found).split("\n")
    asked = f" {' '.join(find_words(prompt.lower()))} " if prompt else ""
    pieces: list[Piece] = []
    block: list[str] = []
    pairs = _find_pairs(lines)
    for number, (line, is_code) in enumerate(zip(lines, find_code(lines), strict=True), start=1):
        if is_code:
            block.append(line)
            if not is_statement(line):
                found.words.append((number, line))
            continue
        if not line or line.isspace():
            if block:
                block.append("")
            continue
        if block:
            _read_block(number - len(block), "\n".join(block), found)
            block = []
        if len(_MENU.findall(line)) > 1 or _REFERENCE.match(line):  # `Settings > Privacy > Clear data`, a book
            found.quoted += [Piece(number, part, "quoted") for part in cut_sentences(_LEFT_OUT.sub(" ", line))]
            continue
        if number in pairs:
            term, line = pairs[number]
            found.quoted += [Piece(number, part, "quoted") for part in cut_sentences(term)]
        line = _LEFT_OUT.sub(" ", _leave_out_joined(number, line, found))
        if asked:
            line = _leave_out_copied(number, line, asked, found)
        line, quotations = _leave_out_quotations(line)
        alone = quotations and len(find_words(line)) < 2  # a line that is all quotation
        for text in quotations:
            if alone or measure(text) >= SHORT_PIECE:
                found.quoted += [Piece(number, part, "quoted") for part in _split_line(number, text, latin, found)]
            else:
                found.words.append((number, text))
        pieces += [Piece(number, part) for part in _split_line(number, line, latin, found)]
    if block:
        _read_block(len(lines) - len(block) + 1, "\n".join(block), found)
    return _join_short(pieces) + found.marked + found.quoted + _read_words(found.words)


def _leave_out(text: str, found: _Found) -> str:
    """The text without what Markdown marks as no prose, which goes to `found`; its lines keep their numbers."""
    kept: list[str] = []
    line = 1
    for block in split_blocks(text):
        part = text[block.start : block.end]
        if block.is_code:
            _read_block(line + (block.kind == "fence"), read_body(text, block), found)
            kept.append(_blank(part))
        else:
            position = 0
            for span in find_spans(part):
                kept.append(part[position : span.start])
                kept.append(_read_span(line + part.count("\n", 0, span.start), part, span, found))
                position = span.end
            kept.append(part[position:])
        line += part.count("\n")
    return "".join(kept)


def _read_span(line: int, part: str, span: Span, found: _Found) -> str:
    """What stays in the place of a span; what may hold sentences goes to `found`."""
    inside = part[span.start : span.end]
    if span.kind == "comment" or (span.kind in ("element", "environment") and "\n" in inside):
        body = _TAG.sub(" ", inside.removeprefix("<!--").removesuffix("-->"))
        _read_block(line, re.sub(r"\\(?:begin|end)\{[^{}\n]{0,40}\}", " ", body), found)
    elif span.kind in ("element", "environment"):
        return _TAG.sub(" ", inside)
    elif span.kind in ("html", "break"):
        found.words += [(line, one or other) for one, other in _VALUE.findall(inside)]
    elif span.kind not in ("email", "entity"):
        found.words.append((line, _TAG.sub(" ", inside)))
    return _blank(inside)


def _read_block(line: int, code: str, found: _Found) -> None:
    found.marked += [
        Piece(line + number, part, "marked")
        for number, sentence in find_prose(code)
        for part in cut_sentences(sentence)
    ]


def _read_words(words: list[tuple[int, str]]) -> list[Piece]:
    """Marked words in their order as pieces; nothing where they are too few to be a sentence."""
    pieces: list[Piece] = []
    size = 0
    for line, text in words:
        size += len(text)
        if size > MOST_HIDDEN:
            break
        plain = split_joined(text)
        if not plain:
            continue
        if pieces and measure(pieces[-1].text) < CLAUSE:
            pieces[-1] = Piece(pieces[-1].line, f"{pieces[-1].text} {plain}", "hidden")
        else:
            pieces += [Piece(line, part, "hidden") for part in split_long(plain)]
    return pieces


def _blank(text: str) -> str:
    return " " + "\n" * text.count("\n")


def _leave_out_joined(number: int, line: str, found: _Found) -> str:
    if not _HAS_JOINED.search(line):
        return line
    joined = _JOINED.findall(line)
    found.words += [(number, word) for word in joined]
    return _JOINED.sub(" ", line) if joined else line


def _find_pairs(lines: list[str]) -> dict[int, tuple[str, str]]:
    """By line number, a term and its explanation or translation, where at least three such lines come together."""
    found: dict[int, tuple[str, str]] = {}
    run: dict[int, tuple[str, str]] = {}
    for number, line in enumerate([*lines, ""], start=1):
        pair = _PAIR.match(line) if 5 < len(line) < 140 else None
        if pair:
            run[number] = (pair[1], pair[2])
        elif not line or line.isspace():
            continue
        else:
            found |= run if len(run) >= LEAST_PAIRS else {}
            run = {}
    return found | (run if len(run) >= LEAST_PAIRS else {})


def _leave_out_copied(number: int, line: str, asked: str, found: _Found) -> str:
    """The line without what it copies from the prompt: all of it, or all that follows a colon."""
    head, colon, tail = line.partition(": ")
    for kept, copied in (("", line), (head + colon, tail)):
        words = find_words(copied.lower())
        if len(words) >= COPIED_WORDS and f" {' '.join(words)} " in asked:
            found.quoted += [Piece(number, part, "copied") for part in cut_sentences(copied)]
            return kept
    return line


def _leave_out_quotations(line: str) -> tuple[str, list[str]]:
    """The line without titles and sayings that it quotes, and these."""
    if not _QUOTE_SIGN.search(line):
        return line, []
    quotations = _QUOTATION.findall(line)
    return (_QUOTATION.sub(_keep_stop, line), [text[1:-1] for text in quotations]) if quotations else (line, [])


def _keep_stop(quotation: re.Match[str]) -> str:
    """A quotation that ends a sentence leaves the end of it behind."""
    return ". " if quotation.group()[-2] in ".!?。！？" else " "


def _split_line(number: int, line: str, latin: bool, found: _Found) -> list[str]:
    sentences = [line] if latin or not _IS_LATIN.search(line) else STOP.split(line)
    return [
        part
        for sentence in sentences
        for run in _split_scripts(number, sentence, latin, found)
        for part in cut_sentences(run)
    ]


def _split_scripts(number: int, line: str, latin: bool, found: _Found) -> list[str]:
    """The line's passages in one script each, without short ones in another script than the line's.

    Those are names and loanwords: "TensorFlow" in a Chinese line, a Chinese name in a German one. A line's script is
    that of most of its letters, but for a language in another script than the Latin one the other script, where
    the line has a few letters of it; Latin letters are then read only where they are a sentence.
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
    if not latin:
        letters["latin"] = 0
    main = max(letters, key=lambda script: letters[script])
    kept, at = [""], 0
    for script, start, end in runs:
        if script == main:
            continue
        kept[-1] += " " + line[at:start]
        text = line[start:end]
        if len(text) >= LOANED_LETTERS[script] and (latin or script != "latin" or _is_sentence(text)):
            kept += [text, ""]
        elif script == "latin":
            found.words.append((number, text))
        at = end
    kept[-1] += " " + line[at:]
    return kept


def _is_sentence(text: str) -> bool:
    """Whether Latin letters in a line of another script are a sentence, not names or a list of terms."""
    words = find_words(text)
    if len(words) < LOANED_WORDS:
        return False
    together = max(len(find_words(part)) for part in _BETWEEN_TERMS.split(text))
    small = sum(word[0].islower() for word in words)
    return is_english_prose(text) or (together > LOANED_WORDS - 2 and small >= PLAIN_WORDS * len(words))


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
