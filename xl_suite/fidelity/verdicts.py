"""Is an answer in the language that was asked for? The rules that turn scores of pieces into a verdict.

A piece counts for the target where the target beats every rival, and against it where a rival beats the target by
a clear margin: the classifier's log scores (over the root of the bytes, so that they compare across lengths) are
compared after RARE languages were marked down. The benchmark's languages are thereby the restricted set, and all
others that the model knows the open one, in a single comparison. Between the two margins a piece decides nothing.

The thresholds come from real text (`scripts/benchmarks/fidelity.py` measures them): of the 34,000 pieces of 2,415
English answers, those in which a rival led by 4 or more are truly in another language (French, German, Old
English, Chinese) but for a handful of names; of the pieces of the Universal Declaration in twelve languages none
is lost by as much to a rival.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.fidelity.identify import NO_LANGUAGE, load_identifier
from xl_suite.fidelity.prose import has_function_word, is_english_prose, is_english_title
from xl_suite.fidelity.rivals import FOREIGN, class_of, column_of, columns_of, weigh_rivals
from xl_suite.fidelity.scripts import NOT_LATIN, is_in_other_letters
from xl_suite.fidelity.signs import (
    DEVANAGARI,
    count_signs,
    has_devanagari,
    is_romanised_hindi,
    is_salad,
    is_swiss_german,
    is_traditional_chinese,
)
from xl_suite.fidelity.support import find_support
from xl_suite.fidelity.text import Piece, find_pieces
from xl_suite.fidelity.words import count_letters, count_words, is_listing, is_title, measure
from xl_suite.languages import find_language

VERDICTS = ("right", "wrong", "mixed", "empty", "undetermined", "withheld")

FOREIGN_SHORT = 5.0  # the same for a piece under FULL_BYTES or FULL_WORDS
SURE = 2.0  # lead of the target from which on a piece makes an answer mixed beside pieces in another language
MAIN_PART = 0.05  # part of an answer's sure text that is in the target; under it the answer is wrong, not mixed
FULL_BYTES, FULL_WORDS = 30, 4
LEAST_WORDS, LEAST_LETTERS = 3, 12  # under this a piece, and an answer, is too short to be judged
LEAST_LEAD = 0.5  # lead of the target over all pieces together under which an answer is not right
HIDDEN_LEAST = 80  # letters of foreign sentences in quotations and marks from which on they count
MOST_NAMES = 150  # letters of titles and names that may be a whole answer
SIGN = 6.0  # what one word of signs.SIGNS adds to a log score
LONG_ENOUGH = 100  # bytes of a piece whose letters need no counting
SHOWN = 5  # lines that a verdict holds at most
EXCERPT = 120  # characters of a shown line


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """A passage that shows a verdict. line: 1-based; language: ISO 639-3 of what was found; probability in [0, 1]."""

    line: int
    text: str
    language: str
    probability: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """verdict: one of VERDICTS. note: why, or what else is worth knowing; often empty.

    empty: no text at all; withheld: a moderation kept the answer back. Neither is in any language.
    """

    verdict: str
    lines: tuple[LineVerdict, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class FidelityAnswer:
    """An answer to judge. prompt: what it answers, whose words are left out where the answer repeats them.

    expected: `target`, `any` or `other:CODE` (DESIGN's "Expected language"). finish_reason: why the answer ended; the
    last sentence of one of `length` ends anywhere, and one of `withheld` was kept back by a moderation.
    """

    output: str
    prompt: str = ""
    expected: str = "target"
    finish_reason: str = ""


def knows_language(language: str) -> bool:
    """Whether answers in this ISO 639-3 language can be judged at all."""
    return find_support(language).known


def judge_language(output: str, language: str, *, prompt: str = "", expected: str = "target") -> Verdict:
    """The verdict on one answer; `judge_answers` is far faster for many. Raises UnknownLanguage, BadInput."""
    return judge_answers([FidelityAnswer(output, prompt, expected)], language)[0]


def judge_answers(answers: Sequence[FidelityAnswer], language: str) -> list[Verdict]:
    """A verdict for each answer that was asked for in `language` (ISO 639-3).

    - An answer without text is empty whatever was asked for; one that was withheld is so whatever its text.
    - `any` is right whatever the language.
    - `other:CODE` is right in CODE, also beside explanations in the target language; text in the target language
      alone is undetermined, since the words asked for may be too few to be seen.
    - Hindi in Latin letters is wrong for `hin`; traditional Chinese is right for `zho`; both are noted.
    - A language that the classifier doesn't know makes every verdict undetermined.

    Raises UnknownLanguage for a code that is none, BadInput for another `expected`.
    """
    find_language(language)
    wanted = [_parse_expected(answer.expected, language) for answer in answers]
    pieces = [
        [] if languages is None or not find_support(languages[0]).known else _find_pieces(answer, languages)
        for answer, languages in zip(answers, wanted, strict=True)
    ]
    scores = load_identifier().score([piece.text for own in pieces for piece in own])
    verdicts, at = [], 0
    for answer, languages, own in zip(answers, wanted, pieces, strict=True):
        if answer.finish_reason == "withheld":
            verdicts.append(Verdict("withheld"))
        elif not _has_text(answer.output):
            verdicts.append(Verdict("empty"))
        elif languages is None:
            verdicts.append(Verdict("right", note="any language"))
        elif not find_support(languages[0]).known:
            verdicts.append(Verdict("undetermined", note=f"the classifier does not know {languages[0]}"))
        else:
            verdicts.append(_judge_pieces(answer, own, scores[at : at + len(own)], languages))
        at += len(own)
    return verdicts


def _has_text(output: str) -> bool:
    """Whether anything can be seen of the output: not only blanks, zero-width and control characters."""
    return any(letter.isprintable() and not letter.isspace() for letter in output)


def _parse_expected(expected: str, language: str) -> tuple[str, ...] | None:
    """The languages in which the answer may be, the one that must be found first; None where any will do."""
    if expected == "target":
        return (language,)
    if expected == "any":
        return None
    kind, _, code = expected.partition(":")
    if kind != "other":
        raise BadInput(f"expected language {expected!r} is not `target`, `any` or `other:CODE`.")
    find_language(code)
    return (code,) if code == language else (code, language)


def _find_pieces(answer: FidelityAnswer, languages: Sequence[str]) -> list[Piece]:
    latin = any(class_of(code) not in NOT_LATIN for code in languages)
    pieces = find_pieces(answer.output, answer.prompt, latin=latin)
    plain = [i for i, piece in enumerate(pieces) if piece.kind == "plain"]
    # The last sentence of a truncated answer ends anywhere; it decides nothing beside others.
    if answer.finish_reason == "length" and len(plain) > 1:
        del pieces[plain[-1]]
    return pieces


def _judge_pieces(answer: FidelityAnswer, pieces: list[Piece], scores: Any, languages: tuple[str, ...]) -> Verdict:
    import numpy as np

    if not pieces:
        return Verdict("undetermined", note="no prose")
    _add_signs(pieces, scores, languages[0])
    down, lead = weigh_rivals(languages)
    columns = columns_of(languages)
    own_columns = [column for own in columns for column in own]
    own = scores[:, own_columns].max(axis=1)
    rivals = scores - down
    rival = rivals.argmax(axis=1)
    margin = own - rivals[np.arange(len(pieces)), rival]

    right: list[int] = []
    foreign: list[int] = []
    marked: list[int] = []
    hidden: list[int] = []
    copied: list[int] = []
    named: dict[int, str] = {}  # what is told by words, where the classifier has no class
    weight = total = 0.0
    english = column_of("eng")
    known = load_identifier().languages
    classes = [class_of(code) for code in languages]
    letters = words = 0
    sizes = [len(piece.text.encode("utf-8", "surrogatepass")) for piece in pieces]
    for i, piece in enumerate(pieces):
        size = sizes[i]
        n = count_words(piece.text)
        plain = piece.kind == "plain"
        if plain or (margin[i] >= 0 and piece.kind != "hidden"):
            letters += size if size > LONG_ENOUGH else count_letters(piece.text)
            words += n
            weight += size
            total += float(margin[i]) * math.sqrt(size)
        if n < LEAST_WORDS or size < LEAST_LETTERS:
            continue
        full = size >= FULL_BYTES and n >= FULL_WORDS
        lost = -margin[i] >= (lead[rival[i]] if full and plain else FOREIGN_SHORT)
        if code := _name_by_words(piece.text, languages[0]):
            named[i] = code
            foreign.append(i)
        elif plain and is_in_other_letters(piece.text, classes[-1]) and is_in_other_letters(piece.text, classes[0]):
            named[i] = known[int(rival[i])] if scores[i].any() and margin[i] < 0 else NO_LANGUAGE
            foreign.append(i)
        elif margin[i] >= 0:
            if plain or (margin[i] >= SURE and (piece.kind != "hidden")):
                right.append(i)
        # Titles and names don't count; in German every noun has its capital, so that they can't be told there.
        elif lost and not _is_name(piece.text, known[int(rival[i])]):
            if plain and (rival[i] != english or has_function_word(piece.text)):
                foreign.append(i)
            elif plain:  # English terms without a sentence
                hidden.append(i)
            elif rival[i] != english or is_english_prose(piece.text):
                {"marked": marked, "copied": copied}.get(piece.kind, hidden).append(i)

    def weigh(chosen: Sequence[int]) -> int:
        return sum(measure(pieces[i].text) for i in chosen)

    if weigh(marked) >= HIDDEN_LEAST:
        foreign = sorted(foreign + marked)
    if weigh(hidden) >= max(HIDDEN_LEAST, weigh(right)):
        foreign = sorted(foreign + hidden)
    if not right and not foreign:  # an answer that is all quotation
        foreign = [i for i in hidden if pieces[i].kind == "quoted"]
    if not right and not foreign:
        foreign = copied
    if not foreign and (words < LEAST_WORDS or letters < LEAST_LETTERS):
        return Verdict("undetermined", note="too short")
    overall = total / math.sqrt(weight) if weight else -math.inf

    def show(chosen: Sequence[int], *, asked: bool) -> tuple[LineVerdict, ...]:
        lines = []
        for i in sorted(chosen, key=lambda i: -abs(float(margin[i])))[:SHOWN]:
            column = own_columns[int(scores[i, own_columns].argmax())] if asked else int(rival[i])
            code = load_identifier().languages[column]
            chance = 1 / (1 + math.exp(min(50.0, -abs(float(margin[i])))))
            lines.append(LineVerdict(pieces[i].line, pieces[i].text[:EXCERPT], named.get(i, code), round(chance, 4)))
        return tuple(sorted(lines, key=lambda line: line.line))

    note = _note(pieces, right, "hin" in named.values(), languages)
    in_right = weigh([i for i in right if margin[i] >= SURE])
    if foreign and in_right >= MAIN_PART * (in_right + weigh(foreign)):
        return Verdict("mixed", (*show(foreign, asked=False), *show(right, asked=True)[:1]), note)
    # A few titles alone are not text in their language.
    named_only = overall <= -FOREIGN and all(
        piece.kind != "plain" or _is_name(piece.text, known[int(rival[i])]) for i, piece in enumerate(pieces)
    )
    if foreign or (overall <= -FOREIGN and not (named_only and weigh(range(len(pieces))) < MOST_NAMES)):
        return Verdict("wrong", show(foreign or range(len(pieces)), asked=False), note)
    if not right or overall < LEAST_LEAD:
        return Verdict("undetermined", note=note or "unclear")
    if class_of(languages[0]) == "zho" and is_salad(answer.output):
        return Verdict("wrong", show(right, asked=True)[:1], "no text but characters without an order")
    if (
        len(languages) == 2
        and not set(columns[0]) & set(columns[1])
        and not any(own_columns[int(scores[i, own_columns].argmax())] in columns[0] for i in right)
    ):
        return Verdict("undetermined", show(right, asked=True)[:1], f"no text in {languages[0]} found")
    return Verdict("right", show(right, asked=True)[:1], note)


def _name_by_words(text: str, language: str) -> str:
    """What the words of a text tell that its letters do not, by language asked for; empty where nothing."""
    if language == "hin" and text.isascii() and is_romanised_hindi(text):
        return "hin"
    if language == "deu" and is_swiss_german(text):
        return "gsw"
    return ""


def _is_name(text: str, rival: str) -> bool:
    """Whether text that is nearest to the language `rival` is a title or a list of names.

    In German every noun has its capital, so that only names without any other word can be told there.
    """
    if rival == "deu":
        return is_listing(text)
    return is_title(text) or (rival == "eng" and is_english_title(text))


def _add_signs(pieces: list[Piece], scores: Any, language: str) -> None:
    """Adds what telling words say to the scores of languages that share their letters."""
    iberian = language in ("por", "glg")
    for i, piece in enumerate(pieces):
        if has_devanagari(piece.text):
            codes: tuple[str, ...] = DEVANAGARI
        elif iberian:
            codes = ("por", "glg")
        else:
            continue
        scale = SIGN / math.sqrt(len(piece.text.encode("utf-8", "surrogatepass")))
        for code in codes:
            scores[i, column_of(code)] += scale * count_signs(piece.text, code)


def _note(pieces: list[Piece], right: list[int], romanised: bool, languages: tuple[str, ...]) -> str:
    if romanised:
        return "romanised Hindi"
    if languages[0] in ("zho", "cmn") and is_traditional_chinese("".join(pieces[i].text for i in right)):
        return "traditional Chinese"
    return ""
