"""The loopback server's files and batches, as OpenAI's Batch API has them, with what can go wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

ENDED = ("completed", "expired", "cancelled", "failed")
MOST_REQUESTS = 50_000
# The response to one request of a batch: its status and body.
Answer = Callable[[bytes], tuple[int, bytes]]


@dataclass(slots=True)
class BatchFaults:
    """What goes wrong. create, upload, look: what happens to the first such requests, one after the other: `500`,
    `429` and `cut` do nothing but that; with `lost-` before, the server does what it was asked, and says otherwise.

    The rest concerns the first batch. expire, errors, zero: the share of its calls that have no answer when it
    expires, that are in the error file, and that have the status 0. invalid: what its validation says; invalid_line:
    of which line. missing, doubled: lines of its results. shuffle: turns their order round. lose: its results are
    gone. enqueued: calls that all open batches may hold together.
    """

    create: list[str] = field(default_factory=list)
    upload: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    expire: float = 0.0
    errors: float = 0.0
    zero: float = 0.0
    invalid: str = ""
    invalid_line: int | None = None
    missing: int = 0
    doubled: int = 0
    shuffle: bool = False
    lose: bool = False
    enqueued: int = 0


@dataclass(slots=True)
class _Batch:
    id: str
    file: str
    metadata: dict[str, str]
    calls: int
    looks: int = 0
    status: str = "validating"
    output_file: str | None = None
    error_file: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0
    cancelled: bool = False
    foreign: bool = False


@dataclass
class BatchDesk:
    """Files and batches. looks: how often a batch is looked at before it is done; it is validated at the first."""

    looks: int = 2
    faults: BatchFaults = field(default_factory=BatchFaults)
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, _Batch] = field(default_factory=dict)
    made: int = 0
    uploads: int = 0

    def add_foreign(self, count: int) -> None:
        """Batches of other programs."""
        for _ in range(count):
            batch = self._make("file-none", {"made_by": "another program"}, 1)
            batch.foreign, batch.status = True, "completed"

    def handle(self, method: str, target: str, body: bytes, answer: Answer) -> tuple[int, bytes, bool]:
        """(status, body, whether the connection is cut) of a request to files or batches."""
        parts = urlsplit(target)
        path = parts.path.partition("/files")[2] if "/files" in parts.path else parts.path.partition("/batches")[2]
        names = [name for name in path.split("/") if name]
        kind = "files" if "/files" in parts.path else "batches"
        action = {("files", "POST"): "upload", ("batches", "POST"): "create", ("batches", "GET"): "look"}
        fault = self._fault(action.get((kind, method), "") if names[1:] != ["cancel"] else "")
        status, value = 200, b""
        if not fault or fault.startswith("lost-"):
            if kind == "files":
                status, value = self._handle_file(method, names, body)
            else:
                status, value = self._handle_batch(method, names, parse_qs(parts.query), body, answer)
        fault = fault.removeprefix("lost-")
        if fault == "cut":
            return 0, b"", True
        if fault:
            return int(fault), _error(int(fault), "the server stumbled"), False
        return status, value, False

    def _fault(self, action: str) -> str:
        left: list[str] = getattr(self.faults, action) if action else []
        return left.pop(0) if left else ""

    def _handle_file(self, method: str, names: list[str], body: bytes) -> tuple[int, bytes]:
        if method == "POST" and not names:
            content = _read_form(body)
            if content is None:
                return 400, _error(400, "no file in the form")
            name = self._name_file()
            self.files[name] = content
            return 200, _dump({"id": name, "object": "file", "purpose": "batch", "bytes": len(content)})
        if not names or names[0] not in self.files:
            return 404, _error(404, f"No such File object: {''.join(names[:1])}")
        if method == "DELETE":
            del self.files[names[0]]
            return 200, _dump({"id": names[0], "deleted": True})
        return 200, self.files[names[0]]

    def _handle_batch(
        self, method: str, names: list[str], query: dict[str, list[str]], body: bytes, answer: Answer
    ) -> tuple[int, bytes]:
        if method == "POST" and not names:
            wanted = json.loads(body)
            content = self.files.get(wanted["input_file_id"])
            if content is None:
                return 400, _error(400, "the input file does not exist")
            batch = self._make(wanted["input_file_id"], wanted.get("metadata") or {}, content.count(b"\n"))
            return 200, _dump(_tell(batch))
        if not names:
            return 200, self._list(int(query.get("limit", ["20"])[0]), query.get("after", [""])[0])
        found = self.batches.get(names[0])
        if found is None:
            return 404, _error(404, f"No batch found with id '{names[0]}'.")
        if names[1:] == ["cancel"]:
            if found.status not in ENDED:
                found.cancelled, found.status = True, "cancelling"
        elif found.status not in ENDED:
            self._advance(found, answer)
        return 200, _dump(_tell(found))

    def _make(self, file: str, metadata: dict[str, str], calls: int) -> _Batch:
        self.made += 1
        batch = _Batch(f"batch_{self.made}", file, metadata, calls)
        self.batches[batch.id] = batch
        return batch

    def _list(self, limit: int, after: str) -> bytes:
        newest = list(self.batches.values())[::-1]
        start = next((place for place, one in enumerate(newest, start=1) if one.id == after), 0)
        page = newest[start : start + min(limit, 100)]
        return _dump({"object": "list", "data": list(map(_tell, page)), "has_more": start + len(page) < len(newest)})

    def _advance(self, batch: _Batch, answer: Answer) -> None:
        batch.looks += 1
        if batch.looks == 1 and not batch.cancelled:
            batch.errors = self._validate(batch)
            batch.status = "failed" if batch.errors else "in_progress"
        elif batch.looks >= self.looks or batch.cancelled:
            self._finish(batch, answer)

    def _validate(self, batch: _Batch) -> list[dict[str, Any]]:
        faults = self.faults
        if faults.invalid:
            said, faults.invalid = faults.invalid, ""
            return [{"code": "invalid_request", "message": said, "line": faults.invalid_line}]
        open_calls = sum(one.calls for one in self.batches.values() if one.status not in ENDED)
        if faults.enqueued and open_calls > faults.enqueued:
            said = f"Enqueued token limit reached. Limit: {faults.enqueued} enqueued tokens."
            return [{"code": "token_limit_exceeded", "message": said, "line": None}]
        lines = [json.loads(line) for line in self.files[batch.file].splitlines()]
        names = [line["custom_id"] for line in lines]
        if len(lines) > MOST_REQUESTS or len(set(names)) < len(names) or any(len(name) > 64 for name in names):
            return [{"code": "invalid_request", "message": "too many requests, or a custom_id twice or too long"}]
        return []

    def _finish(self, batch: _Batch, answer: Answer) -> None:
        faults, self.faults = self.faults, BatchFaults(enqueued=self.faults.enqueued)
        self.faults.create, self.faults.upload, self.faults.look = faults.create, faults.upload, faults.look
        output: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        lines = [json.loads(line) for line in self.files[batch.file].splitlines()]
        expired = faults.expire or (0.5 if batch.cancelled else 0.0)
        for place, line in enumerate(lines):
            share = (place + 0.5) / len(lines)
            name = line["custom_id"]
            if share > 1 - expired:
                told = {"code": "batch_expired", "message": "This request could not be executed in time."}
                errors.append({"custom_id": name, "response": None, "error": told})
            elif share < faults.errors:
                response = {"status_code": 500, "request_id": "", "body": {"error": {"message": "stumbled"}}}
                errors.append({"custom_id": name, "response": response, "error": None})
            elif share < faults.zero:
                output.append({"custom_id": name, "response": {"status_code": 0, "body": None}, "error": None})
            else:
                status, body = answer(json.dumps(line["body"]).encode())
                response = {"status_code": status, "request_id": "", "body": json.loads(body)}
                (output if status == 200 else errors).append({"custom_id": name, "response": response, "error": None})
        output = output[faults.missing :]
        output += output[: faults.doubled]
        if faults.shuffle:
            output.reverse()
        batch.done = len(output) + len(errors)
        batch.status = "cancelled" if batch.cancelled else "expired" if faults.expire else "completed"
        batch.output_file = self._keep(output, lose=faults.lose)
        batch.error_file = self._keep(errors)

    def _name_file(self) -> str:
        self.uploads += 1
        return f"file-{self.uploads}"

    def _keep(self, lines: list[dict[str, Any]], *, lose: bool = False) -> str | None:
        if not lines:
            return None
        name = self._name_file()
        if not lose:
            self.files[name] = b"".join(_dump(line) + b"\n" for line in lines)
        return name


def _tell(batch: _Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "object": "batch",
        "status": batch.status,
        "input_file_id": batch.file,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "metadata": batch.metadata,
        "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
        "request_counts": {"total": batch.calls, "completed": batch.done, "failed": 0},
    }


def _read_form(body: bytes) -> bytes | None:
    """The content of the field `file` of a form."""
    boundary = body.partition(b"\r\n")[0]
    for part in body.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if re.search(rb'name="file"', head):
            return content.removesuffix(b"\r\n")
    return None


def _error(status: int, message: str) -> bytes:
    return _dump({"error": {"message": message, "type": "loopback", "code": status}})


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()
