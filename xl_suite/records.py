"""The rows that flow between the stages, and the files that hold them.

Reading is strict: what is wrong is named by file, record and field. Writing is atomic: a reader sees the old
file or the new one, never half of one.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypeVar, get_type_hints

from xl_suite.errors import BadInput, BadRecord
from xl_suite.foreign import check_regular, parse_json, read_bytes
from xl_suite.staging import clear_abandoned, clear_once, exchange, name_old, name_temporary
from xl_suite.surrogates import encode_text, escape_surrogates, replace_surrogates, tell_replaced

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One of AlpacaEval's prompts; `id` is its 1-based place among the 805 (paper, Table 4)."""

    id: int
    dataset: str
    instruction: str


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """A row of XL-AlpacaEval: `instruction` is what the model is given, `prompt` what it was before the template.

    language: ISO 639-3 code of the language asked for. template: empty for `eng`.
    expected: `target`, `any`, or `other:CODE` where the right answer is in another language whatever was asked.
    """

    id: int
    dataset: str
    instruction: str
    prompt: str
    template: str
    language: str
    expected: str


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """An answer, in AlpacaEval's keys and a few more. Foreign files may lack all but the first three fields."""

    instruction: str
    output: str
    generator: str
    id: int | None = None
    dataset: str = ""
    language: str = ""
    benchmark: str = ""
    finish_reason: str = ""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`, and renames it to `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_once(path.parent)
    temporary = name_temporary(path)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives a new empty folder beside `path`, and puts it in the place of `path` when the block ends well."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_abandoned(path.parent, path.name)
    temporary = name_temporary(path)
    replaced = name_old(temporary)
    temporary.mkdir()
    try:
        yield temporary
        # In one step where the system can: a kill between two renames would leave no folder until the next run.
        if not path.exists() or not exchange(temporary, path):
            if path.exists():
                path.rename(replaced)
            temporary.rename(path)
    finally:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """A text file in UTF-8; lone surrogates are replaced and told, as in `xl_suite.surrogates`."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(encode_text(text, path))


def write_json(path: Path, rows: Iterable[Any]) -> None:
    """An array of records as AlpacaEval's files have it: UTF-8, two spaces, text not escaped."""
    write_text(path, dump_json([to_dict(row) for row in rows]))


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(escape_surrogates(json.dumps(to_dict(row), ensure_ascii=False)) + "\n")


def write_parquet(path: Path, rows: Sequence[Any]) -> None:
    """The rows as one Parquet file with the columns of their dataclass, in its order; at least one row."""
    import pyarrow.parquet

    table, replaced = make_table(rows)
    with atomic_write(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, compression="zstd")
    tell_replaced(path.name, replaced)


def make_table(rows: Sequence[Any], schema: Any = None) -> tuple[Any, int]:
    """(the rows as an Arrow table, how many lone surrogates were replaced in it)."""
    import pyarrow

    try:
        if schema is not None and rows and is_dataclass(rows[0]):
            columns = [_make_array([getattr(row, one.name) for row in rows], one.type) for one in schema]
            return pyarrow.Table.from_arrays(columns, schema=schema), 0
        values: list[Any] = [to_dict(row) for row in rows]
        return pyarrow.Table.from_pylist(values, schema=schema), 0
    except UnicodeEncodeError:
        values, replaced = replace_surrogates([to_dict(row) for row in rows])
        return pyarrow.Table.from_pylist(values, schema=schema), replaced


def _make_array(values: Sequence[Any], kind: Any) -> Any:
    """An Arrow array of values whose structs are dataclasses, column by column: rows of many candidates take a
    fraction of the time that dicts of them take."""
    import pyarrow

    if any(value is None for value in values) or not pyarrow.types.is_nested(kind):
        return pyarrow.array(
            [_to_plain(value) for value in values] if pyarrow.types.is_nested(kind) else values, kind
        )
    if pyarrow.types.is_struct(kind):
        children = [_make_array([getattr(value, one.name) for value in values], one.type) for one in kind]
        return pyarrow.StructArray.from_arrays(children, fields=list(kind))
    offsets = [0]
    for value in values:
        offsets.append(offsets[-1] + len(value))
    inner = _make_array([one for value in values for one in value], kind.value_type)
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets, pyarrow.int32()), inner, type=kind)


def dump_json(value: Any) -> str:
    """JSON text for a file that a person may open. A lone surrogate is escaped, since UTF-8 cannot hold it."""
    return escape_surrogates(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)) + "\n"


def to_dict(row: Any) -> dict[str, Any]:
    return (
        dict(row) if isinstance(row, Mapping) else {name: _to_plain(getattr(row, name)) for name in _names(type(row))}  # type: ignore[arg-type]
    )


def _to_plain(value: Any) -> Any:
    """The value with dataclasses as dicts: `dataclasses.asdict` copies every string's container on its way."""
    kind = type(value)
    if kind is str or value is None or kind is float or kind is int:
        return value
    if kind is list or kind is tuple:
        return kind(map(_to_plain, value))
    if kind is dict:
        return {key: _to_plain(one) for key, one in value.items()}
    return to_dict(value) if is_dataclass(kind) else value


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def read_records(path: Path, kind: type[Record], *, unique: str | None = None) -> list[Record]:
    """The records of a .json (array), .jsonl or .parquet file as `kind`, a dataclass; also gzipped JSON.

    Keys that `kind` does not have are ignored, so that foreign files can be read; a field with a default may be
    missing. `unique` names a field whose values must differ (None is left out).
    Raises BadInput for an unreadable or empty file and BadRecord for a record that does not fit.
    """
    records = [parse_record(raw, kind, path, number) for number, raw in enumerate(read_raw(path), start=1)]
    if not records:
        raise BadInput(f"{path}: the file holds no records.")
    if unique is not None:
        seen: dict[Any, int] = {}
        for number, record in enumerate(records, start=1):
            value = getattr(record, unique)
            if value is not None and seen.setdefault(value, number) != number:
                raise BadRecord(path, f"{value!r} is in record {seen[value]} already.", row=number, field=unique)
    return records


def parse_record(raw: Any, kind: type[Record], path: Path | str, number: int) -> Record:
    """One raw record as `kind`. Raises BadRecord, naming the field, where it does not fit."""
    if not isinstance(raw, Mapping):
        raise BadRecord(path, f"expected an object, found {_shorten(raw)}.", row=number)
    checker, hints = _make_checker(kind)  # type: ignore[arg-type]
    try:
        return kind(**checker.validate_python(raw))
    except ValueError as error:
        raise _explain(error, raw, hints, path, number) from error


def read_raw(path: Path) -> list[Any]:
    """The records of a file as plain JSON values, with nothing checked but the form of the file."""
    if not path.exists():
        raise BadInput(f"{path}: no such file.")
    if path.is_dir():
        raise BadInput(f"{path} is a folder; a .json, .jsonl or .parquet file is needed.")
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return _read_parquet(path)
    text = _read_text(path)
    if not text.strip():
        raise BadInput(f"{path}: the file is empty.")
    if name.endswith(".jsonl"):
        return [
            parse_json(line, path, number) for number, line in enumerate(text.split("\n"), start=1) if line.strip()
        ]
    value = parse_json(text, path, None)
    if not isinstance(value, list):
        raise BadInput(f"{path}: expected a JSON array of records, found {_shorten(value)}.")
    return value


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file. Raises BadInput where it is not one."""
    value = parse_json(_read_text(path), path, None)
    if not isinstance(value, dict):
        raise BadInput(f"{path}: expected a JSON object, found {_shorten(value)}.")
    return value


def _read_text(path: Path) -> str:
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(
            f"{path}, line {line}: not UTF-8 (byte 0x{data[error.start]:02x}). Convert it: iconv -t utf-8."
        ) from error


def _read_parquet(path: Path) -> list[Any]:
    import pyarrow
    import pyarrow.parquet

    check_regular(path)
    try:
        rows: list[Any] = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path}: not a readable Parquet file: {error}") from error
    return rows


@cache
def _make_checker(kind: Any) -> tuple[TypeAdapter[dict[str, Any]], Mapping[str, Any]]:
    """(the strict check of a record's fields, their types): nothing is converted, and other keys are left out."""
    from pydantic import ConfigDict, TypeAdapter, with_config
    from typing_extensions import TypedDict

    hints = get_type_hints(kind)
    kinds = {
        field.name: hints[field.name]
        if field.default is MISSING and field.default_factory is MISSING
        else NotRequired[hints[field.name]]
        for field in fields(kind)
    }
    strict = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
    return TypeAdapter(with_config(strict)(TypedDict(kind.__name__, kinds))), hints  # type: ignore[operator]


def _explain(error: ValueError, raw: Mapping[str, Any], hints: Any, path: Path | str, number: int) -> BadRecord:
    """The first thing that does not fit, by field and by its place in the field."""
    import pydantic

    if not isinstance(error, pydantic.ValidationError):
        return BadRecord(path, f"{error}.", row=number)
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    if first["type"] == "missing":
        found = ", ".join(map(str, list(raw)[:12])) or "none"
        return BadRecord(path, f"missing. Fields found: {found}.", row=number, field=field)
    value, hint = first["input"], hints[field]
    if isinstance(value, float) and not math.isfinite(value):
        return BadRecord(path, f"{json.dumps(value)} is not a number.", row=number, field=field)
    wanted = hint.__name__ if isinstance(hint, type) else str(hint)
    inside = f" in {_shorten(raw[field])}" if value is not raw[field] else ""
    return BadRecord(path, f"expected {wanted}, found {_shorten(value)}{inside}.", row=number, field=field)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
