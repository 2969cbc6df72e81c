"""Request shapes: which fields a model takes, as a table (`shapes.tsv`) for known models and learnt for others.

A shape changes what is sent, and what is sent is in the journal's key; so the journal keeps the shape of each model,
and it is read before keys are computed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from xl_suite.chat.calls import AnswerSource
from xl_suite.errors import JournalError
from xl_suite.tables import read_table

# The kind under which a journal keeps a shape.
SHAPE = "shape"

# Fields that go with another one.
TOGETHER = {"logprobs": ("top_logprobs",)}
_NEVER = {"model", "messages", "stream"}


@dataclass(frozen=True, slots=True)
class Shape:
    """How a request differs from what a call asks for.

    rename: (field, the name it is sent under). drop: fields that are left out. add: fields with values that are sent
    beside them. least_tokens: the fewest tokens that an answer may be given. merge_system: whether the system message
    is put before the first user message.
    """

    rename: tuple[tuple[str, str], ...] = ()
    drop: tuple[str, ...] = ()
    add: tuple[tuple[str, Any], ...] = ()
    least_tokens: int = 0
    merge_system: bool = False

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body that is sent, from the one that the call asks for (without `model`)."""
        if self == PLAIN:
            return body
        body = {name: value for name, value in body.items() if name not in self.drop}
        for name, value in self.add:
            body.setdefault(name, value)
        for name in ("max_tokens", "max_completion_tokens"):
            if name in body:
                body[name] = max(body[name], self.least_tokens)
        for old, new in self.rename:
            if old in body:
                value = body.pop(old)
                body.setdefault(new, value)
        if self.merge_system:
            body["messages"] = merge_system(body["messages"])
        return body

    def drops(self, field: str) -> bool:
        return field in self.drop

    def to_dict(self) -> dict[str, Any]:
        """JSON of what differs; empty for the plain shape."""
        value: dict[str, Any] = {}
        if self.rename:
            value["rename"] = dict(self.rename)
        if self.drop:
            value["drop"] = list(self.drop)
        if self.add:
            value["add"] = dict(self.add)
        if self.least_tokens:
            value["least_tokens"] = self.least_tokens
        if self.merge_system:
            value["merge_system"] = True
        return value


PLAIN = Shape()


def read_shape(value: Mapping[str, Any]) -> Shape:
    """The shape of its JSON. KeyError, TypeError or ValueError where it is none."""
    return Shape(
        tuple(sorted((str(old), str(new)) for old, new in dict(value.get("rename", {})).items())),
        tuple(sorted(map(str, value.get("drop", ())))),
        tuple(sorted(dict(value.get("add", {})).items())),
        int(value.get("least_tokens", 0)),
        bool(value.get("merge_system", False)),
    )


def merge_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with the text of the system messages before that of the first user message."""
    system = [one["content"] for one in messages if one["role"] == "system"]
    others = [one for one in messages if one["role"] != "system"]
    if not system or not others:
        return messages
    first = others[0]
    if first["role"] != "user":
        return [{"role": "user", "content": "\n\n".join(system)}, *others]
    return [{**first, "content": "\n\n".join([*system, first["content"]])}, *others[1:]]


@dataclass(frozen=True, slots=True)
class _Row:
    pattern: str
    rename: tuple[str, ...]
    drop: tuple[str, ...]
    merge_system: int
    source: str


def find_shape(model: str) -> Shape:
    """The shape that the table knows for a model, by the last part of its name: `openai/gpt-5` is gpt-5."""
    name = model.rpartition("/")[2].lower()
    for row in _rows():
        if re.fullmatch(row.pattern, name):
            drop = {part for field in row.drop for part in (field, *TOGETHER.get(field, ()))}
            renames = tuple(sorted((old, new) for old, _, new in (one.partition("=") for one in row.rename)))
            return Shape(renames, tuple(sorted(drop)), merge_system=bool(row.merge_system))
    return PLAIN


@cache
def _rows() -> tuple[_Row, ...]:
    return read_table("xl_suite.chat", "shapes.tsv", _Row)


def recall_shape(source: AnswerSource | None, name: str, key: str) -> Shape:
    """The shape of a model's requests: the last that its journal has learnt, else what the table knows.

    A journal that holds answers of the model, and no shape, was written with the plain one. Raises JournalError for
    a shape that cannot be read.
    """
    if source is None:
        return find_shape(name)
    learnt = [value for model, kind, value in source.facts() if (model, kind) == (key, SHAPE)]
    if learnt:
        try:
            return read_shape(json.loads(learnt[-1]))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise JournalError(f"the journal's shape of the requests to {name} cannot be read: {error}") from error
    table = find_shape(name)
    return PLAIN if table != PLAIN and source.holds(key) else table


@dataclass(frozen=True, slots=True)
class Adapted:
    """A request that the server wants otherwise: the shape of all further ones, and the line that says so."""

    shape: Shape
    line: str
    values: tuple[tuple[str, object], ...] = ()


_QUOTED = r"[`'\"\[]*"
# What servers write of one field that they do not take; the field is the first group.
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"unsupported (?:parameter|value|field)s?:? {_QUOTED}([a-z_]+)",
        rf"unknown (?:name|field|parameter|argument):? {_QUOTED}([a-z_]+)",
        rf"unrecognized (?:request )?(?:argument|parameter|field)s?(?: supplied)?:? {_QUOTED}([a-z_]+)",
        rf"does not support (?:the )?parameters?:? {_QUOTED}([a-z_]+)",
        r"`([a-z_]+)` is deprecated",
        rf"do(?:es not|esn't) support {_QUOTED}([a-z_]+)",
        rf"{_QUOTED}([a-z_]+){_QUOTED} (?:is|are) not (?:supported|enabled|permitted|allowed)",
        r"(logprobs)(?= is not enabled)",
        r"not allowed to request (logprobs)",
        r"`(top_p)` must be > 0",
        r"temperature and (top_p) cannot both",
        r"parameter\.(enable_thinking) must be set to false",
    )
)
_MINIMUM = re.compile(r"below minimum value\. Expected a value >= (\d+)|must be at least (\d+)", re.IGNORECASE)
_SYSTEM = re.compile(r"system role not supported|conversation roles must alternate", re.IGNORECASE)
_EFFORT = re.compile(r"does not support thinking|invalid reasoning value", re.IGNORECASE)
_TOKENS = ("max_tokens", "max_completion_tokens")
_LINES = {
    "temperature": "adapted_temperature",
    "top_p": "adapted_top_p",
    "seed": "adapted_seed",
    "random_seed": "adapted_seed",
    "logprobs": "adapted_logprobs",
    "top_logprobs": "adapted_logprobs",
    "reasoning_effort": "adapted_reasoning_effort",
}


def adapt(shape: Shape, body: Mapping[str, Any], words: str, param: str, forbidden: bool) -> Adapted | None:
    """What a refusal teaches of the request's shape; None where it teaches nothing.

    shape: that of the request which was refused. body: what was sent. words: the server's message. param: the field
    that the refusal names in a field of its own, or empty. forbidden: whether it says that the field is not known.
    """
    if _SYSTEM.search(words) and any(one["role"] == "system" for one in body["messages"]):
        return Adapted(replace(shape, merge_system=True), "adapted_system")
    if _EFFORT.search(words) and "reasoning_effort" in body:
        return _drop(shape, "reasoning_effort", body)
    least = _MINIMUM.search(words)
    sent = next((body[name] for name in _TOKENS if name in body), None)
    if least is not None and isinstance(sent, int) and not isinstance(sent, bool):
        limit = int(least[1] or least[2])
        if sent < limit <= 256:
            values = (("limit", limit), ("sent", sent))
            return Adapted(replace(shape, least_tokens=limit), "adapted_minimum_tokens", values)
        # Some refuse what comes with logprobs by these words, whatever was sent.
        return _drop(shape, "logprobs", body) if "logprobs" in body and sent >= limit > 1 else None
    if "can handle the requested parameters" in words and "logprobs" in body:
        return _drop(shape, "logprobs", body)
    told = [found[1].lower() for pattern in _NAMED for found in pattern.finditer(words)]
    if forbidden:
        told.insert(0, param)
    field = next((name for name in told if name in body or name == "enable_thinking"), "")
    if not field and param in body and re.search(r"not support|unsupported|not permitted|only the default", words):
        field = param
    if field == "enable_thinking" and body.get("enable_thinking") is not False:
        return Adapted(replace(shape, add=(*shape.add, ("enable_thinking", False))), "adapted_thinking")
    if field not in body or field in _NEVER:
        return None
    if field in _TOKENS:
        other = _TOKENS[1 - _TOKENS.index(field)]
        others = tuple(pair for pair in shape.rename if pair[0] not in _TOKENS)
        renames = tuple(sorted((*others, (field, other))))
        return Adapted(replace(shape, rename=renames), f"adapted_{field}")
    if field == "seed" and forbidden and not shape.rename:
        return Adapted(replace(shape, rename=(("seed", "random_seed"),)), "adapted_renamed_seed")
    return _drop(shape, field, body)


def _drop(shape: Shape, field: str, body: Mapping[str, Any]) -> Adapted:
    whole = "logprobs" if field == "top_logprobs" else field
    asked = next((old for old, new in shape.rename if new == field), whole)
    drop = {*shape.drop, asked, *TOGETHER.get(asked, ())}
    values = (("sent", body.get(field)), ("option", field))
    return Adapted(replace(shape, drop=tuple(sorted(drop))), _LINES.get(field, "adapted_field"), values)
