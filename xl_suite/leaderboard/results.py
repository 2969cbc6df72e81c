"""Finds what a leaderboard is made of in folders of results: annotations, outputs, ratings, benchmarks.

What a file is, its first record says, not its place: `respond`, `judge`, `rate` and alpaca_eval write in layouts of
their own, and folders of several people are joined. Hidden files and folders, and leaderboards built before, are
passed over.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xl_suite.errors import BadInput

MARKER = "site.json"  # stands in the folder of every leaderboard
# The first record of most files lies in the first of these; hostile ones may be longer.
_HEADS = (1 << 14, 1 << 20, 1 << 24)
_JSON = re.compile(r"\.jsonl?(\.gz)?$")


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
    """All files of the given folders, by kind. outputs: by generator. benchmarks: dataset folders."""

    annotations: list[Found] = field(default_factory=list)
    outputs: dict[str, list[Found]] = field(default_factory=dict)
    ratings: list[Found] = field(default_factory=list)
    benchmarks: list[Path] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)


def find_results(folders: Sequence[Path]) -> Results:
    """The results in `folders`, each searched to its depths. Raises BadInput where a folder is missing."""
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
    if not results.annotations:
        listed = ", ".join(str(folder) for folder in folders)
        raise BadInput(f"{listed}: no annotations in it. `xl-suite judge OUTPUTS --out {folders[0]}` writes them.")
    return results


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
    yield from (place for place in places if place.is_file() and (_JSON.search(place.name) or place.suffix == ".tsv"))
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
    if {"output_1", "output_2", "generator_1", "generator_2"} <= head.keys():
        results.annotations.append(Found(path, head))
    elif {"generator", "judge", "scores"} <= head.keys():
        results.ratings.append(Found(path, head))
    elif {"generator", "instruction", "output"} <= head.keys():
        results.outputs.setdefault(str(head["generator"]), []).append(Found(path, head))


def read_head(path: Path) -> dict[str, Any] | None:
    """The first record of a JSON array or of JSON lines; None where there is none."""
    decoder = json.JSONDecoder()
    for size in _HEADS:
        try:
            with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
                data = file.read(size)
        except (OSError, EOFError):
            return None
        text = data.decode("utf-8-sig", "ignore").lstrip()
        try:
            record = decoder.raw_decode(text.removeprefix("[").lstrip())[0]
        except (ValueError, RecursionError):
            if len(data) < size:
                return None
            continue
        return record if isinstance(record, dict) else None
    return None
