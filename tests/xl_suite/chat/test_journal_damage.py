"""Damaged and hostile journals: no answer is changed without being told, and none ends in a traceback or a hang."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.chat.calls import Answer, Call, FailedCall, Message, Sampling
from xl_suite.chat.journal import Journal
from xl_suite.chat.journal_file import APPLICATION_ID
from xl_suite.chat.journal_rows import Fact, StoredAnswer
from xl_suite.chat.journal_tail import read_after
from xl_suite.chat.loopback.server import last_message, serve_loopback
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.replay import export_journal, open_replay, summarize_journal
from xl_suite.chat.run import run_calls
from xl_suite.chat.settings import ChatOptions
from xl_suite.chat.wire import build_request
from xl_suite.cli.main import main
from xl_suite.errors import JournalError, XLSuiteError

TEXTS = [f"Frage {n}: " + "Wie heißt die Brücke? " * (n % 7) for n in range(60)]
FLIPS = 300
# The schema as earlier versions of this project wrote it.
SCHEMA_1 = """
CREATE TABLE answers (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, model TEXT NOT NULL, request TEXT NOT NULL,
 answer TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, time INTEGER NOT NULL);
CREATE TABLE failures (key BLOB PRIMARY KEY, model TEXT NOT NULL, row TEXT NOT NULL, reason TEXT NOT NULL,
 attempts INTEGER NOT NULL, request TEXT NOT NULL, time INTEGER NOT NULL);
"""
SCHEMA_2 = SCHEMA_1 + "CREATE TABLE facts (model TEXT, kind TEXT, value TEXT, UNIQUE (model, kind, value));"


def make_calls(texts: list[str] = TEXTS) -> list[Call]:
    return [Call(f"deu/{n}", (Message("user", text),), Sampling(max_tokens=16)) for n, text in enumerate(texts)]


def store(call: Call) -> StoredAnswer:
    request = build_request(call, "m", "m")
    text = json.dumps({"text": f"Antwort auf {call.messages[0].content}"}, ensure_ascii=False)
    return StoredAnswer(request.key, "m", request.canonical.decode(), text, 7, 9, 1_700_000_000)


STORED = {one.key: one for one in map(store, make_calls())}
FACT = Fact("m", "shape", '{"a":1}')


def fill(path: Path) -> bytes:
    with Journal(path) as journal:
        journal.add(list(STORED.values()), facts=[FACT])
    return path.read_bytes()


def write_old(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA_1 if version == 1 else SCHEMA_2)
        connection.executemany(
            "INSERT INTO answers VALUES (?,?,?,?,?,?,?,?)", [(n, *one) for n, one in enumerate(STORED.values())]
        )
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={version}")
        connection.commit()


def ask(path: Path, texts: list[str] = TEXTS) -> tuple[dict[str, str], int]:
    """The answers of a run that may ask anew, by row, and how many calls it made."""
    found: dict[str, str] = {}

    def keep(call: Call, result: Answer | FailedCall) -> None:
        assert isinstance(result, Answer)
        found[call.row] = result.text

    with serve_loopback(lambda request: f"Antwort auf {last_message(request)}") as server:
        model = Model("m", "m", (server.url,), "server")
        run_calls(model, make_calls(texts), keep, ChatOptions(path, progress=False, same_model=True))
        return found, server.calls


def test_a_flipped_bit_changes_no_answer_silently(tmp_path: Path) -> None:
    """What is read is what was written, or it is not there: never anything else."""
    sound = fill(tmp_path / "sound.sqlite")
    path = tmp_path / "j.sqlite"
    chance = random.Random(1)
    seen: Counter[str] = Counter()
    for _ in range(FLIPS):
        data = bytearray(sound)
        place = chance.randrange(8 * len(data))
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            with Journal(path, read_only=True) as journal:
                found = journal.look_up(list(STORED))
                rows = list(journal.answers())
                facts = journal.facts()
        except JournalError:
            seen["refused"] += 1
            continue
        wanted = {key: json.loads(one.answer)["text"] for key, one in STORED.items()}
        assert all(wanted[key] == answer.text for key, answer in found.items())
        assert {(one.prompt_tokens, one.completion_tokens) for one in found.values()} <= {(0, 0)}
        assert all(STORED[row.key]._replace(time=row.time) == row for row in rows)
        assert set(facts) <= {FACT}
        missing = len(STORED) - min(len(found), len(rows))
        if missing:
            assert journal.damaged, f"bit {place}: {missing} rows are gone and nobody says so"
        seen["damaged" if missing else "no matter"] += 1
    assert seen["damaged"] > FLIPS / 3


def test_damaged_rows_are_named_and_asked_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "j.sqlite"
    fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE answers SET answer = replace(answer, 'Antwort', 'Andwort') WHERE id IN (3, 4)")
        connection.execute("UPDATE answers SET request = replace(request, 'Frage 9', 'Frage 8') WHERE id = 10")
        connection.commit()
    with pytest.raises(JournalError, match="holds no answer"):
        run_calls(parse_model(f"replay:{path}"), make_calls(), lambda call, result: None, ChatOptions(progress=False))
    assert "2 damaged rows (row 3 of m, row 4 of m)" in caplog.text
    assert summarize_journal(path)[0].damaged == 3
    found, calls = ask(path)
    assert calls == 2
    assert found == {call.row: json.loads(store(call).answer)["text"] for call in make_calls()}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM damaged ORDER BY id").fetchall() == [(3,), (4,)]
    assert ask(path) == (found, 0)
    assert export_journal(path, tmp_path / "j.jsonl") == len(STORED) - 1
    assert main(["journal", "show", str(path)]) == 0


@pytest.mark.parametrize("version", [1, 2])
def test_journals_of_earlier_formats_are_read_and_written(version: int, tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    write_old(path, version)
    before = path.read_bytes()
    assert export_journal(path, tmp_path / "j.jsonl") == len(STORED)
    assert len(read_after(path, 0, 1000)) == len(STORED) - 1  # its first row has the number 0
    assert path.read_bytes() == before
    found, calls = ask(path, [*TEXTS, "new"])
    assert (len(found), calls) == (len(TEXTS) + 1, 1)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM answers WHERE checksum IS NULL").fetchone() == (len(TEXTS),)


@pytest.mark.parametrize("make", [Path.touch, lambda path: sqlite3.connect(path).execute("VACUUM").close()])
def test_a_journal_without_tables_opens_for_reading(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    make(path)
    with Journal(path, read_only=True) as journal:
        assert (list(journal.answers()), journal.models(), journal.failures()) == ([], [], [])
    assert export_journal(path, tmp_path / "j.jsonl") == 0
    assert ask(path)[1] == len(TEXTS)


FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
ROW = "X'00', 'm', '{}', '{}', 1, 2, 3"
HOSTILE: dict[str, str] = {
    "a view": f"DROP TABLE answers; CREATE VIEW answers AS {FOREVER} i AS id, {ROW} FROM n;",
    "a view of facts": f"DROP TABLE facts; CREATE VIEW facts AS {FOREVER} 'm' AS model, 'shape' AS kind, i FROM n;",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON answers BEGIN DELETE FROM answers; END;",
    "a computed column": "ALTER TABLE answers ADD COLUMN more TEXT AS (hex(zeroblob(100000000)));",
    "a virtual table": "CREATE VIRTUAL TABLE more USING fts5(x);",
    "no table": "DROP TABLE answers;",
    "other columns": "DROP TABLE answers; CREATE TABLE answers (key, answer);",
    "deep JSON": "UPDATE answers SET answer = replace(hex(zeroblob(50000)), '00', '[');",
    "deep JSON in a request": "UPDATE answers SET request = replace(hex(zeroblob(50000)), '00', '[');",
    "long numbers": "UPDATE answers SET answer = '{\"text\":' || replace(hex(zeroblob(3000)), '00', '11') || '}';",
    "a long count": (
        "UPDATE answers SET checksum = NULL, answer = "
        "'{\"text\":\"x\",\"prompt_tokens\":' || replace(hex(zeroblob(3000)), '00', '11') || '}';"
    ),
    "no objects": "UPDATE answers SET checksum = NULL, answer = '[1]', request = '\"x\"';",
    "other fields": (
        'UPDATE answers SET checksum = NULL, answer = \'{"text":"x","model":{},"logprobs":3}\', request = \'{}\';'
    ),
    "requests without models": 'UPDATE answers SET checksum = NULL, request = \'{"model":[1],"request":{}}\';',
    "surrogates": "UPDATE answers SET checksum = NULL, model = CAST(X'EDA080' AS TEXT);",
    "numbers for texts": "UPDATE answers SET checksum = NULL, model = X'01', answer = 3.5, key = id, time = 'never';",
    "a time beyond all": "UPDATE answers SET time = 9223372036854775807, prompt_tokens = 9223372036854775807;",
    "odd failures": "INSERT INTO failures VALUES (NULL, X'00', 1.5, X'FF', 'x', 3, 'now');",
    "odd facts": "INSERT INTO facts (model, kind, value) VALUES ('m', 'shape', '[[[3'), ('m', 'identity', '[1]');",
    "a fact of other kinds": "UPDATE facts SET checksum = NULL, model = X'00', value = 3;",
    "a large blob": "UPDATE answers SET checksum = NULL, answer = zeroblob(269000000) WHERE id = 1;",
}


def try_all(path: Path, folder: Path, *, run: bool = True) -> list[str]:
    """What reading a journal in every way says; what is not explained is raised."""
    said = []

    def look_up() -> None:
        answers, close, _ = open_replay(path)
        try:
            answers.look_up(list(STORED))
        finally:
            close()

    def replay() -> None:
        run_calls(
            parse_model(f"replay:{path}#m"), make_calls(), lambda call, result: None, ChatOptions(progress=False)
        )

    def show() -> None:
        assert main(["journal", "show", str(path)]) in (0, 2)

    def export() -> None:
        export_journal(path, folder / "out.jsonl")

    ways: list[Callable[[], object]] = [look_up, replay, show, export] if run else [look_up, export]
    if path.suffix == ".sqlite":
        ways.append(lambda: read_after(path, 0, 100))
    for way in ways:
        try:
            way()
        except XLSuiteError as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_journal_ends_in_one_clear_line_or_its_rows_do_not_count(name: str, tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(HOSTILE[name])
        connection.commit()
    for line in try_all(path, tmp_path):
        assert line.count("\n") == 0


@pytest.mark.parametrize("name", ["j.sqlite", "j.sqlite-wal"])
def test_a_pipe_is_refused_at_once(name: str, tmp_path: Path) -> None:
    if name != "j.sqlite":
        fill(tmp_path / "j.sqlite")
    os.mkfifo(tmp_path / name)
    command = [sys.executable, "-m", "xl_suite.cli.main", "journal"]
    for arguments in (["show", "j.sqlite"], ["export", "j.sqlite", "o"], ["merge", "j.sqlite", "new.sqlite"]):
        done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert "not a regular file" in done.stderr
        assert "Traceback" not in done.stderr


@given(st.data())
def test_whatever_lines_a_text_journal_has_it_is_read_or_explained(data: st.DataObject) -> None:
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
    messages = st.lists(st.fixed_dictionaries({"role": values, "content": values}) | values, max_size=2)
    request = st.fixed_dictionaries({"messages": messages | values}) | values
    answer = st.fixed_dictionaries({"text": values, "model": values, "logprobs": values}) | values
    line = st.fixed_dictionaries(
        {"model": values, "request": request, "answer": answer},
        optional={"sample": values, "model_key": values, "fact": values, "value": values},
    )
    lines = data.draw(st.lists(line.map(json.dumps) | st.text(max_size=20), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j.jsonl")
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        try_all(path, Path(folder), run=False)


@given(st.binary(max_size=300), st.integers(0, 4000))
def test_whatever_bytes_are_in_a_journal_it_is_read_or_explained(data: bytes, place: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j.sqlite")
        sound = bytearray(make_sound())
        sound[place : place + len(data)] = data
        path.write_bytes(sound)
        try_all(path, Path(folder), run=False)


@cache
def make_sound() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return fill(Path(folder, "j.sqlite"))
