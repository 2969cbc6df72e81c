"""Small damages to JSON, for tests of whatever reads files and responses that others wrote."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, -(10**30), float("nan"), float("inf")),
    *("", " ", "\ud800", "x" * 5000, "../../etc", "a/b", "\x00", "\u202e", "١٢", "2", "é", "deu", "eng"),
    *([], {}, [[]], [None], {"a": 1}, {"": None}, [1, 2, 3]),
)


def damage(value: Any, random: Random) -> Any:
    """A copy in which something is left out, doubled, wrapped, added, or replaced by what does not belong there.

    Half of the damages are near the top, where a record's fields are.
    """
    value = copy.deepcopy(value)
    places = list(_walk(value))
    if random.random() < 0.5:
        places = [place for place in places if len(place) <= 2]
    *way, last = random.choice(places) or [None]
    if last is None:
        return random.choice(ODD)
    at = value
    for step in way:
        at = at[step]
    chosen = random.random()
    if chosen < 0.2:
        del at[last]
    elif chosen < 0.3 and isinstance(at, list):
        at.insert(last, copy.deepcopy(at[last]))
    elif chosen < 0.4:
        at[last] = [at[last]]
    elif chosen < 0.5 and isinstance(at, dict):
        at[random.choice(["x", "id", "language", "\ud800", ""])] = random.choice(ODD)
    else:
        at[last] = random.choice(ODD)
    return value


def damage_text(text: str, random: Random, *, lines: bool) -> bytes:
    """The same of a file's text. lines: each of them is a JSON text."""
    found = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)
    for _ in range(random.choice([1, 1, 2])):
        found = damage(found, random)
    if lines and isinstance(found, list):
        return "".join(json.dumps(row) + "\n" for row in found).encode()
    return json.dumps(found).encode()


def _walk(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in inner:
        yield from _walk(one, (*place, step))
