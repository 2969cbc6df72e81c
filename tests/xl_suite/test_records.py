from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xl_suite.errors import BadInput, BadRecord
from xl_suite.records import (
    BenchmarkRow,
    ModelOutput,
    Prompt,
    atomic_folder,
    atomic_write,
    parse_record,
    read_records,
    write_json,
    write_jsonl,
    write_parquet,
)

ROWS = [Prompt(1, "demo", "Erste Frage\nzweite Zeile"), Prompt(2, "demo", "问题 🙂")]


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.parquet"])
def test_written_rows_read_back(tmp_path: Path, name: str) -> None:
    write = {".json": write_json, ".jsonl": write_jsonl, ".parquet": write_parquet}[Path(name).suffix]
    write(tmp_path / name, ROWS)
    assert read_records(tmp_path / name, Prompt, unique="id") == ROWS
    assert os.listdir(tmp_path) == [name]


def test_gzip_and_bom_and_foreign_keys_are_read(tmp_path: Path) -> None:
    raw = json.dumps([{"instruction": "a", "output": "b", "generator": "g", "more": 1}]).encode("utf-8-sig")
    (tmp_path / "rows.json.gz").write_bytes(gzip.compress(raw))
    assert read_records(tmp_path / "rows.json.gz", ModelOutput) == [ModelOutput("a", "b", "g")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n", "the file is empty"),
        (b"[]", "holds no records"),
        (b"{}", "expected a JSON array"),
        (b'[{"id": 1,', "line 1, column 11: not JSON"),
        (b"[\n1 2]", "line 2"),
        (b"[3]", "record 1: expected an object, found 3"),
        (b'[{"id": 1, "dataset": "d"}]', "record 1, field 'instruction': missing. Fields found: id, dataset"),
        (b'[{"id": "1", "dataset": "d", "instruction": "i"}]', "field 'id': expected int, found '1'"),
        (b'[{"id": true, "dataset": "d", "instruction": "i"}]', "field 'id': expected int, found True"),
        (b'[{"id": NaN, "dataset": "d", "instruction": "i"}]', "field 'id': NaN"),
        (b'[{"id": 1, "dataset": "d", "instruction": null}]', "expected str, found None"),
        (
            b'[{"id":1,"dataset":"d","instruction":"i"},{"id":1,"dataset":"d","instruction":"j"}]',
            "record 2, field 'id'",
        ),
        ('[{"id": 1, "dataset": "d", "instruction": "ü"}]'.encode("latin-1"), "line 1: not UTF-8 (byte 0xfc)"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_records(path, Prompt, unique="id")
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


@dataclass(frozen=True)
class _Nested:
    words: list[str]
    scores: dict[str, float]
    note: str | None = None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"words": ["a", 7], "scores": {}}, "field 'words': expected list[str], found 7 in ['a', 7]"),
        ({"words": "ab", "scores": {}}, "field 'words': expected list[str], found 'ab'"),
        ({"words": [], "scores": {"x": "1"}}, "field 'scores': expected dict[str, float], found '1' in {'x': '1'}"),
        ({"words": [], "scores": {"x": float("inf")}}, "field 'scores': Infinity is not a number"),
        ({"words": [], "scores": {}, "note": 3}, "field 'note': expected str | None, found 3"),
    ],
)
def test_what_is_inside_a_list_or_an_object_is_checked(raw: dict[str, object], message: str) -> None:
    assert parse_record({"words": ["\ud83d"], "scores": {"x": 1}, "more": 1}, _Nested, "f", 1).note is None
    with pytest.raises(BadRecord) as caught:
        parse_record(raw, _Nested, "f", 1)
    assert message in str(caught.value)


def test_jsonl_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "dataset": "d", "instruction": "i"}\n\n{"id": \n')
    with pytest.raises(BadInput, match="line 3"):
        read_records(tmp_path / "rows.jsonl", Prompt)


@pytest.mark.parametrize("name", ["gone.json", "folder", "text.parquet", "cut.json.gz"])
def test_unreadable_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.parquet").write_text("no Parquet")
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b"[]" * 1000)[:20])
    with pytest.raises(BadInput, match=name):
        read_records(tmp_path / name, Prompt)


def test_a_huge_line_is_read(tmp_path: Path) -> None:
    rows = [Prompt(1, "demo", "x" * 5_000_000)]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_records(tmp_path / "rows.jsonl", Prompt) == rows


@given(st.text(st.characters(codec=None)))
@example("half a character: \ud83d")
@example("both halves of one: \ud83d\ude00")
def test_any_text_survives_json(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Two halves in a row are one character for every reader of JSON."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    folder = tmp_path_factory.mktemp("rows")
    for name, write in (("rows.json", write_json), ("rows.jsonl", write_jsonl)):
        write(folder / name, [Prompt(1, "d", text)])
        assert read_records(folder / name, Prompt)[0].instruction == whole


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["rows.json"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out") as temporary:
        (temporary / "half").write_text("half")
        raise RuntimeError
    assert os.listdir(tmp_path / "out") == ["kept"]
    with atomic_folder(tmp_path / "out") as temporary:
        (temporary / "new").write_text("new")
    assert os.listdir(tmp_path / "out") == ["new"]
    assert os.listdir(tmp_path) == ["out"]


def test_record_errors_carry_their_place() -> None:
    error = BadRecord("f.json", "problem.", row=3, field="id")
    assert (error.path, error.row, error.field, error.exit_status) == ("f.json", 3, "id", 2)
    assert BenchmarkRow.__slots__
