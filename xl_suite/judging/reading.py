"""Reads a verdict or a score from a judge's text. Unclear text is unread; nothing is guessed.

A value can be given in two ways: as structured output (an object with a known key, a list of ranks, a tag), or as one
labelled final verdict (a value that is the whole text or its first or last line, in double brackets or in a box, or
after a word for verdict or score). All values found must agree. Sentences are not interpreted: prose, negations,
comparisons and units are unread, and so are two labels that differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Generic, Literal

from xl_suite.judging.plain import Line, list_lines, normalise, strip_reasoning
from xl_suite.judging.structured import MARK, find_structured
from xl_suite.judging.values import BAD, TIE, Bad, Label, Level, Value, Writing, strip_around
from xl_suite.judging.words import is_key, match_label, match_separator, match_words

LEVELS = (1, 2, 3, 4, 5)

Why = Literal["read", "empty", "open reasoning", "cut off", "unclear", "differing", "no label", "tie"]


@dataclass(frozen=True, slots=True)
class Reading(Generic[Value]):
    """value: the label or score, None where it is unread. why: `read`, or the reason why it is unread.

    `tie`: a tie, which the annotator does not allow; `differing`: values that differ; `unclear`: a label or key
    followed by something that is neither a value nor plain prose; `cut off`: a label at the end with nothing after
    it.
    """

    value: Value | None
    why: Why


def read_verdict(text: str, labels: Sequence[str], allow_tie: bool = False) -> Reading[str]:
    """The label, of the two `labels`, that a judge's text gives as its verdict, or `tie` where that is allowed.

    labels: the annotator's names of the two answers, such as ("m", "M"), ("A", "B") or ("output_1", "output_2").
    Case matters only where the lower-case labels are equal.
    """
    reading = _read(text, Label(tuple(labels)))
    return Reading(None, "tie") if reading.value == TIE and not allow_tie else reading


def read_score(text: str, levels: Sequence[int] = LEVELS) -> Reading[int]:
    """The level, from `levels`, that a judge's text gives as its score. Half points and other scales are unread."""
    return _read(text, Level(tuple(levels)))


def _read(text: str, writing: Writing[Value]) -> Reading[Value]:
    if not text.strip():
        return Reading(None, "empty")
    answer = strip_reasoning(text)
    if answer is None:
        return Reading(None, "open reasoning")
    structured = find_structured(normalise(answer), partial(is_key, nouns=tuple(writing.nouns)))
    if structured.broken:
        return Reading(None, "unclear")
    lines = list_lines(structured.rest)
    if lines and any(_match_label_alone(noun).fullmatch(lines[-1].text) for noun in writing.nouns):
        return Reading(None, "cut off")
    lined, doubts = _read_lines(lines, writing)
    stated = [*map(writing.read_object, structured.values), *lined]
    values = _keep_values(stated)
    if any(isinstance(value, Bad) for value in stated):
        return Reading(None, "unclear")
    if len(values | doubts) > 1:
        return Reading(None, "differing")
    return Reading(values.pop(), "read") if values else Reading(None, "no label")


def _read_lines(lines: Sequence[Line], writing: Writing[Value]) -> tuple[list[Value | Bad | None], set[Value]]:
    """The values that lines state, and those that can only contradict them.

    A value alone on a line counts on the first and last line and below a label. A label that may also name the answer
    to the question counts on the first and last line, without a colon only if it fills the line. In other places, and
    in quotations, both can only contradict; so can double brackets after the last stated value.
    """
    stated: list[Value | Bad | None] = []
    doubts: list[Value | Bad | None] = []
    own = [place for place, line in enumerate(lines) if not line.quoted and MARK not in line.text]
    ends = {*own[:1], *own[-1:]}
    last = len(lines)
    for place, line in enumerate(lines):
        counted: list[Value | Bad | None] = []
        for sentence in line.sentences():
            value, firm = _read_sentence(sentence, writing)
            counts = firm or (place in ends and (":" in sentence or sentence == line.text))
            (counted if counts and not line.quoted else doubts).append(value)
        counted = [value for value in counted if value is not None]
        if not counted:
            alone = _read_alone(line.text, writing, whole=len(lines) == 1)
            counts = (place in ends and (not line.listed or len(lines) == 1)) or (
                not line.quoted and _is_below_label(lines, place, ends, writing.nouns)
            )
            if alone is not None and counts:
                counted.append(alone)
            else:
                doubts.append(alone)
        if counted:
            stated += counted
            last = place
    doubts += [writing.read(mark) for line in lines[last:] for mark in _MARKED.findall(line.text)]
    return stated, _keep_values(doubts)


def _keep_values(found: Iterable[Value | Bad | None]) -> set[Value]:
    return {value for value in found if value is not None and not isinstance(value, Bad)}


def _is_below_label(lines: Sequence[Line], place: int, ends: set[int], nouns: Mapping[str, bool]) -> bool:
    return place > 0 and any(
        _match_label_alone(noun).fullmatch(lines[place - 1].text) and (firm or {place - 1, place} & ends)
        for noun, firm in nouns.items()
    )


def _read_alone(line: str, writing: Writing[Value], whole: bool) -> Value | Bad | None:
    """The value of a line that holds nothing else; `whole`: the line is the whole text. None for a line of prose."""
    value = writing.read(writing.shorten(line) if whole else line)
    if value is not None and not isinstance(value, Bad) and (whole or not writing.needs_label(line)):
        return value
    return _read_with_remark(line, writing) if writing.may_stand_with_remark("[[" in line) else None


def _read_sentence(sentence: str, writing: Writing[Value]) -> tuple[Value | Bad | None, bool]:
    """The value that a sentence states, and whether firmly: after a label, or in double brackets at its start."""
    if phrase := _ARENA.fullmatch(sentence):
        return writing.read(phrase[1]), True
    for noun, firm in writing.nouns.items():
        opened = _match_bracketed(noun).sub(r"\1: ", sentence)
        if labelled := _match_labelled(noun).match(opened):
            value = writing.read(opened[labelled.end() :])
            if value is None or isinstance(value, Bad):
                value = _read_with_remark(opened[labelled.end() :], writing) or value
            return value, firm
    opened = _match_marker().sub("", sentence).lstrip("\"'“„«")
    if marked := _MARKED.match(opened):
        value = writing.read(marked[0])
        if value is None or isinstance(value, Bad) or not strip_around(opened[marked.end() :]):
            return value, True
        return (value if _read_with_remark(opened, writing) == value else None), True
    return None, True


# Arena-Hard's sentence; its verdict is in the brackets.
_ARENA = re.compile(
    r"(?:my |the )?(?:final )?verdict is:?(?:\s+(?:that|tie|relatively|the|same|assistant|is|significantly|slightly|"
    r"better|much|[ab]))*\s*:\s*(\[\[\s*[ab]\s*(?:=|[<>]{1,2})\s*[ab]\s*\]\])[\s.\"']*",
    re.IGNORECASE,
)
_MARKED = re.compile(r"\[\[[^\[\]]*\]\]")
_REMARK = re.compile(r"\s+[-–—]+\s+(?=\D)|\s*[;(]\s*")


def _read_with_remark(text: str, writing: Writing[Value]) -> Value | Bad | None:
    """The value before the first dash, semicolon or bracket; BAD where what follows may change it."""
    remark = _REMARK.search(text)
    value = writing.read(text[: remark.start()]) if remark else None
    if remark is None or value is None or isinstance(value, Bad):
        return None
    return value if writing.may_follow(text[remark.end() :], value) else BAD


@cache
def _match_labelled(noun: str) -> re.Pattern[str]:
    """The labels that open a sentence, up to the value: `Final answer: the final answer is`."""
    return re.compile(rf"(?:[\"'“„«(\[]*{match_label(noun)}{match_separator()})+", re.IGNORECASE)


@cache
def _match_label_alone(noun: str) -> re.Pattern[str]:
    """A line that is a label and nothing else."""
    return re.compile(rf"[\[(]*{match_label(noun)}[\])]*\s*:?\s*", re.IGNORECASE)


@cache
def _match_bracketed(noun: str) -> re.Pattern[str]:
    """A label in brackets of its own: `[RESULT]`, `[[Rating]]:`."""
    return re.compile(rf"^\[+({match_label(noun)})\]+\s*:?\s*", re.IGNORECASE)


@cache
def _match_marker() -> re.Pattern[str]:
    return re.compile(rf"^(?:{match_words('marker')})\s*:\s*", re.IGNORECASE)
