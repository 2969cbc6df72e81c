"""Pairwise judging: from two sets of outputs to annotations (paper, section 3, "Evaluation").

Order, identical answers and the rule that turns log probabilities into a preference are AlpacaEval's (0.6.6), so
the preferences are the same. Two things differ on purpose: answers are filled into the prompt in one pass, so an
answer that contains `{output_2}` or the end mark of a turn stays an answer; and a failed judgement is a failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xl_suite.chat.answers import WITHHELD
from xl_suite.chat.calls import Answer, Call, Message, Sampling
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.pairs import Pair
from xl_suite.judging.verdicts import (
    draw_order,
    explain_label,
    explain_labels,
    match_text,
    parse_logprobs,
    parse_text,
    turn,
    weigh_labels,
)
from xl_suite.languages import find_language
from xl_suite.placeholders import fill
from xl_suite.tags import escape_tags

METHODS = ("logprobs", "sampled", "parsed")
# The first sample number of a deliberately repeated judgement, beyond those of unreadable ones.
REPEAT_SAMPLES = 1000
# Tags around untrusted text in the prompts of this package.
DELIMITERS = ("instruction", "answer")
# Room for a judge that reasons before its verdict.
TEXT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Question:
    """One judgement to make: a pair in one order. switched: the model's answer is shown first.

    repeat: the number of earlier deliberate repetitions, which measure how far a judge agrees with itself.
    """

    pair: Pair
    switched: bool
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """How verdicts are read: by `logprobs`, as the mean of `samples` verdicts (`sampled`), or `parsed` from text."""

    name: str
    samples: int = 1
    max_tokens: int = TEXT_TOKENS

    def sampling(self, annotator: Annotator) -> Sampling:
        if self.name == "logprobs":
            return annotator.sampling
        temperature = annotator.sampling.temperature if self.name == "sampled" else 0.0
        return replace(
            annotator.sampling, temperature=temperature, max_tokens=self.max_tokens, logprobs=False, top_logprobs=None
        )


def ask_questions(pairs: Iterable[Pair], order: str, seed: int = 0, repeat: int = 0) -> Iterator[Question]:
    """The judgements to make: one per pair in AlpacaEval's random order, or both. Identical answers and
    withheld ones need none."""
    for pair in pairs:
        if not pair.needs_judge:
            continue
        if order == "both":
            yield Question(pair, False, repeat)
            yield Question(pair, True, repeat)
        else:
            yield Question(pair, draw_order(pair.instruction, seed), repeat)


def make_calls(question: Question, annotator: Annotator, method: Method, attempt: int = 0) -> list[Call]:
    """The calls of one judgement; `attempt` counts the earlier attempts without a readable verdict."""
    sampling = method.sampling(annotator)
    if method.name == "parsed" and attempt:  # the same prompt would give the same answer
        sampling = replace(sampling, temperature=annotator.sampling.temperature)
    messages = fill_prompt(annotator, question)
    row = f"{question.pair.row}{' switched' if question.switched else ''}"
    first = question.repeat * REPEAT_SAMPLES + attempt * method.samples
    return [Call(row, messages, sampling, sample) for sample in range(first, first + method.samples)]


def fill_prompt(annotator: Annotator, question: Question) -> tuple[Message, ...]:
    """The annotator's turns with instruction, answers and language filled in."""
    pair = question.pair
    first, second = (pair.output_2, pair.output_1) if question.switched else (pair.output_1, pair.output_2)
    values = {"instruction": pair.instruction, "output_1": first, "output_2": second}
    if annotator.guards_delimiters:
        values = {name: escape_tags(text, *DELIMITERS) for name, text in values.items()}
    if annotator.names_language:
        if not pair.language:
            raise BadInput(f"{annotator.name} names the language, and the outputs have none. Add --language CODE.")
        values["language"] = find_language(pair.language).name
    return tuple(Message(turn.role, fill(turn.content, values)) for turn in annotator.messages)


def read_verdict(answers: Sequence[Answer], question: Question, annotator: Annotator, method: Method) -> float | None:
    """The preference, 1 (reference) to 2 (model), of one judgement's answers; None where one cannot be read."""
    preferences = []
    for answer in answers:
        preference = (
            read_logprobs(answer.logprobs, annotator)
            if method.name == "logprobs"
            else read_text(answer.text, annotator)
        )
        if preference is None:
            return None
        preferences.append(preference)
    mean = sum(preferences) / len(preferences)
    return turn(mean) if question.switched else mean


def read_logprobs(content: Any, annotator: Annotator) -> float | None:
    """The preference, 1 to 2, of the answers as shown, from the log probabilities of a judge's first token."""
    at = annotator.position
    if annotator.exact:
        tokens = annotator.denominators
        preference = parse_logprobs(content, numerator=annotator.numerator, denominators=tokens, position=at)
    else:  # the labels name the first and the second answer; AlpacaEval's numerator is the first one
        preference = weigh_labels(content, annotator.labels, at)
    if annotator.binarizes and preference is not None:
        return 1.0 if preference < 1.5 else 2.0
    return preference


def read_text(text: str, annotator: Annotator) -> float | None:
    """The preference, 1 to 2, of the answers as shown, from a judge's text: by the annotator's patterns, or by its
    names of the two answers."""
    if annotator.verdicts:
        return match_text(text, annotator.verdicts)
    return parse_text(text, annotator.labels, annotator.allows_tie)


def explain_text(text: str, annotator: Annotator) -> str:
    """Why a text has no verdict, in a few words."""
    return "no pattern of the annotator" if annotator.verdicts else explain_label(text, annotator.labels)


def make_annotation(
    question: Question,
    preference: float | None,
    answers: Sequence[Answer],
    *,
    annotator: str,
    method: str,
    price: float | None,
    status: str = "",
) -> Annotation:
    """The row of one judgement. order: `12` where the reference was shown first, `21` where the model was.

    status: as in `Annotation`; by default whether there is a preference.
    """
    raw = [_raw_completion(answer) for answer in answers]
    pair = question.pair
    return Annotation(
        instruction=pair.instruction,
        output_1=pair.output_1,
        generator_1=pair.generator_1,
        output_2=pair.output_2,
        generator_2=pair.generator_2,
        annotator=annotator,
        preference=preference,
        price_per_example=price,
        raw_completion=raw[0] if len(raw) == 1 else raw,
        id=pair.id,
        dataset=pair.dataset,
        benchmark=pair.benchmark,
        language=pair.language,
        order="21" if question.switched else "12",
        method=method,
        status=status or ("unread" if preference is None else "judged"),
        finish_reason_1=pair.finish_reason_1,
        finish_reason_2=pair.finish_reason_2,
    )


def decide_without_judge(pair: Pair, *, annotator: str, method: str, order: str) -> list[Annotation]:
    """The rows of a pair that needs no judge: the same text is a draw by AlpacaEval's rule, and where an answer was
    withheld there is no preference."""
    orders = (False, True) if order == "both" else (draw_order(pair.instruction),)
    preference, status = (None, f"{pair.withheld} {WITHHELD}") if pair.withheld else (1.5, "judged")
    return [
        make_annotation(
            Question(pair, switched), preference, [], annotator=annotator, method=method, price=0.0, status=status
        )
        for switched in orders
    ]


def describe_unread(answers: Sequence[Answer], annotator: Annotator, method: Method) -> str:
    """Why a judgement has no preference: the reason of its first answer without one."""
    if method.name == "logprobs":
        answer = next((one for one in answers if read_logprobs(one.logprobs, annotator) is None), None)
        wanted, why = "the verdict's tokens are not among the top log probabilities", ""
        if answer is not None and not annotator.exact:
            wanted = explain_labels(answer.logprobs, annotator.labels, annotator.position)
    else:
        answer = next((one for one in answers if read_text(one.text, annotator) is None), None)
        wanted, why = "no verdict", f" ({explain_text(answer.text if answer else '', annotator)})"
    return f"{wanted} in {(answer.text[:120] if answer else '')!r}{why}"


def _raw_completion(answer: Answer) -> Mapping[str, Any]:
    """The judge's response in the format of AlpacaEval's files, so that alpaca_eval can parse it again."""
    raw: dict[str, Any] = {"finish_reason": answer.finish_reason}
    if answer.logprobs is not None:
        # Sorted, as the journal keeps it: a replay then writes the same bytes.
        raw["logprobs"] = {"content": json.loads(json.dumps(answer.logprobs, sort_keys=True))}
    return raw | {"text": answer.text, "total_tokens": answer.prompt_tokens + answer.completion_tokens}
