"""The judge at work: all languages at once through the chat client, unreadable verdicts asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xl_suite.chat.budget import Price, find_price
from xl_suite.chat.calls import Answer, Call, FailedCall
from xl_suite.chat.client import ChatClient
from xl_suite.chat.ledger import Ledger
from xl_suite.chat.models import Model
from xl_suite.chat.run import run
from xl_suite.chat.settings import ChatOptions
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.judgement import Judgement, write_judgement
from xl_suite.judging.pairwise import (
    METHODS,
    ORDERS,
    RETRIES,
    Method,
    Pair,
    Question,
    ask_questions,
    describe_failure,
    draw_identical,
    make_annotation,
    make_calls,
    read_verdict,
)

__all__ = ["Judgement", "choose_method", "judge_pairs", "name_annotator", "plan_calls", "write_judgement"]

MANY = 5  # answers from which on it is told that most are the reference's own


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
) -> Judgement:
    """Judges the pairs of all languages in one run.

    order: `random`, AlpacaEval's draw for each instruction, or `both`: a row for each order.
    method: `logprobs`, `sampled` (the mean of `samples` verdicts), `parsed` (one verdict), or `auto`: logprobs where
    the annotator asks for them and the judge gives them, which the first call shows, else `sampled` for samples > 1.
    Raises what ends a run (ModelUnavailable, BudgetReached, JournalError, ReplayMiss) and BadInput.
    """
    chosen = choose_method(annotator, method, samples, max_tokens)
    if order not in ORDERS:
        raise BadInput(f"the order is {order!r}; valid: {', '.join(ORDERS)}.")
    questions = [question for language in pairs for question in ask_questions(pairs[language], order, seed)]
    judging = _Run(annotator, model, options, questions, chosen, fallback=method == "auto", samples=samples)
    if questions:
        judging.start()
    name = name_annotator(annotator, model)
    annotations: dict[str, list[Annotation]] = {}
    failures: dict[str, list[FailedCall]] = {}
    made = {(row.language, row.prompt, row.order): row for row in judging.annotate(name)}
    for language, rows in pairs.items():
        annotations[language] = []
        for pair in rows:
            if pair.output_1 == pair.output_2:
                annotations[language] += draw_identical(pair, annotator=name, method=judging.method.name, order=order)
                continue
            for question in ask_questions([pair], order, seed):
                row = made[language, pair.prompt, "21" if question.switched else "12"]
                annotations[language].append(row)
        failures[language] = [failed for question, failed in judging.failures if question.pair.language == language]
    noted = [*judging.noted, *_note_identical(pairs)]
    return Judgement(annotations, failures, judging.method.name, judging.ledger, tuple(noted), order)


def choose_method(annotator: Annotator, method: str, samples: int, max_tokens: int | None) -> Method:
    """The method to begin with. Raises BadInput for an unknown one, or one that the annotator has no tokens for."""
    if method not in (*METHODS, "auto"):
        raise BadInput(f"the method is {method!r}; valid: auto, {', '.join(METHODS)}.")
    if samples < 1:
        raise BadInput(f"{samples} samples; 1 or more are needed.")
    if method == "auto":
        method = "logprobs" if annotator.sampling.logprobs else "parsed"
    if method == "logprobs" and not annotator.numerator:
        raise BadInput(f"{annotator.name} has a regex_parser: logprobs need a logprob_parser with its tokens.")
    extra = {} if max_tokens is None else {"max_tokens": max_tokens}
    return Method(method, samples if method == "sampled" else 1, **extra)


def name_annotator(annotator: Annotator, model: Model) -> str:
    """The annotator's name in rows and folders; with another judge than its own, the judge is part of the name."""
    asked = model.name or annotator.model
    return annotator.name if asked == annotator.model else f"{annotator.name}-{asked.rpartition('/')[2]}"


def plan_calls(
    pairs: Mapping[str, Sequence[Pair]], annotator: Annotator, *, order: str, method: Method, seed: int = 0
) -> list[Call]:
    """The calls of a run whose first verdicts can all be read, for an estimate."""
    return [
        call
        for language in pairs
        for question in ask_questions(pairs[language], order, seed)
        for call in make_calls(question, annotator, method)
    ]


def _note_identical(pairs: Mapping[str, Sequence[Pair]]) -> list[str]:
    """What to say of languages in which most answers are the reference's own, to the letter."""
    notes = []
    for language, rows in pairs.items():
        same = sum(pair.output_1 == pair.output_2 for pair in rows)
        if len(rows) >= MANY and 2 * same > len(rows):
            notes.append(
                f"{language or 'outputs'}: {same} of {len(rows)} answers are the same text as the reference's; each "
                "is a draw without a call. Are outputs and reference the same model's?"
            )
    return notes


class _Run:
    """One run: the answers so far by question, and the method, which the first answer may change."""

    def __init__(
        self,
        annotator: Annotator,
        model: Model,
        options: ChatOptions,
        questions: Sequence[Question],
        method: Method,
        *,
        fallback: bool,
        samples: int,
    ):
        self.annotator, self.model, self.options = annotator, model, options
        self.questions, self.method = questions, method
        self.answers: dict[int, list[Answer]] = {}
        self.failed: dict[int, FailedCall] = {}
        self.failures: list[tuple[Question, FailedCall]] = []
        self.ledger = Ledger()
        self.noted: list[str] = []
        self._fallback, self._samples = fallback, samples
        self._price: Price | None = None

    def start(self) -> None:
        total = len(self.questions) * self.method.samples
        _, self.ledger = run(self.model, self._converse, self.options, label="judge", total=total)

    def annotate(self, annotator: str) -> list[Annotation]:
        """The rows of all judgements; those that have no preference stand in `failures` too."""
        rows = []
        for number, question in enumerate(self.questions):
            answers = self.answers.get(number, [])
            failed = self.failed.get(number)
            preference = None if failed else read_verdict(answers, question, self.annotator, self.method)
            if preference is None:
                reason = describe_failure(failed, answers, self.method)
                attempts = failed.attempts if failed else RETRIES + 1
                self.failures.append((question, FailedCall(question.pair.row, reason, attempts)))
                answers = [] if failed else answers
            dollars = [self._price.of(a.prompt_tokens, a.completion_tokens) for a in answers] if self._price else None
            rows.append(
                make_annotation(
                    question,
                    preference,
                    answers,
                    annotator=annotator,
                    method=self.method.name,
                    price=None if dollars is None else sum(dollars),
                )
            )
        return rows

    async def _converse(self, client: ChatClient) -> None:
        # A replay costs nothing now; the rows say what their judgements cost when they were made.
        asked = replace(client.model, kind="server") if self.model.kind == "replay" else client.model
        self._price = find_price(asked, self.options.price)
        unread = list(range(len(self.questions)))
        if self._fallback and self.method.name == "logprobs" and await self._probe(client):
            unread.remove(0)
        for attempt in range(RETRIES + 1):
            await self._ask(client, unread, attempt)
            unread = [number for number in unread if number not in self.failed and self._is_unread(number)]
            if not unread:
                break

    async def _probe(self, client: ChatClient) -> bool:
        """Asks the first question alone: whether it is judged, or else what follows is read from text."""
        await self._ask(client, [0], 0)
        if 0 in self.failed or self.answers[0][0].logprobs:
            return 0 in self.failed or not self._is_unread(0)
        name = "sampled" if self._samples > 1 else "parsed"
        self.method = Method(name, self._samples, self.method.max_tokens)
        read = f"as the mean of {self._samples} sampled verdicts" if self._samples > 1 else "from its text"
        self.noted.append(
            f"{self.model.name} gives no log probabilities: each verdict is read {read} (method {name})."
        )
        return False

    async def _ask(self, client: ChatClient, numbers: Sequence[int], attempt: int) -> None:
        asked: dict[int, tuple[int, int]] = {}
        calls: list[Call] = []
        for number in numbers:
            made = make_calls(self.questions[number], self.annotator, self.method, attempt)
            self.answers[number] = [_NONE] * len(made)
            for place, call in enumerate(made):
                asked[id(call)] = (number, place)
                calls.append(call)

        def take(call: Call, result: Answer | FailedCall) -> None:
            number, place = asked[id(call)]
            if isinstance(result, FailedCall):
                self.failed[number] = result
            else:
                self.answers[number][place] = result

        await client.ask_all(calls, take)

    def _is_unread(self, number: int) -> bool:
        return read_verdict(self.answers[number], self.questions[number], self.annotator, self.method) is None


_NONE = Answer("", "", 0, 0)
