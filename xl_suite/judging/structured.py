"""Structured output in what a judge wrote: JSON objects, Python literals, lists of ranks, and tags."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The keys of the answer's name and of its rank in a list of ranks.
_RANKED = ("model", "name", "assistant", "answer", "response", "output", "id")
_RANKS = ("rank", "position")
# The keys of a tool call's arguments.
_CALLS = ("arguments", "parameters", "input")
# The maximum number of opening brackets that are examined in a text.
_MOST = 50
_LONGEST = 100_000
_FENCE = re.compile(r"(?:`{3,}|~{3,})[\w+-]*")
_KEY = re.compile(r"[\"']([^\W\d_][\w\s-]{0,40})[\"']\s*:")
_TAG = re.compile(r"<([^\W\d_][\w-]{0,40})>\s*([^<>]{0,80}?)\s*</\1>", re.IGNORECASE)
_OPENING = re.compile(r"\{|\[(?=\s*\{)")


@dataclass(frozen=True, slots=True)
class Structured:
    """The structured output in a text. values: the raw values under known keys.

    broken: a known key is in an unreadable object, or twice in one object, or in an object with text on both sides,
    which may be a quotation.
    rest: the text with a mark in place of each part that was read.
    """

    values: tuple[Any, ...]
    broken: bool
    rest: str


# The mark in `rest`, so that a label before it does not look cut off.
MARK = "\ufffc"


class _Doubled(dict[str, Any]):
    """An object that has a key twice, so that its value is not clear."""


def find_structured(text: str, is_key: Callable[[str], bool]) -> Structured:
    """The values under the keys accepted by `is_key` in all objects and tags of a text, in their order."""
    values: list[Any] = []
    broken = False
    rest: list[str] = []
    end = 0
    for start, stop, found in _find_objects(text):
        read, doubled = _read_object(found, is_key)
        if not read and not doubled:
            continue
        values += read
        broken |= doubled
        rest += [text[end:start], MARK]
        end = stop
    remaining = "".join([*rest, text[end:]])
    tagged, remaining = _read_tags(remaining, is_key)
    broken |= any(is_key(match[1]) for match in _KEY.finditer(remaining))
    around = [bool(re.search(r"\w", _FENCE.sub("", part))) for part in remaining.split(MARK)]
    broken |= len(around) > 1 and around[0] and around[-1]
    return Structured((*values, *tagged), broken, remaining)


def _find_objects(text: str) -> Iterator[tuple[int, int, Any]]:
    """Each outermost object or list of objects, with its start and end."""
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_keep_doubled)
    place = 0
    for _ in range(_MOST):
        opening = _OPENING.search(text, place)
        if opening is None:
            return
        start = opening.start()
        try:
            found, stop = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            stop = _find_close(text, start)
            found = _read_literal(text[start:stop])
        if found is None:
            place = start + 1
        else:
            yield start, stop, found
            place = stop


def _keep_doubled(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    return _Doubled(pairs) if len(set(names)) < len(names) else dict(pairs)


def _find_close(text: str, start: int) -> int:
    """The end of the bracket that opens at `start`, ignoring strings; `start` if it is not closed."""
    depth, quote, escaped = 0, "", False
    for place in range(start, min(len(text), start + _LONGEST)):
        sign = text[place]
        if quote:
            if escaped or sign == "\\":
                escaped = not escaped
            elif sign == quote:
                quote = ""
        elif sign in "\"'":
            quote = sign
        elif sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
            if depth == 0:
                return place + 1
    return start


def _read_literal(text: str) -> Any:
    """A Python dictionary or list, which models write instead of JSON; None for anything else."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _read_object(value: Any, is_key: Callable[[str], bool], depth: int = 0) -> tuple[list[Any], bool]:
    """The values under known keys, and whether an object with such a key has a key twice."""
    if isinstance(value, list):
        return _read_object(value[0], is_key, depth) if len(value) == 1 else _read_ranks(value)
    if not isinstance(value, dict) or depth > 2:
        return [], False
    values: list[Any] = []
    broken = False
    for name, entry in value.items():
        known = is_key(str(name))
        if known and isinstance(entry, dict):
            inner, doubled = _read_object(entry, is_key, depth + 1)
            values += inner if inner else [entry]
            broken |= doubled
        elif isinstance(entry, dict) and name in _CALLS:
            inner, doubled = _read_object(entry, is_key, depth + 1)
            values += inner
            broken |= doubled
        elif known:
            values.append(entry)
        elif isinstance(entry, list):
            ranked, doubled = _read_ranks(entry)
            values += ranked
            broken |= doubled
    return values, broken or (isinstance(value, _Doubled) and bool(values))


def _read_ranks(entries: Sequence[Any]) -> tuple[list[Any], bool]:
    """The name with rank 1 in `[{"model": "m", "rank": 1}, …]`; empty for anything else."""
    ranks: dict[Any, list[Any]] = {}
    for entry in entries:
        if not isinstance(entry, Mapping):
            return [], False
        name = next((entry[key] for key in _RANKED if key in entry), None)
        rank = next((entry[key] for key in _RANKS if key in entry), None)
        if name is None or rank is None:
            return [], False
        if isinstance(entry, _Doubled):
            return [], True
        ranks.setdefault(str(rank), []).append(name)
    first = ranks.get("1", [])
    clear = len(first) == 1 and all(len(names) == 1 for names in ranks.values()) and len(ranks) == 2
    return (first, False) if clear else ([], bool(ranks))


def _read_tags(text: str, is_key: Callable[[str], bool]) -> tuple[list[str], str]:
    """The contents of `<verdict>…</verdict>` and similar tags, and the text with marks in their place."""
    found = [match for match in _TAG.finditer(text) if is_key(match[1])]
    return [match[2] for match in found], _TAG.sub(lambda match: MARK if is_key(match[1]) else match[0], text)
