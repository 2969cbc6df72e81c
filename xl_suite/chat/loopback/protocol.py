"""The loopback server's state and its HTTP, on a bare asyncio protocol."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from xl_suite.chat.loopback.batching import BatchDesk
from xl_suite.chat.loopback.replies import FaultRates, Reply, Script, echo_words, encode_answer, encode_error


@dataclass(slots=True)
class Loopback:
    """A server's script and counts. latency: seconds per answer. slots: answers computed at a time, 0 for any number.

    models: the names it serves; () for every name. api_key: what it asks for, if anything.
    desk: its files and batches. keep_requests: keeps every request in `requests`, for tests. paths: what it says
    under further paths, as JSON.
    """

    script: Script = echo_words
    latency: float = 0.0
    slots: int = 0
    faults: FaultRates = field(default_factory=FaultRates)
    models: tuple[str, ...] = ()
    api_key: str | None = None
    desk: BatchDesk = field(default_factory=BatchDesk)
    keep_requests: bool = False
    paths: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0
    answered: int = 0
    repeated: int = 0
    in_flight: int = 0
    peak: int = 0
    connections: int = 0
    first_request: float = 0.0
    last_response: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    transports: set[asyncio.Transport] = field(default_factory=set, repr=False)
    _seen: dict[bytes, int] = field(default_factory=dict)
    _good: set[bytes] = field(default_factory=set)
    _waiting: deque[partial[None]] = field(default_factory=deque)
    _busy: int = 0

    def stats(self) -> dict[str, Any]:
        """calls: requests for an answer. answered: those that were computed; repeated: of these, ones that had been
        answered before. peak: most in flight at once. first_request and last_response are Unix times in seconds."""
        return {
            "calls": self.calls,
            "answered": self.answered,
            "repeated": self.repeated,
            "distinct": len(self._good),
            "in_flight": self.in_flight,
            "peak": self.peak,
            "connections": self.connections,
            "first_request": self.first_request,
            "last_response": self.last_response,
            "statuses": dict(self.statuses),
        }

    def forget(self) -> None:
        """Counts anew: what was answered before is no repetition, and faults come as to a new server."""
        self.calls = self.answered = self.repeated = 0
        self._good.clear()
        self._seen.clear()

    def choose_reply(self, body: bytes, headers: bytes) -> tuple[Reply, bytes]:
        """The reply to a request, and its body."""
        self.calls += 1
        if self.api_key is not None and f"bearer {self.api_key}".lower().encode() not in headers.lower():
            return self._refuse(401, "Incorrect API key provided.")
        try:
            request = json.loads(body)
            request["messages"][-1]["content"]
        except (ValueError, LookupError, TypeError):
            return self._refuse(400, "The request is not JSON with messages.")
        if self.keep_requests:
            self.requests.append(request)
        if self.models and request.get("model") not in self.models:
            return self._refuse(404, f"The model {request.get('model')!r} does not exist.")
        digest = hashlib.blake2b(body, digest_size=8).digest()
        reply: str | Reply | None = None
        if self.faults.any():
            turn = self._seen[digest] = self._seen.get(digest, 0) + 1
            reply = self.faults.choose(body, turn)
            if reply is not None and reply.status == 200 and not reply.cut and reply.raw is None and not reply.stall:
                answer = self.script(request)  # a stall that ends
                answer = Reply(answer) if isinstance(answer, str) else answer
                reply = Reply(answer.text, delay=reply.delay, logprobs=answer.logprobs)
        if reply is None:
            reply = self.script(request)
        if isinstance(reply, str):
            reply = Reply(reply)
        self._count(reply.status)
        if reply.status != 200:
            return reply, reply.raw if reply.raw is not None else encode_error(reply.status, reply.text)
        if not reply.cut and not reply.stall and reply.raw is None:
            self.answered += 1
            if digest in self._good:
                self.repeated += 1
            self._good.add(digest)
        return reply, encode_answer(request, reply)

    def take_slot(self, start: partial[None]) -> None:
        """Calls `start` as soon as one of the slots is free."""
        if self.slots and self._busy >= self.slots:
            self._waiting.append(start)
            return
        self._busy += 1
        start()

    def free_slot(self) -> None:
        self._busy -= 1
        if self._waiting:
            self._busy += 1
            self._waiting.popleft()()

    def _refuse(self, status: int, message: str) -> tuple[Reply, bytes]:
        self._count(status)
        return Reply(message, status), encode_error(status, message)

    def _count(self, status: int) -> None:
        self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered one after the other."""

    __slots__ = ("_busy", "_data", "_loop", "_server", "_transport")

    def __init__(self, server: Loopback):
        self._server = server
        self._data = bytearray()
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._server.connections += 1
        self._server.transports.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._server.transports.discard(self._transport)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._busy:
            self._read_request()

    def _read_request(self) -> None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0 or self._transport is None:
            return
        head = bytes(self._data[:end])
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) < end + 4 + length:
            if b"100-continue" in lower:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        body = bytes(self._data[end + 4 : end + 4 + length])
        del self._data[: end + 4 + length]
        self._busy = True
        method, path = head.split(b" ", 2)[:2]
        if method == b"POST" and path.endswith(b"/chat/completions"):
            self._answer(body, head)
        elif (told := self._server.paths.get(path.decode("latin-1"))) is not None:
            self._write(200, json.dumps(told).encode(), {})
        elif b"/files" in path or b"/batches" in path:
            self._serve_batches(method, path, body, head)
        elif path.endswith(b"/models"):
            names = [{"id": name, "object": "model"} for name in self._server.models]
            self._write(200, json.dumps({"object": "list", "data": names}).encode(), {})
        elif path.endswith(b"/stats"):
            self._write(200, json.dumps(self._server.stats()).encode(), {})
        elif path.endswith(b"/health"):
            self._write(200, b"{}", {})
        else:
            self._write(404, encode_error(404, f"No such path: {path.decode('latin-1')}"), {})

    def _serve_batches(self, method: bytes, path: bytes, body: bytes, head: bytes) -> None:
        def answer(request: bytes) -> tuple[int, bytes]:
            reply, data = self._server.choose_reply(request, head)
            return reply.status, data

        status, data, cut = self._server.desk.handle(method.decode(), path.decode("latin-1"), body, answer)
        if cut and self._transport is not None:
            self._transport.abort()
        else:
            self._write(status, data, {})

    def _answer(self, body: bytes, head: bytes) -> None:
        server = self._server
        if not server.calls:
            server.first_request = time.time()
        server.in_flight += 1
        server.peak = max(server.peak, server.in_flight)
        try:
            reply, data = server.choose_reply(body, head)
        except Exception as error:  # a script that breaks is a server that breaks
            reply, data = Reply(status=500), encode_error(500, f"The script failed: {error!r}")
        if reply.status != 200 or reply.cut:
            self._finish(reply, data, False)
        elif reply.stall:
            server.in_flight -= 1  # and no answer, ever
        else:
            server.take_slot(partial(self._start, reply, data))

    def _start(self, reply: Reply, data: bytes) -> None:
        delay = self._server.latency + reply.delay
        if delay > 0:
            self._loop.call_later(delay, self._finish, reply, data, True)
        else:
            self._finish(reply, data, True)

    def _finish(self, reply: Reply, data: bytes, took_slot: bool) -> None:
        self._server.in_flight -= 1
        self._server.last_response = time.time()
        if took_slot:
            self._server.free_slot()
        if self._transport is None:
            return
        if reply.cut:
            if reply.after:
                self._transport.write(_head(200, len(data), {}) + data[: reply.after])
                self._transport.close()
            else:
                self._transport.abort()
            return
        self._write(reply.status, data, reply.headers)

    def _write(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        assert self._transport is not None
        self._transport.write(_head(status, len(data), headers) + data)
        self._busy = False
        if self._data:
            self._read_request()


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    if status == 200 and not headers:
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Loopback\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{lines}\r\n"
    return head.encode("latin-1")
