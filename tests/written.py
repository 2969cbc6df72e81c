"""A benchmark of questions, and the files that a command wrote: for tests that compare two ways to do the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from xl_suite.records import BenchmarkRow, write_parquet


def write_questions(folder: Path, languages: Iterable[str], count: int) -> Path:
    """A benchmark with the questions 1 to `count` in each language; its folder."""
    for language in languages:
        rows = [
            BenchmarkRow(n, "own", f"Question {n}? Answer in {language}.", f"Question {n}?", "", language, "target")
            for n in range(1, count + 1)
        ]
        write_parquet(folder / language / "test-00000-of-00001.parquet", rows)
    return folder


def read_files(folder: Path) -> dict[str, bytes]:
    """What is written for users, by path: all but journals, locks and whatever else has a hidden name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
