"""The loopback server in a real one's place: `servers/*.yaml` says what each takes, refuses and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from xl_suite.chat.loopback.replies import Reply, Script, encode_answer
from xl_suite.errors import BadInput

# The parts of a table whose entries are ways in which a server answers.
FORMS = ("answers", "refusals", "waits", "finish_reasons")
_FOLDER = files("xl_suite.chat").joinpath("loopback", "servers")
_TOKENS = ("max_tokens", "max_completion_tokens")


def list_servers() -> list[str]:
    """The servers of the table, by name."""
    return sorted(path.name.removesuffix(".yaml") for path in _FOLDER.iterdir() if path.name.endswith(".yaml"))


@cache
def read_server(name: str) -> dict[str, Any]:
    """What the table says of a server. Raises BadInput for one that it lacks."""
    if name not in list_servers():
        raise BadInput(f"the table has no server {name!r}. It has {', '.join(list_servers())}.")
    import yaml

    table: dict[str, Any] = yaml.safe_load(_FOLDER.joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
    return table


def list_forms(name: str) -> dict[str, dict[str, Any]]:
    """The ways in which a server answers, as `refusals.model` → the table's entry."""
    table = read_server(name)
    return {f"{part}.{key}": fact for part in FORMS for key, fact in table[part].items()}


def find_plain(name: str) -> dict[str, Any]:
    """A server's plain answer: the first of its table that is one."""
    answers = read_server(name)["answers"]
    plain: dict[str, Any] = answers.get("plain") or next(
        fact for fact in answers.values() if fact["outcome"] == "answered" and fact["text"] and "message" in fact
    )
    return plain


def list_paths(name: str) -> dict[str, Any]:
    """What a server says of itself under further paths, as `Loopback.paths` has them."""
    paths = {}
    for fact in read_server(name)["models"]:
        if fact["body"] is not None:
            paths["/v1/models" if fact["path"] == "/models" else fact["path"]] = fact["body"]
    return paths


def play(name: str, form: str = "", *, times: int = 0, answer: Script | None = None) -> Script:
    """A script that answers as the server `name` does.

    Without a form it refuses the request fields that the server never takes, and gives its plain answer. With one,
    such as `refusals.context`, the first `times` requests (0: all) get that; a refusal that wants another request is
    only given to the requests that it fits. answer: gives the text of the plain answer in the place of the table's.
    Raises BadInput for a server or a form that the table lacks.
    """
    forms = list_forms(name)
    if form and form not in forms:
        raise BadInput(f"{name} has no form {form!r}. It has {', '.join(forms)}.")
    fields = {field: fact for field, fact in read_server(name)["request"].items() if fact}
    plain = find_plain(name)
    given = 0

    def reply(request: dict[str, Any]) -> Reply:
        nonlocal given
        if not form:
            for field, fact in fields.items():
                key = fact.get("refusal")
                if (
                    fact["status"] in ("refused", "renamed")
                    and key
                    and _holds(request, field, forms[f"refusals.{key}"])
                ):
                    return _refuse(forms[f"refusals.{key}"])
        elif not (times and given >= times) and _fits(request, form, forms[form], fields):
            given += 1
            return _give(request, form, forms[form], plain)
        told = answer(request) if answer is not None else plain["text"]
        told = Reply(told, finish_reason=plain["finish_reason"]) if isinstance(told, str) else told
        return replace(told, message={**plain["message"], "content": told.text})

    return reply


def _give(request: dict[str, Any], form: str, fact: Mapping[str, Any], plain: Mapping[str, Any]) -> Reply:
    if form.startswith("finish_reasons."):
        reason = form.partition(".")[2]
        return Reply(plain["text"], message=plain["message"], finish_reason=reason)
    if not form.startswith("answers."):
        return _refuse(fact)
    before = fact.get("raw_before", "").encode()
    if "body" in fact:
        return Reply(raw=before + _encode(fact["body"]))
    if fact["message"] is None:
        return Reply(
            raw=_encode({"choices": [{"index": 0, "message": None, "finish_reason": fact["finish_reason"]}]})
        )
    count = (fact.get("usage") or {}).get("completion_tokens")
    reply = Reply(message=fact["message"], finish_reason=fact["finish_reason"], completion_tokens=count)
    return Reply(raw=before + encode_answer(request, reply)) if before else reply


def _refuse(fact: Mapping[str, Any]) -> Reply:
    return Reply(status=fact["status"], headers=dict(fact["headers"]), raw=_encode(fact["body"]))


def _encode(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) and body.startswith("<") else json.dumps(body).encode()


def _fits(request: Mapping[str, Any], form: str, fact: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a form can be given to a request: one that wants another request only while it is as it was."""
    if fact["outcome"] != "adapted":
        return True
    key = form.partition(".")[2]
    named = [field for field, one in fields.items() if key in _as_list(one.get("refusal"))]
    return any(_holds(request, field, fact) for field in named)


def _holds(request: Mapping[str, Any], field: str, fact: Mapping[str, Any]) -> bool:
    """Whether a request holds what a refusal of `field` speaks of."""
    words = json.dumps(fact["body"])
    if fact["line"] == "adapted_thinking":
        return request.get("enable_thinking") is not False
    if fact["line"] == "adapted_minimum_tokens":
        least = re.search(r">= (\d+)", words)
        sent = next((request[name] for name in _TOKENS if name in request), None)
        return least is not None and sent is not None and sent < int(least[1])
    if field == "system":
        return any(message.get("role") == "system" for message in request["messages"])
    if field == "extra":
        return any(re.search(rf'[\\"`]{re.escape(name)}[\\"`]', words) for name in request if name != "model")
    return field in request


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
