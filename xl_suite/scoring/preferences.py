"""Annotations as a table of numbers: runs x prompts x languages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation, scale_preference

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of one judge for one model against one reference.

    values: float64, runs x prompts x languages, from 0 (the reference wins) to 1; NaN where a prompt was not
    judged in that language or its judgement failed. prompts: IDs (or instructions) in the order of the second
    axis, sorted. n_failed: failed judgements per language, all runs together,
    without those of withheld answers.
    rows: for each language the annotation of each (run, prompt), in its first order.
    """

    prompts: tuple[int | str, ...]
    languages: tuple[str, ...]
    values: Array
    n_failed: tuple[int, ...]
    rows: dict[tuple[int, int | str, str], Annotation]

    @property
    def by_prompt(self) -> Array:
        """The mean over runs: prompts x languages."""
        return average(self.values, axis=0)


def average(values: Array, axis: int) -> Array:
    """The mean of the values that are not NaN along an axis; NaN without any. Unlike numpy's, it gives no warning."""
    present = ~np.isnan(values)
    count = present.sum(axis=axis)
    total = np.where(present, values, 0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def tabulate_preferences(annotations: Iterable[Annotation]) -> Preferences:
    """The preferences of one judge, model and reference as a table. Raises BadInput for several of them.

    Both orders of a prompt are averaged here, before any statistics. If one of them failed, the prompt counts as
    failed: the other alone would contain the judge's position bias.
    """
    cells: dict[tuple[int, int | str, str], list[Annotation]] = defaultdict(list)
    for row in annotations:
        cells[row.sample, row.prompt, row.language].append(row)
    if not cells:
        raise BadInput("there are no annotations to score.")
    require_one("annotator", (row.annotator for rows in cells.values() for row in rows))
    require_one("model (generator_2)", (row.generator_2 for rows in cells.values() for row in rows))
    require_one("reference (generator_1)", (row.generator_1 for rows in cells.values() for row in rows))
    require_one("method", (row.method for rows in cells.values() for row in rows if row.method))
    cells = _keep_twins(cells)
    runs = {sample: place for place, sample in enumerate(sorted({sample for sample, _, _ in cells}))}
    prompts = tuple(sorted({prompt for _, prompt, _ in cells}, key=lambda prompt: (isinstance(prompt, str), prompt)))
    places = {prompt: place for place, prompt in enumerate(prompts)}
    languages = tuple(sorted({language for _, _, language in cells}))
    columns = {language: place for place, language in enumerate(languages)}
    values = np.full((len(runs), len(prompts), len(languages)), np.nan)
    failed = [0] * len(languages)
    for (sample, prompt, language), rows in cells.items():
        scaled = [scale_preference(row.preference) for row in rows]
        known = [value for value in scaled if value is not None]
        if len(known) == len(scaled):
            values[runs[sample], places[prompt], columns[language]] = sum(known) / len(known)
        elif not any(row.is_withheld for row in rows):
            failed[columns[language]] += 1
    first = {(runs[sample], prompt, language): rows[0] for (sample, prompt, language), rows in cells.items()}
    return Preferences(prompts, languages, values, tuple(failed), first)


def require_one(what: str, names: Iterable[str]) -> str:
    """The one name among `names`, or "" where there is none. Raises BadInput where there are several."""
    found = sorted(set(names))
    if len(found) > 1:
        raise BadInput(
            f"annotations of more than one {what}: {', '.join(found)}. They are never scored together; "
            "name a folder that holds one."
        )
    return found[0] if found else ""


def macro_average(by_prompt: Array, columns: Sequence[int] | None = None) -> float:
    """The mean over languages of each language's mean, of prompts x languages with NaN where missing."""
    chosen = by_prompt if columns is None else by_prompt[:, list(columns)]
    return float(average(chosen, axis=0).mean())


def _keep_twins(
    cells: dict[tuple[int, int | str, str], list[Annotation]],
) -> dict[tuple[int, int | str, str], list[Annotation]]:
    """Gives distinct keys to rows that have no ID and repeat an instruction, as files of other programs may."""
    apart: dict[tuple[int, int | str, str], list[Annotation]] = {}
    for (sample, prompt, language), rows in cells.items():
        counts: dict[str, int] = defaultdict(int)
        for row in rows:
            repeat = counts[row.order] if row.id is None else 0
            counts[row.order] += 1
            name = prompt if repeat == 0 else f"{prompt} ({repeat + 1})"
            apart.setdefault((sample, name, language), []).append(row)
    return apart
