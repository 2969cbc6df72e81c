"""Ratings: a judge scores every answer from 1 to 5 on each criterion, all languages in one run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xl_suite.chat.answers import WITHHELD
from xl_suite.chat.budget import Budget
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
from xl_suite.judging.asking import Ways, ask_judge, count_samples
from xl_suite.languages import parse_languages
from xl_suite.provenance import describe_sampling, make_entry, note_answered, sum_answered
from xl_suite.rating.ratings import Rating
from xl_suite.rating.results import Ratings
from xl_suite.rating.rubric import (
    METHODS,
    RatingMethod,
    Rubrics,
    describe_unread,
    make_calls,
    read_score,
    replace_method,
)
from xl_suite.records import ModelOutput

logger = logging.getLogger(__name__)


def select_outputs(
    outputs: Mapping[str, Sequence[ModelOutput]], languages: str = "all", limit: int | None = None
) -> dict[str, list[ModelOutput]]:
    """The outputs to rate. Withheld outputs are left out and counted in the log.

    Raises BadInput for a language that no output has.
    """
    known = list(outputs)
    wanted = known if languages == "all" else [language.code for language in parse_languages(languages, known)]
    missing = [code for code in wanted if code not in outputs]
    if missing:
        raise BadInput(f"the outputs have no {', '.join(missing)}. They have: {', '.join(known)}.")
    chosen = {}
    for code in wanted:
        rows = [_name_language(row, code) for row in outputs[code]][:limit]
        chosen[code] = [row for row in rows if row.finish_reason != WITHHELD]
        if withheld := len(rows) - len(chosen[code]):
            logger.info("note: %s: %s of %s answers were withheld and are not rated.", code, withheld, len(rows))
    return chosen


def plan_calls(outputs: Mapping[str, Sequence[ModelOutput]], rubrics: Rubrics, method: RatingMethod) -> list[Call]:
    """The calls of a run in which each first score can be read, for an estimate."""
    return [
        call for row, criterion in _list(outputs, rubrics) for call in make_calls(row, criterion, rubrics, method)
    ]


def choose_method(method: str, samples: int = 1, max_tokens: int | None = None) -> RatingMethod:
    """The method to begin with. Raises BadInput for an unknown one."""
    if method not in (*METHODS, "auto"):
        raise BadInput(f"the method is {method!r}; valid: auto, {', '.join(METHODS)}.")
    extra = {} if max_tokens is None else {"max_tokens": max_tokens}
    name = "logprobs" if method == "auto" else method
    return RatingMethod(name, samples if name == "sampled" else 1, **extra)


def rate_outputs(
    outputs: Mapping[str, Sequence[ModelOutput]],
    rubrics: Rubrics,
    model: Model,
    options: ChatOptions,
    *,
    method: str = "auto",
    samples: int = 1,
    max_tokens: int | None = None,
    retry_unread: bool = False,
    servers: StartedServers | None = None,
    budget: Budget | None = None,
) -> Ratings:
    """Rates the outputs of all languages on all criteria.

    method: as RatingMethod's, or `auto`: logprobs where the judge gives them for every answer, else all from
    text, as the mean of `samples`. retry_unread: ask on where a score is unread after all its samples.
    servers, budget: of several runs in turn.
    Raises what ends a run (ModelUnavailable, BudgetReached, JournalError, ReplayMiss)
    and BadInput.
    """
    chosen = choose_method(method, samples, max_tokens)
    questions = _list(outputs, rubrics)
    if not questions:
        raise BadInput("there are no outputs to rate.")

    rating = _Rating(rubrics, questions, chosen, fallback=method == "auto", samples=samples)
    rating.retry_unread = retry_unread
    total = len(questions)
    results, ledger = run(model, rating.converse, options, label="rate", total=total, servers=servers, budget=budget)
    judge = name_model(model)
    asked = describe_settings(rubrics, model, options, rating.method)
    runs = {
        language: make_entry("ratings", asked, rating.usage.describe(language) if rating.usage else {})
        for language in outputs
    }
    ratings = _collect(outputs, results, rubrics, judge, rating, ledger)
    counts = sum_answered({language: run.answered for language, run in runs.items()})
    return replace(ratings, noted=(*ratings.noted, *note_answered(judge, counts)), runs=runs)


def describe_settings(
    rubrics: Rubrics, model: Model, options: ChatOptions, method: RatingMethod | None
) -> dict[str, Any]:
    """The settings that run.json records as asked for. method: None where the run decides it."""
    settings: dict[str, Any] = {
        "model": name_model(model),
        "criteria": list(rubrics.criteria),
        "rubrics": rubrics.digest,
    }
    if method is not None:
        settings |= {"method": method.name, "samples": method.samples}
        settings["sampling"] = describe_sampling(method.sampling(0))
    return {**settings, "extra": dict(options.extra)}


def _list(outputs: Mapping[str, Sequence[ModelOutput]], rubrics: Rubrics) -> list[tuple[ModelOutput, str]]:
    return [(row, criterion) for own in outputs.values() for row in own for criterion in rubrics.criteria]


class _Rating:
    """One run's conversation and its method, which the first answers may change."""

    def __init__(
        self,
        rubrics: Rubrics,
        questions: Sequence[tuple[ModelOutput, str]],
        method: RatingMethod,
        *,
        fallback: bool,
        samples: int,
    ):
        self.method = method
        self.noted: tuple[str, ...] = ()
        self.retry_unread = False
        self.usage: Usage | None = None
        self._rubrics, self._questions = rubrics, questions
        self._text = replace_method(method, samples) if fallback else None

    async def converse(self, client: ChatClient) -> list[Result[float]]:
        self.usage = client.record(lambda call: call.row.partition("/")[0])
        ways = Ways(self._make_calls, self._read, self._rubrics.digest)
        asked = await ask_judge(
            client, self._questions, ways, self.method, self._text, retry_unread=self.retry_unread
        )
        self.method = asked.way
        if asked.why:
            told = f"{client.model.name} {asked.why}: scores are read from text (method {self.method.name})."
            self.noted = (told,)
        return asked.results

    def _make_calls(self, question: tuple[ModelOutput, str], attempt: int, method: RatingMethod) -> list[Call]:
        return make_calls(*question, self._rubrics, method, attempt)

    def _read(
        self, question: tuple[ModelOutput, str], answers: tuple[Answer, ...], method: RatingMethod
    ) -> float | Unreadable:
        score = read_score(answers, method)
        return Unreadable(describe_unread(answers, method)) if score is None else score


def _collect(
    outputs: Mapping[str, Sequence[ModelOutput]],
    results: Sequence[Result[float]],
    rubrics: Rubrics,
    judge: str,
    rating: _Rating,
    ledger: Ledger,
) -> Ratings:
    failures: dict[str, list[FailedCall]] = {language: [] for language in outputs}
    scores: dict[tuple[str, int], dict[str, float]] = {}
    raw: dict[tuple[str, int], dict[str, Any]] = {}
    places = [
        (language, place, criterion)
        for language, own in outputs.items()
        for place in range(len(own))
        for criterion in rubrics.criteria
    ]
    for (language, place, criterion), result in zip(places, results, strict=True):
        if isinstance(result, Read):
            scores.setdefault((language, place), {})[criterion] = result.value
            texts = [answer.text for answer in result.answers]
            raw.setdefault((language, place), {})[criterion] = texts[0] if len(texts) == 1 else texts
            continue
        row = f"{language}/{outputs[language][place].id} {criterion}"
        if isinstance(result, FailedCall):
            failures[language].append(FailedCall(row, result.reason, result.attempts))
        else:
            failures[language].append(FailedCall(row, f"{result.reason}, asked {result.tries} times", result.tries))
    ratings = {
        language: [
            Rating(
                instruction=row.instruction,
                output=row.output,
                generator=row.generator,
                judge=judge,
                scores=scores[language, place],
                id=row.id,
                dataset=row.dataset,
                language=language,
                method=rating.method.name,
                rubrics=rubrics.digest,
                raw=raw[language, place],
            )
            for place, row in enumerate(own)
            if (language, place) in scores
        ]
        for language, own in outputs.items()
    }
    samples = {
        code: count_samples(
            [result for (language, _, _), result in zip(places, results, strict=True) if language == code]
        )
        for code in outputs
    }
    return Ratings(ratings, failures, tuple(rubrics.criteria), rating.method.name, ledger, rating.noted, samples)


def _name_language(row: ModelOutput, language: str) -> ModelOutput:
    return row if row.language else replace(row, language=language)
