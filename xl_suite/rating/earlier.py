"""The ratings of a run's outputs that exist in files already, so that no rating is paid for twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xl_suite.errors import BadInput
from xl_suite.finished import Held
from xl_suite.rating.ratings import Rating
from xl_suite.rating.rubric import RatingMethod, Rubrics, make_calls
from xl_suite.records import ModelOutput, read_records


def find_held(
    path: Path, language: str, outputs: Sequence[ModelOutput], rubrics: Rubrics, max_tokens: int | None
) -> Held:
    """The file's scores of `outputs`, with the first call of each; nothing where it is not there or broken.

    max_tokens: of scores in text; None for the usual.
    """
    try:
        rows = read_records(path, Rating) if path.exists() else []
    except BadInput:  # a broken file is written again
        rows = []
    by_prompt = {row.instruction if row.id is None else row.id: row for row in outputs}
    known = [(row, by_prompt[row.prompt]) for row in rows if row.prompt in by_prompt]
    changed = [
        f"{language}/{row.prompt}"
        for row, output in known
        if (row.instruction, row.output) != (output.instruction, output.output)
    ]
    calls = [
        make_calls(
            output if output.language else replace(output, language=language),
            *(criterion, rubrics, _method(row, criterion, max_tokens)),
        )[0]
        for row, output in known
        for criterion in row.scores
        if criterion in rubrics.criteria
    ]
    return Held(len(rows), calls, changed)


def _method(row: Rating, criterion: str, max_tokens: int | None) -> RatingMethod:
    raw = row.raw.get(criterion) if isinstance(row.raw, dict) else None
    samples = len(raw) if isinstance(raw, list) else 1
    return RatingMethod(row.method, samples, **({} if max_tokens is None else {"max_tokens": max_tokens}))
