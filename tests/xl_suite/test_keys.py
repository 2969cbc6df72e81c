"""Keys and passwords are in nothing that is shown or kept, however a server sends them back."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import socket
import socketserver
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.chat.batches.service import BatchService, ServiceFault
from xl_suite.chat.http import open_http
from xl_suite.chat.models import Model, parse_model
from xl_suite.chat.run import complete
from xl_suite.cli.main import main
from xl_suite.errors import BadInput
from xl_suite.keys import hide_keys, hide_secrets, hide_urls, make_headers, note_key
from xl_suite.records import BenchmarkRow, write_parquet

KEY = "sk-proj-Zk3nT9q7LmB2xVw8RfYc5HdJ"
BASE64 = base64.b64encode(b"user:" + KEY.encode()).decode()
Respond = Callable[[bytes], bytes]


@contextmanager
def serve_raw(respond: Respond) -> Iterator[str]:
    """A server that answers each request, given as its bytes, with the bytes of `respond`; its base URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(60)
            data = b""
            while b"\r\n\r\n" not in data and (part := self.request.recv(65536)):
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-len")]
            while lengths and len(body) < int(lengths[0]):
                body += self.request.recv(65536)
            self.request.sendall(respond(head))
            self.request.shutdown(socket.SHUT_WR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def make_response(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def say(text: str) -> bytes:
    return json.dumps({"error": {"message": text, "code": "bad_request"}}).encode()


def write_answer(text: str) -> bytes:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 3}
    return json.dumps({"choices": [choice], "usage": usage, "model": f"m-{KEY}"}).encode()


ESCAPED = "".join(f"\\u{ord(one):04x}" if place % 3 else one for place, one in enumerate(KEY))
ECHOES: dict[str, bytes] = {
    "a malformed header": f"HTTP/1.1 200 OK\r\nX-Key {KEY}\r\n\r\n".encode(),
    "a malformed status": f"HTTP/1.1 {KEY} OK\r\n\r\n".encode(),
    "a chunk": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n".encode(),
    "a redirect": make_response("307 Moved", b"", f"Location: http://{KEY}.example/{KEY}?key={KEY}"),
    "a long header": f"HTTP/1.1 200 OK\r\nX: {'a' * 70}{KEY}{'b' * 20000}\r\n\r\n".encode(),
    "a refusal": make_response("400 Bad Request", say(f"the key {KEY} may not")),
    "gzip": make_response("400 Bad Request", gzip.compress(say(f"key {KEY}")), "Content-Encoding: gzip"),
    "base64": make_response("400 Bad Request", say(f"Authorization: Basic {BASE64}")),
    "escapes of JSON": make_response("400 Bad Request", b'{"error": {"message": "it is %b"}}' % ESCAPED.encode()),
    "escapes and no JSON": make_response("400 Bad Request", b"it is %b" % ESCAPED.encode()),
    "a cut": make_response("400 Bad Request", say("." * 285 + KEY)),
    "an answer": make_response("200 OK", write_answer(f"The key is {KEY}.")),
    "an unreadable answer": make_response("200 OK", json.dumps({"choices": [KEY]}).encode()),
    "an unknown end": make_response(
        "200 OK", json.dumps({"choices": [{"message": {"content": "x"}, "finish_reason": KEY}]}).encode()
    ),
}


def find_key(data: bytes) -> str | None:
    """What of the key, or of its form in base64, is in some bytes; a row of a journal is no file of its own."""
    text = data.decode("utf-8", "replace")
    parts = [KEY[start : start + 12] for start in range(len(KEY) - 11)]
    parts += [BASE64[start : start + 12] for start in range(8, len(BASE64) - 13)]
    return next((part for part in parts if part in text or part in text.replace("\\u002d", "-")), None)


@pytest.mark.parametrize("name", ECHOES)
def test_a_key_that_a_server_sends_back_is_nowhere(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XL_SUITE_API_KEY", KEY)
    seen: list[bytes] = []

    def respond(head: bytes) -> bytes:
        seen.append(head)
        return ECHOES[name] if head.startswith(b"POST") else make_response("404 Not Found", say(KEY))

    row = BenchmarkRow(1, "d", "Say it. Answer in German.", "Say it.", "", "deu", "target")
    write_parquet(tmp_path / "bench" / "deu" / "test-00000-of-00001.parquet", [row])
    with serve_raw(respond) as url:
        model = f"m@{url}"
        arguments = ["respond", str(tmp_path / "bench"), "--model", model, "--attempts", "1"]
        arguments += ["--out", str(tmp_path / "out"), "--timeout", "30", "--verbose"]
        main(arguments)
        main([*arguments, "--json"])
    logging.getLogger("xl_suite").handlers.clear()
    assert any(KEY.encode() in head for head in seen)
    shown = capsys.readouterr()
    assert find_key(shown.err.encode()) is None
    assert find_key(shown.out.encode()) is None
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert find_key(path.read_bytes()) is None, path
    journal = tmp_path / "out" / ".journal.sqlite"
    if journal.exists():
        with sqlite3.connect(journal) as connection:
            assert find_key("\n".join(connection.iterdump()).encode()) is None
    if name == "an answer":
        [path] = (tmp_path / "out").rglob("deu.json")
        assert "The key is ***." in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["a malformed header", "a refusal", "base64", "escapes of JSON"])
def test_a_key_is_not_in_what_the_batches_say(name: str) -> None:
    with serve_raw(lambda head: ECHOES[name]) as url:
        model = Model("m", "m", (url,), "server", KEY)

        async def ask() -> None:
            async with open_http(model) as http:
                await BatchService(http, model, url, 30.0).get("b")

        with pytest.raises(ServiceFault) as caught:
            complete(ask())
    assert find_key(str(caught.value).encode()) is None
    assert "***" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("https://me:pw@h/v1?key=abc&api-version=2024-02&x=1", "https://***@h/v1?key=***&api-version=2024-02&x=***"),
        ("m@localhost:8000/v1?api_key=abc&limit=1", "m@localhost:8000/v1?api_key=***&limit=1"),
        ("(http://h/a?code=abc) and ?sig=2, ?token=3", "(http://h/a?code=***) and ?sig=*** ?token=***"),
        ("http://h:80/v1/models", "http://h:80/v1/models"),
        ("what? a=b, x@y", "what? a=b, x@y"),
    ],
)
def test_passwords_and_queries_of_urls_are_hidden(text: str, hidden: str) -> None:
    assert hide_urls(text) == hidden
    assert hide_urls(hidden) == hidden


@pytest.mark.parametrize("query", ["key", "api_key", "code", "token", "sig", "whatever"])
def test_a_key_in_a_url_is_not_repeated(query: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = f"m@http://localhost:1/v1?{query}=abcdefgh"
    with pytest.raises(BadInput, match=r"\*\*\*") as caught:
        parse_model(model)
    assert "abcdefgh" not in str(caught.value)
    with pytest.raises(SystemExit):
        main(["respond", "b", "--model", "m", "--out", "o", "--slots", model])
    shown = capsys.readouterr()
    assert "abcdefgh" not in shown.err + shown.out
    assert "***" in shown.err


def test_an_error_hides_what_it_is_made_of() -> None:
    note_key(KEY)
    error = BadInput(f"{KEY} at http://a:b@h/?q=1")
    assert find_key(repr(error).encode()) is None
    assert "a:b" not in str(error)
    assert "q=1" not in str(error)


def test_only_a_key_that_is_set_is_sent() -> None:
    assert make_headers(None) == {}
    assert make_headers(KEY) == {"Authorization": f"Bearer {KEY}"}
    assert make_headers(KEY, azure=True)["api-key"] == KEY


@given(st.text(max_size=200), st.text(max_size=200))
def test_what_holds_no_key_stays_and_what_holds_one_loses_it(before: str, after: str) -> None:
    note_key(KEY)
    assert hide_keys(before) == before
    assert KEY not in hide_secrets(before + KEY + after)
