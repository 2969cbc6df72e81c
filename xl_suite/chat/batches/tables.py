"""The journal's tables of batches: which calls are in which batch, and how far it is.

A plan is a set of calls that are one batch, or will be. Its state goes from `planned` to `uploaded` (its file is at
the server), `creating` (the server may have made the batch), `created`, and `ended` (the server is done with it);
when its answers are in the journal, its calls are released and it is `done`. A call is in at most one open plan.
The tables are made with the first plan, so that a journal without batches has none.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from xl_suite.chat.journal import Journal

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS batches (
    plan TEXT PRIMARY KEY,
    model TEXT NOT NULL,                -- key of the model
    name TEXT NOT NULL,                 -- the name that is asked for
    url TEXT NOT NULL,                  -- base URL of the server that has it
    state TEXT NOT NULL,                -- planned, uploaded, creating, created, ended, done
    file TEXT NOT NULL DEFAULT '',      -- the server's ID of the file of requests
    batch TEXT NOT NULL DEFAULT '',     -- the server's ID of the batch
    since INTEGER NOT NULL,             -- Unix time of the last change, in seconds
    try INTEGER NOT NULL,               -- how often its calls are asked with it, at most
    calls INTEGER NOT NULL,
    note TEXT NOT NULL DEFAULT ''       -- what came of it
)""",
    """CREATE TABLE IF NOT EXISTS batch_calls (
    key BLOB PRIMARY KEY,               -- as in answers
    plan TEXT NOT NULL,
    row TEXT NOT NULL,
    request TEXT NOT NULL,              -- as in answers
    prompt_tokens INTEGER NOT NULL,     -- the most that it can cost
    completion_tokens INTEGER NOT NULL
)""",
    "CREATE INDEX IF NOT EXISTS batch_calls_by_plan ON batch_calls (plan)",
)
OPEN = ("planned", "uploaded", "creating", "created", "ended")


class Plan(NamedTuple):
    """A row of the table of batches."""

    plan: str
    model: str
    name: str
    url: str
    state: str
    file: str
    batch: str
    since: int
    attempt: int
    calls: int
    note: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def may_cost(self) -> bool:
        """Whether the server may have the batch."""
        return self.state in ("creating", "created", "ended")


class PlannedCall(NamedTuple):
    """A row of the table of calls in batches; the tokens are upper bounds."""

    key: bytes
    plan: str
    row: str
    request: str
    prompt_tokens: int
    completion_tokens: int


def add_plan(journal: Journal, plan: Plan, calls: Sequence[PlannedCall]) -> None:
    """Writes a plan and its calls. JournalError where one of them is in an open plan already."""

    def write(connection: sqlite3.Connection) -> None:
        for statement in SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO batches VALUES (?,?,?,?,?,?,?,?,?,?,?)", plan)
        connection.executemany("INSERT INTO batch_calls VALUES (?,?,?,?,?,?)", calls)

    journal.transact(write)


def change_plan(journal: Journal, plan: str, **values: str) -> None:
    """Writes new values of a plan's `state`, `file`, `batch` or `note`."""
    names = ", ".join(f"{name} = ?" for name in values)

    def write(connection: sqlite3.Connection) -> None:
        query = f"UPDATE batches SET {names}, since = ? WHERE plan = ?"
        connection.execute(query, (*values.values(), int(time.time()), plan))

    journal.transact(write)


def release_plan(journal: Journal, plan: str, note: str) -> None:
    """Lets go of a plan's calls: they are answered, or may be asked again. The plan is done."""

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM batch_calls WHERE plan = ?", (plan,))
        query = "UPDATE batches SET state = 'done', note = ?, since = ? WHERE plan = ?"
        connection.execute(query, (note, int(time.time()), plan))

    journal.transact(write)


def release_answered(journal: Journal, plan: str) -> int:
    """Lets go of a plan's calls that the journal answers; how many are left."""

    def write(connection: sqlite3.Connection) -> int:
        query = "DELETE FROM batch_calls WHERE plan = ? AND key IN (SELECT key FROM answers)"
        connection.execute(query, (plan,))
        left: int = connection.execute("SELECT count(*) FROM batch_calls WHERE plan = ?", (plan,)).fetchone()[0]
        return left

    return journal.transact(write)


def list_plans(journal: Journal, model: str | None = None) -> list[Plan]:
    """The plans of the model of that key, or all, in the order in which they were made."""

    def read(connection: sqlite3.Connection) -> list[Plan]:
        if not _exist(connection):
            return []
        rows = connection.execute("SELECT * FROM batches ORDER BY rowid").fetchall()
        return [plan for plan in map(Plan._make, rows) if model in (None, plan.model)]

    return journal.read(read)


def list_calls(journal: Journal, plan: str, keys: Iterable[bytes] | None = None) -> dict[bytes, PlannedCall]:
    """The calls of a plan by key, or those of `keys`, at most 500."""

    def read(connection: sqlite3.Connection) -> dict[bytes, PlannedCall]:
        query = "SELECT key, plan, row, request, prompt_tokens, completion_tokens FROM batch_calls WHERE plan = ?"
        values: list[object] = [plan]
        if keys is not None:
            values += keys
            query += f" AND key IN ({','.join('?' * (len(values) - 1))})"
        return {row[0]: PlannedCall._make(row) for row in connection.execute(query, values).fetchall()}

    return journal.read(read)


def list_keys(journal: Journal, plan: str) -> list[bytes]:
    """The keys of a plan's calls."""
    query = "SELECT key FROM batch_calls WHERE plan = ? ORDER BY rowid"
    return journal.read(lambda connection: [row[0] for row in connection.execute(query, (plan,)).fetchall()])


def list_held_keys(journal: Journal) -> frozenset[bytes]:
    """The keys of all calls in batches that the server may have, and that have no answer yet."""

    def read(connection: sqlite3.Connection) -> frozenset[bytes]:
        if not _exist(connection):
            return frozenset()
        query = (
            "SELECT key FROM batch_calls JOIN batches USING (plan) WHERE state IN ('creating', 'created', 'ended') "
            "AND key NOT IN (SELECT key FROM answers)"
        )
        return frozenset(row[0] for row in connection.execute(query).fetchall())

    return journal.read(read)


def count_unanswered(journal: Journal, plan: str) -> int:
    """How many calls of a plan have no answer in the journal yet."""
    query = "SELECT count(*) FROM batch_calls WHERE plan = ? AND key NOT IN (SELECT key FROM answers)"
    count: int = journal.read(lambda connection: connection.execute(query, (plan,)).fetchone()[0])
    return count


def _exist(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'batches'").fetchone() is not None
