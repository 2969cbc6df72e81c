"""Guards for what the teacher writes: reasons why an instruction or a response is not data to learn from.

A refused one is asked for again, and a row whose samples are all refused is quarantined with the reason. The passage
is the measure: what it says itself, in its language and its words, is never held against what was made of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache

from xl_instruct.segments import Segment, segment
from xl_instruct.stages.prompts import load_prompt
from xl_suite.fidelity.verdicts import FidelityAnswer, judge_answers
from xl_suite.translation.guards import is_repetitive
from xl_suite.translation.number_words import read_words
from xl_suite.translation.numbers import compare_numbers
from xl_suite.translation.signs import leave_out
from xl_suite.translation.values import Reading, read_values

REASONS = {
    "echo": "repeats the sample text of the prompt",
    "refusal": "declines, or speaks of itself as a model",
    "remark": "begins with a remark on the task",
    "refers": "refers to a passage, a text or an author that its reader does not see",
    "language": "is not in English",
    "loop": "repeats a phrase over and over",
    "short": "has one word or none",
    "ungrounded": "shares hardly a word with the passage",
    "new_number": "has a number that the passage does not have",
}
# The share of a response's content words that the passage has at least. Of answers that two models wrote to the same
# prompt, without a look at each other's, 2 % or fewer share less; of answers to two prompts, 80 % and more.
LEAST_SHARED = 0.2
# Fewer content words say nothing of what a response shares with its passage.
LEAST_WORDS = 12

_NOUN = r"(?:passage|excerpt|draft|article|text|document|web ?page|website|post|author|writer)"
_REFERS = re.compile(
    rf"\b(?:according to|based on|as (?:described|mentioned|stated|explained|noted) (?:in|by)|mentioned in|"
    rf"described in|provided in) (?:the|this) (?:above |given |provided |following |original )?({_NOUN})\b|"
    rf"\b(?:from|in) (?:this|the (?:above|given|provided|original)) ({_NOUN})\b(?!-)|"
    rf"\b(?:from|in) the (passage|excerpt|draft)\b(?! of)|"
    rf"\b({_NOUN}) (?:above|below|provided|you (?:were )?g[ai]ven?)\b|"
    rf"\b(?:the|this) ({_NOUN}) (?:also )?(?:says?|states?|mentions?|describes?|explains?|notes?|discusses|argues?|"
    rf"suggests?|claims?|recommends?|talks?|reads?)\b|"
    rf"\bdoes (?:the|this) ({_NOUN}) \w+",
    re.IGNORECASE,
)
_CHAT = r"(?:(?:certainly|sure|of course|absolutely|okay|ok|understood|great|alright)\b[^\n.]{0,40}?[!,.:\s]\s*)?"
_REWORKED = r"(?:re-?worked|revised|re-?written|refined|improved|polished|updated|edited)"
_PART = r"(?:instructions?|responses?|answers?|pair|draft|question)"
_REMARK = re.compile(
    rf"\A\W*{_CHAT}(?:here(?:['’]s| is| are| you go)|below (?:is|are))\b[^\n:]{{0,40}}?(?:\b{_REWORKED}[^\n:]{{0,20}}"
    rf"\b(?:{_PART}|version|texts?)\b[^\n:]{{0,40}}|\b(?:the|your|my) {_PART}\W{{0,4}})(?::|\n)|"
    rf"\A\W*(?:the )?{_REWORKED} {_PART}\W{{0,4}}(?::|\n)|\A\W*(?:instruction|response)\W{{0,4}}:",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b|"
    r"\bI(?:['’]m| am) (?:just |only )?an? (?:ai|(?:large )?language model)\b|"
    r"\A\W*(?:no,? |unfortunately,? )?(?:I(?:['’]m| am) )?(?:very |so |really )?(?:sorry|afraid),? (?:but |that )*"
    r"I(?:['’]m| am)? (?:can|do|have|won|not|unable|only)|"
    r"\bI (?:can(?:not|['’]t)|won['’]t|will not|am (?:unable|not able) to) (?:\w+ )?"
    r"(?:help(?! \w+ing\b| but\b)|assist|fulfil|comply|rework|provide|complete|answer)\b|"
    r"\bI['’]m (?:unable|not able) to (?:\w+ )?(?:help|assist|fulfil|comply|rework|provide|complete|answer)",
    re.IGNORECASE,
)
# Numbers that tell only how a response is laid out: what it counts and the names of its parts.
_LAID_OUT = re.compile(
    r"^[\s#*_>-]*\d{1,2}[.):](?!\d)|"
    r"\b(?:step|part|day|week|month|phase|stage|level|option|chapter|section|method|tip|rule|point|example|figure|"
    r"table|question|case|item|reason|no\.|number)s?\s+#?\d{1,2}\b|"
    r"\b\d{1,2}\s+(?:\w+\s+)?(?:step|part|way|kind|type|tip|rule|reason|method|stage|phase|point|thing|factor|"
    r"example|option|group|question|item|idea|key|main|common|simple|basic|important|benefit|section|sign)s?\b",
    re.IGNORECASE | re.MULTILINE,
)
_RULE = re.compile(r"[_.\-=*~]{4,}")
_WORD = re.compile(r"[^\W\d_]{4,}")


def check_instruction(instruction: str, passage: str, guards: Collection[str] | None = None) -> str | None:
    """The name (of REASONS) of what is wrong with an English instruction that a passage answers, or None.

    guards: the names that count; None for all.
    """
    return next(
        (name for name in _check_text(instruction, passage, passage) if guards is None or name in guards), None
    )


def check_response(
    response: str, instruction: str, passage: str, guards: Collection[str] | None = None
) -> str | None:
    """The name (of REASONS) of what is wrong with an English response that was made of a passage, or None."""
    given = f"{passage}\n{instruction}"
    for name in _check_text(response, passage, given):
        if guards is None or name in guards:
            return name
    if (guards is None or "ungrounded" in guards) and not is_grounded(response, passage):
        return "ungrounded"
    if (guards is None or "new_number" in guards) and find_new_numbers(response, given):
        return "new_number"
    return None


def _check_text(text: str, passage: str, given: str) -> Iterator[str]:
    """What is wrong with an instruction or a response. given: what may be spoken of as a text."""
    if _flatten(text) in _samples():
        yield "echo"
    if _REFUSAL.search(text) and not _REFUSAL.search(given):
        yield "refusal"
    if _REMARK.search(text) and not _REMARK.search(passage):
        yield "remark"
    if refers_to_passage(text, given):
        yield "refers"
    if _is_loop(text) and not is_repetitive(passage):
        yield "loop"
    if not is_english(text, passage):
        yield "language"
    if len(text.split()) < 2:
        yield "short"


def refers_to_passage(text: str, passage: str) -> bool:
    """Whether a text speaks of the passage as of something to look at; a passage about texts may be spoken of so."""
    for found in _REFERS.finditer(text):
        noun = next(group for group in found.groups() if group)
        if not re.search(rf"\b{noun}s?\b", passage, re.IGNORECASE):
            return True
    return False


def is_grounded(response: str, passage: str) -> bool:
    """Whether a response has enough of the passage's content words, compared by their first five letters."""
    own = {word[:5].casefold() for word in _WORD.findall(response)}
    if len(own) < LEAST_WORDS:
        return True
    given = {word[:5].casefold() for word in _WORD.findall(passage)}
    return len(own & given) >= LEAST_SHARED * len(own)


def find_new_numbers(response: str, given: str) -> list[str]:
    """The numbers of a response's running text and tables that are not in `given`, in any form and however often.

    Code, formulas, addresses and the numbers of lists and headings are left out.
    """
    if not re.search(r"\d", response):
        return []
    kinds = ("text", "cell", "symbols")
    parts = [leave_out(part.text, part.protected) for part in _split(response) if part.kind in kinds]
    prose = _LAID_OUT.sub(" ", "\n".join(parts))
    lost = compare_numbers(prose, given, "eng").lost
    words = {reading for word in read_words(given, "eng") for reading in word.readings} if lost else set()
    return [number for number in lost if not _is_said(number, given, words)]


def _is_said(number: str, given: str, words: Collection[Reading]) -> bool:
    """Whether `given` has a number that the whole comparison misses: it may be said twice, or be a word there."""
    if not compare_numbers(number, given, "eng").lost:
        return True
    return any(reading in words for value in read_values(number, "eng") for reading in value.readings)


def _is_loop(text: str) -> bool:
    """Whether running text repeats itself; rules of underscores, code and tables are left out."""
    lines = (part.text for part in _split(text) if part.kind == "text" and any(map(str.isalpha, part.text)))
    return is_repetitive(_RULE.sub(" ", "\n".join(lines)))


def _split(text: str) -> list[Segment]:
    return segment(text, _keep_whole, unit="paragraph")


def _keep_whole(text: str, language: str) -> list[str]:
    return [text]


def is_english(text: str, passage: str) -> bool:
    """Whether a text is in English, or at least as much so as its passage."""
    verdicts = [one.verdict for one in judge_answers([FidelityAnswer(text)], "eng")]
    if verdicts[0] not in ("wrong", "mixed"):
        return True
    (of_passage,) = judge_answers([FidelityAnswer(passage)], "eng")
    return of_passage.verdict in ("wrong", "mixed")


@cache
def _samples() -> frozenset[str]:
    """The texts between tags in the prompts' own forms: `the instruction`."""
    forms = (load_prompt(name).text for name in ("instruct", "refine"))
    return frozenset(
        _flatten(found[2]) for form in forms for found in re.finditer(r"<(instruction|response)>([^<{]+)</\1>", form)
    ) | {"...", "…"}


def _flatten(text: str) -> str:
    return " ".join(text.strip(" \t\n.*_\"'[]").casefold().split())
