"""What journals say of the calls behind results: how they were made, what they cost, and a fingerprint of them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xl_suite.chat import usage
from xl_suite.chat.answers import answer_from_json
from xl_suite.chat.budget import prices
from xl_suite.chat.calls import Answer
from xl_suite.chat.journal import Journal
from xl_suite.chat.journal_file import MAGIC
from xl_suite.chat.reading import RETRIES
from xl_suite.chat.replay import open_replay, read_text
from xl_suite.chat.shapes import PLAIN, Shape
from xl_suite.chat.wire import build_body, dump, load
from xl_suite.judging.annotations import Annotation
from xl_suite.judging.annotator import Annotator
from xl_suite.judging.pairs import Pair
from xl_suite.judging.pairwise import Method, Question, make_calls
from xl_suite.records import ModelOutput


@dataclass(frozen=True, slots=True)
class UsedCall:
    """A call whose answer went into the results.

    form: the canonical request, with model and sample. instruction: of the row that it answers, where that is known.
    """

    key: bytes
    model: str
    form: Mapping[str, Any]
    answer: Answer
    instruction: str = ""


def read_journals(paths: Sequence[Path]) -> Iterator[UsedCall]:
    """Every answer of the journals, SQLite or JSONL. Raises JournalError for a file that is neither."""
    for path in paths:
        with path.open("rb") as file:
            is_sqlite = file.read(len(MAGIC)) == MAGIC
        if is_sqlite:
            with Journal(path, read_only=True) as journal:
                for stored in journal.answers():
                    yield UsedCall(
                        stored.key, stored.model, load(stored.request), answer_from_json(load(stored.answer))
                    )
        else:
            open_replay(path)[1]()  # explains a file that is not a journal
            for (name, _), key, canonical, answer in read_text(path):
                yield UsedCall(key, name, load(canonical), answer)


def find_responses(calls: Iterable[UsedCall], outputs: Iterable[ModelOutput]) -> list[UsedCall]:
    """The calls that gave these outputs: their answer is the output, and they ask for its instruction.

    Where several calls did, those that were made as most of the others were (model, parameters but for the seed).
    """
    wanted: dict[str, list[ModelOutput]] = defaultdict(list)
    for row in outputs:
        wanted[row.output].append(row)
    found: dict[tuple[str, str], list[UsedCall]] = defaultdict(list)
    for call in calls:
        for row in wanted.get(call.answer.text, ()):
            if any(row.instruction in message["content"] for message in call.form["request"]["messages"]):
                found[row.language, row.instruction].append(replace(call, instruction=row.instruction))
    common = Counter(_describe_kind(call) for group in found.values() for call in group)
    chosen = (
        max(group, key=lambda call: (common[_describe_kind(call)], _describe_kind(call), call.key))
        for group in found.values()
    )
    return _without_twins(chosen)


def _identify(body: Mapping[str, Any], sample: int) -> tuple[bytes, Any, int]:
    """What tells a judge's calls apart, whatever shape they were sent in: messages, length and sample."""
    return dump(body["messages"]), body.get("max_completion_tokens", body.get("max_tokens")), sample


def find_judgements(
    calls: Iterable[UsedCall], annotations: Sequence[Annotation], annotator: Annotator
) -> list[UsedCall]:
    """The judge's calls behind these annotations, those included whose verdict could not be read."""
    wanted = set()
    for row in annotations:
        question = Question(pair_of(row), switched=row.order == "21")
        samples = len(row.raw_completion) if isinstance(row.raw_completion, list) else 1
        method = Method(row.method or "logprobs", max(1, samples))
        for attempt in range(RETRIES + 1):
            for call in make_calls(question, annotator, method, attempt):
                body = build_body(call)
                for shape in (PLAIN, Shape(merge_system=True)):  # other shapes leave messages and length as they are
                    wanted.add(_identify(shape.apply(dict(body)), call.sample))
    names = {row.annotator for row in annotations}
    return _without_twins(
        call
        for call in calls
        if _identify(call.form["request"], call.form["sample"]) in wanted
        and (annotator.name if call.model == annotator.model else f"{annotator.name}-{_last(call.model)}") in names
    )


def pair_of(row: Annotation) -> Any:
    """The pair that an annotation judges."""
    return Pair(
        row.id,
        row.dataset,
        row.language,
        row.instruction,
        row.output_1,
        row.generator_1,
        row.output_2,
        row.generator_2,
    )


def describe_calls(calls: Sequence[UsedCall], expected: int) -> dict[str, Any]:
    """The calls for a manifest: model, sampling, prompts, tokens, dollars and fingerprint.

    expected: how many rows they must explain; a judge can have been asked more than once for one.
    """
    if not calls:
        return {"calls": 0, "expected": expected, "fingerprint": None}
    prompts = sum(call.answer.prompt_tokens for call in calls)
    completions = sum(call.answer.completion_tokens for call in calls)
    bodies = [{k: v for k, v in call.form["request"].items() if k != "messages"} for call in calls]
    seeds = {body.pop("seed", None) for body in bodies}
    return {
        "calls": len(calls),
        "expected": expected,
        "fingerprint": fingerprint(calls),
        "models": sorted({call.model for call in calls}),
        "model_keys": sorted({str(call.form["model"]) for call in calls}),
        "served_models": sorted({call.answer.model for call in calls} - {""}),
        "sampling": _distinct(bodies),
        "seeds": len(seeds) if None not in seeds else None,
        "seeds_sha256": hashlib.sha256(repr(sorted(seeds)).encode()).hexdigest() if None not in seeds else None,
        **_describe_prompts(calls),
        "prompt_tokens": prompts,
        "completion_tokens": completions,
        "dollars": _price(calls),
    }


def fingerprint(calls: Sequence[UsedCall]) -> str:
    """SHA-256 over the keys and answers of the calls, sorted by key, in whatever order they were made."""
    return usage.fingerprint((call.key, usage.hash_answer(call.answer)) for call in calls)


def _describe_prompts(calls: Sequence[UsedCall]) -> dict[str, Any]:
    """The system prompt and the frame of the user's turn, where all calls have the same."""
    if not all(call.instruction for call in calls):
        return {}
    systems, frames = set(), set()
    for call in calls:
        messages = call.form["request"]["messages"]
        systems.add("\n".join(one["content"] for one in messages if one["role"] == "system"))
        user = next((one["content"] for one in reversed(messages) if one["role"] == "user"), "")
        frames.add(user.replace(call.instruction, "{instruction}"))
    return {
        "system": systems.pop() if len(systems) == 1 else None,
        "template": frames.pop() if len(frames) == 1 else None,
    }


def _price(calls: Sequence[UsedCall]) -> float | None:
    """What the calls cost by the price list, in dollars; None where the list lacks one of the models."""
    known = {price.model: price for price in prices()}
    if any(call.model not in known for call in calls):
        return None
    spent = (known[call.model].of(call.answer.prompt_tokens, call.answer.completion_tokens) for call in calls)
    return round(sum(sorted(spent)), 6)


def _describe_kind(call: UsedCall) -> str:
    body = {k: v for k, v in call.form["request"].items() if k not in ("messages", "seed")}
    return repr((call.model, call.form["model"], sorted(body.items(), key=lambda item: item[0])))


def _distinct(bodies: Sequence[dict[str, Any]]) -> Any:
    """The parameters, where they are all the same, else a list of the different ones."""
    values = sorted({dump(body) for body in bodies})
    return load(values[0]) if len(values) == 1 else [load(value) for value in values]


def _without_twins(calls: Iterable[UsedCall]) -> list[UsedCall]:
    by_key = {call.key: call for call in calls}
    return [by_key[key] for key in sorted(by_key)]


def _last(model: str) -> str:
    return model.rpartition("/")[2]
