"""Several runs of one model, in a folder of annotations each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation, list_annotations, read_annotations
from xl_suite.scoring.preferences import require_one
from xl_suite.scoring.stale import warn_of_stale

logger = logging.getLogger("xl_suite.scoring")


def read_runs(paths: Sequence[Path], *, training_seeds: bool = False) -> tuple[list[Annotation], tuple[int, ...]]:
    """The annotations of all paths and the training seed of each run by `sample`. Each path is a run, or several runs
    if it contains several samples. The seed is the number of its path with training_seeds; else there are none.

    Only judgements (judge, prompt and language) that every run has are kept, since different prompts would look like
    a difference between runs; the number left out is logged. training_seeds: the paths belong to models that differ
    only in their training seed and are scored as one. Raises BadInput for several models without it, which `compare`
    handles, and for runs without common judgements.
    """
    runs = [read_annotations(path) for path in paths]
    warn_of_stale(file for path in paths for file in list_annotations(path).files)
    if training_seeds:
        name = name_seeds([rows[0].generator_2 for rows in runs])
        for rows in runs:
            require_one("model (generator_2)", (row.generator_2 for row in rows))
        runs = [[replace(row, generator_2=name) for row in rows] for rows in runs]
    require_one("model (generator_2)", (row.generator_2 for rows in runs for row in rows))
    if len(runs) == 1:
        return runs[0], ()
    shared = set.intersection(*({_place(row) for row in rows} for rows in runs))
    if not shared:
        raise BadInput("the runs have no prompts in common. Name annotations of the same prompts.")
    left_out = sum(_place(row) not in shared for rows in runs for row in rows)
    if left_out:
        logger.warning(
            "%d judgements of prompts that some runs lack are left out; the runs share %d.", left_out, len(shared)
        )
    runs = [[row for row in rows if _place(row) in shared] for rows in runs]
    samples = _list_samples(runs)
    numbers = {key: number for number, key in enumerate(samples)}
    rows = [replace(row, sample=numbers[run, row.sample]) for run, own in enumerate(runs) for row in own]
    return rows, tuple(run for run, _ in samples) if training_seeds else ()


def name_seeds(names: Sequence[str]) -> str:
    """One name for models of several seeds: their common prefix and their number. Raises BadInput where two names are
    equal, since these are runs of one model."""
    if len(names) < 2 or len(set(names)) < len(names):
        raise BadInput(
            f"{', '.join(names)}: training seeds are several models, one for each path. Runs of one model are scored "
            "without --training-seeds."
        )
    shared = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    prefix = "".join(letters[0] for letters in shared).rstrip("-_./ ")
    return f"{prefix or names[0]} ({len(names)} training seeds)"


def _place(row: Annotation) -> tuple[str, int | str, str]:
    return row.annotator, row.prompt, row.language


def _list_samples(runs: Sequence[Sequence[Annotation]]) -> list[tuple[int, int]]:
    return sorted({(run, row.sample) for run, rows in enumerate(runs) for row in rows})
