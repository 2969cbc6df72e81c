"""A Hub on the loopback address: enough of its protocol for huggingface_hub and datasets to publish and to load.

It holds repositories in memory with their commits, tags and LFS objects, answers Range requests, and fails on demand.
Left out: Xet (switched off by HF_HUB_DISABLE_XET), pull requests, and everything of accounts but a token.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_loopback"
LFS_SUFFIXES = (".parquet", ".safetensors", ".bin")
KINDS = {"datasets": "dataset", "models": "model", "spaces": "space"}


@dataclass
class Commit:
    id: str
    message: str
    files: dict[str, bytes]


@dataclass
class Repo:
    kind: str
    id: str
    private: bool
    sdk: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def find(self, revision: str) -> Commit | None:
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        return next((commit for commit in self.commits if commit.id == sha), None)

    def add(self, branch: str, message: str, files: dict[str, bytes]) -> Commit:
        seed = f"{len(self.commits)}{message}{sorted(files)}".encode()
        commit = Commit(hashlib.sha1(seed + b"".join(files.values())).hexdigest(), message, files)
        self.commits.append(commit)
        self.branches[branch] = commit.id
        return commit


@dataclass
class Fault:
    """What happens to the requests whose method and path match, `times` times: a status, or the connection is cut.

    cut: before the request is looked at; lost: after it was carried out, so that only its answer is lost.
    """

    pattern: str
    status: int = 0
    cut: bool = False
    lost: bool = False
    times: int = 1


class Hub:
    """The state of the server, for tests to look at and to disturb."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.yaml_errors: list[str] = []
        self.read_only = False
        self.url = ""
        self.lock = threading.RLock()

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, request) is not None for request in self.requests)

    def take_fault(self, request: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.pattern, request):
                fault.times -= 1
                return fault
        return None


@contextmanager
def serve_hub() -> Iterator[Hub]:
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def blob_id(data: bytes) -> str:
    """The ID that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        with self.hub.lock:
            self.hub.requests.append(request)
            fault = self.hub.take_fault(request)
            if fault is not None and (fault.cut or fault.lost):
                self.close_connection = True
                if fault.lost:
                    self.wfile = io.BytesIO()
                    self._route(path, body)
                self.connection.close()
                return
            if fault is not None:
                self._json({"error": f"status {fault.status} on purpose"}, fault.status)
                return
            self._route(path, body)

    def _route(self, path: str, body: bytes) -> None:
        if path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            errors = [{"message": message} for message in self.hub.yaml_errors]
            self._json({"errors": errors, "warnings": []}, 400 if errors else 200)
        elif path == "/api/whoami-v2":
            self._json({"name": "tester", "type": "user"})
        elif match := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
            self._store(match[1], body)
        elif match := re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+?)\.git/info/lfs/objects/batch", path):
            self._batch(json.loads(body))
        elif match := re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(match[1] or "models", match[2], match[3], match[4])
        elif match := re.fullmatch(r"/api/(datasets|models|spaces)/([^/]+/[^/]+)(?:/(.*))?", path):
            self._repo(KINDS[match[1]], match[2], match[3] or "", body)
        else:
            self._json({"error": f"no such page: {path}"}, 404)

    def _repo(self, kind: str, name: str, rest: str, body: bytes) -> None:
        repo = self.hub.repos.get((kind, name))
        if repo is None or (repo.private and not self._may_write()):
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            return
        what, _, tail = rest.partition("/")
        writes = self.command in ("POST", "PUT", "DELETE") and what != "paths-info"
        if writes and not self._may_write():
            self._json({"error": "Invalid username or password."}, 401)
        elif writes and self.hub.read_only:
            self._json({"error": "You don't have the rights to write here."}, 403)
        elif what in ("", "revision"):
            self._info(repo, tail or "main")
        elif what == "tree":
            revision, _, folder = tail.partition("/")
            self._tree(repo, revision, folder)
        elif what == "paths-info":
            asked = json.loads(body)["paths"] if body.startswith(b"{") else []
            commit = repo.find(tail)
            entries = [_entry(p, d) for p, d in (commit.files if commit else {}).items() if p in asked]
            self._json(entries)
        elif what == "refs":
            refs = {"branches": repo.branches, "tags": repo.tags}
            prefix = {"branches": "refs/heads/", "tags": "refs/tags/"}
            told = {
                key: [{"name": n, "ref": prefix[key] + n, "targetCommit": sha} for n, sha in values.items()]
                for key, values in refs.items()
            }
            self._json(told | {"converts": []})
        elif what == "preupload":
            files = [
                {
                    "path": f["path"],
                    "uploadMode": "lfs" if f["path"].endswith(LFS_SUFFIXES) else "regular",
                    "shouldIgnore": False,
                }
                for f in json.loads(body)["files"]
            ]
            self._json({"files": files})
        elif what == "commit":
            self._commit(repo, tail, body)
        elif what == "branch":
            start = json.loads(body or b"{}").get("startingPoint", "main")
            repo.branches[tail] = repo.branches[start]
            self._json({})
        elif what == "tag":
            self._tag(repo, tail, json.loads(body))
        elif what == "settings":
            repo.settings |= json.loads(body)
            self._json(repo.settings)
        else:
            self._json({"error": f"no such call: {rest}"}, 404)

    def _create(self, asked: dict[str, Any]) -> None:
        if not self._may_write():
            self._json({"error": "Invalid username or password."}, 401)
            return
        if self.hub.read_only:
            self._json({"error": "You don't have the rights to create here."}, 403)
            return
        kind = asked.get("type") or "model"
        name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
        url = f"{self.hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in self.hub.repos:
            self._json({"error": "You already created this repo", "url": url}, 409)
            return
        visibility = asked.get("visibility")
        private = bool(asked.get("private")) or visibility == "private"
        repo = self.hub.repos[kind, name] = Repo(kind, name, private, asked.get("sdk") or "")
        repo.add("main", "initial commit", {".gitattributes": b"*.parquet filter=lfs\n"})
        self._json({"url": url, "name": name, "id": name})

    def _info(self, repo: Repo, revision: str) -> None:
        commit = repo.find(revision)
        if commit is None:
            self._json({"error": "Revision Not Found"}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        self._json(
            {
                "_id": "0" * 24,
                "id": repo.id,
                "sha": commit.id,
                "private": repo.private,
                "gated": repo.settings.get("gated", False),
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            }
        )

    def _tree(self, repo: Repo, revision: str, folder: str) -> None:
        commit = repo.find(revision)
        if commit is None:
            self._json({"error": "Revision Not Found"}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        start = f"{folder}/" if folder else ""
        recursive = "recursive=true" in self.path.lower()
        entries: dict[str, dict[str, Any]] = {}
        for path, data in sorted(commit.files.items()):
            if not path.startswith(start):
                continue
            first, slash, _ = path[len(start) :].partition("/")
            if slash:
                entries.setdefault(
                    start + first, {"type": "directory", "oid": "0" * 40, "size": 0, "path": start + first}
                )
            if recursive or not slash:
                entries[path] = _entry(path, data)
        if folder and not entries:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        self._json(list(entries.values()))

    def _batch(self, asked: dict[str, Any]) -> None:
        if not self._may_write():
            self._json({"error": "Invalid username or password."}, 401)
            return
        objects = []
        for entry in asked["objects"]:
            told = {"oid": entry["oid"], "size": entry["size"]}
            if entry["oid"] not in self.hub.lfs:
                told["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{entry['oid']}"}}
            objects.append(told)
        self._json({"transfer": "basic", "objects": objects}, media="application/vnd.git-lfs+json")

    def _store(self, oid: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self._json({"error": "the object's hash is another"}, 400)
            return
        self.hub.lfs[oid] = body
        self._json({})

    def _commit(self, repo: Repo, branch: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        head = repo.branches.get(branch)
        if head is None:
            self._json({"error": "Revision Not Found"}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        if header.get("parentCommit") and header["parentCommit"] != head:
            self._json({"error": "A commit has happened since. Please refresh and try again."}, 412)
            return
        parent = repo.find(head)
        assert parent is not None
        files = dict(parent.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.lfs[value["oid"]]
            elif line["key"] == "deletedFile":
                files.pop(value["path"], None)
            elif line["key"] == "deletedFolder":
                files = {p: d for p, d in files.items() if not p.startswith(value["path"].rstrip("/") + "/")}
        commit = repo.add(branch, header["summary"], files)
        prefix = "" if repo.kind == "model" else f"{repo.kind}s/"
        url = f"{self.hub.url}/{prefix}{repo.id}/commit/{commit.id}"
        self._json({"success": True, "commitOid": commit.id, "commitUrl": url, "hookOutput": ""})

    def _tag(self, repo: Repo, revision: str, asked: dict[str, Any]) -> None:
        if asked["tag"] in repo.tags:
            self._json({"error": "Tag reference exists already"}, 409)
            return
        commit = repo.find(revision)
        assert commit is not None
        repo.tags[asked["tag"]] = commit.id
        self._json({})

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        repo = self.hub.repos.get((KINDS[kind], name))
        if repo is None or (repo.private and not self._may_write()):
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            return
        commit = repo.find(revision)
        if commit is None:
            self._json({"error": "Revision Not Found"}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        if path not in commit.files:
            self._json(
                {"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit.id}
            )
            return
        data = commit.files[path]
        is_lfs = path.endswith(LFS_SUFFIXES)
        etag = hashlib.sha256(data).hexdigest() if is_lfs else blob_id(data)
        headers = {"X-Repo-Commit": commit.id, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        status = 200
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(asked[1]), int(asked[2] or len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
            data, status = data[start : end + 1], 206
        self._send(data, status, headers, "application/octet-stream")

    def _may_write(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _json(
        self, value: Any, status: int = 200, headers: dict[str, str] | None = None, media: str = "application/json"
    ) -> None:
        self._send(json.dumps(value).encode(), status, headers or {}, media)

    def _send(self, data: bytes, status: int, headers: dict[str, str], media: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": blob_id(data), "size": len(data), "path": path}
    if path.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return entry
