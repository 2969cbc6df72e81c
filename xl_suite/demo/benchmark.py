"""The demo's benchmark: 24 prompts of AlpacaEval's kinds, written for this project, in all languages of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from xl_alpacaeval.rows import build_rows, excluded_ids
from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_benchmark
from xl_suite.languages import find_language, table
from xl_suite.records import BenchmarkRow, Prompt, read_records

PACKAGE = "xl_suite.demo"
NAME = "xl-alpacaeval-demo"


@dataclass(frozen=True, slots=True)
class _RawPrompt:
    dataset: str
    instruction: str


def read_prompts() -> list[Prompt]:
    """The prompts, numbered from 1 as AlpacaEval's are."""
    with as_file(files(PACKAGE).joinpath("prompts.json")) as path:
        raw = read_records(path, _RawPrompt)
    return [Prompt(number, row.dataset, row.instruction) for number, row in enumerate(raw, start=1)]


def build_demo_rows() -> dict[str, list[BenchmarkRow]]:
    """The rows of every language, made by XL-AlpacaEval's code from the demo's own tables."""
    return {language.code: build_rows(read_prompts(), language.code, tables=PACKAGE) for language in table()}


def write_demo_benchmark(out: Path, rows: Mapping[str, list[BenchmarkRow]]) -> None:
    """Writes the dataset folder that `load_dataset` reads; the same rows give the same bytes."""
    languages = [find_language(code) for code in rows]
    values = {
        "prompts": str(len(next(iter(rows.values())))),
        "languages": str(len(rows) - 1),
        "excluded": ", ".join(map(str, sorted(excluded_ids("release", tables=PACKAGE)))),
    }

    def card(metadata: Mapping[str, Any]) -> str:
        template = files(PACKAGE).joinpath("card.md").read_text(encoding="utf-8")
        codes = {"language": [name_language(language) for language in languages]}
        return render_card(template, {**codes, **metadata}, values)

    write_benchmark(out, rows, {language.split: language.code for language in languages}, name=NAME, card=card)
