"""Several runs of one model, in a folder of annotations each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xl_suite.judging.annotations import Annotation, read_annotations
from xl_suite.scoring.preferences import require_one


def read_runs(paths: Sequence[Path]) -> list[Annotation]:
    """The annotations of all paths, each path a run (or, with several samples in it, several runs).

    Raises BadInput where they are of several models, which `compare` is for.
    """
    runs = [read_annotations(path) for path in paths]
    require_one("model (generator_2)", (row.generator_2 for rows in runs for row in rows))
    if len(runs) == 1:
        return runs[0]
    numbers = {key: number for number, key in enumerate(_list_samples(runs))}
    return [replace(row, sample=numbers[run, row.sample]) for run, rows in enumerate(runs) for row in rows]


def _list_samples(runs: Sequence[Sequence[Annotation]]) -> list[tuple[int, int]]:
    return sorted({(run, row.sample) for run, rows in enumerate(runs) for row in rows})
