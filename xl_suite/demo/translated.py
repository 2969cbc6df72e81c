"""The demo's m-AlpacaEval: one language, translated by a made-up translator who makes planted mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m_alpacaeval.dataset import build_benchmark
from m_alpacaeval.review import FILE_NAME, write_reviews
from m_alpacaeval.rows import read_sources
from m_alpacaeval.translate import DEFAULT, Translation, check_answers, choose, make_call
from xl_suite.chat.calls import Answer
from xl_suite.chat.models import parse_model
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.wire import build_body
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_benchmark
from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.records import parse_record, write_jsonl

if TYPE_CHECKING:
    from m_alpacaeval.rows import SourcePrompt

TRANSLATOR = "demo-translator"
LANGUAGE = "deu"
NAME = "m-alpacaeval-demo"


@dataclass(frozen=True, slots=True)
class DemoTranslation:
    """An entry of translations.yaml. texts: the translator's answer at each attempt. aside: why the last one is
    refused."""

    id: int
    texts: list[str] = field(default_factory=list)
    aside: str = ""


@cache
def read_translations() -> tuple[DemoTranslation, ...]:
    import yaml

    with as_file(files("xl_suite.demo").joinpath("translations.yaml")) as path:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
        return tuple(parse_record(entry, DemoTranslation, path.name, number) for number, entry in enumerate(raw, 1))


def write_translation_journal(path: Path, prompts: Sequence[SourcePrompt]) -> None:
    """Writes the translator's journal: the calls that a build makes for the prompts, each with its answer."""
    texts = {row.id: row.texts for row in read_translations()}
    lines: list[dict[str, Any]] = []
    for prompt in prompts:
        if prompt.id not in texts:
            raise BadInput(f"translations.yaml has no translation of prompt {prompt.id}.")
        refused: Translation | None = None
        for attempt, text in enumerate(texts[prompt.id]):
            call = make_call(prompt, DEFAULT, attempt, refused)
            said = {"text": text, "finish_reason": "stop"}
            line = {"model": TRANSLATOR, "request": build_body(call), "answer": said}
            lines.append(line | ({"sample": call.sample} if call.sample else {}))
            (found,) = check_answers([(prompt, Answer(text, "stop", 0, 0))], DEFAULT, attempt).values()
            refused = choose(refused, found)
    write_jsonl(path, lines)


def build_translated(benchmark: Path, journal: Path, out: Path) -> dict[str, Any]:
    """Builds the folder with one language and English; returns the outcome of the prompts for JSON."""
    sources = read_sources(benchmark, [LANGUAGE])
    write_translation_journal(journal, sources.prompts[LANGUAGE])
    translator = parse_model(f"replay:{journal}#{TRANSLATOR}")
    built = build_benchmark(sources, translator, ChatOptions(progress=False), out=out)
    languages = [find_language(code) for code in built.rows]

    def card(metadata: Mapping[str, Any]) -> str:
        template = files("xl_suite.demo").joinpath("card_translated.md").read_text(encoding="utf-8")
        values = {
            "prompts": str(len(built.sources.english)),
            "languages": " and ".join(row.name for row in languages),
        }
        return render_card(template, {"language": [name_language(row) for row in languages], **metadata}, values)

    write_benchmark(out, built.rows, {row.split: row.code for row in languages}, name=NAME, card=card)
    write_reviews(out / FILE_NAME, built.prompts, built.edits, built.aside)
    told = built.to_dict()
    return {
        "rows": told["rows"],
        "set_aside": told["set_aside"],
        "n_retried": sum(len(row.texts) > 1 and not row.aside for row in read_translations()),
    }


def describe_translation(told: Mapping[str, Any]) -> list[str]:
    """The outcome of the prompts, in lines of at most 80 columns."""
    aside = ", ".join(f"{one['id']} ({' '.join(one['reasons'])})" for one in told["set_aside"])
    return [
        f"The prompts in German: {told['rows'][LANGUAGE]} of {told['rows']['eng']} translated, "
        f"{told['n_retried']} only when asked again.",
        f"Set aside for a person: {aside}.",
    ]
