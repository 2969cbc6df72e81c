"""Tab-separated tables that ship with the packages: a header line, one row per thing, no quoting."""

from __future__ import annotations

from dataclasses import fields
from importlib.resources import files
from typing import Any, TypeVar, get_type_hints

from xl_suite.errors import BadRecord

Record = TypeVar("Record")


def read_table(package: str, name: str, kind: type[Record]) -> tuple[Record, ...]:
    """The rows of table `name` in `package` as `kind`, a dataclass with a column's name for each field.

    Fields are str, int, float, `float | None` (None for an empty cell), or tuple[str, ...] (words separated by
    spaces).
    Raises BadRecord where header or row do not fit: a table is edited by hand.
    """
    lines = files(package).joinpath(name).read_text(encoding="utf-8").rstrip("\n").split("\n")
    hints = get_type_hints(kind)
    columns = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if lines[0].split("\t") != columns:
        raise BadRecord(name, f"the header must be {columns}, found {lines[0].split(chr(9))}.", row=0)
    rows = []
    for number, line in enumerate(lines[1:], start=1):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise BadRecord(name, f"expected {len(columns)} cells, found {len(cells)}: {line!r}.", row=number)
        values = {}
        for column, cell in zip(columns, cells, strict=True):
            try:
                values[column] = _parse_cell(cell, hints[column])
            except ValueError as error:
                raise BadRecord(name, str(error), row=number, field=column) from error
        rows.append(kind(**values))
    return tuple(rows)


def _parse_cell(cell: str, hint: Any) -> Any:
    if hint in (str, int, float):
        return hint(cell)
    if hint == float | None:
        return float(cell) if cell else None
    return tuple(cell.split())
