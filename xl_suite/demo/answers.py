"""The answers of the demo's two generators, and the journal from which they are replayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from xl_suite.chat.calls import Call
from xl_suite.chat.wire import build_body
from xl_suite.errors import BadInput
from xl_suite.records import BenchmarkRow, parse_record, write_jsonl

GENERATORS = ("demo-good", "demo-slips")


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """An answer of a demo generator, as <generator>.yaml has it.

    id: the ID of the prompt. language: the language asked for. verdict: the language fidelity verdict that the text
    must get. slip: the kind of mistake planted in the text; empty for a plain answer.
    """

    id: int
    language: str
    verdict: str
    text: str
    finish_reason: str = "stop"
    slip: str = ""


@cache
def read_answers(generator: str) -> tuple[DemoAnswer, ...]:
    """All answers of a generator. Raises BadRecord for a malformed entry, BadInput for a duplicate."""
    import yaml

    with as_file(files("xl_suite.demo").joinpath(f"{generator}.yaml")) as path:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
        answers = tuple(parse_record(entry, DemoAnswer, path.name, number) for number, entry in enumerate(raw, 1))
    doubled = [key for key, times in Counter((one.language, one.id) for one in answers).items() if times > 1]
    if doubled:
        raise BadInput(f"{generator}.yaml answers {doubled[0][0]}/{doubled[0][1]} twice.")
    return answers


def count_answers(generator: str) -> dict[str, int]:
    """The answers in each language, in the order of the file. They answer the benchmark's first prompts."""
    return dict(Counter(answer.language for answer in read_answers(generator)))


def write_journal(path: Path, asked: Iterable[tuple[BenchmarkRow, Call]]) -> None:
    """Writes the journal, in the text form of `xl_suite.chat.replay`: each call that has an answer, with it.

    asked: the benchmark's rows and the calls that `respond` makes for them, so that the journal has the same keys as
    a real run. Tokens are not counted: nothing was generated.
    """
    calls = {(row.language, row.id): build_body(call) for row, call in asked}
    lines: list[dict[str, Any]] = []
    for generator in GENERATORS:
        for answer in read_answers(generator):
            if (answer.language, answer.id) not in calls:
                raise BadInput(f"{generator}.yaml answers {answer.language}/{answer.id}, which the benchmark lacks.")
            said = {"text": answer.text, "finish_reason": answer.finish_reason}
            lines.append({"model": generator, "request": calls[answer.language, answer.id], "answer": said})
    write_jsonl(path, lines)


def group_languages(counts: dict[str, int]) -> list[tuple[int, Sequence[str]]]:
    """(number of answers, languages with that number), largest number first: one run of `respond` for each."""
    sizes = sorted(set(counts.values()), reverse=True)
    return [(size, [language for language, count in counts.items() if count == size]) for size in sizes]
