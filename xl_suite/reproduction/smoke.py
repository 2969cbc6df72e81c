"""A whole table of the paper in small: its plan run on tiny random models, demo data and a made-up judge."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from xl_suite.dataset.card import name_language, render_card
from xl_suite.dataset.folder import write_dataset_folder
from xl_suite.errors import BadInput
from xl_suite.languages import find_language
from xl_suite.paper.published import find_model, paper_models
from xl_suite.records import BenchmarkRow
from xl_suite.reproduction.plan import TablePlan
from xl_suite.reproduction.planning import Setting, name_run, plan_tables
from xl_suite.reproduction.running import Execute, Result, run_cells
from xl_suite.reproduction.tiny import JUDGE, REFERENCE, make_tiny_model, serve_tiny

LANGUAGES = ("deu", "hun")
# Those whose steps need nothing beyond the benchmark and XL-Instruct.
TABLES = (1, 6, 10)
PROMPTS = 3
# Two steps at least: the first one is warm-up, at a learning rate of 0.
SIZES = {32: 4, 256: 6, 2_000: 8, 8_000: 12, 32_000: 16}
_DATA_CARD = """---
license: apache-2.0
pretty_name: XL-Instruct demo
task_categories:
- text-generation
---
# XL-Instruct, demo

The answers of the demo as training rows, with made-up scores.
"""


class Answered(Protocol):
    """An answer of the demo."""

    @property
    def id(self) -> int: ...
    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Material:
    """What is asked and learnt in small: prompts by language, answers to them, and what writes the benchmark."""

    rows: Mapping[str, list[BenchmarkRow]]
    answers: Sequence[Answered]
    write_benchmark: Callable[[Path, Mapping[str, list[BenchmarkRow]]], None]


@dataclass(frozen=True, slots=True)
class DemoRow:
    id: int
    instruction: str
    response: str
    language: str
    qe_score: float
    qe_model: str


def plan_smoke(tables: Sequence[int], out: Path, url: str) -> TablePlan:
    """The plan of the tables with everything in small. Raises BadInput for a table that has no smoke test."""
    odd = [table for table in tables if table not in TABLES]
    if odd:
        raise BadInput(f"--smoke has no Table {odd[0]}; it has: {', '.join(map(str, TABLES))}.")
    setting = Setting(
        out=out,
        languages=LANGUAGES,
        resolve=lambda name: f"{name_run(name, 'none', 0)}@{url}",
        trained=lambda name, folder: f"{Path(folder).parent.name}@{url}",
        base=lambda name: str(out / "tiny" / name_run(name, "none", 0)),
        size=lambda size: SIZES[size],
        reference=f"{REFERENCE}@{url}",
        judge=f"{JUDGE}@{url}",
        annotator="xl_local",
        annotator_folder=f"xl_local-{JUDGE}",
        train_config="train_smoke",
        asking=("--limit", str(PROMPTS), "--max-tokens", "64"),
        judging=("--model", f"{JUDGE}@{url}"),
        scoring=("--resamples", "500"),
    )
    return plan_tables(tables, setting)


@contextlib.contextmanager
def prepare_smoke(out: Path, material: Material) -> Iterator[str]:
    """Makes the benchmark, the training rows and the tiny models that are not there yet; the URL of their server."""
    benchmark = out / "xl-alpacaeval"
    if not benchmark.exists():
        material.write_benchmark(benchmark, {code: material.rows[code] for code in (*LANGUAGES, "eng")})
    if not (out / "xl-instruct").exists():
        _write_rows(out / "xl-instruct", material)

    def find(name: str) -> Path | None:
        trained = out / "models" / name / "merged"
        if trained.is_dir():
            return trained
        return _find_tiny(out, name)

    with serve_tiny(find) as server:
        yield server.url


def run_smoke(
    tables: Sequence[int],
    out: Path,
    material: Material,
    execute: Execute,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[TablePlan, list[Result]]:
    """Runs the tables' plan in `out`, end to end; what exists there from an earlier run is left alone."""
    with prepare_smoke(out, material) as url:
        plan = plan_smoke(tables, out, url)
        for line in plan.lines:
            _find_tiny(out, name_run(line.model, "none", 0))
        return plan, run_cells(plan, out, execute, progress=progress)


def _find_tiny(out: Path, name: str) -> Path | None:
    """The tiny model in place of a model of the paper; it is made at the first request."""
    for number, model in enumerate(paper_models()):
        if name_run(model.name, "none", 0) == name:
            folder = out / "tiny" / name
            if not (folder / "model.safetensors").exists():
                make_tiny_model(folder, seed=number, chat=find_model(model.name).kind == "instruct")
            return folder
    return None


def _write_rows(out: Path, material: Material) -> None:
    """The demo's answers as a folder of XL-Instruct's layout: `default` and `bestof3` in both languages."""
    splits: dict[str, list[DemoRow]] = {}
    for code in LANGUAGES:
        asked = {row.id: row.instruction for row in material.rows[code]}
        splits[find_language(code).split] = [
            DemoRow(one.id, asked[one.id], one.text, code, 0.9 - one.id / 100, "made up")
            for one in material.answers
            if one.language == code
        ]

    def card(metadata: Mapping[str, Any]) -> str:
        codes = {"language": ["en", *(name_language(find_language(code)) for code in LANGUAGES)]}
        return render_card(_DATA_CARD, {**codes, **metadata}, {})

    write_dataset_folder(out, {"default": splits, "bestof3": splits}, name="xl-instruct", card=card)
