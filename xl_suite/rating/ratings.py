"""Ratings on rubrics: the record, and its files `OUT/<generator>/<judge>/ratings-<language>.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput, BadRecord
from xl_suite.records import read_records

FILES = "ratings-*.json"


@dataclass(frozen=True, slots=True)
class Rating:
    """A judge's scores for one answer: 1 to 5 by criterion, with fractions where probabilities were weighed.

    method: `logprobs`, `sampled` or `parsed`. rubrics: digest of the criteria's texts. raw: what the judge wrote.
    """

    instruction: str
    output: str
    generator: str
    judge: str
    scores: Mapping[str, float]
    id: int | None = None
    dataset: str = ""
    language: str = ""
    method: str = ""
    rubrics: str = ""
    raw: Any = None

    @property
    def prompt(self) -> int | str:
        """What tells prompts apart: the ID, or else the instruction."""
        return self.instruction if self.id is None else self.id


def find_rating_files(path: Path) -> list[Path]:
    """The files of ratings that a path names: itself, or those in the folder, or those in its folders."""
    if path.is_file():
        return [path] if path.match(FILES) else []
    return sorted(path.glob(FILES)) or sorted(path.glob(f"*/{FILES}"))


def read_ratings(path: Path) -> list[Rating]:
    """The ratings of a file, a judge's folder or a generator's folder.

    Raises BadInput where there are none, and BadRecord for a score outside 1 to 5 or an answer that stands twice.
    """
    rows: list[Rating] = []
    for file in find_rating_files(path):
        seen: set[tuple[Any, ...]] = set()
        for number, row in enumerate(read_records(file, Rating), start=1):
            for criterion, score in row.scores.items():
                if isinstance(score, bool) or not isinstance(score, int | float) or not 1 <= score <= 5:
                    raise BadRecord(
                        file, f"{criterion}: {score!r} is no score from 1 to 5.", row=number, field="scores"
                    )
            key = (row.prompt, row.language, row.generator)
            if key in seen:
                raise BadRecord(file, f"{row.prompt!r} stands in an earlier record.", row=number, field="id")
            seen.add(key)
            rows.append(row)
    if not rows:
        raise BadInput(f"{path}: no ratings. `xl-suite rate --out OUT` writes them to OUT/<generator>/<judge>.")
    return rows
