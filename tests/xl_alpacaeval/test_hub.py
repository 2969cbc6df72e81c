"""The Hub as the source, spoken to for real: huggingface_hub against a server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REVISION = "e" * 40
REPO = "tatsu-lab/alpaca_eval"


@pytest.fixture
def hub(own_prompts: Path) -> Iterator[str]:
    """A Hub with one dataset, which holds the test's own prompts; its URL."""
    body = own_prompts.read_bytes()
    info = {"id": REPO, "sha": REVISION, "siblings": [{"rfilename": "README.md"}, {"rfilename": "alpaca_eval.json"}]}

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == f"/api/datasets/{REPO}":
                self.answer(200, json.dumps(info).encode())
            elif path == f"/datasets/{REPO}/resolve/{REVISION}/alpaca_eval.json":
                self.answer(200, body)
            else:
                self.answer(404, b"{}")

        do_HEAD = do_GET

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def build(tmp_path: Path, endpoint: str, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = ["build", "xl-alpacaeval", "--out", str(tmp_path / "out"), "--languages", "deu", "--json", *options]
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    command = [sys.executable, "-m", "xl_suite.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_default_source_is_downloaded_and_then_served_from_the_cache(hub: str, tmp_path: Path) -> None:
    done = build(tmp_path, hub, "--allow-changed-source")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["source"], report["revision"], report["rows"]) == (REPO, REVISION, {"deu": 10, "eng": 10})
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"`{REPO}` at revision `{REVISION}`" in card

    offline = build(tmp_path, "http://127.0.0.1:9", "--allow-changed-source")
    assert offline.returncode == 0, offline.stderr
    assert json.loads(offline.stdout)["revision"] == REVISION
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8") == card


def test_changed_prompts_on_the_hub_are_refused(hub: str, tmp_path: Path) -> None:
    done = build(tmp_path, hub)
    assert done.returncode == 2
    assert "it has 10 prompts; there are 805" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["someone/nothing", "tatsu-lab/alpaca_eval.json", "no_such_folder/at/all"])
def test_what_is_neither_here_nor_on_the_hub(hub: str, tmp_path: Path, source: str) -> None:
    done = build(tmp_path, hub, "--source", source)
    assert done.returncode == 2
    assert "no such file" in done.stderr or "neither a file here nor a dataset on the Hub" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hub_that_does_not_answer(tmp_path: Path) -> None:
    done = build(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "the Hub does not answer" in done.stderr
    assert "--source alpaca_eval.json" in done.stderr
    assert not (tmp_path / "out").exists()
