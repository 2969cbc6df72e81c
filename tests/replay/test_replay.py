"""A recorded run, replayed with the code as it is: the same journals and files; older journals stay readable."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from tests.replay.commands import HERE, find_versions, list_journals, prepare, read_commands, run_command
from tests.replay.snapshot import find_difference, take_snapshot
from xl_suite.chat.replay import export_journal, import_journal

VERSIONS = find_versions()
JOURNALS = [path for version in VERSIONS for path in list_journals(version)]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "XL_SUITE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def name_path(path: Path) -> str:
    return path.relative_to(HERE).as_posix()


def test_the_newest_fixture_replays_to_the_same_files(tmp_path: Path) -> None:
    """After a change of an output that is meant: `python -m tests.replay.record VERSION --expected`."""
    version = VERSIONS[-1]
    prepare(version, tmp_path)
    for command in read_commands(version):
        status, said = run_command(command, tmp_path)
        assert status == command.status, f"{command.name}: status {status}, not {command.status}\n{said}"
    found = take_snapshot(tmp_path, version / "inputs")
    root = version / "expected"
    expected = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    assert sorted(found) == sorted(expected)
    wrote = (version / "pyarrow.txt").read_text(encoding="utf-8").strip()
    differences = {
        name: find_difference(path.read_bytes(), found[name], path.suffix, same_pyarrow=wrote == pyarrow.__version__)
        for name, path in expected.items()
    }
    assert {name: told for name, told in differences.items() if told} == {}
    for journal in list_journals(version):
        assert (tmp_path / "journals" / journal.name).read_bytes() == journal.read_bytes(), "a replay wrote to it"


@pytest.mark.parametrize("journal", JOURNALS, ids=name_path)
def test_journals_of_every_format_stay_readable(journal: Path, tmp_path: Path) -> None:
    text = journal
    if journal.suffix == ".sqlite":
        text = tmp_path / "exported.jsonl"
        with closing(sqlite3.connect(f"file:{journal}?immutable=1", uri=True)) as database:
            rows = database.execute("SELECT model, answer FROM answers ORDER BY model, key").fetchall()
        assert export_journal(journal, text) == len(rows) > 0
        lines = [json.loads(line) for line in text.read_text(encoding="utf-8").splitlines()]
        assert [(line["model"], line["answer"]) for line in lines] == [
            (name, json.loads(said)) for name, said in rows
        ]
    count = len(text.read_bytes().splitlines())
    assert import_journal(text, tmp_path / "again.sqlite") == count
    assert export_journal(tmp_path / "again.sqlite", tmp_path / "again.jsonl") == count
    assert (tmp_path / "again.jsonl").read_bytes() == text.read_bytes() or journal.parents[1] != VERSIONS[-1]


def test_a_journal_of_the_first_format_keeps_a_failed_call() -> None:
    with closing(sqlite3.connect(f"file:{HERE / 'v0/journals/outputs.sqlite'}?immutable=1", uri=True)) as database:
        failures = database.execute("SELECT model, row FROM failures").fetchall()
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    assert failures == [("demo-failing", "hun/5")]


def test_differences_are_found_and_the_last_digit_of_a_float_is_none() -> None:
    def compare(expected: str, found: str) -> str | None:
        return find_difference(expected.encode(), found.encode(), ".json", same_pyarrow=True)

    assert compare('{"a": [1, 0.1]}', '{"a": [1, 0.1]}') is None
    assert compare('{"a": [1, 0.1]}', '{"a": [1, 0.10000000000000002]}') is None
    assert compare('{"a": [1, 0.1]}', '{"a": [1, 0.1001]}') == "/0/a/1: 0.1, now 0.1001"
    assert compare('{"a": [1, 0.1]}', '{"a": [1]}') == "/0/a: 2 parts, now 1"
    assert compare('{"a": 1, "b": 2}', '{"b": 2, "a": 1}') is not None
    assert compare('{"a": 1}', '{"a":1}') == "the same content in other bytes"


def test_parquet_is_compared_by_content_where_another_pyarrow_wrote_it() -> None:
    def write(value: float, compression: str = "snappy") -> bytes:
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(pyarrow.table({"score": [value]}), sink, compression=compression)
        return bytes(sink.getvalue())

    def compare(found: bytes, *, same_pyarrow: bool) -> str | None:
        return find_difference(write(0.5), found, ".parquet", same_pyarrow=same_pyarrow)

    assert compare(write(0.5, "zstd"), same_pyarrow=False) is None
    assert compare(write(0.5, "zstd"), same_pyarrow=True) == "the same content in other bytes"
    assert compare(write(0.25), same_pyarrow=False) == "/2/0/score: 0.5, now 0.25"
