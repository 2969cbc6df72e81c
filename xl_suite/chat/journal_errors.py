"""Turns SQLite's errors into a JournalError that names the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from xl_suite.chat.journal_file import (
    BUSY_SECONDS,
    WAY_OUT,
)
from xl_suite.errors import JournalError


class ExplainedErrors:
    """Turns SQLite's errors into a JournalError that names the file."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            raise JournalError(f"{self.path}: the disk is full. Make room; the same command goes on from there.")
        if isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error)):
            raise JournalError(
                f"{self.path}: another process has kept the journal locked for {BUSY_SECONDS:.0f} s. Run again when "
                "it is done. Journals on network drives lock badly: put the file on a local disk with --journal."
            ) from error
        if isinstance(error, sqlite3.Error | ValueError | KeyError | TypeError | RecursionError):
            raise JournalError(f"{self.path}: the journal cannot be used: {error}. {WAY_OUT}") from error
