"""The newest answers of a journal that another process may be writing to."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from xl_suite.chat.answers import answer_from_json
from xl_suite.chat.calls import Answer
from xl_suite.chat.journal_file import has_checksums, open_read_only
from xl_suite.chat.journal_rows import read_row
from xl_suite.chat.wire import load
from xl_suite.errors import JournalError


@dataclass(frozen=True, slots=True)
class Newest:
    """An answer with its place in the journal, which rises. prompt: the last message. time: Unix time in seconds."""

    place: int
    model: str
    prompt: str
    answer: Answer
    time: int


def read_after(path: Path, place: int, most: int) -> list[Newest]:
    """The first `most` answers after `place`, 0 for the beginning, in the order in which they came.

    The file is opened for the moment only and not checked as a whole. Raises JournalError where it cannot be read.
    """
    columns = "id, key, CAST(model AS BLOB), CAST(request AS BLOB), CAST(answer AS BLOB), prompt_tokens"
    found = []
    try:
        connection = open_read_only(path)
        try:
            checksum = "checksum" if has_checksums(connection, "answers") else "NULL"
            query = (
                f"SELECT {columns}, completion_tokens, time, {checksum} FROM answers WHERE id > ? ORDER BY id LIMIT ?"
            )
            for number, *row in connection.execute(query, (place, most)):
                stored = read_row(*row)
                if stored is None:
                    continue  # damaged: a run that looks it up says so
                messages = load(stored.request)["request"]["messages"]
                prompt = messages[-1]["content"] if messages else ""
                answer = answer_from_json(load(stored.answer))
                found.append(Newest(number, stored.model, str(prompt), answer, stored.time))
        finally:
            connection.close()
    except (sqlite3.Error, OSError, KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{path}: the newest answers cannot be read: {error}.") from error
    return found
