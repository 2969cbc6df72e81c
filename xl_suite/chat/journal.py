"""The journal: every answer that was paid for, in one SQLite file, by the hash of what determines it.

It is checkpoint, cache and replay at once. Rows are only ever added. A file that is not a sound journal is reported
and left as it is. One run at a time asks models for a journal (`locking`); others may read it meanwhile.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from xl_suite.chat.calls import Answer
from xl_suite.chat.journal_errors import ExplainedErrors
from xl_suite.chat.journal_file import (
    COLUMNS,
    WAY_OUT,
    check_journal,
    connect,
    fill_up,
    has_checksums,
    log_of,
    open_read_only,
    prepare,
    wait_for_maker,
)
from xl_suite.chat.journal_rows import Fact, StoredAnswer, StoredFailure, read_answer, read_row, seal, seal_text
from xl_suite.errors import JournalError
from xl_suite.keys import hide_secrets
from xl_suite.surrogates import escape_surrogates

Value = TypeVar("Value")
logger = logging.getLogger("xl_suite.chat")
# The key of the model that a row's request has; NULL where that cannot be read.
_MODEL_KEY = "CASE WHEN json_valid(request) THEN json_extract(request, '$.model') END"
# Rows that a message names, and letters of a model's name there.
_NAMED = 5
MOST_NAMED = 80
# The end of the year 9999.
MOST_TIME = 253_402_300_800
# A group is written by one statement, which commits by itself: Python's lock is given up and taken back only once.
LARGEST_GROUP = 512


class Journal:
    """An open journal. `look_up` may be called in one thread while `add` runs in another."""

    def __init__(self, path: Path, *, read_only: bool = False):
        """Opens the journal at `path`, and makes it where there is none, unless `read_only`.

        Raises JournalError for a file that is not a sound journal of this schema.
        """
        self.path = path
        exists = path.exists() and (not path.is_file() or path.stat().st_size > 0)
        if exists:
            check_journal(path)
        elif read_only and not path.exists():
            raise JournalError(f"{path}: there is no journal here. Name the file of a journal.")
        elif not wait_for_maker(path):
            raise JournalError(f"{path}: the file is empty, but {log_of(path).name} holds its last writes. {WAY_OUT}")
        try:
            if read_only:
                self._reader = self._writer = fill_up(open_read_only(path) if exists else connect("file::memory:"))
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = connect(f"file:{quote(str(path.absolute()))}?mode=rwc")
                prepare(self._writer)
                self._reader = connect(f"file:{quote(str(path.absolute()))}?mode=ro")
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{path}: the journal cannot be opened: {error}. {WAY_OUT}") from error
        self._reading = threading.Lock()
        # Damaged rows that were met, by their number; those that are still among the answers.
        self.damaged: dict[int, str] = {}
        self._to_set_aside: set[int] = set()
        with self._explained():
            self._checksum, self._fact_checksum = (
                "checksum" if has_checksums(self._reader, table) else "NULL" for table in ("answers", "facts")
            )
        self._has_failures = bool(self.failures())

    def look_up(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """The answers of those keys that the journal holds, other processes' commits included."""
        found = {}
        damaged: dict[int, str] = {}
        with self._reading, self._explained():
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                rows = self._reader.execute(
                    "SELECT id, key, CAST(model AS BLOB), CAST(answer AS BLOB), prompt_tokens, completion_tokens, "
                    f"{self._checksum} FROM answers WHERE key IN ({marks})",
                    part,
                )
                for number, key, *row in rows.fetchall():
                    answer = read_answer(key, *row)
                    if answer is None:
                        damaged[number] = row[0]
                    else:
                        found[key] = answer
        self._note_damaged(damaged)
        return found

    def add(
        self,
        answers: Sequence[StoredAnswer],
        failures: Sequence[StoredFailure] = (),
        facts: Sequence[Fact] = (),
    ) -> int:
        """Writes a group durably: it is on the disk when this returns. Returns how many answers were new.

        A failure is forgotten when the same call has an answer. A key that is there keeps its first answer.
        """
        with self._explained():
            plain = not failures and not facts and not self._has_failures and not self._to_set_aside
            if plain and len(answers) <= LARGEST_GROUP:
                return self._insert(answers)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                new = 0
                moved = self._set_aside()
                rows = [(*fact, seal_text(*fact)) for fact in facts]
                names = "model, kind, value, checksum"
                self._writer.executemany(f"INSERT OR IGNORE INTO facts ({names}) VALUES (?,?,?,?)", rows)
                for start in range(0, len(answers), LARGEST_GROUP):
                    part = answers[start : start + LARGEST_GROUP]
                    new += self._insert(part)
                    keys = [one.key for one in part]
                    self._writer.execute(f"DELETE FROM failures WHERE key IN ({','.join('?' * len(keys))})", keys)
                failed = [
                    one._replace(row=escape_surrogates(one.row), reason=escape_surrogates(hide_secrets(one.reason)))
                    for one in failures
                ]
                self._writer.executemany("INSERT OR REPLACE INTO failures VALUES (?,?,?,?,?,?,?)", failed)
                self._writer.execute("COMMIT")
                self._to_set_aside.difference_update(moved)
                self._has_failures = self._has_failures or bool(failed)
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise
        return new

    def failures(self) -> list[StoredFailure]:
        """The calls that failed for good and have no answer yet, by model and row."""
        with self._reading, self._explained():
            rows = self._reader.execute(
                "SELECT key, model, row, reason, attempts, request, time FROM failures "
                "WHERE key NOT IN (SELECT key FROM answers) ORDER BY model, row, key"  # another process may have it
            )
            kinds = (bytes, str, str, str, int, str, int)
            found = [StoredFailure(*row) for row in rows.fetchall()]
            return [one for one in found if all(map(isinstance, one, kinds))]

    def facts(self) -> list[Fact]:
        """What the journal knows of its models, in the order in which it was learnt."""
        with self._reading, self._explained():
            if not self._reader.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                return []  # a journal of version 1
            query = f"SELECT model, kind, value, {self._fact_checksum} FROM facts ORDER BY rowid"
            return [Fact(*row) for *row, checksum in self._reader.execute(query) if _is_whole(row, checksum)]

    def holds(self, key: str) -> bool:
        """Whether it has answers of the model of that key."""
        with self._reading, self._explained():
            query = f"SELECT 1 FROM answers WHERE {_MODEL_KEY} = ? LIMIT 1"
            return self._reader.execute(query, (key,)).fetchone() is not None

    def answers(self) -> Iterator[StoredAnswer]:
        """All answers by model and key, an order that does not depend on when they came; none of a damaged row."""
        damaged: dict[int, str] = {}
        before = b""
        with self._reading, self._explained():
            query = (
                "SELECT id, key, CAST(model AS BLOB), CAST(request AS BLOB), CAST(answer AS BLOB), prompt_tokens, "
                f"completion_tokens, time, {self._checksum} FROM answers ORDER BY model, key"
            )
            for number, *row in self._reader.execute(query):
                stored = read_row(*row)
                if stored is None:
                    damaged[number] = row[1]
                elif stored.key != before:  # a damaged index lets a key in twice
                    before = stored.key
                    yield stored
        self._note_damaged(damaged)

    def models(self) -> list[tuple[str, str]]:
        """(name, key) of every model that the journal has answers of."""
        with self._reading, self._explained():
            query = f"SELECT DISTINCT model, {_MODEL_KEY} FROM answers ORDER BY 1, 2"
            rows = self._reader.execute(query).fetchall()
            return [(name, key) for name, key in rows if isinstance(name, str) and isinstance(key, str)]

    def count_by_model(self) -> list[tuple[str, int, int, int, int | None, int | None]]:
        """(name, answers, prompt tokens, completion tokens, first time, last time) of each model, by name."""
        with self._reading, self._explained():
            query = (
                "SELECT model, count(*), sum(prompt_tokens), sum(completion_tokens), min(time), max(time) "
                "FROM answers WHERE typeof(model) = 'text' GROUP BY model ORDER BY model"
            )
            rows = self._reader.execute(query).fetchall()
        return [(*counts, _read_time(first), _read_time(last)) for *counts, first, last in rows]

    def mean_completion(self, model: str) -> float | None:
        """Mean completion tokens of a model's answers, at most the last 2,000; None where there are none."""
        with self._reading, self._explained():
            latest = "SELECT completion_tokens FROM answers WHERE model = ? ORDER BY id DESC LIMIT 2000"
            query = f"SELECT avg(completion_tokens) FROM ({latest})"
            mean: float | None = self._reader.execute(query, (model,)).fetchone()[0]
            return mean

    def transact(self, work: Callable[[sqlite3.Connection], Value]) -> Value:
        """What `work` returns, whose writes are durable together. Only for the thread that calls `add`."""
        with self._explained():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                moved = self._set_aside()
                value = work(self._writer)
                self._writer.execute("COMMIT")
                self._to_set_aside.difference_update(moved)
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise
        return value

    def read(self, work: Callable[[sqlite3.Connection], Value]) -> Value:
        """What `work` reads."""
        with self._reading, self._explained():
            return work(self._reader)

    def close(self) -> None:
        """Closes the journal; the last process to do so leaves one file, without a log beside it."""
        with suppress(sqlite3.Error):
            self._reader.close()
        with suppress(sqlite3.Error):
            self._writer.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _insert(self, answers: Sequence[StoredAnswer]) -> int:
        """Inserts at most LARGEST_GROUP answers in one statement; returns how many were new."""
        if not answers:
            return 0
        # Filled up with its last answer, which is ignored the second time, a group has one of ten sizes, and SQLite
        # has compiled their statements before.
        size = 1 << (len(answers) - 1).bit_length()
        sealed = [(*answer, seal(answer)) for answer in answers]
        rows = [*sealed, *[sealed[-1]] * (size - len(answers))]
        marks = ",".join(["(?,?,?,?,?,?,?,?)"] * size)
        statement = f"INSERT OR IGNORE INTO answers ({COLUMNS}, checksum) VALUES {marks}"
        return self._writer.execute(statement, list(chain.from_iterable(rows))).rowcount

    def _note_damaged(self, found: Mapping[int, Any]) -> None:
        """Tells of damaged rows that were not met before; they count as not answered."""
        new = {number: _name(model) for number, model in found.items() if number not in self.damaged}
        if not new:
            return
        self.damaged |= new
        self._to_set_aside.update(new)
        named = ", ".join(f"row {number} of {model}" for number, model in list(new.items())[:_NAMED])
        more = f" and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
        logger.warning(
            "%s: %d damaged row%s (%s%s): the disk or a transfer changed what was written. They count as not "
            "answered; a run that may make calls asks for them again, and moves them to the table `damaged`.",
            self.path,
            len(new),
            "s" if len(new) > 1 else "",
            named,
            more,
        )

    def _set_aside(self) -> list[int]:
        """Moves damaged rows out of the answers, so that their calls can be answered anew; their numbers."""
        numbers = list(self._to_set_aside)
        if not numbers:
            return []
        if not self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'damaged'").fetchone():
            self._writer.execute("CREATE TABLE damaged AS SELECT * FROM answers WHERE 0")
        for number in numbers:
            self._writer.execute("INSERT INTO damaged SELECT * FROM answers WHERE id = ?", (number,))
            self._writer.execute("DELETE FROM answers WHERE id = ?", (number,))
        return numbers

    def _explained(self) -> ExplainedErrors:
        return ExplainedErrors(self.path)


def _is_whole(fact: Sequence[Any], checksum: Any) -> bool:
    whole = all(isinstance(one, str) for one in fact)
    return whole and (checksum is None or checksum == seal_text(*fact))


def _read_time(value: Any) -> int | None:
    """A Unix time, as far as a calendar has it."""
    return value if isinstance(value, int) and 0 <= value < MOST_TIME else None


def _name(model: Any) -> str:
    """A model's name as a damaged row has it."""
    text = model.decode("utf-8", "replace") if isinstance(model, bytes) else str(model)
    return text[:MOST_NAMED]
