"""Finds what a leaderboard is made of in folders of results: annotations, outputs, ratings, benchmarks.

The first record of a file says what the file is, and its place does not: `respond`, `judge`, `rate` and alpaca_eval
write in layouts of their own, and folders of several people are joined. Hidden files and folders, and leaderboards
that were built before, are left out.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.auditing.card import is_card
from xl_suite.errors import BadInput
from xl_suite.judging.annotations import ANNOTATIONS
from xl_suite.listing import Kind, drop_copies, is_data, read_head
from xl_suite.rating.ratings import RATINGS
from xl_suite.responding.outputs import OUTPUTS

MARKER = "site.json"  # is in the folder of every leaderboard


@dataclass(frozen=True, slots=True)
class Found:
    """A file and its first record. language: ISO 639-3, from the record or else the file's name; may be empty."""

    path: Path
    head: Mapping[str, Any]

    @property
    def language(self) -> str:
        named = self.head.get("language")
        stem = self.path.name.partition(".")[0].removeprefix("ratings-")
        return str(named) if named else stem if re.fullmatch("[a-z]{3}", stem) else ""


@dataclass(frozen=True, slots=True)
class Results:
    """All files of the given folders, by kind. outputs: by generator. benchmarks: dataset folders.

    mapped: scores that came through a bridge. cards: what `audit` found of judges.
    """

    annotations: list[Found] = field(default_factory=list)
    outputs: dict[str, list[Found]] = field(default_factory=dict)
    ratings: list[Found] = field(default_factory=list)
    mapped: list[Found] = field(default_factory=list)
    cards: list[Path] = field(default_factory=list)
    benchmarks: list[Path] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)


def find_results(folders: Sequence[Path], *, required: bool = True) -> Results:
    """The results in `folders`, each searched to its depths. Raises BadInput where a folder is missing.

    required: whether there must be annotations.
    """
    results = Results()
    for folder in folders:
        if not folder.exists():
            raise BadInput(f"{folder}: no such folder. RESULTS holds what `respond` and `judge` wrote.")
        for path in _walk(folder):
            if path.is_dir():
                results.benchmarks.append(path)
            elif path.name == "models.tsv":
                results.models.append(path)
            else:
                _sort(path, results)
    results.annotations[:] = _drop_copies(results.annotations, ANNOTATIONS)
    for generator, found in results.outputs.items():
        results.outputs[generator] = _drop_copies(found, OUTPUTS)
    if required and not results.annotations:
        listed = ", ".join(str(folder) for folder in folders)
        raise BadInput(f"{listed}: no annotations in it. `xl-suite judge OUTPUTS --out {folders[0]}` writes them.")
    return results


def sign_results(folders: Sequence[Path]) -> dict[str, tuple[int, int]]:
    """The size and time of change of all that `find_results` looks at: equal as long as nothing changed."""
    stats = {str(path): path.stat() for folder in folders for path in _walk(folder)}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def _walk(folder: Path) -> Iterator[Path]:
    """Every file that may hold records, in order, and the dataset folders; those are not gone into."""
    if folder.is_file():
        yield folder
        return
    names = sorted(os.listdir(folder))
    if MARKER in names and is_site(folder):
        return
    places = [folder / name for name in names if not name.startswith(".")]
    folders = [place for place in places if place.is_dir()]
    if any(any(place.glob("test-*.parquet")) for place in folders):
        yield folder
        return
    yield from (place for place in places if place.is_file() and (is_data(place) or place.suffix == ".tsv"))
    for place in folders:
        if not place.is_symlink():
            yield from _walk(place)


def is_site(folder: Path) -> bool:
    """Whether the folder holds a leaderboard that this package built."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and marker.get("made_by") == "xl-suite leaderboard"


def _sort(path: Path, results: Results) -> None:
    head = read_head(path)
    if head is None:
        return
    if ANNOTATIONS.is_record(head) and {"generator_1", "generator_2"} <= head.keys():
        results.annotations.append(Found(path, head))
    elif RATINGS.is_record(head) and "generator" in head:
        results.ratings.append(Found(path, head))
    elif is_card(head):
        results.cards.append(path)
    elif {"model", "mapped", "through"} <= head.keys():
        results.mapped.append(Found(path, head))
    elif OUTPUTS.is_record(head) and {"generator", "instruction"} <= head.keys():
        results.outputs.setdefault(str(head["generator"]), []).append(Found(path, head))


def _drop_copies(found: list[Found], kind: Kind) -> list[Found]:
    kept = set(drop_copies((one.path for one in found), kind))
    return [one for one in found if one.path in kept]
