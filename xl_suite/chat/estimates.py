"""What a run would cost, without a call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from xl_suite.chat.budget import find_price
from xl_suite.chat.calls import Answer, AnswerSource, Call, extend_call
from xl_suite.chat.journal import Journal
from xl_suite.chat.models import Model
from xl_suite.chat.replay import choose_model, open_replay
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.shapes import recall_shape
from xl_suite.chat.wire import build_request
from xl_suite.tables import read_table

# OpenAI's o200k tokenizer takes about 4 bytes of UTF-8 per token in most languages of the benchmarks.
BYTES_PER_TOKEN = 4
# Other tokenizers and languages; the fewest bytes give the most tokens.
LEAST_BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN = 3, 6
# How far the mean of further answers is from that of the journal's.
LESS, MORE = 0.8, 1.25


@dataclass(frozen=True, slots=True)
class Length:
    """How long answers of a kind usually are, without reasoning: from `low` to `high` tokens, or, where the unit is
    `prompt`, such shares of the prompt's."""

    kind: str
    low: float
    high: float
    unit: str
    source: str

    def of(self, prompt_bytes: int, most: int) -> tuple[float, float]:
        """(fewest, most) tokens of the answer to one prompt that may have `most`."""
        scale = prompt_bytes / BYTES_PER_TOKEN if self.unit == "prompt" else 1.0
        return min(self.low * scale, most), min(self.high * scale, most)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The calls of a run and what they would cost.

    in_journal: calls that cost nothing, identical ones among them. prompt_tokens: UTF-8 bytes / 4.
    low_completion_tokens, high_completion_tokens: of the new calls, by the mean of this model's answers in the
    journal or, where there are none, by `typical_lengths.tsv`; completion_tokens is their middle, and `basis` says
    which.
    low_dollars, high_dollars: with that, and prompts of 6 and 3 bytes per token; dollars is for the middle.
    most_dollars: the bound that `--budget` reckons with (every byte a token, every answer of max_tokens). Dollars are
    None where the price is unknown.
    waves: with --batch, how many batches at least and at most follow one after the other, since the next one is made
    of the answers to the last; 0 where there are too few calls for one.
    """

    model: str
    calls: int
    in_journal: int
    new: int
    prompt_tokens: int
    completion_tokens: int
    low_completion_tokens: int
    high_completion_tokens: int
    dollars: float | None
    low_dollars: float | None
    high_dollars: float | None
    most_dollars: float | None
    basis: str
    waves: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """A few words for a person, in one line."""
        cost = "price unknown (see --price)"
        if self.low_dollars is not None and self.high_dollars is not None and self.most_dollars is not None:
            cost = f"${self.low_dollars:.2f} to ${self.high_dollars:.2f}, at most ${self.most_dollars:.2f}"
        if self.waves is not None and self.new:
            least, most = self.waves
            waves = "1 wave" if most == 1 else f"{least} to {most} waves" if least < most else f"{most} waves"
            cost += f" at half price, in {waves} of batches (up to 24 h each)" if most else ", too few for a batch"
        return (
            f"{self.model}: {self.calls:,} calls, {self.in_journal:,} answered already, {self.new:,} to make; about "
            f"{self.prompt_tokens:,} prompt tokens and {self.low_completion_tokens:,} to "
            f"{self.high_completion_tokens:,} completion tokens ({self.basis}); {cost}"
        )

    def scale(self, factor: float, **changes: Any) -> Estimate:
        """The estimate of `factor` times as many calls, with further fields changed."""
        scaled: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float):
                scaled[one.name] = round(value * factor) if isinstance(value, int) else value * factor
        return replace(self, **(scaled | changes))


def estimate(
    model: Model,
    calls: Iterable[Call],
    options: ChatOptions,
    kind: str = "answer",
    waves: tuple[int, int] = (1, 1),
) -> Estimate:
    """What `calls` would cost; reads the journal, makes none and makes no call. Memory: about 100 bytes a call.

    kind: of the answers, a row of `typical_lengths.tsv`. waves: the least and the most rounds in which the calls are
    asked, where each follows from the one before.
    """
    seen: set[bytes] = set()
    total = new = most_prompt = most_completion = 0
    low = high = 0.0
    mean: float | None = None
    length = find_length(kind)
    with ExitStack() as stack:
        source, model = _open_source(model, options, stack)
        if isinstance(source, Journal) and options.replay is None and model.kind != "replay":
            mean = source.mean_completion(model.name)
        shape = recall_shape(source, model.name, model.key)
        for part in _batches(calls, 500):
            requests = {}
            for call in part:
                total += 1
                request = build_request(extend_call(call, options.extra), model.name, model.key, shape)
                if request.key not in seen:
                    seen.add(request.key)
                    requests[request.key] = request
            found = set(source.look_up(list(requests))) if source is not None else set()
            for key, request in requests.items():
                if key not in found:
                    new += 1
                    most_prompt += request.most_prompt_tokens
                    most = request.most_completion_tokens
                    most_completion += most
                    fewest, longest = length.of(request.most_prompt_tokens, most)
                    low += fewest if mean is None else min(mean * LESS, most)
                    high += longest if mean is None else min(mean * MORE, most)
    prompt = -(-most_prompt // BYTES_PER_TOKEN)
    price = find_price(model, options.price)
    batched = options.batch is not None and new >= options.batch.least
    if price is not None and batched:
        price = price.batched

    def cost(prompt_tokens: float, completion_tokens: float) -> float | None:
        return None if price is None else price.of(round(prompt_tokens), round(completion_tokens))

    lengths = f"typical lengths of {kind}s, without reasoning" if mean is None else "mean of the journal's answers"
    return Estimate(
        model.name,
        total,
        total - new,
        new,
        prompt,
        round((low + high) / 2),
        round(low),
        round(high),
        cost(prompt, (low + high) / 2),
        cost(most_prompt / MOST_BYTES_PER_TOKEN, low),
        cost(most_prompt / LEAST_BYTES_PER_TOKEN, high),
        cost(most_prompt, most_completion),
        f"bytes / {BYTES_PER_TOKEN}; {lengths}",
        (waves if batched else (0, 0)) if options.batch is not None else None,
    )


@cache
def find_length(kind: str) -> Length:
    """The row of `typical_lengths.tsv` for a kind of answers."""
    return next(one for one in read_table("xl_suite.chat", "typical_lengths.tsv", Length) if one.kind == kind)


def find_answers(model: Model, calls: Iterable[Call], options: ChatOptions) -> dict[str, Answer]:
    """The answers that the journal, or what is replayed, holds to `calls`, by their rows; makes no call.

    What options.further holds counts as well.
    """
    answers: dict[str, Answer] = {}
    if options.further is not None:
        calls = list(calls)
        answers = find_answers(model, calls, replace(options, journal=options.further, further=None))
    with ExitStack() as stack:
        source, model = _open_source(model, options, stack)
        if source is None:
            return answers
        shape = recall_shape(source, model.name, model.key)
        for part in _batches(calls, 500):
            extended = [extend_call(call, options.extra) for call in part]
            keys = {call.row: build_request(call, model.name, model.key, shape).key for call in extended}
            found = source.look_up(list(keys.values()))
            answers.update({row: found[key] for row, key in keys.items() if key in found})
    return answers


def _open_source(model: Model, options: ChatOptions, stack: ExitStack) -> tuple[AnswerSource | Journal | None, Model]:
    """Where answers are known already, if anywhere, and the model as it is called there."""
    if options.replay is not None or model.kind == "replay":
        source, close, models = open_replay(options.replay or Path(model.source))
        stack.callback(close)
        if model.kind == "replay":
            name, key = choose_model(Path(model.source), models, model.name)
            model = Model(name, key, (), "replay", None, model.source)
        return source, model
    if options.journal is not None and options.journal.exists() and options.journal.stat().st_size:
        return stack.enter_context(Journal(options.journal, read_only=True)), model
    return None, model


def _batches(calls: Iterable[Call], size: int) -> Iterator[list[Call]]:
    iterator = iter(calls)
    while part := list(islice(iterator, size)):
        yield part
