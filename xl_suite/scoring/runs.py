"""Several runs of one model, in a folder of annotations each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation, read_annotations
from xl_suite.scoring.preferences import require_one

logger = logging.getLogger("xl_suite.scoring")


def read_runs(paths: Sequence[Path]) -> list[Annotation]:
    """The annotations of all paths, each path a run (or, with several samples in it, several runs).

    Only what every run has is kept (judge, prompt and language), or runs with other prompts would look like a model
    that differs between runs; how much was left out is logged. Raises BadInput where they are of several models,
    which `compare` is for, and where the runs have nothing in common.
    """
    runs = [read_annotations(path) for path in paths]
    require_one("model (generator_2)", (row.generator_2 for rows in runs for row in rows))
    if len(runs) == 1:
        return runs[0]
    shared = set.intersection(*({_place(row) for row in rows} for rows in runs))
    if not shared:
        raise BadInput("the runs have no prompts in common. Name annotations of the same prompts.")
    left_out = sum(_place(row) not in shared for rows in runs for row in rows)
    if left_out:
        logger.warning(
            "%d judgements of prompts that not every run has are left out; the runs share %d.", left_out, len(shared)
        )
    runs = [[row for row in rows if _place(row) in shared] for rows in runs]
    numbers = {key: number for number, key in enumerate(_list_samples(runs))}
    return [replace(row, sample=numbers[run, row.sample]) for run, rows in enumerate(runs) for row in rows]


def _place(row: Annotation) -> tuple[str, int | str, str]:
    return row.annotator, row.prompt, row.language


def _list_samples(runs: Sequence[Sequence[Annotation]]) -> list[tuple[int, int]]:
    return sorted({(run, row.sample) for run, rows in enumerate(runs) for row in rows})
