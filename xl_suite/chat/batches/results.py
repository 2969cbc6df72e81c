"""The files of a batch: the requests that go into it, and the lines of its results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from xl_suite.chat.batches.service import ENDPOINT
from xl_suite.chat.batches.tables import PlannedCall
from xl_suite.chat.wire import Request, dump, excerpt, load


@dataclass(frozen=True, slots=True)
class Line:
    """What a file of results says of one call. status: of its response, 0 without one; data: the response's body.

    reason: why there is no response.
    """

    key: bytes
    status: int
    data: bytes
    reason: str = ""


def build_line(request: Request) -> bytes:
    """The line of one call."""
    return b'{"custom_id":"%b","method":"POST","url":"%b","body":%b}\n' % (
        request.key.hex().encode(),
        ENDPOINT.encode(),
        request.payload,
    )


def read_lines(file: IO[bytes]) -> Iterator[Line | None]:
    """The lines of a file of results; None for one that names no call of ours or is no JSON."""
    for data in file:
        if data.strip():
            yield _read_line(data)


def rebuild_request(call: PlannedCall, name: str) -> Request:
    """The request of a call, as `build_request` made it. name: of its model."""
    canonical = call.request.encode("utf-8")
    payload = dump({"model": name, **load(canonical)["request"]})
    return Request(call.key, canonical, payload, call.prompt_tokens, call.completion_tokens)


def _read_line(data: bytes) -> Line | None:
    try:
        value = load(data, exact=False)
        key = bytes.fromhex(value["custom_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    response, error = value.get("response"), value.get("error")
    status = response.get("status_code") if isinstance(response, dict) else None
    if not isinstance(response, dict) or not isinstance(status, int) or status <= 0:
        return Line(key, 0, b"", _describe(error) or f"no response: {excerpt(data)}")
    return Line(key, status, dump(response.get("body")), _describe(error))


def _describe(error: Any) -> str:
    if not error:
        return ""
    if isinstance(error, dict):
        return f"{excerpt(str(error.get('code') or 'error'))}: {excerpt(str(error.get('message') or ''))}"
    return excerpt(str(error))
