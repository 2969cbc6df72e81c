"""Which language the right answer to a prompt is in: the benchmark's own rows say it, or the list that ships.

One rule for XL-AlpacaEval, its pairs, m-AlpacaEval and any other benchmark, for all who gate or measure fidelity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from xl_suite.dataset.folder import list_languages, read_benchmark
from xl_suite.records import BenchmarkRow
from xl_suite.tables import read_table

if TYPE_CHECKING:
    from xl_suite.judging.annotations import Annotation
    from xl_suite.records import ModelOutput

TARGET = "target"
Expected = Mapping[str, Mapping[int, str]]  # language -> prompt ID -> any or other:CODE; the rest are `target`


@dataclass(frozen=True, slots=True)
class ExpectedLanguage:
    """A row of XL-AlpacaEval's expected.tsv."""

    id: int
    expected: str
    reason: str


def find_expected(folder: Path | None, benchmarks: Mapping[str, Set[str]]) -> dict[str, Mapping[int, str]]:
    """What prompts expect that do not expect the target language, by language; a language of which nothing is known
    is left out.

    folder: the benchmark's dataset folder. benchmarks: by language, what the rows name as their benchmark.
    Raises BadInput for a folder that is not a benchmark, or lacks a language.
    """
    if folder is not None:
        list_languages(folder)
    found = {}
    for language, names in sorted(benchmarks.items()):
        marks = choose_marks(names, None if folder is None else read_benchmark(folder, [language]))
        if marks is not None:
            found[language] = marks
    return found


def choose_marks(names: Set[str], rows: Iterable[BenchmarkRow] | None) -> Mapping[int, str] | None:
    """What the prompts of one language expect that do not expect the target language, by ID; None: not known.

    rows: those of the benchmark's dataset folder, which decide. Without them, XL-AlpacaEval's list holds where all
    `names` are benchmarks with AlpacaEval's IDs.
    """
    if rows is not None:
        return list_marks(rows)
    return read_packaged() if names and all(map(has_alpaca_eval_ids, names)) else None


def list_marks(rows: Iterable[BenchmarkRow]) -> dict[int, str]:
    """What rows of a benchmark expect that do not expect the target language, by ID."""
    return {row.id: row.expected for row in rows if row.expected != TARGET}


def expects_target(expected: Mapping[int, str] | None, prompt_id: int | None) -> bool:
    """Whether a prompt expects the target language, by the marks of its language; one without an ID does."""
    return prompt_id is None or (expected or {}).get(prompt_id, TARGET) == TARGET


def list_benchmarks(rows: Iterable[Annotation | ModelOutput]) -> dict[str, set[str]]:
    """What rows name as their benchmark, by language; those whose language is not named are left out."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.language:
            found.setdefault(row.language, set()).add(row.benchmark)
    return found


def has_alpaca_eval_ids(benchmark: str) -> bool:
    return benchmark in ("xl-alpacaeval", "m-alpacaeval") or benchmark.startswith("xl-alpacaeval-from-")


@cache
def read_packaged() -> Mapping[int, str]:
    """`any` or `other:CODE` by prompt ID, as XL-AlpacaEval ships it."""
    return {row.id: row.expected for row in read_table("xl_alpacaeval", "expected.tsv", ExpectedLanguage)}
