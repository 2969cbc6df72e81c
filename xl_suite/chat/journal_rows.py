"""The rows of a journal: their checksums, and what can be read of a row.

A checksum has eight bytes: CRC-32 of all that a look-up needs, and CRC-32 of the request, which only an export reads.
Rows of earlier formats have none; of them, only what cannot be read at all is known to be damaged.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from xl_suite.chat.answers import answer_from_json
from xl_suite.chat.calls import Answer
from xl_suite.chat.wire import load


class StoredAnswer(NamedTuple):
    """One answer as the journal keeps it. `request` and `answer` are JSON; `time` is Unix time in seconds.

    A tuple, since one is made for every call and bound to a statement as it is.
    """

    key: bytes
    model: str
    request: str
    answer: str
    prompt_tokens: int
    completion_tokens: int
    time: int


class StoredFailure(NamedTuple):
    key: bytes
    model: str
    row: str
    reason: str
    attempts: int
    request: str
    time: int


class Fact(NamedTuple):
    """What the journal knows of a model beside its answers: `model` is its key, `value` canonical JSON."""

    model: str
    kind: str
    value: str


# What reading a damaged or hostile row may raise.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def seal(answer: StoredAnswer) -> bytes:
    """The checksum of a row."""
    first = _sum(answer.key, answer.model.encode(), answer.answer.encode(), answer[4], answer[5])
    return first + zlib.crc32(answer.request.encode()).to_bytes(4)


def seal_text(*texts: str) -> bytes:
    """The checksum of a row of texts."""
    return zlib.crc32("\0".join(texts).encode()).to_bytes(4)


def read_answer(
    key: bytes, model: bytes, answer: bytes, prompt_tokens: int, completion_tokens: int, checksum: bytes | None
) -> Answer | None:
    """The answer of a row; None where the row is damaged. checksum: None for a row of an earlier format."""
    try:
        if checksum is not None and checksum[:4] != _sum(key, model, answer, prompt_tokens, completion_tokens):
            return None
        return answer_from_json(load(answer))
    except UNREADABLE:
        return None


def read_row(
    key: bytes, model: bytes, request: bytes, answer: bytes, asked: int, given: int, time: int, checksum: bytes | None
) -> StoredAnswer | None:
    """A whole row; None where it is damaged."""
    if read_answer(key, model, answer, asked, given, checksum) is None:
        return None
    try:
        if checksum is not None and checksum[4:] != zlib.crc32(request).to_bytes(4):
            return None
        whole = isinstance(key, bytes) and all(isinstance(one, int) for one in (asked, given, time))
        if not whole or not isinstance(load(request), dict):
            return None
        return StoredAnswer(key, model.decode(), request.decode(), answer.decode(), asked, given, time)
    except UNREADABLE:
        return None


def _sum(key: bytes, model: bytes, answer: bytes, prompt_tokens: Any, completion_tokens: Any) -> bytes:
    counts = b"%d %d " % (prompt_tokens, completion_tokens)
    return zlib.crc32(answer, zlib.crc32(model, zlib.crc32(key, zlib.crc32(counts)))).to_bytes(4)
