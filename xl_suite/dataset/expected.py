"""Which prompts expect the target language: as a benchmark's folder says, or the list that ships."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xl_suite.judging.annotations import Annotation


@dataclass(frozen=True, slots=True)
class ExpectedLanguage:
    """A row of XL-AlpacaEval's expected.tsv."""

    id: int
    expected: str
    reason: str


def find_expected(folder: Path | None, benchmarks: Mapping[str, Set[str]]) -> dict[str, Mapping[int, str]]:
    """`expected` by language and prompt ID; a language of which nothing is known is left out.

    folder: the benchmark's dataset folder. Without it, a language whose rows all are of a benchmark with AlpacaEval's
    IDs takes XL-AlpacaEval's list, which ships. benchmarks: by language, what the rows name as their benchmark.
    Raises BadInput for a language that the folder lacks.
    """
    if folder is not None:
        from xl_suite.errors import BadInput
        from xl_suite.scoring.answers import read_expected

        if not any(folder.glob("*/*.parquet")):
            raise BadInput(
                f"{folder} is no dataset folder of a benchmark: it has no <language>/*.parquet. "
                "`xl-suite build` makes one."
            )
        return dict(read_expected(folder, sorted(benchmarks)))
    known = [language for language, names in benchmarks.items() if all(map(has_alpaca_eval_ids, names))]
    return dict.fromkeys(known, read_packaged()) if known else {}


def list_benchmarks(annotations: Iterable[Annotation]) -> dict[str, set[str]]:
    """What annotations name as their benchmark, by language; those whose language is not named are left out."""
    found: dict[str, set[str]] = {}
    for row in annotations:
        if row.language:
            found.setdefault(row.language, set()).add(row.benchmark)
    return found


def has_alpaca_eval_ids(benchmark: str) -> bool:
    return benchmark in ("xl-alpacaeval", "m-alpacaeval") or benchmark.startswith("xl-alpacaeval-from-")


def read_packaged() -> dict[int, str]:
    """`expected` by prompt ID as XL-AlpacaEval ships it."""
    from xl_suite.tables import read_table

    return {row.id: row.expected for row in read_table("xl_alpacaeval", "expected.tsv", ExpectedLanguage)}
