"""Keeps scores from run to run, so that each pair is scored once."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from xl_instruct.qe import QualityEstimator
from xl_suite.chat.journal_file import check_journal, connect, prepare
from xl_suite.errors import JournalError

_TABLE = "CREATE TABLE IF NOT EXISTS qe_scores (key BLOB PRIMARY KEY, score REAL NOT NULL) WITHOUT ROWID, STRICT"
_PUT = "INSERT INTO qe_scores VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
_WINDOW = 1024
_ASKED_AT_ONCE = 500


class ScoreStore(Protocol):
    """Scores by key (see `pair_key`); what is put is durable when the call returns, all of it or none."""

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        """The scores of those keys that are known."""
        ...

    def put_many(self, scores: Mapping[bytes, float]) -> None: ...


class ScoreJournal:
    """Scores in a journal, in a table beside the chat calls'.

    Write-ahead log, synchronous=FULL, one transaction a `put_many`: a kill loses no score that was put. May be used
    from several threads. Raises JournalError for a file that is not a sound journal or cannot be written.
    """

    def __init__(self, path: Path):
        self._path, self._lock = path, threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                check_journal(path)
            self._database = connect(str(path.absolute()))
            prepare(self._database)
            self._database.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{path}: cannot be opened as a journal: {error}. It was left as it is.") from error

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        found: dict[bytes, float] = {}
        with self._lock, self._explained("read"):
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                part = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(part))
                found.update(self._database.execute(f"SELECT key, score FROM qe_scores WHERE key IN ({marks})", part))
        return found

    def put_many(self, scores: Mapping[bytes, float]) -> None:
        with self._lock, self._explained("written"):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(_PUT, sorted(scores.items()))
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def __enter__(self) -> ScoreJournal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _explained(self, verb: str) -> _Explained:
        return _Explained(self._path, verb)


class _Explained:
    """Turns SQLite's errors into a JournalError that names the file."""

    def __init__(self, path: Path, verb: str):
        self._path, self._verb = path, verb

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise JournalError(f"{self._path}: cannot be {self._verb}: {error}.") from error


def score_pairs(
    estimator: QualityEstimator,
    pairs: Sequence[tuple[str, str]],
    language: str,
    store: ScoreStore | None = None,
) -> list[float | None]:
    """The scores of (source, translation) pairs in their order, each scored once, now or in an earlier run.

    None where the estimator has none: nothing is stored then, and a later run asks again.

    The pairs are scored in windows (`estimator.window` pairs, where it says so) of like length, longest first, and
    stored window by window. Windows depend on the pairs alone and not on what is stored, so that a run that
    was killed and resumed computes every score in the same company, and to the same last digit, as one that was not.
    An estimator without `fingerprint` is not stored.
    """
    fingerprint: str | None = getattr(estimator, "fingerprint", None)
    window: int = getattr(estimator, "window", _WINDOW)
    if fingerprint is None:
        store = None
    keys = {pair: pair_key(fingerprint or "", *pair, language) for pair in pairs}
    ordered = sorted(keys, key=lambda pair: (-len(pair[0]) - len(pair[1]), keys[pair]))
    scores: dict[tuple[str, str], float | None] = {}
    for start in range(0, len(ordered), window):
        part = ordered[start : start + window]
        known = {} if store is None else store.get_many([keys[pair] for pair in part])
        scores.update((pair, known[keys[pair]]) for pair in part if keys[pair] in known)
        missing = [pair for pair in part if keys[pair] not in known]
        if not missing:
            continue
        values = estimator([source for source, _ in missing], [translation for _, translation in missing], language)
        found = dict(zip(missing, values, strict=True))
        if store is not None:
            store.put_many({keys[pair]: value for pair, value in found.items() if value is not None})
        scores.update(found)
    return [scores[pair] for pair in pairs]


def pair_key(fingerprint: str, source: str, translation: str, language: str) -> bytes:
    """16 bytes that stand for everything that determines a score."""
    digest = hashlib.blake2b(digest_size=16)
    for text in (fingerprint, source, translation, language):
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()
