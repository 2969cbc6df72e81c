"""The errors that a user meets. Every message says what was wrong, what is valid and what to do next."""

from __future__ import annotations

from pathlib import Path

from xl_suite.keys import hide_secrets


class XLSuiteError(Exception):
    """Anything xl-suite can explain. The command line prints the message alone and exits with `exit_status`."""

    exit_status = 2

    def __init__(self, *parts: object):
        super().__init__(*(hide_secrets(part) if isinstance(part, str) else part for part in parts))


class BadInput(XLSuiteError):
    """A file, an option or a value that cannot be used."""


class BadRecord(BadInput):
    """One record of a file that cannot be used; the message begins with file, line or row, and field."""

    def __init__(self, path: Path | str, problem: str, *, row: int | None = None, field: str | None = None):
        place = str(path)
        if row is not None:
            place += f", record {row}"
        if field is not None:
            place += f", field {field!r}"
        super().__init__(f"{place}: {problem}")
        self.path, self.row, self.field, self.problem = str(path), row, field, problem


class UnknownLanguage(BadInput):
    """A code that is not an ISO 639-3 language."""


class MissingExtra(XLSuiteError):
    """An optional package that is not installed; the message holds the exact install line."""

    def __init__(self, package: str, extra: str, why: str = ""):
        reason = f" {why}" if why else ""
        super().__init__(f'{package} is not installed.{reason} Install it with: pip install "xl-suite[{extra}]"')
        self.package, self.extra = package, extra


class ModelUnavailable(XLSuiteError):
    """A model that cannot be called: unknown name, refused key, server that does not start or answer."""


class JournalError(XLSuiteError):
    """A journal that cannot be read or written; it is never overwritten."""


class ReplayMiss(JournalError):
    """A call that the replayed journal does not hold."""


class BudgetReached(XLSuiteError):
    """The next call could pass the budget. What was paid for is kept; the same command goes on from there."""

    exit_status = 1


class Incomplete(XLSuiteError):
    """Units that ranks have not done yet, so that a run cannot be put together. The same command tells again."""

    exit_status = 1


class BatchesStopped(XLSuiteError):
    """Batches that were cancelled while a run waited for them. What was answered is kept."""

    exit_status = 1
