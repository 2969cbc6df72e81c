"""Guards for translated prompts: reasons why a text is not a sound translation of a prompt, to be asked for again.

They work on the sentence-level signs of `xl_suite.translation`, and on what whole prompts have besides: paragraphs,
lists, code and placeholders. A sound translation should pass; what is doubtful is for a person to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from m_alpacaeval.rows import SourcePrompt
from xl_suite.fidelity import FidelityAnswer, judge_answers
from xl_suite.markdown.blocks import split_blocks
from xl_suite.markdown.inline import find_placeholders, find_spans
from xl_suite.markdown.lines import read_lines
from xl_suite.translation.guards import fits_length, has_preamble, is_answer, is_copied, is_repetitive
from xl_suite.translation.numbers import find_lost_numbers
from xl_suite.translation.signs import find_signs, leave_out

# What each reason says of a translation; the second text is what the translator is told when asked again.
REASONS = {
    "failed": ("the call failed", ""),
    "truncated": ("cut off by the limit on tokens", "It was too long: translate, and add nothing."),
    "empty": ("nothing but whitespace", "It was empty."),
    "answer": (
        "an answer instead of a translation",
        "It answered the request. Do not answer: write the request itself in the other language.",
    ),
    "wrong_language": (
        "in another language, as a whole or in part",
        "It was not, or not all, in the right language.",
    ),
    "copied": ("repeats half of the English wording or more", "It left English text untranslated."),
    "preamble": ("talks about the translation or adds a paragraph", "It added remarks of its own."),
    "lost_placeholder": ("lacks a placeholder", "It lacked a placeholder. Keep every one letter by letter."),
    "lost_url": ("lacks a URL or an e-mail address", "It lacked a URL or an address. Keep them letter by letter."),
    "lost_code": ("lacks code, a formula or a tag", "It changed code, a formula or a tag. Keep them as they are."),
    "lost_number": ("lacks a number", "It lacked a number. Keep every number."),
    "lost_format": ("lacks lines, list items or code fences", "It changed the form. Keep line breaks and lists."),
    "length": ("far longer or shorter than translations are", "Its length was not that of a translation."),
    "repetition": ("repeats a phrase over and over", "It repeated itself."),
    "low_qe": ("scored too low by quality estimation", "It was not faithful enough. Translate with care."),
}

_CODE = ("code", "math", "environment", "html")
_KINDS = {"url": "lost_url", "email": "lost_url", **dict.fromkeys(_CODE, "lost_code")}


@dataclass(frozen=True, slots=True)
class Form:
    """Lines with something on them, list items and code fences (opening and closing ones) of a text."""

    lines: int
    items: int
    fences: int


def check_prompts(prompts: Sequence[SourcePrompt], translations: Sequence[str]) -> list[tuple[str, ...]]:
    """The reasons (of REASONS) that speak against each translation; none: it is sound. One language at a time."""
    if not prompts:
        return []
    language = prompts[0].language
    spans = [find_protected(prompt.text) for prompt in prompts]
    bare = [leave_out(text, [span for span, _ in own]) for text, own in zip(translations, spans, strict=True)]
    verdicts = [verdict.verdict for verdict in judge_answers([FidelityAnswer(text) for text in bare], language)]
    own_verdicts = [
        verdict.verdict for verdict in judge_answers([FidelityAnswer(prompt.text) for prompt in prompts], "eng")
    ]
    return [
        _check(prompt, translation, protected, verdict, own)
        for prompt, translation, protected, verdict, own in zip(
            prompts, translations, spans, verdicts, own_verdicts, strict=True
        )
    ]


def _check(
    prompt: SourcePrompt, translation: str, protected: Sequence[tuple[str, str]], verdict: str, own_verdict: str
) -> tuple[str, ...]:
    source, translation = prompt.text.strip(), translation.strip()
    if not translation:
        return ("empty",)
    signs = find_signs(prompt.language)
    kept = [span for span, _ in protected]
    bare_source, bare = leave_out(source, kept), leave_out(translation, kept)
    # Prompts about French words, or with a line of Latin in them, keep that in any translation.
    plain = prompt.expected == "target" and own_verdict in ("right", "undetermined")
    form, own_form = measure_form(source), measure_form(translation)
    found = {
        "answer": is_answer(source, translation, prompt.language) or has_grown(form, own_form),
        "wrong_language": (verdict == "wrong" and own_verdict != "wrong") or (verdict == "mixed" and plain),
        "copied": verdict != "right" and plain and is_copied(bare_source, bare, prompt.language),
        "preamble": has_preamble(source, translation, signs),
        "lost_number": bool(find_lost_numbers(bare_source, bare, prompt.language)),
        "lost_format": has_shrunk(form, own_form),
        "length": not fits_length(bare_source, bare, signs),
        "repetition": is_repetitive(translation) and not is_repetitive(source),
    }
    for span, reason in protected:
        if translation.count(span) < kept.count(span):
            found[reason] = True
    return tuple(reason for reason in REASONS if found.get(reason))


def find_protected(text: str) -> list[tuple[str, str]]:
    """The spans of a prompt that its translation must hold, each with the reason that its loss is.

    Of fenced code the comments may be translated, so it counts by its fences alone (`Form`).
    """
    placed = [(span.start, span.end) for span in find_placeholders(text)]
    found = [(text[start:end], "lost_placeholder") for start, end in placed]
    for span in find_spans(text):
        kept = text[span.start : span.end]
        if span.kind not in _KINDS or "\n" in kept or len(kept) < 2:
            continue
        if not any(start < span.end and span.start < end for start, end in placed):
            found.append((kept, _KINDS[span.kind]))
    return found


def measure_form(text: str) -> Form:
    items = fences = 0
    for block in split_blocks(text):
        if block.kind == "fence":
            fences += 1 + block.closed
        elif block.kind == "prose":
            prose = text[block.start : block.end]
            items += sum(line.items > 0 for line in read_lines(prose, find_spans(prose)))
    return Form(sum(bool(line.strip()) for line in text.split("\n")), items, fences)


def has_grown(source: Form, translation: Form) -> bool:
    """Whether a translation has so many more lines, items or fences that it must be an answer."""
    return (
        translation.lines > source.lines + max(2, source.lines // 2)
        or translation.items > source.items + max(1, source.items // 2)
        or translation.fences > source.fences
    )


def has_shrunk(source: Form, translation: Form) -> bool:
    return (
        translation.fences < source.fences
        or translation.items < source.items * 0.8
        or translation.lines < source.lines * 0.6
    )
