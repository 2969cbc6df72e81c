"""Sentence splitters: a module each, found by its name.

A module has `make_splitter(**options) -> Splitter`. To add one, add a module here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from itertools import accumulate, pairwise
from typing import Any

from xl_suite.errors import BadInput

# (text, ISO 639-1 code of its language, or ISO 639-3 where there is none) -> pieces that join back to the text.
Splitter = Callable[[str, str], list[str]]


@cache
def list_splitters() -> tuple[str, ...]:
    """The names that `load_splitter` knows."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg))


def load_splitter(name: str, **options: Any) -> Splitter:
    """The splitter of a name, with the options of its module's `make_splitter`. Raises BadInput for any other."""
    if name not in list_splitters():
        raise BadInput(f"{name!r} is no sentence splitter. Known: {', '.join(list_splitters())}.")
    make = import_module(f"{__name__}.{name}").make_splitter
    try:
        splitter: Splitter = make(**options)
    except TypeError as error:
        raise BadInput(f"splitter {name!r}: {error}.") from error
    return splitter


def check_join(name: str, text: str, pieces: Sequence[str]) -> list[str]:
    """The pieces as a list. Raises BadInput where they do not join back to `text`, naming the first difference."""
    joined = "".join(pieces)
    if joined == text:
        return list(pieces)
    shorter = min(len(joined), len(text))
    place = next((i for i in range(shorter) if joined[i] != text[i]), shorter)
    raise BadInput(
        f"the splitter {name!r} changed the text at character {place}: {text[place : place + 40]!r} became "
        f"{joined[place : place + 40]!r}. Its sentences must join back to the text; choose another splitter "
        f"({', '.join(list_splitters())})."
    )


def cut_alike(text: str, pieces: Sequence[str]) -> list[str]:
    """`text` cut where `pieces`, of a text of the same length, are."""
    return [text[start:end] for start, end in pairwise(accumulate(map(len, pieces), initial=0))]
