"""The demo's run of XL-Instruct: four passages become a dataset in two languages, replayed from a journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xl_instruct.config import parse_config
from xl_instruct.corpus.sampling import sample_rows
from xl_instruct.segments import segment
from xl_instruct.stages.files import Summary
from xl_instruct.stages.generate import generate
from xl_instruct.stages.teaching import build_instruct_call, build_refine_call
from xl_instruct.stages.translation import build_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.wire import build_body
from xl_suite.errors import BadInput
from xl_suite.records import write_jsonl, write_text

if TYPE_CHECKING:
    from xl_instruct.config import Config
    from xl_instruct.stages.generate import Generated
    from xl_suite.chat.calls import Call

TRANSLATORS = ("demo-plain", "demo-hasty")


def make_dataset(passages: Path, journal: Path, out: Path) -> Generated:
    """Writes the passages and the journal of the made-up models, and runs the pipeline on them in `out`."""
    write_text(passages, files("xl_suite.demo").joinpath("instruct_passages.jsonl").read_text(encoding="utf-8"))
    config = read_demo_config(passages)
    write_jsonl(journal, list_answers(config))
    return generate(config, out, ChatOptions(replay=journal, progress=False))


def read_demo_config(passages: Path) -> Config:
    value = _read("instruct_config.yaml")
    value["passages"]["source"] = str(passages)
    return parse_config(value, "instruct_config.yaml")


def list_answers(config: Config) -> Iterator[dict[str, Any]]:
    """A line of the journal for every call that the run makes."""
    for row in sample_rows(config.passages, None, Summary("passages")):
        told = _find(row["text"])
        yield _line(
            "demo-teacher",
            build_instruct_call(row, config.teacher),
            f"<instruction>{told['draft']}</instruction>",
        )
        asked = build_refine_call({**row, "instruction": told["draft"]}, config.teacher)
        yield _line(
            "demo-teacher",
            asked,
            f"<instruction>{told['instruction']}</instruction>\n<response>{told['response']}</response>",
        )
        parts = [
            {"kind": part.kind, "text": part.text}
            for part in segment(told["response"], config.splitter.name, unit=config.translation.unit)
            if part.translatable
        ]
        for language in config.languages:
            for number, translator in enumerate(config.translators):
                calls = build_calls(parts, language, translator, config.translation)
                for part, call in zip(parts, calls, strict=True):
                    try:
                        text = told["translations"][part["text"]][language][number]
                    except LookupError as error:
                        raise BadInput(
                            f"instruct_answers.yaml has no translation of {part['text']!r} ({language})."
                        ) from error
                    yield _line(TRANSLATORS[number], call, text)


def _line(model: str, call: Call, text: str) -> dict[str, Any]:
    return {"model": model, "request": build_body(call), "answer": {"text": text}}


def _find(passage: str) -> Mapping[str, Any]:
    for told in _read("instruct_answers.yaml"):
        if passage.startswith(told["passage"]):
            found: Mapping[str, Any] = told
            return found
    raise BadInput(f"instruct_answers.yaml has no answer for the passage that begins with {passage[:40]!r}.")


@cache
def _load(name: str) -> str:
    return files("xl_suite.demo").joinpath(name).read_text(encoding="utf-8")


def _read(name: str) -> Any:
    import yaml

    return yaml.load(_load(name), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
