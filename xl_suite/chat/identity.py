"""Who answers as a model: what a server says of itself, and whether it is who answered before.

Two servers can use one model's name, and a server can be started again with other weights. The journal's key cannot
tell them apart, so the journal keeps, beside its answers, who gave them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from xl_suite.chat.calls import AnswerSource
from xl_suite.chat.http import is_loopback, join_path, open_http, request_json
from xl_suite.chat.journal_rows import UNREADABLE, Fact
from xl_suite.chat.models import OPENAI_URL, Model
from xl_suite.chat.wire import dump
from xl_suite.errors import BadInput, JournalError
from xl_suite.keys import hide_keys

if TYPE_CHECKING:
    import aiohttp

# The kind under which a journal keeps an identity.
IDENTITY = "identity"
ASKED_SECONDS = 5.0
# What a server may say that tells its weights or its template. What changes by itself is recorded, not compared.
COMPARED = (
    *("root", "parent", "meta", "model_path", "model_id", "model_sha", "model_dtype"),
    *("chat_template_sha256", "precision"),
)
RECORDED = ("build_info", "version", "max_model_len")
# A hash of the weights settles it, whatever the URL.
SETTLES = "model_sha"
_MOST_LETTERS = 300


class OtherServer(BadInput):
    """The server is not the one whose answers the journal holds under the model's name."""


@dataclass(frozen=True, slots=True)
class Identity:
    """name: of the generator, or empty. urls: of the servers; none for one that a run started. said: by COMPARED
    and RECORDED, of what the server tells."""

    name: str = ""
    urls: tuple[str, ...] = ()
    said: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self, *, public: bool = False) -> dict[str, Any]:
        """public: without the ports of this machine, which mean nothing elsewhere and change from run to run."""
        urls = list(dict.fromkeys(map(hide_port, self.urls))) if public else list(self.urls)
        value: dict[str, Any] = {"name": self.name, "urls": urls, "said": dict(self.said)}
        return {name: one for name, one in value.items() if one}

    def describe(self) -> str:
        told = [f"{name}: {self.said[name]}" for name in COMPARED if name in self.said]
        parts = [", ".join(self.urls)] if self.urls else []
        parts += [f"--name {self.name}"] if self.name else []
        return " ".join([*parts, f"({'; '.join(told)})" if told else "(it says nothing of its weights)"])

    def fits(self, other: Identity) -> bool:
        """Whether the two may be the same model's."""
        both = [name for name in COMPARED if name in self.said and name in other.said]
        if any(self.said[name] != other.said[name] for name in both):
            return False
        if SETTLES in both:
            return True
        # A port of this machine says nothing: servers that are started again get another one.
        here, there = set(map(hide_port, self.urls)), set(map(hide_port, other.urls))
        if here and there and not here & there:
            return False
        # Where the server says nothing, its user's name for it is all there is.
        return bool(both) or self.urls == (OPENAI_URL,) or self.name == other.name or not (self.name and other.name)


def hide_port(url: str) -> str:
    """A URL of this machine without its port; any other as it is."""
    parts = urlsplit(url)
    return url if not is_loopback(url) else urlunsplit((parts.scheme, str(parts.hostname), *parts[2:]))


def recall_identities(source: AnswerSource | None, key: str) -> list[Identity]:
    """Who has answered as the model of a key, in the order of the journal. Raises JournalError for what is none."""
    if source is None:
        return []
    values = [value for model, kind, value in source.facts() if (model, kind) == (key, IDENTITY)]
    try:
        return [read_identity(json.loads(value)) for value in values]
    except UNREADABLE as error:
        raise JournalError(f"the journal's identity of the model {key} cannot be read: {error}") from error


def read_identity(value: Mapping[str, Any]) -> Identity:
    return Identity(str(value.get("name", "")), tuple(map(str, value.get("urls", ()))), dict(value.get("said", {})))


class Guard:
    """Keeps one model's answers from being given as another's. known: who has answered as it, the last one last."""

    def __init__(self, model: Model, name: str, known: Sequence[Identity], *, same_model: bool, place: str):
        self.known = list(known)
        self._model, self._name, self._same_model, self._place = model, name, same_model, place
        self._settled = model.kind not in ("openai", "server")
        self._new: Identity | None = None
        self._turn = asyncio.Lock()

    async def check_early(self) -> None:
        """Before the journal answers anything. A server that cannot be reached is compared by URL and name alone."""
        if self._settled or not self.known:
            return
        said: Mapping[str, Any] = {}
        if any(one.said for one in self.known):
            async with open_http(self._model) as http:
                said = await self._ask(http) or {}
        self._compare(Identity(self._name, self._model.urls, said))

    async def settle(self, http: aiohttp.ClientSession, *, last: bool) -> None:
        """Asks the server who it is, once, and compares. Raises OtherServer.

        last: whether a server that does not answer is taken for one that says nothing.
        """
        async with self._turn:
            if self._settled:
                return
            said = await self._ask(http)
            if said is None and not last:
                return
            now = Identity(self._name, self._model.urls, said or {})
            self._compare(now)
            self._new, self._settled = now, True

    def note_folder(self) -> None:
        """Notes what local weights say of themselves, which a run serves."""
        said = describe_folder(Path(self._model.source)) if self._model.key.startswith("sha256:") else {}
        self._new = Identity(said=said) if said else None

    def take_fact(self) -> Fact | None:
        """What the journal is to keep, now that there is an answer; None where it has that already."""
        now, self._new = self._new, None
        if now is None or now in self.known:
            return None
        self.known.append(now)
        return Fact(self._model.key, IDENTITY, dump(now.to_dict()).decode("utf-8"))

    def _compare(self, now: Identity) -> None:
        if self._same_model or not self.known or any(now.fits(one) for one in self.known):
            return
        raise OtherServer(
            f"{self._place} holds answers of {self._model.name!r} that another server gave: "
            f"{self.known[-1].describe()}. Now it is {now.describe()}. Its answers are not given as those of another "
            "model. If it is the same model, add --same-model; if not, name another --out or another --journal."
        )

    async def _ask(self, http: aiohttp.ClientSession) -> Mapping[str, Any] | None:
        """What the model's servers say of it; None where one does not answer. Raises OtherServer."""
        if self._model.urls == (OPENAI_URL,):
            return {}  # its names are its own, and it tells nothing more of them
        told = await asyncio.gather(*(ask_server(http, url, self._model.name) for url in self._model.urls))
        if any(one is None for one in told):
            return None
        ours = [Identity("", (url,), one or {}) for url, one in zip(self._model.urls, told, strict=True)]
        for one in ours[1:]:
            differing = [name for name in COMPARED if ours[0].said.get(name) != one.said.get(name)]
            if differing and not self._same_model:
                raise OtherServer(
                    f"the servers of {self._model.name!r} say different things: {ours[0].describe()}, and "
                    f"{one.describe()}. If they serve the same model, add --same-model."
                )
        return ours[0].said


async def ask_server(http: aiohttp.ClientSession, url: str, model: str) -> dict[str, Any] | None:
    """What the server at a base URL says of a model's weights; None where it does not answer, or is not ready yet.

    Sources: the model list as vLLM, SGLang and llama.cpp fill it, llama.cpp's /props, TGI's /info.
    """
    parts = urlsplit(url)
    beside = urlunsplit((parts.scheme, parts.netloc, parts.path.rpartition("/v1")[0].rstrip("/"), "", ""))
    addresses = (join_path(url, "/models"), f"{beside}/props", f"{beside}/info")
    answers = await asyncio.gather(*(request_json(http, address, ASKED_SECONDS) for address in addresses))
    if all(status == 0 or status >= 500 for status, _ in answers):
        return None
    listed, props, info = (value if isinstance(value, dict) else {} for _, value in answers)
    rows = listed.get("data")
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    # llama.cpp takes any name, and lists the one that it has.
    own = next((row for row in rows if row.get("id") == model), rows[0] if len(rows) == 1 else {})
    found: dict[str, Any] = {name: own.get(name) for name in ("root", "parent", "meta", "max_model_len")}
    if isinstance(found["meta"], dict):
        found["meta"] = hashlib.sha256(dump(found["meta"])).hexdigest()
    found |= {name: props.get(name) for name in ("model_path", "build_info")}
    if isinstance(props.get("chat_template"), str):
        found["chat_template_sha256"] = hashlib.sha256(props["chat_template"].encode("utf-8", "replace")).hexdigest()
    found |= {name: info.get(name) for name in ("model_id", "model_sha", "model_dtype", "version")}
    kept = {name: found[name] for name in (*COMPARED, *RECORDED) if found.get(name) not in (None, "", "null")}
    return {
        name: value if isinstance(value, int) else hide_keys(str(value))[:_MOST_LETTERS]
        for name, value in kept.items()
    }


def describe_folder(folder: Path) -> dict[str, str]:
    """The hash of the chat template and the precision of local weights, where their folder says them."""
    said = {}
    template = folder / "chat_template.jinja"
    settings = _read_object(folder / "tokenizer_config.json")
    text = (
        template.read_text(encoding="utf-8", errors="replace")
        if template.is_file()
        else settings.get("chat_template")
    )
    if isinstance(text, str):
        said["chat_template_sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    config = _read_object(folder / "config.json")
    precision = config.get("dtype") or config.get("torch_dtype")
    return said | ({"precision": str(precision)} if precision else {})


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
