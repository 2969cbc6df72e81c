"""The names of models, and what each needs before it can be called.

| name | model |
| --- | --- |
| `gpt-4o-2024-08-06` | OpenAI's, or that of `OPENAI_BASE_URL`; the key is in `OPENAI_API_KEY` |
| `MODEL@http://host:8000/v1` | of any OpenAI-compatible server; further URLs after commas share the load |
| `transformers:ID_OR_DIR`, `vllm:ID_OR_DIR` | of a server that is started for it and stopped at the end |
| `replay:JOURNAL#MODEL` | answers of a journal, without any network; `#MODEL` where it holds several models |
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from xl_suite.chat.serving.weights import check_folder, hash_folder
from xl_suite.errors import BadInput, ModelUnavailable

OPENAI_URL = "https://api.openai.com/v1"
# The kinds of models whose server a run starts, on this machine.
STARTED = ("transformers", "vllm")
PREFIXES = (*STARTED, "replay")
FORMS = (
    "A model is named as gpt-4o-2024-08-06 (OpenAI), MODEL@http://host:8000/v1 (any OpenAI-compatible server), "
    "transformers:ID_OR_DIR or vllm:ID_OR_DIR (a server is started), or replay:JOURNAL (a journal's answers)."
)

_URL_STARTS = re.compile(r"@(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_LOOKS_LIKE_HOST = re.compile(r"@(?:localhost|[\w.-]+:\d{1,5})(?:/.*)?\Z")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?\Z", re.ASCII)
_VERSION_PART = re.compile(r"/v\d[^/]*(?:/|\Z)", re.IGNORECASE)
_OWN_PATH = re.compile(r"/(?:serving-endpoints|inference|openai/deployments/[^/]+)\Z")
_API_VERSION = re.compile(r"api-version=[\w.-]+")


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked; one of STARTED only when its server has given it its URLs.

    name: what is sent as `model`; for a replay the model of the journal that is asked for, empty for its only one.
    key: what stands for the model in the journal's key: the name, or `sha256:...` of local weights.
    urls: base URLs, `http://host:8000/v1`; empty for a replay and for a server that is not started yet.
    kind: `openai`, `server`, `vllm`, `transformers` or `replay`.
    source: folder or Hub ID of the weights, path of the journal; empty for the others.
    key_variable: the environment variable that holds the API key, or would.
    """

    name: str
    key: str
    urls: tuple[str, ...]
    kind: str
    api_key: str | None = field(default=None, repr=False)
    source: str = ""
    key_variable: str = field(default="", compare=False)


def parse_model(text: str) -> Model:
    """The model of a name as in this module's table. Reads local weights once, for their hash; calls nothing.

    Raises BadInput for a name of no such form and ModelUnavailable for a folder or journal that is not there.
    """
    if not text.strip():
        raise BadInput(f"{text!r} names no model. {FORMS}")
    if not text.isprintable():
        raise BadInput(f"{text!r} cannot be a model: it holds characters that do not print. {FORMS}")
    text = text.strip()
    prefix, colon, rest = text.partition(":")
    url_starts = _URL_STARTS.search(text)
    if colon and prefix in PREFIXES:
        if not rest.strip():
            raise BadInput(f"{text!r} names nothing after {prefix!r}. {FORMS}")
        if prefix == "replay":
            return _parse_replay(rest)
        if url_starts:
            raise BadInput(
                f"{text!r}: {prefix}: starts a server of its own and takes no URL. "
                f"For a server that runs already, write {rest!r}."
            )
        return _parse_weights(prefix, rest)
    if url_starts:
        return _parse_server(text[: url_starts.start()], text[url_starts.end() :], text)
    return _parse_openai(text)


def require_key(model: Model) -> None:
    """Raises ModelUnavailable for a model that is asked of OpenAI without a key."""
    if OPENAI_URL in model.urls and model.api_key is None:
        raise ModelUnavailable(
            f"{model.name!r} is asked of OpenAI, which needs a key. Put it in the environment variable "
            "OPENAI_API_KEY; for another server set OPENAI_BASE_URL, or write MODEL@http://host:8000/v1."
        )


def _parse_replay(rest: str) -> Model:
    journal, hash_sign, name = rest.rpartition("#")
    if not hash_sign or os.path.isfile(rest):
        journal, name = rest, ""
    if not os.path.isfile(journal):
        raise ModelUnavailable(f"replay:{rest}: there is no journal at {journal!r}. Name the file of a journal.")
    return Model(name=name, key=name, urls=(), kind="replay", source=journal)


def _parse_weights(kind: str, source: str) -> Model:
    folder = Path(os.path.expanduser(source))
    if os.path.isdir(folder):
        check_folder(folder)
        return Model(_folder_name(folder), hash_folder(folder), (), kind, None, str(folder.resolve()))
    if os.path.exists(folder):
        raise ModelUnavailable(
            f"{kind}:{source}: a file; the folder that holds config.json and the weights is needed."
        )
    if not _HUB_ID.match(source):
        raise ModelUnavailable(
            f"{kind}:{source}: neither a folder here nor a Hub ID (ORG/NAME, as in Qwen/Qwen2.5-7B)."
        )
    return Model(source, source, (), kind, None, source)


def _folder_name(folder: Path) -> str:
    """A folder's own name, made of letters that need no care in a command, a request or a path."""
    return re.sub(r"[^\w.-]+", "-", folder.resolve().name, flags=re.ASCII).strip("-.") or "model"


def _parse_server(name: str, addresses: str, text: str) -> Model:
    if not name.strip():
        raise BadInput(f"{text!r} has a URL but no model before the @. Its server lists its models at /v1/models.")
    urls = tuple(dict.fromkeys(_normalise_url(address, text) for address in addresses.split(",")))
    trusted = {OPENAI_URL, _openai_url()}
    # OpenAI's key goes only where the environment says that it belongs, never to a URL that was merely named.
    key = _read_key("OPENAI_API_KEY") if trusted.issuperset(urls) else None
    variable = "OPENAI_API_KEY" if key else "XL_SUITE_API_KEY"
    return Model(name, name, urls, "server", key or _read_key(variable), key_variable=variable)


def _parse_openai(text: str) -> Model:
    if any(character.isspace() for character in text):
        raise BadInput(f"{text!r} cannot be a model: it holds a space. {FORMS}")
    if _LOOKS_LIKE_HOST.search(text):
        name, _, address = text.rpartition("@")
        raise BadInput(f"{text!r}: a URL begins with http:// or https://. Write {name + '@http://' + address!r}.")
    if text.startswith((".", "/", "~")) or os.path.isfile(os.path.join(text, "config.json")):
        raise BadInput(f"{text!r} is a folder. Write {'transformers:' + text!r} or {'vllm:' + text!r} to serve it.")
    prefix, colon, rest = text.partition(":")
    near = difflib.get_close_matches(prefix.lower(), PREFIXES, n=1, cutoff=0.75)
    if colon and near:
        raise BadInput(f"{text!r}: {prefix!r} is unknown. Did you mean {near[0] + ':' + rest!r}? {FORMS}")
    variable = "OPENAI_API_KEY"
    return Model(text, text, (_openai_url(),), "openai", _read_key(variable), key_variable=variable)


def _read_key(variable: str) -> str | None:
    """The API key of an environment variable. Raises BadInput, without showing it, where it cannot be a header."""
    key = os.environ.get(variable) or None
    if key is None:
        return None
    if key.strip() != key and key.strip().isprintable():
        where = "a line break" if "\n" in key or "\r" in key else "white space"
        raise BadInput(f"{variable} begins or ends with {where}. Set it again without that (the key is not shown).")
    if not key.isprintable():
        raise BadInput(f"{variable} holds a line break or another control character. Set it again without that.")
    if not key.isascii():
        raise BadInput(f"{variable} holds characters beyond ASCII, which no key has. Copy the key anew.")
    if key[0] in "'\"" or key.lower().startswith("bearer "):
        raise BadInput(f"{variable} begins with a quotation mark or with the word Bearer. Set it to the key alone.")
    return key


def _openai_url() -> str:
    address = os.environ.get("OPENAI_BASE_URL")
    return _normalise_url(address, "OPENAI_BASE_URL") if address else OPENAI_URL


def _normalise_url(address: str, text: str) -> str:
    """A base URL as the client wants it: no trailing slash, a version in its path (`/v1` where there is none)."""
    address = address.strip()
    valid = "A URL is http:// or https://, a host, a port and a path, as in http://localhost:8000/v1."
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  raises where it is not a number
    except ValueError as error:
        raise BadInput(f"{text!r}: {address!r} is not a URL: {error}. {valid}") from error
    if parts.username is not None or parts.password is not None:  # not shown: it would be a secret in a log
        raise BadInput("A URL holds no user or password; put the key in the environment variable XL_SUITE_API_KEY.")
    if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, address)):
        raise BadInput(f"{text!r}: {address!r} is not a URL that can be called. {valid}")
    if parts.fragment or (parts.query and not _API_VERSION.fullmatch(parts.query)):
        raise BadInput(
            f"{text!r}: {address!r} has a query or fragment; only Azure's ?api-version= may be one. {valid}"
        )
    path = parts.path.rstrip("/")
    whole = path.endswith("/chat/completions")
    path = path.removesuffix("/chat/completions").rstrip("/")
    # Databricks, GitHub and Azure have paths of their own, and a whole address is taken as it is.
    if not whole and not _VERSION_PART.search(path) and not _OWN_PATH.search(path):
        path += "/v1"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc.lower()}{path}{query}"
