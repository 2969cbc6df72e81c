"""The file of a journal: its schema, how it is opened, and what makes it sound."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from xl_suite.errors import JournalError

SCHEMA_VERSION = 3
# Version 1 has no facts, and version 2 no checksums; they are read as they are, and get them at the first write.
READ_VERSIONS = (1, 2, 3)
APPLICATION_ID = 0x584C4A31  # "XLJ1"
MAGIC = b"SQLite format 3\x00"
BUSY_SECONDS = 60.0
# Reading every page of a larger journal would take longer than a user waits; SQLite still reports a broken page
# when it comes across it.
CHECKED_BYTES = 1 << 30
WAY_OUT = (
    "It is left as it is. Name another file with --journal, or restore this one; "
    "`sqlite3 FILE .recover` may save what it holds."
)
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,           -- SHA-256 of request
    model TEXT NOT NULL,                -- the name that was asked for
    request TEXT NOT NULL,              -- canonical JSON: {"model": key of the model, "request": {...}, "sample": n}
    answer TEXT NOT NULL,               -- JSON: text, finish_reason, model, tokens, logprobs
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    time INTEGER NOT NULL,              -- Unix time in seconds
    checksum BLOB                       -- of all but the time; none in rows of earlier formats
)""",
    """CREATE TABLE IF NOT EXISTS facts (      -- what the journal knows of a model beside its answers
    model TEXT NOT NULL,                -- key of the model
    kind TEXT NOT NULL,                 -- shape: how requests are sent to it; identity: a server that answered as it
    value TEXT NOT NULL,                -- JSON
    checksum BLOB,
    UNIQUE (model, kind, value)
)""",
    """CREATE TABLE IF NOT EXISTS failures (   -- calls that failed for good; a row goes when the call succeeds
    key BLOB PRIMARY KEY,
    model TEXT NOT NULL,
    row TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    request TEXT NOT NULL,
    time INTEGER NOT NULL
)""",
)
COLUMNS = "key, model, request, answer, prompt_tokens, completion_tokens, time"
SEALED = ("answers", "facts")
# No answer is longer than a response, whose JSON may be written with longer escapes.
MOST_ROW_BYTES = 1 << 28
# Another process that makes a journal writes its log before the file itself. So many looks, at so many seconds.
MAKER_LOOKS, LOOK_SECONDS = 100, 0.02


def check_journal(path: Path) -> None:
    """Raises JournalError unless `path` is a sound journal of this schema. Changes nothing."""
    if path.is_dir():
        raise JournalError(f"{path} is a folder; a journal is a file.")
    for file in (path, log_of(path)):
        if file.exists() and not file.is_file():
            raise JournalError(f"{file} is not a regular file (but a pipe or a device); a journal is a file.")
    before = path.stat()
    try:
        _check(path, open_read_only(path) if _is_sqlite(path) else None)
    except JournalError:
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            raise
        # Another process wrote to it in the meantime: look again, now with SQLite's locks.
        _check(path, connect(f"{_address(path)}?mode=ro"))


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, and leaves no file behind; also in a folder that cannot be written."""
    log = log_of(path)
    if not log.exists() or log.stat().st_size == 0:  # closed by its last writer: the file is all there is
        return connect(f"{_address(path)}?immutable=1")
    connection = connect(f"{_address(path)}?mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        raise JournalError(
            f"{path}: {log.name} beside it holds its last writes, and SQLite reads that only in a folder that can be "
            f"written: {error}. Copy both files to such a folder."
        ) from error
    except sqlite3.Error:
        pass  # damaged: `_check` says so
    return connection


def _check(path: Path, connection: sqlite3.Connection | None) -> None:
    if connection is None:
        raise JournalError(f"{path}: not a journal (no SQLite file). {WAY_OUT}")
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application == 0 and version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            return  # killed before the first write: an empty database, which becomes a journal
        if application != APPLICATION_ID:
            raise JournalError(f"{path}: an SQLite file of another program, not a journal. {WAY_OUT}")
        if version not in READ_VERSIONS:
            raise JournalError(
                f"{path}: a journal of schema version {version}; this xl-suite reads version {SCHEMA_VERSION} and "
                "older. "
                f"Use the xl-suite that wrote it. {WAY_OUT}"
            )
        check_schema(path, connection)
        if path.stat().st_size <= CHECKED_BYTES:
            problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if problem != "ok":
                raise JournalError(f"{path}: the journal is damaged ({' '.join(problem.split())}). {WAY_OUT}")
        connection.execute(f"SELECT {COLUMNS} FROM answers LIMIT 1").fetchall()
        connection.execute("SELECT row FROM failures LIMIT 1").fetchall()
    except (sqlite3.Error, ValueError) as error:  # ValueError: a name of a column that is not UTF-8
        raise JournalError(f"{path}: the journal is damaged ({error}). {WAY_OUT}") from error
    finally:
        connection.close()


def check_schema(path: Path, connection: sqlite3.Connection) -> None:
    """Raises JournalError for what is not a plain table: a view or a computed column could run for ever."""
    rows = connection.execute("SELECT type, name, CAST(sql AS TEXT) FROM sqlite_master").fetchall()
    odd = [name for kind, name, sql in rows if kind not in ("table", "index") or "VIRTUAL" in str(sql).upper()[:16]]
    names = {name for kind, name, _ in rows if kind == "table"}
    for table in ("answers", "failures", "facts"):
        columns = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
        odd += [f"{table}.{column[1]}" for column in columns if column[-1]]
        if table not in names and table != "facts":
            raise JournalError(f"{path}: the journal is damaged (no table {table}). {WAY_OUT}")
    if odd:
        raise JournalError(f"{path}: not a journal: {str(odd[0])[:80]!r} is no plain table or column. {WAY_OUT}")


def has_checksums(connection: sqlite3.Connection, table: str) -> bool:
    """Whether a table's rows may have checksums."""
    return any(column[1] == "checksum" for column in connection.execute(f"PRAGMA table_info({table})"))


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise JournalError(f"{path}: the journal cannot be read: {error}.") from error


def _address(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}"


def connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_ROW_BYTES)
    connection.execute("PRAGMA trusted_schema=OFF")
    # A text of a damaged row need not be UTF-8.
    connection.text_factory = _decode
    return connection


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def prepare(connection: sqlite3.Connection) -> None:
    _use_log(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
            for statement in SCHEMA:
                connection.execute(statement)
            for table in SEALED:
                if not has_checksums(connection, table):
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum BLOB")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _use_log(connection: sqlite3.Connection) -> None:
    """Turns the write-ahead log on.

    SQLite doesn't wait for this change as it waits for other writes: while another process makes the same new
    journal, it answers "database is locked" at once, whatever the connection's timeout. So the waiting is done here.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def fill_up(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection; an empty journal in memory where a run was killed before it made the tables."""
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        return connection
    connection.close()
    empty = connect("file::memory:")
    for statement in SCHEMA:
        empty.execute(statement)
    return empty


def wait_for_maker(path: Path) -> bool:
    """Whether an empty file can be opened: it has no last writes in its log, or another process was making it."""
    for _ in range(MAKER_LOOKS):
        if not _size(log_of(path)) or _size(path):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _size(path: Path) -> int:
    """Bytes of a file, 0 for none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
