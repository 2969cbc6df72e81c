"""Ratings on rubrics: the record, and its files `OUT/<generator>/<judge>/ratings-<language>.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput, BadRecord
from xl_suite.listing import (
    Kind,
    Listing,
    join_listings,
    list_folder,
    list_folders,
    log_left_alone,
    read_head,
)
from xl_suite.records import read_records

PREFIX = "ratings-"
RATINGS = Kind("ratings", lambda head: "scores" in head and "judge" in head, prefix=PREFIX)


@dataclass(frozen=True, slots=True)
class Rating:
    """A judge's scores for one answer: 1 to 5 by criterion, fractional where probabilities were weighted.

    method: `logprobs`, `sampled` or `parsed`. rubrics: digest of the criteria's texts. raw: the judge's text.
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
        """The key of the prompt: its ID, or its instruction where it has no ID."""
        return self.instruction if self.id is None else self.id


def name_file(language: str) -> str:
    return f"{PREFIX}{language}.json"


def list_ratings(path: Path) -> Listing:
    """The rating files of a path: the path itself, the files in it, or those in its subfolders; may be empty."""
    if path.is_file():
        return Listing((path,) if RATINGS.is_record(read_head(path) or {}) or path.match(f"{PREFIX}*") else ())
    own = list_folder(path, RATINGS)
    return own if own.files else join_listings(list_folder(folder, RATINGS) for folder in list_folders(path))


def read_ratings(path: Path) -> list[Rating]:
    """The ratings of a file, a judge's folder or a generator's folder.

    Raises BadInput where there are none, and BadRecord for a score outside 1 to 5 or a duplicate answer.
    """
    rows: list[Rating] = []
    listing = list_ratings(path)
    log_left_alone(listing, RATINGS)
    for file in listing.files:
        seen: set[tuple[Any, ...]] = set()
        for number, row in enumerate(read_records(file, Rating), start=1):
            for criterion, score in row.scores.items():
                if isinstance(score, bool) or not isinstance(score, int | float) or not 1 <= score <= 5:
                    raise BadRecord(
                        file, f"{criterion}: {score!r} is not a score from 1 to 5.", row=number, field="scores"
                    )
            key = (row.prompt, row.language, row.generator)
            if key in seen:
                raise BadRecord(file, f"{row.prompt!r} is in an earlier record.", row=number, field="id")
            seen.add(key)
            rows.append(row)
    if not rows:
        raise BadInput(f"{path}: no ratings. `xl-suite rate --out OUT` writes them to OUT/<generator>/<judge>.")
    return rows
