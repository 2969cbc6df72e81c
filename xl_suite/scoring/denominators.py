"""How many prompts a rate should cover, and how the missing ones could change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from xl_suite.dataset.folder import read_benchmark
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.records import BenchmarkRow
from xl_suite.scoring.preferences import Array

Prompts = Mapping[str, Mapping[int, str]]  # language -> ID -> instruction


def list_prompts(rows: Mapping[str, Iterable[BenchmarkRow]]) -> dict[str, dict[int, str]]:
    """The prompts of a benchmark's rows by language."""
    return {language: {row.id: row.instruction for row in own} for language, own in rows.items()}


def read_prompts(folder: Path, languages: Iterable[str]) -> dict[str, dict[int, str]]:
    """The prompts of a benchmark's dataset folder. Raises BadInput for a language that the folder lacks."""
    return list_prompts({language: read_benchmark(folder, [language]) for language in languages if language})


def require_prompts(annotations: Iterable[Annotation], prompts: Prompts) -> None:
    """Raises BadInput where annotations have other instructions than the benchmark under the same IDs, or IDs that it
    lacks: then they belong to another benchmark or another build of it."""
    differing: dict[str, list[int]] = {}
    for row in annotations:
        known = prompts.get(row.language)
        if known is not None and row.id is not None and known.get(row.id) != row.instruction:
            differing.setdefault(row.language, []).append(row.id)
    if differing:
        count = sum(map(len, differing.values()))
        shown = [f"{language}/{prompt}" for language, ids in sorted(differing.items()) for prompt in ids]
        raise BadInput(
            f"{count} judgements are of other prompts than the benchmark has under their IDs "
            f"({', '.join(shown[:5])}{' ...' if len(shown) > 5 else ''}). Name with --benchmark the dataset folder "
            "whose prompts were answered, or judge answers to this one."
        )


def bound_missing(values: Array, n_asked: int) -> tuple[float | None, float | None]:
    """(worst, best) in percent: the mean of `values` (NaN: missing) if every missing prompt of `n_asked` were lost,
    or won. None where nothing was asked. values: one for each prompt, from 0 to 1."""
    known = values[~np.isnan(values)]
    total = max(n_asked, len(known))
    if not total:
        return None, None
    won = float(known.sum())
    return won / total * 100, (won + total - len(known)) / total * 100
