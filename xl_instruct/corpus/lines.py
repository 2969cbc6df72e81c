"""The rows of one data file, one at a time, whatever it is compressed with; what cannot be read is counted."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from xl_instruct.corpus.files import find_kind
from xl_suite.errors import BadInput, BadRecord

# Share of a source's lines that may be bad. A single bad one never ends a run.
MOST_BAD = 0.05
# After so many lines the share is looked at while reading, so that a wrong file ends early.
_ENOUGH = 1000
_SHOWN = 3
_BLOCK = 1 << 20
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


@dataclass(slots=True)
class BadLines:
    """Lines that are not rows: how many of how many read, and the first of them by name."""

    read: int = 0
    bad: int = 0
    first: list[BadRecord] = field(default_factory=list)

    def add(self, problem: BadRecord) -> None:
        """Counts a bad line. Raises the first problem of all where they are more than a few of what was read."""
        self.bad += 1
        if len(self.first) < _SHOWN:
            self.first.append(problem)
        if self.read >= _ENOUGH:
            self.check()

    def check(self) -> None:
        """Raises BadRecord where more than one line, and more than MOST_BAD of all, are bad."""
        if self.bad > 1 and self.bad > MOST_BAD * self.read:
            first = self.first[0]
            raise BadRecord(
                first.path,
                f"{first.problem} So are {self.bad} of {self.read} lines, more than {MOST_BAD:.0%}. "
                "Correct or remove them.",
                row=first.row,
                field=first.field,
            )

    def describe(self) -> str:
        """One line that names the first of them; empty where there are none."""
        if not self.bad:
            return ""
        more = "" if self.bad <= len(self.first) else "; ..."
        return (
            f"{self.bad} of {self.read} lines are not rows and were left out: "
            + "; ".join([str(problem).rstrip(".") for problem in self.first])
            + more
        )


def read_rows(
    file: Path, bad: BadLines, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(number from 1, row) of a .parquet, .jsonl or .json file (lines or one array), also .gz, .zst, .xz or .bz2.

    columns: those wanted of Parquet, which must be there. A line that is not a JSON object is counted in `bad`.
    Raises BadInput for a file that cannot be read to its end.
    """
    kind = find_kind(file.name)
    if kind == "Parquet":
        yield from enumerate(_read_parquet(file, columns), start=1)
        return
    if kind != "JSON":
        raise BadInput(f"{file}: not a .parquet, .jsonl or .json file, plain or compressed.")
    with open_file(file) as stream:
        lines = _split_lines(stream)
        for number, line in lines:
            if not line.strip():
                continue
            if line.lstrip().startswith(b"["):
                yield from _parse_array(file, b"".join([line, *(rest for _, rest in lines)]), bad)
                return
            yield from _parse_line(file, number, line, bad)
            break
        for number, line in lines:
            if line.strip():
                yield from _parse_line(file, number, line, bad)


@contextmanager
def open_file(file: Path) -> Iterator[IO[bytes]]:
    """A file's bytes without their compression. Raises BadInput where they cannot be read to their end."""
    import lzma
    import zlib

    import pyarrow

    suffix = file.suffix.lower()
    try:
        if suffix == ".xz":
            with lzma.open(file) as stream:
                yield stream
        elif suffix in _COMPRESSIONS:
            with file.open("rb") as source, pyarrow.CompressedInputStream(source, _COMPRESSIONS[suffix]) as stream:
                yield stream
        else:
            with file.open("rb") as stream:
                yield stream
    except (OSError, EOFError, zlib.error, lzma.LZMAError, pyarrow.ArrowException) as error:
        raise BadInput(f"{file}: cannot be read to its end: {error}. Download it again.") from error


def _split_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines with their ends; a byte order mark at the beginning is left out."""
    number, kept = 0, b""
    while block := stream.read(_BLOCK):
        *whole, kept = (kept + block).split(b"\n")
        for line in whole:
            number += 1
            yield number, (line.removeprefix(BOM_UTF8) if number == 1 else line) + b"\n"
    if kept:
        yield number + 1, kept.removeprefix(BOM_UTF8) if number == 0 else kept


def _parse_line(file: Path, number: int, line: bytes, bad: BadLines) -> Iterator[tuple[int, Mapping[str, Any]]]:
    bad.read += 1
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        bad.add(BadRecord(file, f"not JSON: {error}.", row=number))
        return
    if isinstance(row, dict):
        yield number, row
    else:
        bad.add(BadRecord(file, f"expected an object, found {type(row).__name__}.", row=number))


def _parse_array(file: Path, text: bytes, bad: BadLines) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{file}: neither a JSON array of rows nor a row on each line: {error}.") from error
    for number, row in enumerate(rows, start=1):
        bad.read += 1
        if isinstance(row, dict):
            yield number, row
        else:
            bad.add(BadRecord(file, f"expected an object, found {type(row).__name__}.", row=number))


def _read_parquet(file: Path, columns: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            missing = sorted(set(columns or ()) - set(table.schema_arrow.names))
            if missing:
                found = ", ".join(table.schema_arrow.names)
                raise BadInput(f"{file}: no column {missing[0]!r}. Columns found: {found}.")
            for batch in table.iter_batches(batch_size=256, columns=list(columns) if columns else None):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{file}: not a readable Parquet file: {error}") from error
