"""What a judge's server says of the judge's end, and what it is never told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from xl_suite.chat.models import parse_model
from xl_suite.judging.lifetime import find_announced_end

KEY = "key-that-stays-here"


@contextmanager
def serve(status: int, headers: dict[str, str], body: bytes = b"") -> Iterator[tuple[int, list[str]]]:
    """(port, the keys that were sent to it) of a server that answers every GET in the same way."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1], keys
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XL_SUITE_API_KEY", KEY)
    return f"Bearer {KEY}"


def test_an_announced_end_is_found(key: str) -> None:
    body = json.dumps({"data": [{"id": "judge", "shutdown_date": "2027-01-14"}, {"id": "other"}]}).encode()
    with serve(200, {"Content-Type": "application/json"}, body) as (port, keys):
        assert find_announced_end(parse_model(f"judge@http://127.0.0.1:{port}/v1")) == "shutdown_date: 2027-01-14"
        assert find_announced_end(parse_model(f"other@http://127.0.0.1:{port}/v1")) is None
    assert keys == [key, key]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_never_gets_the_key(status: int, key: str) -> None:
    with (
        serve(200, {}, b'{"data": [{"id": "judge", "sunset": "soon"}]}') as (other, others),
        serve(status, {"Location": f"http://localhost:{other}/v1/models"}) as (port, keys),
    ):
        assert find_announced_end(parse_model(f"judge@http://127.0.0.1:{port}/v1")) is None
    assert (keys, others) == ([key], [])


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"data": 3}', b'{"data": [3, null]}'])
def test_a_server_that_says_something_else_says_nothing(body: bytes, key: str) -> None:
    with serve(200, {}, body) as (port, _):
        assert find_announced_end(parse_model(f"judge@http://127.0.0.1:{port}/v1")) is None
