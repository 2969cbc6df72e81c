"""Judging runs: all languages at once through the chat client; unreadable verdicts are asked for again."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xl_suite.chat.budget import Budget, Price, find_price
from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model
from xl_suite.chat.reading import Read, Result, Unreadable
from xl_suite.chat.replay import name_model
from xl_suite.chat.run import run
from xl_suite.chat.serving.started import StartedServers
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.usage import Usage
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.judging.annotator import ORDERS, Annotator
from xl_suite.judging.asking import Ways, ask_judge, count_samples
from xl_suite.judging.judgement import Judgement
from xl_suite.judging.pairs import NO_LANGUAGE, Pair
from xl_suite.judging.pairwise import (
    METHODS,
    Method,
    Question,
    ask_questions,
    decide_without_judge,
    describe_unread,
    make_annotation,
    make_calls,
    read_verdict,
)
from xl_suite.provenance import describe_sampling, make_entry, note_answered, sum_answered

MANY = 5  # fewer answers than this give no note that most are the reference's own


def judge_pairs(
    pairs: Mapping[str, Sequence[Pair]],
    annotator: Annotator,
    model: Model,
    options: ChatOptions,
    *,
    order: str = "random",
    method: str = "auto",
    samples: int = 5,
    max_tokens: int | None = None,
    seed: int = 0,
    repeat: int = 0,
    retry_unread: bool = False,
    servers: StartedServers | None = None,
    budget: Budget | None = None,
) -> Judgement:
    """Judges the pairs of all languages in one run.

    order: `random`, AlpacaEval's draw for each instruction, or `both`: a row for each order.
    method: `logprobs`, `sampled` (the mean of `samples` verdicts), `parsed` (one verdict), or `auto`: logprobs where
    the annotator asks for them and the judge gives them for every row, else text for all: `sampled` for samples > 1.
    repeat: how often the same pairs were judged before; the judge is asked again, and the journal keeps both.
    retry_unread: go on asking for a verdict that is unread after all its samples.
    servers, budget: of several runs in turn.
    Raises what ends a run (ModelUnavailable, BudgetReached, JournalError, ReplayMiss) and BadInput.
    """
    annotator = for_judge(annotator, model.name)
    chosen = choose_method(annotator, method, samples, max_tokens)
    if order not in ORDERS:
        raise BadInput(f"the order is {order!r}; valid: {', '.join(ORDERS)}.")
    questions = [question for language in pairs for question in ask_questions(pairs[language], order, seed, repeat)]
    judging = _Judging(annotator, questions, chosen, fallback=method == "auto", samples=samples)
    judging.retry_unread = retry_unread
    results: list[Result[float]] = []
    ledger = Ledger()
    if questions:
        total = len(questions) * chosen.samples
        results, ledger = run(
            model, judging.converse, options, label="judge", total=total, servers=servers, budget=budget
        )
    name, used = name_annotator(annotator, model), judging.method.name
    price = find_price(judging.asked or model, options.price)
    annotations: dict[str, list[Annotation]] = {}
    failures: dict[str, list[FailedCall]] = {language: [] for language in pairs}
    by_question = dict(zip(questions, results, strict=True))
    counted = {}
    for language, rows in pairs.items():
        asked = [by_question[question] for question in ask_questions(rows, order, seed, repeat)]
        counted[language] = count_samples(asked)
        annotations[language] = []
        for pair in rows:
            if not pair.needs_judge:
                annotations[language] += decide_without_judge(pair, annotator=name, method=used, order=order)
            for question in ask_questions([pair], order, seed, repeat):
                result = by_question[question]
                dollars = judging.price_question(question, price)
                annotations[language].append(_annotate(question, result, name, used, dollars))
                failures[language] += _describe_failure(question, result)
    settings = describe_settings(pairs, annotator, model, options, order=order, seed=seed, method=judging.method)
    runs = {}
    for language in pairs:
        answered = judging.usage.describe(language or NO_LANGUAGE) if judging.usage else {}
        runs[language] = make_entry("annotations", settings[language], answered)
    counts = sum_answered({language: run.answered for language, run in runs.items()})
    asked_model = name_model(model) or annotator.model
    noted = (*judging.noted, *_note_identical(pairs), *note_answered(asked_model, counts))
    return Judgement(annotations, failures, used, ledger, noted, order, counted, runs)


def describe_settings(
    pairs: Mapping[str, Sequence[Pair]],
    annotator: Annotator,
    model: Model,
    options: ChatOptions,
    *,
    order: str,
    seed: int = 0,
    method: Method | None = None,
) -> dict[str, dict[str, Any]]:
    """The settings that run.json records for each language. method: None where the run decides it."""
    settings: dict[str, Any] = {
        "model": name_model(model) or annotator.model,
        "annotator": annotator.name,
        "prompt_sha256": hashlib.sha256(annotator.prompt_path.read_bytes()).hexdigest(),
    }
    if method is not None:
        settings |= {"method": method.name, "samples": method.samples}
    settings["order"] = order
    if method is not None:
        settings["sampling"] = describe_sampling(method.sampling(annotator))
    settings |= {"seed": seed, "extra": dict(options.extra)}
    return {
        language: {**settings, **({"reference": rows[0].generator_1} if rows else {})}
        for language, rows in pairs.items()
    }


def choose_method(annotator: Annotator, method: str, samples: int, max_tokens: int | None) -> Method:
    """The first method. Raises BadInput for an unknown one, or one for which the annotator has no tokens.

    With `auto` the annotator must be able to read text as well, because the run may fall back to it.
    """
    if method not in (*METHODS, "auto"):
        raise BadInput(f"the method is {method!r}; valid: auto, {', '.join(METHODS)}.")
    if samples < 1:
        raise BadInput(f"{samples} samples; 1 or more are needed.")
    if method != "logprobs" and not annotator.verdicts:
        _ = annotator.labels  # raises where no verdict could be read from text
    if method == "auto":
        method = "logprobs" if annotator.sampling.logprobs else "parsed"
    if method == "logprobs" and not annotator.numerator:
        raise BadInput(f"{annotator.name} has a regex_parser: logprobs need a logprob_parser with its tokens.")
    extra = {} if max_tokens is None else {"max_tokens": max_tokens}
    return Method(method, samples if method == "sampled" else 1, **extra)


def for_judge(annotator: Annotator, model: str) -> Annotator:
    """The annotator for another judge than its own: AlpacaEval's rule for tokens is valid for its own judge only."""
    if model in ("", annotator.model) or not annotator.numerator:
        return annotator
    _ = annotator.labels  # raises where the tokens do not name two answers
    return replace(annotator, exact=False)


def name_annotator(annotator: Annotator, model: Model) -> str:
    """The annotator's name in rows and folders; it contains the judge if that is not the annotator's own."""
    asked = model.name or annotator.model
    return annotator.name if asked == annotator.model else f"{annotator.name}-{asked.rpartition('/')[2]}"


def plan_calls(
    pairs: Mapping[str, Sequence[Pair]],
    annotator: Annotator,
    *,
    order: str,
    method: Method,
    seed: int = 0,
    repeat: int = 0,
) -> list[Call]:
    """The calls of a run in which each first verdict can be read, for an estimate."""
    return [
        call
        for language in pairs
        for question in ask_questions(pairs[language], order, seed, repeat)
        for call in make_calls(question, annotator, method)
    ]


def _note_identical(pairs: Mapping[str, Sequence[Pair]]) -> list[str]:
    """Notes on languages in which most answers are identical to the reference's."""
    notes = []
    for language, rows in pairs.items():
        same = sum(pair.output_1 == pair.output_2 and not pair.withheld for pair in rows)
        if len(rows) >= MANY and 2 * same > len(rows):
            notes.append(
                f"{language or 'outputs'}: {same} of {len(rows)} answers are the same text as the reference's; each "
                "is a draw without a call. Are outputs and reference the same model's?"
            )
    return notes


class _Judging:
    """One run's conversation and its method, which the first answers may change. asked: the model that answers."""

    def __init__(
        self, annotator: Annotator, questions: Sequence[Question], method: Method, *, fallback: bool, samples: int
    ):
        self.method = method
        self.noted: list[str] = []
        self.asked: Model | None = None
        self.retry_unread = False
        self.usage: Usage | None = None
        self._annotator, self._questions = annotator, questions
        self._answers: defaultdict[tuple[str, Question], list[Answer]] = defaultdict(list)
        self._text: Method | None = None
        if fallback and method.name == "logprobs":
            self._text = Method("sampled" if samples > 1 else "parsed", samples, method.max_tokens)

    async def converse(self, client: ChatClient) -> list[Result[float]]:
        self.usage = client.record(lambda call: call.row.partition("/")[0])
        # A replay costs nothing; the rows contain the original cost of their judgements.
        self.asked = replace(client.model, kind="server") if client.model.kind == "replay" else client.model
        ways = Ways(self._make_calls, self._read, self._annotator.digest)
        asked = await ask_judge(
            client, self._questions, ways, self.method, self._text, retry_unread=self.retry_unread
        )
        self.method = asked.way
        if asked.why:
            samples = self.method.samples
            read = f"as the mean of {samples} sampled verdicts" if samples > 1 else "from its text"
            told = f"{client.model.name} {asked.why}: each verdict is read {read} (method {self.method.name})."
            self.noted.append(told)
        return asked.results

    def _make_calls(self, question: Question, attempt: int, method: Method) -> list[Call]:
        return make_calls(question, self._annotator, method, attempt)

    def price_question(self, question: Question, price: Price | None) -> float | None:
        """Dollars of all answers to a question, including unreadable ones; None where the price is unknown.

        Answers in a way that was given up are left out: only the first run pays for them (its ledger counts them),
        and later runs have to write the same rows.
        """
        if price is None:
            return None
        answers = self._answers[self.method.name, question]
        return sum(price.of(one.prompt_tokens, one.completion_tokens) for one in answers)

    def _read(self, question: Question, answers: tuple[Answer, ...], method: Method) -> float | Unreadable:
        self._answers[method.name, question] += answers
        preference = read_verdict(answers, question, self._annotator, method)
        return Unreadable(describe_unread(answers, self._annotator, method)) if preference is None else preference


def _annotate(
    question: Question, result: Result[float], annotator: str, method: str, dollars: float | None
) -> Annotation:
    """The row of a judgement; one that failed has no preference."""
    answers = () if isinstance(result, FailedCall) else result.answers
    return make_annotation(
        question,
        result.value if isinstance(result, Read) else None,
        answers,
        annotator=annotator,
        method=method,
        price=dollars,
        status="failed" if isinstance(result, FailedCall) else "",
    )


def _describe_failure(question: Question, result: Result[float]) -> list[FailedCall]:
    if isinstance(result, Read):
        return []
    if isinstance(result, FailedCall):
        return [FailedCall(question.pair.row, result.reason, result.attempts)]
    return [FailedCall(question.pair.row, f"{result.reason}, asked {result.tries} times", result.tries)]
