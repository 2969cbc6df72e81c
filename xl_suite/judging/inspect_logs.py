"""Annotations from a log of inspect_ai, as the scorer of `xl_suite.inspect_tasks` stores them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput
from xl_suite.extras import load

ENDING = ".eval"
# The key of a score's metadata.
ROWS = "annotations"


def read_log(path: Path) -> list[dict[str, Any]]:
    """The annotations of a log, raw, in the order of its samples; an epoch is a sample of the model.

    Raises BadInput for a file that is not a log, or has no pairwise scores, and MissingExtra without inspect_ai.
    """
    log = load("inspect_ai.log", "inspect", "it reads its logs")
    try:
        samples = log.read_eval_log(str(path)).samples or []
    except Exception as error:  # of zip, JSON and validation, which change with its version
        raise BadInput(f"{path}: cannot be read as a log of inspect_ai: {error}") from error
    rows = [
        {**row, "sample": sample.epoch - 1}
        for sample in samples
        for score in (sample.scores or {}).values()
        for row in (score.metadata or {}).get(ROWS, [])
    ]
    if not rows:
        raise BadInput(
            f"{path}: no pairwise scores. The tasks of xl_suite.inspect_tasks with a reference write them."
        )
    return rows
