"""Which languages can be told from which: what the identifier does not know, and what it takes for one another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from xl_suite.fidelity.identify import find_column_language, load_identifier
from xl_suite.tables import read_table


@dataclass(frozen=True, slots=True)
class _Row:
    language: str
    status: str
    others: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Support:
    """What a verdict on answers in a language can say.

    known: whether answers can be judged at all; else all are undetermined. confusable: other languages (ISO 639-3)
    whose text passes too, since they are not told apart. partly: others of which many single sentences pass.
    why: the reason; empty where there is none of these.
    """

    known: bool
    confusable: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    why: str = ""


@cache
def find_support(language: str) -> Support:
    """What can be said of answers in an ISO 639-3 language."""
    row = _read_rows().get(language)
    if row is not None and row.status == "unsupported":
        return Support(False, why=row.why)
    if find_column_language(language, load_identifier().languages) is None:
        return Support(False, why="the classifier (py3langid) has no class for it")
    if row is None:
        return Support(True)
    if row.status == "partly":
        return Support(True, partly=row.others, why=row.why)
    return Support(True, row.others, why=row.why)


@cache
def _read_rows() -> dict[str, _Row]:
    return {row.language: row for row in read_table("xl_suite.fidelity", "support.tsv", _Row)}
