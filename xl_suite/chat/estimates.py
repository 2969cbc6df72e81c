"""What a run would cost, without a call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
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

# OpenAI's o200k tokenizer takes about 4 bytes of UTF-8 per token in most languages of the benchmarks.
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """The calls of a run and what they would cost.

    in_journal: calls that cost nothing, identical ones among them. prompt_tokens: UTF-8 bytes / 4. completion_tokens:
    new calls times the mean of this model's answers in the journal, or times max_tokens where there are none;
    `basis` says which. most_dollars: the bound that `--budget` reckons with (every byte a token, every answer of
    max_tokens). Dollars are None where the price is unknown.
    """

    model: str
    calls: int
    in_journal: int
    new: int
    prompt_tokens: int
    completion_tokens: int
    dollars: float | None
    most_dollars: float | None
    basis: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """A few words for a person, in one line."""
        cost = "price unknown (see --price)"
        if self.dollars is not None and self.most_dollars is not None:
            cost = f"about ${self.dollars:.2f}, at most ${self.most_dollars:.2f}"
        return (
            f"{self.model}: {self.calls:,} calls, {self.in_journal:,} answered already, {self.new:,} to make; about "
            f"{self.prompt_tokens:,} prompt and {self.completion_tokens:,} completion tokens ({self.basis}); {cost}"
        )


def estimate(model: Model, calls: Iterable[Call], options: ChatOptions) -> Estimate:
    """What `calls` would cost; reads the journal, makes none and makes no call. Memory: about 100 bytes a call."""
    seen: set[bytes] = set()
    total = new = most_prompt = most_completion = 0
    mean: float | None = None
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
                    most_completion += request.most_completion_tokens
    prompt = -(-most_prompt // BYTES_PER_TOKEN)
    completion = most_completion if mean is None else min(round(new * mean), most_completion)
    price = find_price(model, options.price)
    return Estimate(
        model.name,
        total,
        total - new,
        new,
        prompt,
        completion,
        None if price is None else price.of(prompt, completion),
        None if price is None else price.of(most_prompt, most_completion),
        "bytes / 4; max_tokens" if mean is None else "bytes / 4; mean of the journal's answers",
    )


def find_answers(model: Model, calls: Iterable[Call], options: ChatOptions) -> dict[str, Answer]:
    """The answers that the journal, or what is replayed, holds to `calls`, by their rows; makes no call."""
    answers: dict[str, Answer] = {}
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
