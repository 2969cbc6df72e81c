"""Rows of a dataclass as Parquet shards, and their columns in the words of a dataset card."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import chain, islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from xl_suite.errors import BadInput
from xl_suite.records import make_table
from xl_suite.surrogates import tell_replaced

# Rows of one row group. A fixed number, so that the same rows always give the same bytes.
ROWS_PER_GROUP = 10_000
# The Hub shows and streams files of this size well; its own default for uploads is 500 MB.
SHARD_BYTES = 256 * 2**20

_SCALARS = {str: "string", int: "int64", float: "float64", bool: "bool"}


@dataclass(frozen=True, slots=True)
class Split:
    """What was written for one split. num_bytes: in memory, as Arrow counts; file_bytes: on disk.

    num_replaced: lone surrogates in its texts, which U+FFFD replaces.
    """

    name: str
    files: tuple[Path, ...]
    columns: tuple[dict[str, Any], ...]
    num_rows: int
    num_bytes: int
    file_bytes: int
    num_replaced: int = 0


def write_shards(
    folder: Path,
    split: str,
    rows: Iterable[Any],
    *,
    shard_bytes: int = SHARD_BYTES,
    rows_per_group: int = ROWS_PER_GROUP,
) -> Split:
    """Writes `<split>-00000-of-00001.parquet` (more of them above `shard_bytes`) into `folder`.

    rows: instances of one dataclass, at least one; they are taken in groups of `rows_per_group`, so a generator of
    millions will do.
    The columns come from the dataclass, never from the values, so an empty column keeps its type.
    Raises BadInput where there is no row, and TypeError for a row of another class.
    """
    import pyarrow.parquet

    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise BadInput(f"{folder.name}/{split}: there is no row to write.")
    kind = type(first)
    schema = arrow_schema(kind)
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[Path] = []
    num_rows = num_bytes = in_shard = num_replaced = 0
    writer = None
    try:
        for group in _groups(chain([first], rows), rows_per_group):
            strange = next((row for row in group if type(row) is not kind), None)
            if strange is not None:
                raise TypeError(f"{folder.name}/{split}: rows of {kind.__name__} and {type(strange).__name__}.")
            table, replaced = make_table(group, schema)
            num_replaced += replaced
            if writer is None or in_shard + table.nbytes > shard_bytes:
                if writer is not None:
                    writer.close()
                parts.append(folder / f"{split}-{len(parts):05}.parquet.part")
                writer, in_shard = pyarrow.parquet.ParquetWriter(parts[-1], schema, compression="zstd"), 0
            writer.write_table(table)
            num_rows, num_bytes, in_shard = num_rows + len(group), num_bytes + table.nbytes, in_shard + table.nbytes
    finally:
        if writer is not None:
            writer.close()
    files = tuple(_finish(part, f"{split}-{n:05}-of-{len(parts):05}.parquet") for n, part in enumerate(parts))
    file_bytes = sum(file.stat().st_size for file in files)
    tell_replaced(f"{folder.name}/{split}", num_replaced)
    return Split(split, files, describe_columns(kind), num_rows, num_bytes, file_bytes, num_replaced)


def find_shards(folder: Path, split: str) -> list[Path]:
    """The shards of a split in order. Raises BadInput where one of them is missing; empty where there are none."""
    shards = sorted(folder.glob(f"{split}-*-of-*.parquet"))
    names = [f"{split}-{number:05}-of-{len(shards):05}.parquet" for number in range(len(shards))]
    if [shard.name for shard in shards] != names:
        found = ", ".join(shard.name for shard in shards)
        raise BadInput(f"{folder}: the shards of {split!r} are not complete: {found}. Build the folder again.")
    return shards


def describe_columns(kind: type[Any]) -> tuple[dict[str, Any], ...]:
    """The `features` of a card for the rows of `kind`, as datasets writes them into its YAML."""
    hints = get_type_hints(kind)
    return tuple({"name": field.name, **_describe(hints[field.name])} for field in fields(kind))


def arrow_schema(kind: type[Any]) -> Any:
    """The Arrow schema of the rows of `kind`: a column for each field, from its type alone."""
    import pyarrow

    hints = get_type_hints(kind)
    return pyarrow.schema([(field.name, _arrow_type(hints[field.name])) for field in fields(kind)])


def _describe(hint: Any) -> dict[str, Any]:
    hint = _without_none(hint)
    if is_dataclass(hint):
        return {"struct": list(describe_columns(hint))}  # type: ignore[arg-type]
    if get_origin(hint) in (list, tuple, Sequence):
        inner = _describe(get_args(hint)[0])
        # datasets shortens one level: a list of strings is `list: string`, a list of structs `list: [columns]`.
        return {"list": inner.get("dtype") or inner.get("struct") or inner}
    if hint not in _SCALARS:
        raise TypeError(f"{hint} has no column type.")
    return {"dtype": _SCALARS[hint]}


def _arrow_type(hint: Any) -> Any:
    import pyarrow

    hint = _without_none(hint)
    if is_dataclass(hint):
        return pyarrow.struct(list(arrow_schema(hint)))  # type: ignore[arg-type]
    if get_origin(hint) in (list, tuple, Sequence):
        return pyarrow.list_(_arrow_type(get_args(hint)[0]))
    if hint not in _SCALARS:
        raise TypeError(f"{hint} has no column type.")
    return getattr(pyarrow, {"bool": "bool_"}.get(_SCALARS[hint], _SCALARS[hint]))()


def _without_none(hint: Any) -> Any:
    """`str | None` is a column of strings: every column of Parquet may hold nulls."""
    if get_origin(hint) in (Union, UnionType):
        options = [option for option in get_args(hint) if option is not NoneType]
        if len(options) == 1:
            return options[0]
    return hint


def _groups(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while group := list(islice(rows, size)):
        yield group


def _finish(part: Path, name: str) -> Path:
    with part.open("rb") as written:
        os.fsync(written.fileno())
    return part.rename(part.with_name(name))
